//! A value that cannot be sent as null.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Attribute, Flaw, Kind, Violation};

/// A `T` for which null cannot be sent, where `T` itself reads null as its empty value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WithoutNull<T>(pub T);

impl<T: Attribute> Attribute for WithoutNull<T> {
    const KIND: Kind = T::KIND;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        if sent.is_null() { Err(Violation::Blank.into()) } else { T::validate(sent) }
    }
}
