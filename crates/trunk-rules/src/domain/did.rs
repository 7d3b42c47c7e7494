//! The rules of DIDs: routing, channels, renewals and emergency calling.

use didww_types::resources::{CapacityPool, Did, DidHistoryMethod, SmsTrunk};
use didww_types::values::BillingCycles;
use didww_types::{ApiVersion, DecodeError, Resource as _, Violation};
use serde_json::{Map, Value};

use super::draft::Draft;
use super::needs::{Found, Need};
use super::pool_country::{is_elsewhere, needs_of_did};
use super::shared_capacity_group::free_channels;
use super::{
    CREATED, CREATED_FIRST, DidTerms, HistoryEntry, LinkedRecord, Links, MembersRead, RecordChange, Refusal,
    Rules, WriteContext, WriteKind, history_of,
};

/// A DID is routed to either a trunk or a trunk group, and takes its channels from either a pool or a shared
/// group. Setting one clears the other; a request that sets both is refused.
const EXCLUSIVE: [(&str, &str); 3] = [
    (Did::VOICE_IN_TRUNK.as_str(), Did::VOICE_IN_TRUNK_GROUP.as_str()),
    (CAPACITY_POOL, Did::SHARED_CAPACITY_GROUP.as_str()),
    (Did::SMS_TRUNK.as_str(), Did::SMS_TRUNK_GROUP.as_str()),
];

const CAPACITY_POOL: &str = Did::CAPACITY_POOL.as_str();

const EMERGENCY_SERVICE: &str = Did::EMERGENCY_CALLING_SERVICE.as_str();

/// The relationship of a DID to the address to which it is registered, which no version shows.
pub(super) const REGISTERED_TO: &str = "addresses";

const ADDRESS_VERIFICATION: &str = Did::ADDRESS_VERIFICATION.as_str();

const AWAITING: &str = Did::SPEC.attribute_name("awaiting_registration");
const BLOCKED: &str = Did::SPEC.attribute_name("blocked");

const DEDICATED_CHANNELS: &str = Did::SPEC.attribute_name("dedicated_channels_count");

/// Relationships that a request can only clear, from 2026-04-16 on: a new verification sets them.
const DETACH_ONLY: [&str; 2] = [ADDRESS_VERIFICATION, EMERGENCY_SERVICE];

impl Rules for Did {
    /// A request that sets the channels or the pool is decided on the pool that the DID is in, and one that detaches it
    /// from its emergency calling service on that service.
    const WRITE_READS: &'static [MembersRead] = &[
        MembersRead { relationship: CAPACITY_POOL, attribute: DEDICATED_CHANNELS },
        MembersRead { relationship: CAPACITY_POOL, attribute: CAPACITY_POOL },
        MembersRead { relationship: EMERGENCY_SERVICE, attribute: EMERGENCY_SERVICE },
    ];

    /// Reads the countries of the DID and of the pool from which it will take channels.
    fn update_needs(id: &str, links: &Links, read: &[Found]) -> Vec<Need> {
        needs_of_did(id, links, read)
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        for (name, records) in context.links {
            if records.iter().any(|record| record.attributes.is_none()) {
                let refusal =
                    refuse(context, name, Violation::Invalid).because("the account has no such record");
                draft.refusals.push(refusal);
            } else if is_detach_only(context, name) && records.iter().any(|record| record.id != CREATED) {
                let refusal =
                    refuse(context, name, Violation::Invalid).because("a request can only clear it");
                draft.refusals.push(refusal);
            }
        }
        // A verification of numbers creates their service before itself.
        if draft.links.get(Did::EMERGENCY_VERIFICATION.as_str()).is_some_and(|ids| *ids == [CREATED]) {
            draft.links.insert(EMERGENCY_SERVICE, vec![CREATED_FIRST.to_owned()]);
        }
        // A DID that leaves its verification is registered to no address any more.
        if draft.links.get(ADDRESS_VERIFICATION).is_some_and(Vec::is_empty) {
            draft.links.insert(REGISTERED_TO, Vec::new());
        }
        let leaves = draft.links.get(EMERGENCY_SERVICE).is_some_and(Vec::is_empty);
        if leaves && !context.stored(EMERGENCY_SERVICE).is_empty() {
            draft.changes.emergency_enabled = Some(Some(false));
        }
        shared_capacity(context, draft);
        pool_country(context, draft);
        receives_messages(context, draft)?;
        // The version without a count of renewals only states that there are some, which does not change their count.
        let states_renewal =
            context.version < ApiVersion::V2021_04_19 && draft.changes.billing_cycles_count == Some(None);
        let stored = draft.before.as_ref().and_then(|did| did.billing_cycles_count);
        if states_renewal && stored.is_some_and(|count| count.get() != 0) {
            draft.changes.billing_cycles_count = None;
        }
        for (one, other) in EXCLUSIVE {
            separate(one, other, context, draft);
        }
        dedicated_channels(context, draft)?;
        history(context, draft);
        Ok(())
    }
}

