//! The rules of text message trunks.

mod configuration;

use didww_types::resources::{Did, SmsConfiguration, SmsTrunk, SmsTrunkGroup, SmsTrunkPartial};
use didww_types::values::SmsPriority;
use didww_types::{DecodeError, Partial as _, Resource as _, Violation};
use serde_json::{Map, Value};

use super::draft::Draft;
use super::{
    DeleteContext, LinkedRead, RecordChange, Refusal, RelatedRecords, Rules, WriteContext, WriteError,
    WriteKind, WriteOutcome,
};

use configuration::CONFIGURATION;

pub(super) use configuration::renew;

pub(super) const TRUNKS: &str = SmsTrunkGroup::SMS_TRUNKS.as_str();

const GROUP: &str = SmsTrunk::SMS_TRUNK_GROUP.as_str();
const OUTGOING_DIDS: &str = SmsTrunk::OUTGOING_DIDS.as_str();
const PRIORITY: &str = SmsTrunk::SPEC.attribute_name("priority");
const ALLOW_IN: &str = SmsTrunk::SPEC.attribute_name("allow_in");
const ALLOW_OUT: &str = SmsTrunk::SPEC.attribute_name("allow_out");
const ALLOW_ANY_DID: &str = SmsTrunk::SPEC.attribute_name("allow_any_did_as_source");

/// The default priority of a trunk.
const USUAL_PRIORITY: u32 = 100;

/// The `meta` of a trunk to which messages would be submitted. The name resolves to nothing, because no message is
/// sent.
const HTTP_OUT_META: &str = "{\"host\":\"https://sms-out.invalid/outbound_messages\"}";

/// The text is this server's own: no source has one.
const ROUTED: &str = "The trunk cannot be removed while numbers are routed to it";

impl Rules for SmsTrunk {
    const MAY_LACK_META: bool = true;

    const LINKED_READS: &'static [LinkedRead] = &[LinkedRead { relationship: GROUP, members: TRUNKS }];

    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Owners(Did::SPEC, Did::SMS_TRUNK.as_str())];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        configuration::decide(context, draft);
        draft.changes.updated_at = Some(context.now);
        draft.require_linked_records(context);
        let sent = draft.changes.configuration.as_ref();
        let stored = draft.before.as_ref().map(|trunk| &trunk.configuration);
        let Some(kind) = sent.or(stored).map(|configuration| configuration.kind().to_owned()) else {
            return Ok(());
        };
        if context.is_create() {
            draft.changes.allow_in = Some(SmsConfiguration::receives(&kind));
            draft.changes.allow_out = Some(SmsConfiguration::sends(&kind));
        }
        priority(context, &kind, draft);
        sources(context, &kind, draft)?;
        join(context, &kind, draft);
        Ok(())
    }

    /// A trunk to which DIDs are routed stays. Verifications that have it are left without a trunk.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.related.iter().any(|dids| !dids.is_empty()) {
            return Err(Refusal::record(ROUTED).into());
        }
        Ok(context.delete())
    }

    fn meta(attributes: &str) -> Option<&'static str> {
        // Most trunks are recognised without decoding them.
        if !attributes.contains("\"http_out\"") {
            return None;
        }
        let configuration = SmsTrunkPartial::from_attributes(attributes).ok()?.configuration?;
        matches!(configuration, SmsConfiguration::HttpOut(_)).then_some(HTTP_OUT_META)
    }
}

/// Adds the defaults of a new trunk: those of its configuration, and those that follow from its type.
///
/// # Errors
/// If the configuration is of another form.
pub fn complete_sms_trunk(attributes: &mut Map<String, Value>) -> Result<(), serde_json::Error> {
    let Some(value) = attributes.get_mut(CONFIGURATION) else { return Ok(()) };
    let sent: SmsConfiguration = serde_json::from_value(value.clone())?;
    let (receives, sends) = (SmsConfiguration::receives(sent.kind()), SmsConfiguration::sends(sent.kind()));
    *value = serde_json::to_value(configuration::complete(sent))?;
    let priority = if receives { Value::from(USUAL_PRIORITY) } else { Value::Null };
    let follow = [(ALLOW_IN, Value::Bool(receives)), (ALLOW_OUT, Value::Bool(sends)), (PRIORITY, priority)];
    for (name, value) in follow {
        if !attributes.contains_key(name) {
            attributes.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

/// A trunk that can be in a group has a priority, and one that cannot has none.
fn priority(context: &WriteContext<'_>, kind: &str, draft: &mut Draft<SmsTrunk>) {
    let sent = draft.changes.priority;
    if !SmsConfiguration::receives(kind) {
        if matches!(sent, Some(Some(_))) {
            let refusal = Refusal::attribute(PRIORITY, Violation::MustBeBlank);
            draft.refusals.push(refusal.because("the trunk is of the type http_out"));
        }
        return;
    }
    let is_usual = match sent {
        None => context.is_create(),
        Some(sent) => sent.is_none(),
    };
    if is_usual {
        draft.changes.priority = Some(SmsPriority::new(USUAL_PRIORITY).ok());
    }
}

/// The DIDs that can be the source of messages: all, or those that are linked, which are registered.
fn sources(context: &WriteContext<'_>, kind: &str, draft: &mut Draft<SmsTrunk>) -> Result<(), DecodeError> {
    let sent = draft.changes.allow_any_did_as_source;
    if sent == Some(true) && !SmsConfiguration::sends(kind) {
        let refusal = Refusal::attribute(ALLOW_ANY_DID, Violation::MustBeBlank);
        draft.refusals.push(refusal.because("no messages are sent through trunks of the type"));
    }
    let stored = draft.before.as_ref().is_some_and(|trunk| trunk.allow_any_did_as_source);
    if sent.unwrap_or(stored) {
        if context.linked(OUTGOING_DIDS).is_some_and(|dids| !dids.is_empty()) {
            let refusal = Refusal::relationship(OUTGOING_DIDS, Violation::MustBeBlank);
            draft.refusals.push(refusal.because("allow_any_did_as_source is on"));
        }
        draft.links.insert(OUTGOING_DIDS, Vec::new());
    }
    for record in context.linked(OUTGOING_DIDS).unwrap_or_default() {
        let Some(did) = record.decode::<Did>()? else { continue };
        if did.awaiting_registration == Some(true) {
            let refusal = Refusal::member(OUTGOING_DIDS, &record.id, Violation::Invalid);
            draft.refusals.push(refusal.because("the DID awaits its registration"));
        }
    }
    Ok(())
}

/// A trunk that joins a group receives messages. The group counts the change, so that it is not deleted meanwhile.
fn join(context: &WriteContext<'_>, kind: &str, draft: &mut Draft<SmsTrunk>) {
    let Some(group) = context.linked(GROUP).and_then(<[_]>::first) else { return };
    if !SmsConfiguration::receives(kind) {
        let refusal = Refusal::relationship(GROUP, Violation::Invalid);
        draft.refusals.push(refusal.because("the trunk is of the type http_out"));
    }
    // The trunks are read only for a request about the trunk, not for one about the group.
    let Some(trunks) = context.stored_members.get(TRUNKS) else { return };
    let own = match context.kind {
        WriteKind::Create => "",
        WriteKind::Update(stored) => stored.id,
    };
    if trunks.iter().any(|trunk| trunk.id == own) {
        return;
    }
    draft.also.push(RecordChange::touched(SmsTrunkGroup::SPEC, &group.id));
}
