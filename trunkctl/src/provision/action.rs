//! The requests of a plan.

use didww_client::ResourceSpec;
use serde_json::{Map, Value};

use super::part::Part;
use crate::resource::Body;

/// The operation of an action on its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The record is created.
    Create,
    /// Members of the record change.
    Update,
    /// The record is deleted.
    Delete,
}

impl Operation {
    /// The name of the operation in plans and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A member that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The name of the attribute or relationship.
    pub member: String,
    /// Its value, as it is stored; `None` for a new record.
    pub before: Option<Value>,
    /// The new value, as it will be stored.
    pub after: Value,
}

/// One request of a plan.
#[derive(Debug, Clone)]
pub struct Action {
    /// What the action does with the record.
    pub operation: Operation,
    /// The type of the record.
    pub kind: &'static str,
    /// The name of the record in the file.
    pub key: String,
    /// The id of the record; `None` if it is created.
    pub id: Option<String>,
    /// The members that change.
    pub changes: Vec<Change>,
    /// The request to send.
    pub request: Request,
}

/// The request of an action.
#[derive(Debug, Clone)]
pub enum Request {
    /// A record of DIDWW's API.
    Record {
        /// Its type.
        spec: &'static ResourceSpec,
        /// The members that are sent; none for a deletion.
        body: Body,
    },
    /// A provider or a route of the communication platform.
    Part {
        /// Its type.
        part: Part,
        /// All members.
        body: Map<String, Value>,
    },
}

/// The ids in linkage.
pub(super) fn identifiers(link: &Value) -> Vec<&str> {
    let data = link.get("data").unwrap_or(&Value::Null);
    let members = data.as_array().map_or(std::slice::from_ref(data), Vec::as_slice);
    members.iter().filter_map(|member| member.get("id")?.as_str()).collect()
}

/// The id of a record that another action of the plan creates, in the linkage of a body.
pub(super) fn pending(kind: &str, key: &str) -> String {
    format!("pending:{kind}:{key}")
}

/// Whether an id is the placeholder of a record that is not created yet.
pub(super) fn is_pending(id: &str) -> bool {
    id.starts_with("pending:")
}