/// Adds to the attributes that staff set of a DID what follows from its wait for a registration: it is blocked until
/// the wait is over. `waited` is whether it waited before. Attributes that state whether the DID is blocked stay as
/// they are.
pub fn block_while_waiting(attributes: &mut Map<String, Value>, waited: bool) {
    let waits = attributes.get(AWAITING).and_then(Value::as_bool);
    if let Some(waits) = waits.filter(|waits| *waits != waited)
        && !attributes.contains_key(BLOCKED)
    {
        attributes.insert(BLOCKED.to_owned(), Value::Bool(waits));
    }
}

/// Adds the history entries of the change.
fn history(context: &WriteContext<'_>, draft: &mut Draft<Did>) {
    let Some(did) = &draft.before else { return };
    let before = DidTerms::of(did);
    let count = draft.changes.billing_cycles_count.map(|count| count.map(BillingCycles::get));
    let after = DidTerms {
        terminated: draft.changes.terminated.unwrap_or(before.terminated),
        billing_cycles_count: count.unwrap_or(before.billing_cycles_count),
    };
    let entries = history_of(&did.number, before, after, &DidHistoryMethod::Api3, context.now);
    draft.also.extend(entries.into_iter().map(HistoryEntry::change));
}

/// A DID that carries no calls, or soon will not, cannot join a shared capacity group. The text is recorded; this
/// server chose the DIDs that it applies to.
fn shared_capacity(context: &WriteContext<'_>, draft: &mut Draft<Did>) {
    let name = Did::SHARED_CAPACITY_GROUP.as_str();
    let is_out = draft.before.as_ref().is_some_and(|did| did.blocked || did.terminated);
    let returns =
        draft.changes.terminated == Some(false) && draft.before.as_ref().is_some_and(|did| !did.blocked);
    if sets(draft, name) && is_out && !returns && context.version.has_corrected_rules() {
        let refusal = Refusal::relationship(name, Violation::NoSharedCapacity);
        draft.refusals.push(refusal.because("the DID is blocked or terminated"));
    }
}

/// A DID takes channels only of a pool that has its country. The text and the pointer, which is that of a column, are
/// in test data of the official Ruby SDK.
fn pool_country(context: &WriteContext<'_>, draft: &mut Draft<Did>) {
    let WriteKind::Update(stored) = context.kind else { return };
    for name in [CAPACITY_POOL, Did::SHARED_CAPACITY_GROUP.as_str()] {
        if sets(draft, name) && is_elsewhere(stored.id, context.found) {
            let column = format!("{name}_id");
            let pointer = format!("/data/attributes/{column}");
            draft.refusals.push(Refusal::member_at(pointer, column, Violation::OtherCountry));
            return;
        }
    }
}

/// The dedicated channels of a DID come from its capacity pool: from those that are free there, and from those that the
/// DID has in it already. Fewer channels than before are always permitted, even if the pool has become too small.
fn dedicated_channels(context: &WriteContext<'_>, draft: &mut Draft<Did>) -> Result<(), DecodeError> {
    let sent = draft.changes.dedicated_channels_count;
    if sent.is_some_and(|channels| channels < 0) {
        let violation = Violation::GreaterOrEqual(0.into());
        draft.refusals.push(Refusal::attribute(DEDICATED_CHANNELS, violation));
        return Ok(());
    }
    if sent.is_some_and(|channels| channels > 0) && !is_in_pool(context, draft) {
        let why = "dedicated channels come from a capacity pool";
        draft.refusals.push(refuse(context, CAPACITY_POOL, Violation::Blank).because(why));
        return Ok(());
    }
    let stored = context.stored(CAPACITY_POOL).first();
    let linked = context.linked(CAPACITY_POOL).map(<[_]>::first);
    let Some(pool) = linked.unwrap_or(stored) else { return Ok(()) };
    let before = draft.before.as_ref().map_or(0, |did| did.dedicated_channels_count);
    let wanted = sent.unwrap_or(before);
    let held = if stored.is_some_and(|known| known.id == pool.id) { before } else { 0 };
    if wanted <= held {
        return Ok(());
    }
    let Some(free) = free_channels(pool)? else { return Ok(()) };
    let most = free.saturating_add(held);
    if wanted > most {
        let refusal = Refusal::attribute(DEDICATED_CHANNELS, Violation::LessOrEqual(most.max(0).into()));
        draft.refusals.push(refusal.because("the pool has no more free channels"));
    }
    // A concurrent request for channels changes the pool's revision.
    draft.also.push(RecordChange::Unchanged { spec: CapacityPool::SPEC, id: pool.id.clone() });
    Ok(())
}

