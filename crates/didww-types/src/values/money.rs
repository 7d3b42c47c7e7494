//! Exact amounts of money, written as decimal texts.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{Attribute, Flaw, Kind, Violation};

/// The largest price that is valid as an attribute, in US dollars. DIDWW documents no limit; this one is chosen by this
/// project.
pub(super) const MAX_US_DOLLARS: i64 = 1_000_000_000;

/// An exact amount of US dollars.
///
/// It is written as a text with at least one decimal and no further trailing zeros, such as `"0.0"`,
/// `"200.0"` or `"0.02"`. Decoding also accepts a JSON number, because some recorded responses contain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Money(Decimal);

impl Money {
    /// No money.
    pub const ZERO: Self = Self::new(Decimal::ZERO);

    /// Creates an amount of US dollars.
    pub const fn new(amount: Decimal) -> Self {
        Self(amount)
    }

    /// The amount in US dollars.
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

    /// Parses a decimal text; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `Decimal` accepts `1_000`, which the API does not. `from_str_exact` refuses more digits than a
        // `Decimal` has, instead of rounding.
        if text.contains('_') {
            return Err(rust_decimal::Error::ErrorString("not a decimal number".to_owned()));
        }
        let text = text.trim();
        // A whole number is written with `.0`, for which the largest ones leave no room.
        let is_whole =
            |text: &&str| !text.contains('.') && text.ends_with(|last: char| last.is_ascii_digit());
        let whole = text.strip_suffix(".0").filter(is_whole);
        Decimal::from_str_exact(whole.unwrap_or(text)).map(Self)
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
                // Rust formats a float as the shortest text that parses back to it, which is the text that the sender
                // wrote.
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Attribute for Money {
    const KIND: Kind = Kind::Decimal { min: 0, max: MAX_US_DOLLARS };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let money: Option<Self> = match sent {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => Self::deserialize(number).ok(),
            _ => None,
        };
        match money {
            Some(Self(amount)) if amount < Decimal::ZERO => {
                Err(Violation::GreaterOrEqual(Decimal::ZERO).into())
            }
            Some(Self(amount)) if amount > MAX_US_DOLLARS.into() => {
                Err(Violation::LessOrEqual(MAX_US_DOLLARS.into()).into())
            }
            Some(money) => Ok(Value::String(money.to_string())),
            None => Err(Violation::NotANumber.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_amounts_can_be_read_as_they_are_written() {
        for amount in [Decimal::MAX, Decimal::MIN, Decimal::ZERO, Decimal::ONE, Decimal::new(150, 2)] {
            assert_eq!(Money(amount).to_string().parse::<Money>().unwrap(), Money(amount));
        }
        for wrong in ["", "a.0", "1_0.0", "1.0.0"] {
            assert!(wrong.parse::<Money>().is_err(), "{wrong}");
        }
    }
}
