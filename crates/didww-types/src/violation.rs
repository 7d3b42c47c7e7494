//! Violations of the rules for values, with the messages that the API sends.

use std::fmt;

use rust_decimal::Decimal;

/// A rule that a value breaks. `Display` writes the message that the API sends.
///
/// The messages of [`LessOrEqual`](Self::LessOrEqual), [`TooLong`](Self::TooLong) and [`AtLeast`](Self::AtLeast) are
/// recorded from DIDWW.
/// The others are the default messages of the framework behind the API; they are inferred.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A required value is missing, null or empty.
    Blank,
    /// The value does not have the documented form.
    Invalid,
    /// The value is not one of the allowed ones.
    NotIncluded,
    /// The value is not a number.
    NotANumber,
    /// The value is a number with a fraction.
    NotAnInteger,
    /// The value is below this lower limit.
    GreaterOrEqual(Decimal),
    /// The value is above this upper limit.
    LessOrEqual(Decimal),
    /// The text has more than this number of characters.
    TooLong(usize),
    /// The list has more than this number of items.
    TooMany(usize),
    /// The list has the same item twice.
    Repeated,
    /// Another record already has this value, which must be unique.
    Taken,
    /// A value was sent where only null or an empty value is allowed.
    MustBeBlank,
    /// A create request cannot set this type of authentication method.
    NotAllowedForCreation,
    /// An update request cannot set this type of authentication method.
    NotAllowedForUpdate,
    /// The number is below the number in use, or below the smallest size.
    AtLeast(i64),
    /// The file was encrypted with keys that are no longer in use. The message is documented.
    OutdatedFingerprint,
    /// The file has more than this number of mebibytes.
    TooBig(usize),
    /// The DID does not support emergency calling.
    NoEmergency,
    /// The DID cannot be in a shared capacity group.
    NoSharedCapacity,
    /// The capacity pool does not have the country of the DID.
    OtherCountry,
    /// Records that the account does not have, as the API says it of several.
    AreInvalid,
    /// A member that a request cannot contain. It is an error of the request, not of the record.
    ParamNotAllowed,
    /// The number of DIDs is greater than that of those in stock.
    ExceedsStock,
    /// The order is completed or canceled, or is not one that a customer can cancel.
    NotPending,
    /// The DIDs are of several types.
    OtherDidGroupType,
    /// The DIDs are of several cities.
    OtherCity,
    /// Emergency calling has no price for the DIDs.
    NoEmergencyRate,
    /// The filter of an export with this name has no valid value, or is none of its type. The message is documented.
    NotValid(String),
    /// The filter of an export with this name is a time whose records are not kept. The message is documented.
    OutsideMonths(String),
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
            Self::TooLong(max) => write!(f, "is too long (maximum is {max} characters)"),
            Self::TooMany(max) => write!(f, "is too long (maximum is {max} items)"),
            Self::Repeated => f.write_str("must not contain the same value twice"),
            Self::Taken => f.write_str("has already been taken"),
            Self::MustBeBlank => f.write_str("must be blank"),
            Self::NotAllowedForCreation => f.write_str("is not allowed for creation"),
            Self::NotAllowedForUpdate => f.write_str("is not allowed for update"),
            Self::AtLeast(bound) => write!(f, "should be at least {bound}"),
            Self::OutdatedFingerprint => f.write_str("outdated fingerprint"),
            Self::TooBig(max) => write!(f, "is too big (should be at most {max} MB)"),
            Self::NoEmergency => f.write_str("does not support Emergency feature"),
            Self::NoSharedCapacity => f.write_str("cannot be applied to shared capacity group"),
            Self::OtherCountry => f.write_str("is not allowed for DID country"),
            Self::AreInvalid => f.write_str("are invalid"),
            Self::ParamNotAllowed => f.write_str("is not allowed"),
            Self::ExceedsStock => f.write_str("exceeds available DIDs count"),
            Self::NotPending => f.write_str("Order not pending"),
            Self::OtherDidGroupType => f.write_str("should have the same Did Group Type"),
            Self::OtherCity => f.write_str("should be linked with City ID"),
            Self::NoEmergencyRate => f.write_str("Emergency Rate not found"),
            Self::NotValid(name) => write!(f, "{name} not valid"),
            Self::OutsideMonths(name) => {
                write!(f, "{name} must be within the current and 2 previous months")
            }
        }
    }
}

impl std::error::Error for Violation {}

/// A violation and its position inside an attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// A JSON pointer relative to the attribute: empty for the attribute itself, else such as
    /// `/attributes/tech_prefix`.
    pub pointer: String,
    /// The rule that is broken at that position.
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
