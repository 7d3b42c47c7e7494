//! The spending threshold of a trunk.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::{Money, ValueError};
use crate::{Attribute, Flaw, Kind, Violation};

const MAX_US_DOLLARS: i64 = 100_000;

/// The spending of a rolling 24 hours at which a trunk is blocked: 0.0 to 100000.0 US dollars, as an exact
/// decimal.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::values::ThresholdAmount;
/// let limit: ThresholdAmount = "1000.50".parse()?;
/// assert_eq!(limit.to_string(), "1000.5");
/// assert!("100000.1".parse::<ThresholdAmount>().is_err());
/// # Ok::<(), didww_types::values::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThresholdAmount(Money);

impl ThresholdAmount {
    /// Validates an amount in US dollars.
    ///
    /// # Errors
    /// Returns an error for an amount below 0.0 or above 100000.0.
    pub fn new(amount: Decimal) -> Result<Self, ValueError> {
        check(amount)
            .map_or(Ok(Self(Money::new(amount))), |violation| Err(error(amount.to_string(), violation)))
    }

    /// The amount. One that a service returned may be outside the documented limits.
    pub const fn money(self) -> Money {
        self.0
    }
}

fn check(amount: Decimal) -> Option<Violation> {
    if amount < Decimal::ZERO {
        Some(Violation::GreaterOrEqual(Decimal::ZERO))
    } else if amount > Decimal::from(MAX_US_DOLLARS) {
        Some(Violation::LessOrEqual(Decimal::from(MAX_US_DOLLARS)))
    } else {
        None
    }
}

/// The violation of a number that is too large for an exact decimal.
fn out_of_range(float: f64) -> Violation {
    if float < 0.0 {
        Violation::GreaterOrEqual(Decimal::ZERO)
    } else {
        Violation::LessOrEqual(Decimal::from(MAX_US_DOLLARS))
    }
}

fn error(given: String, violation: Violation) -> ValueError {
    ValueError { what: "threshold amount", given, violation, right: "0.0 to 100000.0 US dollars" }
}

impl std::str::FromStr for ThresholdAmount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<Money>() {
            Ok(money) => Self::new(money.amount()),
            Err(_) => Err(error(text.to_owned(), Violation::NotANumber)),
        }
    }
}

impl std::fmt::Display for ThresholdAmount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Attribute for ThresholdAmount {
    const KIND: Kind = Kind::Decimal { min: 0, max: MAX_US_DOLLARS };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let (money, float) = match sent {
            Value::String(text) => (text.parse().ok(), text.trim().parse().ok()),
            Value::Number(number) => (Money::deserialize(number).ok(), number.as_f64()),
            _ => (None, None),
        };
        match (money.map(|money| (money, check(money.amount()))), float) {
            (Some((money, None)), _) => Ok(Value::String(money.to_string())),
            (Some((_, Some(violation))), _) => Err(violation.into()),
            // A number too large for a `Decimal` is out of range, not malformed.
            (None, Some(float)) if float.is_finite() && float.abs() > 1e5 => Err(out_of_range(float).into()),
            (None, _) => Err(Violation::NotANumber.into()),
        }
    }
}
