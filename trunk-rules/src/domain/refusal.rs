//! A broken rule, said twice: once to the client, once to the operator.

use std::fmt;

use didww_types::{ErrorCode, ErrorObject, Flaw, Violation};

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where in the body, as a JSON pointer.
    pub pointer: String,
    /// The member as the message names it.
    pub field: String,
    /// The rule.
    pub violation: Violation,
    /// What the operator's log says, where it knows more than the client is told.
    pub internal: String,
}

impl Refusal {
    /// A rule that an attribute breaks.
    pub fn attribute(name: &str, violation: Violation) -> Self {
        Self::new(format!("/data/attributes/{name}"), name, violation)
    }

    /// A rule that something inside an attribute breaks.
    pub fn flaw(name: &str, flaw: Flaw) -> Self {
        let field =
            flaw.pointer.rsplit('/').next().filter(|leaf| !leaf.is_empty()).unwrap_or(name).to_owned();
        Self::new(format!("/data/attributes/{name}{}", flaw.pointer), field, flaw.violation)
    }

    /// A rule that a relationship breaks.
    pub fn relationship(name: &str, violation: Violation) -> Self {
        Self::new(format!("/data/relationships/{name}"), name, violation)
    }

    /// A rule that one member of a relationship breaks.
    pub fn member(name: &str, id: &str, violation: Violation) -> Self {
        Self::new(format!("/data/relationships/{name}/{id}"), format!("{name}/{id}"), violation)
    }

    fn new(pointer: String, field: impl Into<String>, violation: Violation) -> Self {
        Self { pointer, field: field.into(), violation, internal: String::new() }
    }

    /// The same refusal at another place.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// The same refusal with a word for the operator.
    #[must_use]
    pub fn because(mut self, internal: impl Into<String>) -> Self {
        self.internal = internal.into();
        self
    }

    /// The error object that the client is sent.
    pub fn to_error(&self) -> ErrorObject {
        let message = self.violation.to_string();
        let detail = format!("{} - {message}", self.field);
        ErrorObject::new(ErrorCode::Validation, message, detail).at(self.pointer.clone())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.violation)?;
        if self.internal.is_empty() { Ok(()) } else { write!(f, " ({})", self.internal) }
    }
}
