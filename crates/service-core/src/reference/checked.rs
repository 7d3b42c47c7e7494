//! A valid line of a file.

use serde_json::{Map, Value};
use uuid::Uuid;

/// A record as a valid line has it.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) id: Uuid,
    pub(super) attributes: Map<String, Value>,
    pub(super) links: Vec<(&'static str, Vec<Uuid>)>,
    pub(super) meta: Option<String>,
}
