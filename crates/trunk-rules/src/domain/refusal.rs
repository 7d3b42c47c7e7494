//! A broken rule, described for the client and for the operator.

use std::fmt;

use didww_types::values::Money;
use didww_types::{DecodeError, ErrorCode, ErrorObject, Flaw, Violation};
use serde_json::{Map, Value};

/// Why a write is refused, or cannot be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// All broken rules, in the order in which the client receives them. There is at least one.
    #[error("the write is refused")]
    Refused(Vec<Refusal>),
    /// A stored record does not have the shape of its declaration, so that its rules cannot be applied.
    #[error("a stored record cannot be decoded: {0}")]
    Undecodable(#[from] DecodeError),
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

/// A rule that a write breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    broken: Broken,
    /// Details for the operator's log that the client does not receive; may be empty.
    internal: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Broken {
    /// A rule for a member of the request body: its JSON pointer, and its name in the message.
    Member { pointer: String, field: String, violation: Violation },
    /// A rule for the record as a whole, with the API's text.
    Record(String),
    /// The record is in use; the API's text.
    InUse(String),
    /// The body has a member, of this name, that is not accepted.
    ParamNotAllowed(String),
    /// The body lacks a member, of this name, without which it is malformed.
    MissingParameter(String),
    /// The account may not do this.
    Forbidden,
    /// The account's funds do not suffice: the price, the funds, and whether the error states both.
    InsufficientBalance(Money, Money, bool),
}

impl Refusal {
    /// Creates a refusal for an attribute.
    pub fn attribute(name: &str, violation: Violation) -> Self {
        Self::member_at(format!("/data/attributes/{name}"), name, violation)
    }

    /// Creates a refusal for a value inside an attribute.
    pub fn flaw(name: &str, flaw: Flaw) -> Self {
        let field =
            flaw.pointer.rsplit('/').next().filter(|leaf| !leaf.is_empty()).unwrap_or(name).to_owned();
        Self::member_at(format!("/data/attributes/{name}{}", flaw.pointer), field, flaw.violation)
    }

    /// Creates a refusal for a relationship.
    pub fn relationship(name: &str, violation: Violation) -> Self {
        Self::member_at(format!("/data/relationships/{name}"), name, violation)
    }

    /// Creates a refusal for one member of a relationship.
    pub fn member(name: &str, id: &str, violation: Violation) -> Self {
        Self::member_at(format!("/data/relationships/{name}/{id}"), format!("{name}/{id}"), violation)
    }

    /// The refusal of a change to a member of a relationship, which names the member by its position in the request.
    #[must_use]
    pub fn of_member(self, relationship: &str, place: usize) -> Self {
        let Broken::Member { violation, field, .. } = self.broken else { return self };
        // The recorded text about a member of a group does not say why.
        let violation = match violation {
            Violation::OtherCountry => Violation::NoSharedCapacity,
            violation => violation,
        };
        let why = if self.internal.is_empty() { field } else { format!("{field}: {}", self.internal) };
        Self::member(relationship, &place.to_string(), violation).because(why)
    }

    /// Creates a refusal for a member of the body, by its JSON pointer and its name in the message.
    pub fn member_at(pointer: impl Into<String>, field: impl Into<String>, violation: Violation) -> Self {
        Self::new(Broken::Member { pointer: pointer.into(), field: field.into(), violation })
    }

    /// Creates a refusal by a rule for the record as a whole: 422, with the pointer `/data`.
    pub fn record(message: impl Into<String>) -> Self {
        Self::new(Broken::Record(message.into()))
    }

    /// Creates the refusal of a deletion because the record is in use: 409.
    pub fn in_use(detail: impl Into<String>) -> Self {
        Self::new(Broken::InUse(detail.into()))
    }

    /// Creates the refusal of a member of the body that is not accepted: 400.
    pub fn param_not_allowed(name: impl Into<String>) -> Self {
        Self::new(Broken::ParamNotAllowed(name.into()))
    }

    /// Creates the refusal of a body that lacks a member without which it is malformed: 400.
    pub fn missing_parameter(name: impl Into<String>) -> Self {
        Self::new(Broken::MissingParameter(name.into()))
    }

    /// Creates the refusal of an order that costs more than the account can spend: 400. It has the amounts in its
    /// `meta` if it `states` them, and the text of older versions if not.
    pub fn insufficient_balance(total_cost: Money, available_balance: Money, states: bool) -> Self {
        Self::new(Broken::InsufficientBalance(total_cost, available_balance, states))
    }

    /// Creates the refusal of an operation that the account may not perform: 403.
    pub fn forbidden() -> Self {
        Self::new(Broken::Forbidden)
    }

    fn new(broken: Broken) -> Self {
        Self { broken, internal: String::new() }
    }

    /// Sets the details for the operator's log.
    #[must_use]
    pub fn because(mut self, internal: impl Into<String>) -> Self {
        self.internal = internal.into();
        self
    }

    /// Returns the error object for the client.
    pub fn to_error(&self) -> ErrorObject {
        match &self.broken {
            Broken::Member { pointer, field, violation } => {
                if *violation == Violation::ParamNotAllowed {
                    let detail = format!("{field} is not allowed.");
                    return ErrorObject::new(ErrorCode::ParamNotAllowed, "Param not allowed", detail);
                }
                let message = violation.to_string();
                let detail = format!("{field} - {message}");
                ErrorObject::new(ErrorCode::Validation, message, detail).at(pointer.clone())
            }
            Broken::Record(message) => {
                ErrorObject::new(ErrorCode::Validation, message.clone(), message.clone()).at("/data")
            }
            Broken::InUse(detail) => ErrorObject::new(ErrorCode::Conflict, "Conflict", detail.clone()),
            Broken::ParamNotAllowed(name) => ErrorObject::new(
                ErrorCode::ParamNotAllowed,
                "Param not allowed",
                format!("{name} is not allowed."),
            ),
            Broken::MissingParameter(name) => ErrorObject::new(
                ErrorCode::MissingParameter,
                "Missing Parameter",
                format!("The required parameter, {name}, is missing."),
            ),
            Broken::Forbidden => ErrorObject::new(ErrorCode::Forbidden, "Forbidden", "Forbidden"),
            Broken::InsufficientBalance(cost, available, states) => {
                // The text of older versions is that of the Ruby SDK's test data and of the page of error objects.
                let text = if *states { "Insufficient balance" } else { "Insufficient funds" };
                let meta = [("total_cost", cost), ("available_balance", available)];
                let meta = meta.map(|(name, amount)| (name.to_owned(), Value::String(amount.to_string())));
                ErrorObject {
                    meta: states.then(|| Map::from_iter(meta)),
                    ..ErrorObject::new(ErrorCode::BadRequest, text, text)
                }
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broken {
            Broken::Member { field, violation, .. } => write!(f, "{field} {violation}")?,
            Broken::Record(message) | Broken::InUse(message) => f.write_str(message)?,
            Broken::ParamNotAllowed(name) => write!(f, "{name} is not allowed")?,
            Broken::MissingParameter(name) => write!(f, "{name} is missing")?,
            Broken::Forbidden => f.write_str("the account may not do this")?,
            Broken::InsufficientBalance(cost, available, _) => {
                write!(f, "{cost} cannot be paid from {available}")?;
            }
        }
        if self.internal.is_empty() { Ok(()) } else { write!(f, " ({})", self.internal) }
    }
}
