//! A broken rule, described for the client and for the operator.

use std::fmt;

use didww_types::{ErrorCode, ErrorObject, Flaw, Violation};

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The member of the request body, as a JSON pointer.
    pub pointer: String,
    /// The member's name in the error message.
    pub field: String,
    /// The broken rule.
    pub violation: Violation,
    /// Details for the operator's log that the client does not receive; may be empty.
    pub internal: String,
}

impl Refusal {
    /// Creates a refusal for an attribute.
    pub fn attribute(name: &str, violation: Violation) -> Self {
        Self::new(format!("/data/attributes/{name}"), name, violation)
    }

    /// Creates a refusal for a value inside an attribute.
    pub fn flaw(name: &str, flaw: Flaw) -> Self {
        let field =
            flaw.pointer.rsplit('/').next().filter(|leaf| !leaf.is_empty()).unwrap_or(name).to_owned();
        Self::new(format!("/data/attributes/{name}{}", flaw.pointer), field, flaw.violation)
    }

    /// Creates a refusal for a relationship.
    pub fn relationship(name: &str, violation: Violation) -> Self {
        Self::new(format!("/data/relationships/{name}"), name, violation)
    }

    /// Creates a refusal for one member of a relationship.
    pub fn member(name: &str, id: &str, violation: Violation) -> Self {
        Self::new(format!("/data/relationships/{name}/{id}"), format!("{name}/{id}"), violation)
    }

    fn new(pointer: String, field: impl Into<String>, violation: Violation) -> Self {
        Self { pointer, field: field.into(), violation, internal: String::new() }
    }

    /// Replaces the JSON pointer.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// Sets the details for the operator's log.
    #[must_use]
    pub fn because(mut self, internal: impl Into<String>) -> Self {
        self.internal = internal.into();
        self
    }

    /// Returns the error object for the client.
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
