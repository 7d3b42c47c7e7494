//! What is wrong with a value, in the words that the API uses for it.

use std::fmt;

use rust_decimal::Decimal;

/// A rule that a value breaks. `Display` gives the message as the API sends it.
///
/// The texts of [`LessOrEqual`](Self::LessOrEqual) and [`TooLong`](Self::TooLong) in characters are recorded
/// from DIDWW; the others are the defaults of the framework it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A required value is missing, null or empty.
    Blank,
    /// The value has not the right form.
    Invalid,
    /// The value is none of the allowed ones.
    NotIncluded,
    /// The value is not a number.
    NotANumber,
    /// The value is a number with a fraction.
    NotAnInteger,
    /// The value is below its lower bound.
    GreaterOrEqual(Decimal),
    /// The value is above its upper bound.
    LessOrEqual(Decimal),
    /// The text has too many characters.
    TooLong(usize),
    /// The list has too many items.
    TooMany(usize),
    /// Another record of the account has this value already.
    Taken,
    /// A value was sent where none may be.
    MustBeBlank,
    /// The kind may not be chosen when the record is created.
    NotAllowedForCreation,
    /// The kind may not be chosen when the record is updated.
    NotAllowedForUpdate,
    /// The DID has no emergency calling.
    NoEmergency,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("can't be blank"),
            Self::Invalid => f.write_str("is invalid"),
            Self::NotIncluded => f.write_str("is not included in the list"),
            Self::NotANumber => f.write_str("is not a number"),
            Self::NotAnInteger => f.write_str("must be an integer"),
            Self::GreaterOrEqual(bound) => write!(f, "must be greater than or equal to {bound}"),
            Self::LessOrEqual(bound) => write!(f, "must be less than or equal to {bound}"),
            Self::TooLong(most) => write!(f, "is too long (maximum is {most} characters)"),
            Self::TooMany(most) => write!(f, "is too long (maximum is {most} items)"),
            Self::Taken => f.write_str("has already been taken"),
            Self::MustBeBlank => f.write_str("must be blank"),
            Self::NotAllowedForCreation => f.write_str("is not allowed for creation"),
            Self::NotAllowedForUpdate => f.write_str("is not allowed for update"),
            Self::NoEmergency => f.write_str("does not support Emergency feature"),
        }
    }
}

impl std::error::Error for Violation {}

/// A violation and where inside an attribute's value it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer below the attribute: empty for the attribute itself, or such as `/attributes/tech_prefix`.
    pub pointer: String,
    /// The rule that is broken there.
    pub violation: Violation,
}

impl From<Violation> for Flaw {
    fn from(violation: Violation) -> Self {
        Self { pointer: String::new(), violation }
    }
}

impl From<Violation> for Vec<Flaw> {
    fn from(violation: Violation) -> Self {
        vec![violation.into()]
    }
}
