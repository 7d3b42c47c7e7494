//! Numbers that are held for an account: `did_reservations`.

use super::AvailableDid;
use crate::{Adapter, ApiVersion, AttributeSpec, Extra, Id, Resource, Timestamp, ToOne};

/// A number in stock that is reserved for the account until a time, so that no other account can order it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "did_reservations",
    since = "2017-09-18",
    verbs(list, get, create, delete),
    adapter = EXPIRE_AT,
    at_most = 10,
    expires = "expires_at",
    sorts("expire_at"(by = "expires_at")),
    nested_includes(
        "available_did.did_group",
        "available_did.did_group.stock_keeping_units",
        "available_did.nanpa_prefix"
    )
)]
#[filter(name = "id", id, list, value = Id<DidReservation>)]
#[non_exhaustive]
pub struct DidReservation {
    /// The reservation's id, a UUID that the service chose.
    pub id: Id<DidReservation>,
    /// The time at which the reservation ends.
    #[attr(sort, since = "2026-04-16")]
    pub expires_at: Timestamp,
    /// The time at which the number was reserved.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The customer's note.
    #[attr(create, sort, filter(blank, contains(since = "2026-04-16")))]
    pub description: Option<String>,
    /// The number that is reserved.
    #[rel(one = "available_dids", create = required(1))]
    pub available_did: ToOne<AvailableDid>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10 the end of a reservation is `expire_at`.
static EXPIRE_AT: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[AttributeSpec::of::<Timestamp>(FORMER, "The time at which the reservation ends.")
        .until(ApiVersion::V2022_05_10, "created_at")],
    from_canonical: |_version, attributes| {
        if let Some(end) = attributes.remove(END) {
            attributes.insert(FORMER.to_owned(), end);
        }
    },
    to_canonical: |_version, attributes| {
        if let Some(end) = attributes.remove(FORMER) {
            attributes.insert(END.to_owned(), end);
        }
    },
    not_representable: |_version, _attributes| None,
};

const FORMER: &str = "expire_at";

const END: &str = "expires_at";
