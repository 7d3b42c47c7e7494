//! Amounts of an account's balance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Money;
use crate::{Attribute, Flaw, Kind};

/// An exact amount of US dollars, written with at least two places: `"50.00"`, `"0.005"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BalanceAmount(Money);

impl BalanceAmount {
    /// The amount.
    pub const fn money(self) -> Money {
        self.0
    }
}

impl From<Money> for BalanceAmount {
    fn from(money: Money) -> Self {
        Self(money)
    }
}

impl fmt::Display for BalanceAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.amount().normalize();
        if amount.scale() < 2 { write!(f, "{amount:.2}") } else { write!(f, "{amount}") }
    }
}

impl FromStr for BalanceAmount {
    type Err = <Money as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for BalanceAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BalanceAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Money::deserialize(deserializer).map(Self)
    }
}

impl Attribute for BalanceAmount {
    const KIND: Kind = Money::KIND;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let valid = Money::validate(sent)?;
        let amount = valid.as_str().and_then(|text| text.parse::<Self>().ok());
        Ok(amount.map_or(valid, |amount| Value::String(amount.to_string())))
    }
}
