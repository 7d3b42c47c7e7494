//! What a trunk may spend in 24 hours.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::{Money, ValueError};
use crate::{Attribute, Flaw, Kind, Violation};

const MOST: i64 = 100_000;

/// The most that a trunk may spend in a rolling 24 hours, 0.0 to 100000.0 US dollars, exactly.
///
/// ```
/// use didww_types::values::ThresholdAmount;
/// let limit: ThresholdAmount = "1000.50".parse()?;
/// assert_eq!(limit.to_string(), "1000.5");
/// assert!("100000.1".parse::<ThresholdAmount>().is_err());
/// # Ok::<(), didww_types::values::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThresholdAmount(Money);

impl ThresholdAmount {
    /// Checks the amount: 0.0 to 100000.0 US dollars.
    pub fn new(amount: Decimal) -> Result<Self, ValueError> {
        check(amount)
            .map_or(Ok(Self(Money::new(amount))), |violation| Err(error(amount.to_string(), violation)))
    }

    /// The amount. What a service answered may lie outside the documented bounds.
    pub const fn money(self) -> Money {
        self.0
    }
}

fn check(amount: Decimal) -> Option<Violation> {
    if amount < Decimal::ZERO {
        Some(Violation::GreaterOrEqual(Decimal::ZERO))
    } else if amount > Decimal::from(MOST) {
        Some(Violation::LessOrEqual(Decimal::from(MOST)))
    } else {
        None
    }
}

fn beyond(float: f64) -> Violation {
    if float < 0.0 {
        Violation::GreaterOrEqual(Decimal::ZERO)
    } else {
        Violation::LessOrEqual(Decimal::from(MOST))
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
    const KIND: Kind = Kind::Decimal { min: 0, max: MOST };

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let (money, float) = match sent {
            Value::String(text) => (text.parse().ok(), text.trim().parse().ok()),
            Value::Number(number) => (Money::deserialize(number).ok(), number.as_f64()),
            _ => (None, None),
        };
        match (money.map(|money| (money, check(money.amount()))), float) {
            (Some((money, None)), _) => Ok(Value::String(money.to_string())),
            (Some((_, Some(violation))), _) => Err(violation.into()),
            // A number that is too large to be held exactly is too large all the same.
            (None, Some(float)) if float.is_finite() && float.abs() > 1e5 => Err(beyond(float).into()),
            (None, _) => Err(Violation::NotANumber.into()),
        }
    }
}