/// Only a trunk that receives messages can be the trunk of a DID's messages.
fn receives_messages(context: &WriteContext<'_>, draft: &mut Draft<Did>) -> Result<(), DecodeError> {
    let name = Did::SMS_TRUNK.as_str();
    let linked = context.linked(name).and_then(<[_]>::first);
    let trunk = linked.map(LinkedRecord::decode::<SmsTrunk>).transpose()?.flatten();
    if trunk.is_some_and(|trunk| trunk.allow_in == Some(false)) {
        let refusal = Refusal::relationship(name, Violation::Invalid);
        draft.refusals.push(refusal.because("the trunk is of the type http_out"));
    }
    Ok(())
}

fn is_detach_only(context: &WriteContext<'_>, name: &str) -> bool {
    context.version.has_corrected_rules() && DETACH_ONLY.contains(&name)
}

/// In recorded responses the inbound trunk and its group have the pointer of a column, and before 2021-12-15 its name
/// too.
fn refuse(context: &WriteContext<'_>, name: &str, violation: Violation) -> Refusal {
    if ![Did::VOICE_IN_TRUNK.as_str(), Did::VOICE_IN_TRUNK_GROUP.as_str()].contains(&name) {
        return Refusal::relationship(name, violation);
    }
    let known = Did::SPEC.relationship(name).map_or(name, |known| known.name_at(context.version));
    let column = format!("{known}_id");
    let pointer = format!("/data/attributes/{column}");
    Refusal::member_at(pointer, if known == name { name } else { &column }, violation)
}

fn sets(draft: &Draft<Did>, name: &str) -> bool {
    draft.links.get(name).is_some_and(|members| !members.is_empty())
}

/// Whether the write leaves the DID in a capacity pool.
fn is_in_pool(context: &WriteContext<'_>, draft: &Draft<Did>) -> bool {
    if draft.links.contains_key(CAPACITY_POOL) {
        return sets(draft, CAPACITY_POOL);
    }
    !context.stored(CAPACITY_POOL).is_empty()
}

