//! A valid line of a file.

use serde_json::{Map, Value};
use uuid::Uuid;

/// The record that a valid line describes.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) id: Uuid,
    pub(super) attributes: Map<String, Value>,
    pub(super) links: Vec<(&'static str, Vec<Uuid>)>,
    pub(super) meta: Option<String>,
}
