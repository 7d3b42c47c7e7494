//! The result of a write while its rules run, and when they have all passed.

use std::collections::BTreeMap;

use didww_types::Violation;
use serde_json::{Map, Value};

use crate::carrier::BlockState;

use super::{Refusal, WriteContext};

/// What a permitted write stores.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// The record itself is stored, and the members of the given relationships are replaced.
    Store {
        /// All attributes, in canonical form.
        attributes: Map<String, Value>,
        /// The ids of the new members, by relationship.
        links: BTreeMap<&'static str, Vec<String>>,
        /// The state that the trunk's callback URL, if it has one, is notified of; `None` for no
        /// notification.
        notice: Option<BlockState>,
    },
    /// The write is an operation on another record, which is stored instead.
    Change {
        /// The type of the other record.
        kind: &'static str,
        /// The id of the other record.
        id: String,
        /// All its attributes, in canonical form.
        attributes: Map<String, Value>,
    },
}

/// The record as the rules have changed it so far, and the rules that are broken.
#[derive(Debug)]
pub(super) struct Draft {
    /// All attributes, in canonical form.
    pub(super) attributes: Map<String, Value>,
    /// The ids of the new members, by relationship. Other relationships keep their members.
    pub(super) links: BTreeMap<&'static str, Vec<String>>,
    pub(super) notice: Option<BlockState>,
    pub(super) refusals: Vec<Refusal>,
}

impl Draft {
    /// Refuses relationships to records that the account does not have.
    pub(super) fn require_linked_records(&mut self, context: &WriteContext<'_>) {
        for (name, linked) in context.links {
            if let Some(record) = linked.records.iter().find(|record| record.attributes.is_none()) {
                let why = format!("the account has no record {}", record.id);
                self.refusals.push(Refusal::relationship(name, Violation::Invalid).because(why));
            }
        }
    }
}