/// Clears a relationship of the pair if the request sets the other one and does not mention this one. Refuses a request
/// that sets both.
fn separate(one: &'static str, other: &'static str, context: &WriteContext<'_>, draft: &mut Draft<Did>) {
    let exists = |name| {
        let records = context.linked(name).unwrap_or_default();
        !records.is_empty() && records.iter().all(|record| record.attributes.is_some())
    };
    if exists(one) && exists(other) {
        let why = format!("{one} is set in the same request");
        draft.refusals.push(refuse(context, other, Violation::MustBeBlank).because(why));
        return;
    }
    for (set, cleared) in [(one, other), (other, one)] {
        if sets(draft, set) && !draft.links.contains_key(cleared) {
            draft.links.insert(cleared, Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{RecordText, Rulebook, WriteError};

    const DID: &str = r#"{"number":"37061498222","created_at":"2026-04-08T06:57:33.304Z"}"#;

    /// A pool with 10 free channels.
    const POOL: &str = r#"{"total_channels_count":30,"assigned_channels_count":20}"#;

    fn record(relationship: &str, id: &str) -> LinkedRecord<'static> {
        let attributes = if relationship == CAPACITY_POOL { POOL } else { "{}" };
        LinkedRecord { id: id.to_owned(), attributes: Some(attributes) }
    }

    /// Links a DID to existing records. Returns the links that are stored, or the errors for the client.
    fn link(version: ApiVersion, sent: &[(&'static str, &[&str])]) -> Result<Value, Value> {
        write(version, &json!({}), sent, false)
    }

    /// Writes attributes and links to existing records of a DID that is in a pool, or in none. Returns the links that
    /// are stored, or the errors for the client.
    fn write(
        version: ApiVersion,
        attributes: &Value,
        sent: &[(&'static str, &[&str])],
        is_in_pool: bool,
    ) -> Result<Value, Value> {
        decide(version, DID, attributes, sent, is_in_pool).map(|(_, links)| links)
    }

    /// The same for a DID with these stored attributes. Returns the attributes and links that are stored.
    fn decide(
        version: ApiVersion,
        stored: &str,
        attributes: &Value,
        sent: &[(&'static str, &[&str])],
        is_in_pool: bool,
    ) -> Result<(Value, Value), Value> {
        let links: BTreeMap<_, Vec<_>> =
            sent.iter().map(|(name, ids)| (*name, ids.iter().map(|id| record(name, id)).collect())).collect();
        let pools = if is_in_pool { vec![record(CAPACITY_POOL, "9")] } else { Vec::new() };
        let stored_members = BTreeMap::from([(CAPACITY_POOL, pools)]);
        let context = WriteContext {
            kind: WriteKind::Update(RecordText { id: "1", attributes: stored, meta: None }),
            version,
            sent: attributes.as_object().unwrap(),
            links: &links,
            stored_members: &stored_members,
            ..WriteContext::of_nothing()
        };
        match Rulebook::DIDWW.decide_write(Did::SPEC, &context) {
            Ok(outcome) => match outcome.changes.as_slice() {
                [RecordChange::Update { attributes, links, .. }, ..] => Ok((json!(attributes), json!(links))),
                other => panic!("{other:?}"),
            },
            Err(WriteError::Refused(refusals)) => {
                Err(refusals.iter().map(|refusal| json!(refusal.to_error())).collect())
            }
            Err(error) => panic!("{error}"),
        }
    }

    const NEWEST: ApiVersion = ApiVersion::NEWEST;

    #[test]
    fn what_the_oldest_version_states_about_renewals_leaves_their_count() {
        for (stored, pending, changed) in [
            ("5", false, json!({})),
            ("0", false, json!({ "billing_cycles_count": null })),
            ("null", false, json!({ "billing_cycles_count": null })),
            ("5", true, json!({ "billing_cycles_count": 0 })),
        ] {
            let did = DID.replace('}', &format!(r#","billing_cycles_count":{stored}}}"#));
            let sent = json!({ "pending_removal": pending });
            let outcome = decide(ApiVersion::V2017_09_18, &did, &sent, &[], false);
            assert_eq!(outcome, Ok((changed, json!({}))), "{stored} {pending}");
        }
    }

    #[test]
    fn a_did_is_blocked_while_it_waits_unless_staff_say_otherwise() {
        for (sent, waited, expected) in [
            (json!({ AWAITING: true }), false, json!({ AWAITING: true, BLOCKED: true })),
            (json!({ AWAITING: false }), true, json!({ AWAITING: false, BLOCKED: false })),
            (json!({ AWAITING: false }), false, json!({ AWAITING: false })),
            (json!({ AWAITING: true }), true, json!({ AWAITING: true })),
            (json!({ AWAITING: true, BLOCKED: false }), false, json!({ AWAITING: true, BLOCKED: false })),
            (json!({ BLOCKED: true }), true, json!({ BLOCKED: true })),
        ] {
            let mut attributes = sent.as_object().unwrap().clone();
            block_while_waiting(&mut attributes, waited);
            assert_eq!(Value::Object(attributes), expected, "{sent} {waited}");
        }
    }

    #[test]
    fn setting_one_of_two_exclusive_relationships_clears_the_other() {
        for (one, other) in EXCLUSIVE {
            for (set, cleared) in [(one, other), (other, one)] {
                assert_eq!(link(NEWEST, &[(set, &["7"])]), Ok(json!({ set: ["7"], cleared: [] })));
                let both_sent: [(_, &[_]); 2] = [(set, &["7"]), (cleared, &[])];
                assert_eq!(link(NEWEST, &both_sent), Ok(json!({ set: ["7"], cleared: [] })));
            }
            let neither: [(_, &[_]); 2] = [(one, &[]), (other, &[])];
            assert_eq!(link(NEWEST, &neither), Ok(json!({ one: [], other: [] })));
        }
    }

    #[test]
    fn a_request_that_sets_both_of_two_exclusive_relationships_is_refused() {
        for (one, other, pointer) in [
            ("voice_in_trunk", "voice_in_trunk_group", "/data/attributes/voice_in_trunk_group_id"),
            ("capacity_pool", "shared_capacity_group", "/data/relationships/shared_capacity_group"),
        ] {
            let errors = link(NEWEST, &[(one, &["7"]), (other, &["8"])]).unwrap_err();
            assert_eq!(errors.as_array().map(Vec::len), Some(1));
            assert_eq!(errors[0]["detail"], json!(format!("{other} - must be blank")));
            assert_eq!(errors[0]["source"]["pointer"], pointer);
        }
    }

    /// Relationships of a request: name and ids.
    type Sent<'a> = &'a [(&'a str, &'a [&'a str])];

    #[test]
    fn channels_need_a_pool_that_is_stored_or_set_and_not_cleared() {
        let blank = "capacity_pool - can't be blank";
        let cases: [(bool, Sent<'_>, bool); 7] = [
            (false, &[], false),
            (true, &[], true),
            (false, &[("capacity_pool", &["7"])], true),
            (true, &[("capacity_pool", &["7"])], true),
            (true, &[("capacity_pool", &[])], false),
            // Setting the shared group clears the pool.
            (true, &[("shared_capacity_group", &["7"])], false),
            (true, &[("shared_capacity_group", &[])], true),
        ];
        for (is_in_pool, sent, is_accepted) in cases {
            let decided = write(NEWEST, &json!({ DEDICATED_CHANNELS: 5 }), sent, is_in_pool);
            match decided {
                Ok(_) => assert!(is_accepted, "{is_in_pool} {sent:?}"),
                Err(errors) => {
                    assert!(!is_accepted, "{is_in_pool} {sent:?}");
                    assert_eq!(errors[0]["detail"], blank);
                }
            }
            assert!(write(NEWEST, &json!({ DEDICATED_CHANNELS: 0 }), sent, is_in_pool).is_ok());
        }
    }

    #[test]
    fn channels_are_free_ones_of_the_pool_or_those_that_the_did_has_there() {
        let none: Sent<'_> = &[];
        let stays: Sent<'_> = &[("capacity_pool", &["9"])];
        let moves: Sent<'_> = &[("capacity_pool", &["7"])];
        for (stored, sent, links, most) in [
            (6, json!({ DEDICATED_CHANNELS: 16 }), none, None),
            (6, json!({ DEDICATED_CHANNELS: 17 }), none, Some(16)),
            (6, json!({ DEDICATED_CHANNELS: 16 }), stays, None),
            (6, json!({ DEDICATED_CHANNELS: 10 }), moves, None),
            (6, json!({ DEDICATED_CHANNELS: 11 }), moves, Some(10)),
            (10, json!({}), moves, None),
            (11, json!({}), moves, Some(10)),
            (11, json!({}), stays, None),
            (40, json!({ DEDICATED_CHANNELS: 39 }), none, None),
        ] {
            let did = DID.replace('}', &format!(r#","dedicated_channels_count":{stored}}}"#));
            let refused = decide(NEWEST, &did, &sent, links, true).err();
            let expected = most.map(|most: i64| {
                json!(format!("dedicated_channels_count - must be less than or equal to {most}"))
            });
            let details = refused.map(|errors| errors[0]["detail"].clone());
            assert_eq!(details, expected, "{stored} {sent} {links:?}");
        }
    }

    #[test]
    fn the_stored_pool_is_read_only_for_a_request_that_sets_the_channels_or_the_pool() {
        let reads = |sent: Value| {
            Rulebook::DIDWW.write_reads(Did::SPEC, |name| sent.get(name).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(reads(json!({ "dedicated_channels_count": 5 })), ["capacity_pool"]);
        assert_eq!(reads(json!({ "capacity_pool": null })), ["capacity_pool"]);
        assert_eq!(reads(json!({ "capacity_pool": null, "dedicated_channels_count": 5 })), ["capacity_pool"]);
        assert_eq!(reads(json!({ "description": "Sales" })), [""; 0]);
        for MembersRead { relationship, attribute } in Did::WRITE_READS {
            // A request sets either an attribute or a relationship.
            let is_sent =
                Did::SPEC.attribute(attribute).is_some() || Did::SPEC.relationship(attribute).is_some();
            assert!(is_sent && Did::SPEC.relationship(relationship).is_some(), "{attribute}");
        }
    }

    #[test]
    fn a_verification_can_be_detached_and_not_attached() {
        for relationship in DETACH_ONLY {
            let mut detached = json!({ relationship: [] });
            if relationship == ADDRESS_VERIFICATION {
                detached[REGISTERED_TO] = json!([]);
            }
            assert_eq!(link(NEWEST, &[(relationship, &[])]), Ok(detached));
            let errors = link(NEWEST, &[(relationship, &["7"])]).unwrap_err();
            assert_eq!(errors[0]["detail"], json!(format!("{relationship} - is invalid")));
        }
        let older = link(ApiVersion::V2022_05_10, &[("address_verification", &["7"])]);
        assert_eq!(older, Ok(json!({ "address_verification": ["7"] })));
    }
}
