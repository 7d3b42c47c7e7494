//! Exact amounts, carried as decimal text.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An exact amount of US dollars.
///
/// The wire carries text with no trailing zeros beyond one decimal, such as `"0.0"`, `"200.0"` or `"0.02"`.
/// Reading accepts a number as well, since some recorded answers hold one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Money(Decimal);

impl Money {
    /// Takes an exact amount.
    pub const fn new(amount: Decimal) -> Self {
        Self(amount)
    }

    /// The exact amount.
    pub const fn amount(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.normalize();
        if amount.scale() == 0 { write!(f, "{amount}.0") } else { write!(f, "{amount}") }
    }
}

impl FromStr for Money {
    type Err = rust_decimal::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // More digits than a Decimal holds must not be rounded silently; neither is `1_000` a number here.
        if text.contains('_') {
            return Err(rust_decimal::Error::ErrorString("not a decimal number".to_owned()));
        }
        Decimal::from_str_exact(text.trim()).map(Self)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Money;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Money, E> {
                Ok(Money(number.into()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Money, E> {
                Ok(Money(number.into()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Money, E> {
                // The shortest text of a float is what the sender wrote.
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
