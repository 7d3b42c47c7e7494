//! What orders and time do to the DIDs of an account. A DID is assigned, renewed and released here and nowhere else, so that a
//! history of DIDs is written here too.

use didww_types::resources::Did;
use didww_types::{Resource as _, Timestamp};
use serde_json::{Map, Value, json};
use trunk_rules::domain::{HELD, MONTHLY_PRICE, with_defaults};
use trunk_store::{Change, Record, Scope, StoreError};
use uuid::Uuid;

/// A DID that an order brings into an account.
pub(crate) struct Assigned {
    /// The id of the new DID.
    pub(crate) id: Uuid,
    /// Its attributes beyond the defaults, in canonical form.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) group: Uuid,
    pub(crate) order: Uuid,
    /// The number in stock that it is: out of stock until the DID is released.
    pub(crate) number: Uuid,
    /// The price of a period, for renewals; `None` for an order whose price is not known any more.
    pub(crate) monthly_price: Option<String>,
}

/// The changes that assign a DID.
pub(crate) fn assigned(account: i64, at: Timestamp, did: Assigned) -> Vec<Change> {
    let Assigned { id, attributes, group, order, number, monthly_price } = did;
    let links = vec![
        (Did::DID_GROUP.as_str(), vec![group]),
        (Did::ORDER.as_str(), vec![order]),
        (HELD, vec![number]),
    ];
    vec![Change::Insert {
        scope: Scope { account, spec: Did::SPEC },
        id,
        created_at: at,
        attributes: with_defaults(Did::SPEC, at, attributes),
        links,
        meta: monthly_price.map(|price| json!({ MONTHLY_PRICE: price }).to_string()),
    }]
}

/// The changes that renew a DID until a time, with this number of renewals left.
pub(crate) fn renewed(
    account: i64,
    before: Record,
    until: Timestamp,
    cycles: Option<i64>,
) -> Result<Vec<Change>, StoreError> {
    let mut attributes = before.attributes()?;
    attributes.insert("expires_at".to_owned(), json!(until));
    attributes.insert("billing_cycles_count".to_owned(), json!(cycles));
    let scope = Scope { account, spec: Did::SPEC };
    Ok(vec![Change::Replace { scope, before, attributes, links: Vec::new(), meta: None }])
}

/// The changes that release a DID: it is deleted, and its number is in stock again.
pub(crate) fn released(account: i64, before: Record) -> Vec<Change> {
    let (scope, id) = (Scope { account, spec: Did::SPEC }, before.id);
    vec![Change::Unchanged { record: before }, Change::Delete { scope, id }]
}
