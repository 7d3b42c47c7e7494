//! Amounts of an account's balance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Money;
use super::money::MAX_US_DOLLARS;
use crate::{Attribute, Flaw, Kind, Violation};

/// An exact amount of US dollars, written with at least two places: `"50.00"`, `"0.005"`. That of an account which has
/// spent of its credit is negative.
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
    const KIND: Kind = Kind::Decimal { min: -MAX_US_DOLLARS, max: MAX_US_DOLLARS };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let amount: Option<Self> = match sent {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => Self::deserialize(number).ok(),
            _ => None,
        };
        let Some(amount) = amount else { return Err(Violation::NotANumber.into()) };
        let dollars = amount.money().amount();
        if dollars < (-MAX_US_DOLLARS).into() {
            return Err(Violation::GreaterOrEqual((-MAX_US_DOLLARS).into()).into());
        }
        if dollars > MAX_US_DOLLARS.into() {
            return Err(Violation::LessOrEqual(MAX_US_DOLLARS.into()).into());
        }
        Ok(Value::String(amount.to_string()))
    }
}

/// A [`BalanceAmount`] that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CreditLimit(BalanceAmount);

impl Attribute for CreditLimit {
    const KIND: Kind = Money::KIND;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        Money::validate(sent)?;
        BalanceAmount::validate(sent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_balance_can_be_negative_and_a_credit_cannot() {
        for (sent, stored) in [
            (json!("-37723.54"), "-37723.54"),
            (json!(-5), "-5.00"),
            (json!("0.005"), "0.005"),
            (json!("-0"), "0.00"),
        ] {
            assert_eq!(BalanceAmount::validate(&sent).unwrap(), stored);
        }
        assert_eq!(CreditLimit::validate(&json!("50")).unwrap(), "50.00");
        assert!(CreditLimit::validate(&json!("-1")).is_err());
        for wrong in [json!("a"), json!(null), json!("-1000000001"), json!("1000000001")] {
            assert!(BalanceAmount::validate(&wrong).is_err(), "{wrong}");
        }
    }
}
