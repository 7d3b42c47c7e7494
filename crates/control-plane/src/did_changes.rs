//! Assigns, renews and releases the DIDs of an account, for orders and renewals. This happens nowhere else, and each
//! change has its entry in the history.

use didww_types::resources::{Did, DidHistoryAction, DidHistoryMethod};
use didww_types::{Resource as _, Timestamp};
use serde_json::{Map, Value, json};
use service_core::Core;
use trunk_rules::domain::{HELD, HistoryEntry, MONTHLY_PRICE, with_defaults};
use trunk_store::{Change, Record, Scope, StoreError};
use uuid::Uuid;

use crate::history;

/// A DID that an order brings into an account.
pub(crate) struct Assigned {
    /// The id of the new DID.
    pub(crate) id: Uuid,
    /// Its attributes beyond the defaults, in canonical form.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) group: Uuid,
    pub(crate) order: Uuid,
    /// The number in stock that becomes the DID: out of stock until the DID is released.
    pub(crate) number: Uuid,
    /// The price of a period, for renewals; `None` for an order whose price is no longer known.
    pub(crate) monthly_price: Option<String>,
}

/// The changes that assign a DID.
pub(crate) fn assigned(core: &Core, account: i64, at: Timestamp, did: Assigned) -> Vec<Change> {
    let Assigned { id, attributes, group, order, number, monthly_price } = did;
    let entry = entry(core, account, &attributes, at, (DidHistoryAction::Assigned, DidHistoryMethod::Api3));
    let links = vec![
        (Did::DID_GROUP.as_str(), vec![group]),
        (Did::ORDER.as_str(), vec![order]),
        (HELD, vec![number]),
    ];
    let did = Change::Insert {
        scope: Scope { account, spec: Did::SPEC },
        id,
        created_at: at,
        attributes: with_defaults(Did::SPEC, at, attributes),
        links,
        meta: monthly_price.map(|price| json!({ MONTHLY_PRICE: price }).to_string()),
    };
    vec![did, entry]
}

/// The changes that renew a DID until a time, with this number of renewals left.
///
/// # Errors
/// If the DID cannot be read.
pub(crate) fn renewed(
    core: &Core,
    account: i64,
    before: Record,
    until: Timestamp,
    cycles: Option<i64>,
) -> Result<Vec<Change>, StoreError> {
    let mut attributes = before.attributes()?;
    let how = (DidHistoryAction::Renewed, DidHistoryMethod::System);
    let entry = entry(core, account, &attributes, core.clock.now(), how);
    attributes.insert("expires_at".to_owned(), json!(until));
    attributes.insert("billing_cycles_count".to_owned(), json!(cycles));
    let scope = Scope { account, spec: Did::SPEC };
    Ok(vec![Change::Replace { scope, before, attributes, links: Vec::new(), meta: None }, entry])
}

/// The changes that release a DID: it is deleted, and its number is in stock again.
///
/// # Errors
/// If the DID cannot be read.
pub(crate) fn released(core: &Core, account: i64, before: Record) -> Result<Vec<Change>, StoreError> {
    let (scope, id) = (Scope { account, spec: Did::SPEC }, before.id);
    let how = (DidHistoryAction::Removed, DidHistoryMethod::System);
    let entry = entry(core, account, &before.attributes()?, core.clock.now(), how);
    Ok(vec![Change::Unchanged { record: before }, Change::Delete { scope, id }, entry])
}

/// The change that stores an entry of the history of a DID with these attributes.
fn entry(
    core: &Core,
    account: i64,
    attributes: &Map<String, Value>,
    at: Timestamp,
    (action, method): (DidHistoryAction, DidHistoryMethod),
) -> Change {
    let number = attributes.get("number").and_then(Value::as_str).unwrap_or_default();
    history::insert(core, account, HistoryEntry::new(number, &action, &method, at), at)
}
