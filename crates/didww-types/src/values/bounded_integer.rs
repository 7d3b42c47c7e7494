//! Whole numbers with documented limits.

use std::num::IntErrorKind;

use serde_json::Value;

use crate::values::ValueError;
use crate::{Attribute, Flaw, Kind, Violation};

/// Validates an integer as the API does: a text of digits is accepted, a fraction or any other text is
/// refused.
pub(crate) fn validate_integer(sent: &Value, min: i64, max: i64) -> Result<Value, Vec<Flaw>> {
    let number = match sent {
        Value::Number(number) => match number.as_i64() {
            Some(number) => number,
            // The framework behind the API accepts a number such as 7.0 as an integer.
            None => match number.as_f64() {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the fraction is zero and the range small"
                )]
                Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => float as i64,
                Some(float) if float.fract() == 0.0 => {
                    return Err(if float < 0.0 {
                        Violation::GreaterOrEqual(min.into()).into()
                    } else {
                        Violation::LessOrEqual(max.into()).into()
                    });
                }
                _ => return Err(Violation::NotAnInteger.into()),
            },
        },
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => number,
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => i64::MAX,
            Err(error) if *error.kind() == IntErrorKind::NegOverflow => i64::MIN,
            Err(_) if text.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
                return Err(Violation::NotAnInteger.into());
            }
            Err(_) => return Err(Violation::NotANumber.into()),
        },
        _ => return Err(Violation::NotANumber.into()),
    };
    check(number, min, max).map_or(Ok(Value::from(number)), |violation| Err(violation.into()))
}

pub(super) fn check(number: i64, min: i64, max: i64) -> Option<Violation> {
    if number < min {
        Some(Violation::GreaterOrEqual(min.into()))
    } else if number > max {
        Some(Violation::LessOrEqual(max.into()))
    } else {
        None
    }
}

macro_rules! bounded_integer {
    ($(#[$meta:meta])* $name:ident($input:ty), $min:literal..=$max:literal, $what:literal, $right:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tolerant::integer(deserializer).map(Self)
            }
        }

        impl $name {
            /// The smallest value that the API accepts.
            pub const MIN: Self = Self($min);
            /// The largest value that the API accepts.
            pub const MAX: Self = Self($max);

            #[doc = concat!("Validates a number. Valid is: ", $right, ".")]
            ///
            /// # Errors
            /// Returns an error for any other number.
            pub fn new(number: $input) -> Result<Self, ValueError> {
                let number = i64::from(number);
                match $crate::values::bounded_integer::check(number, $min, $max) {
                    None => Ok(Self(number)),
                    Some(violation) => {
                        Err(ValueError { what: $what, given: number.to_string(), violation, right: $right })
                    }
                }
            }

            /// The number. One that a service returned may be outside the documented limits.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<$input> for $name {
            type Error = ValueError;
            fn try_from(number: $input) -> Result<Self, Self::Error> {
                Self::new(number)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Attribute for $name {
            const KIND: Kind = Kind::Integer { min: $min, max: $max };

            fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
                $crate::values::validate_integer(sent, $min, $max)
            }
        }
    };
}

pub(super) use bounded_integer;

bounded_integer! {
    /// The maximum number of simultaneous calls of a trunk or DID, 0 to 32767. An attribute without a limit
    /// is `None`.
    CapacityLimit(u32), 0..=32_767, "capacity limit", "0 to 32767 simultaneous calls"
}

bounded_integer! {
    /// The maximum number of simultaneous calls as it can be written from 2026-04-16 on: 1 to 32767.
    PositiveCapacity(u32), 1..=32_767, "capacity limit", "1 to 32767 simultaneous calls"
}

bounded_integer! {
    /// The time without accepted RTP after which a call is ended, 30 to 600 seconds.
    RtpTimeout(u32), 30..=600, "RTP timeout", "30 to 600 seconds"
}

bounded_integer! {
    /// The number of remaining renewals of a DID, 0 to 999. `None` is unlimited.
    BillingCycles(u32), 0..=999, "billing cycles count", "0 to 999 renewals"
}
