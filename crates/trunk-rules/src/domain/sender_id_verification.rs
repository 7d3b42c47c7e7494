//! The rules of verified senders of text messages.

use std::collections::HashSet;

use didww_types::resources::{SenderIdStatus, SenderIdVerification, SmsTrunk};
use didww_types::values::Name;
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::{LinkedRead, RecordChange, Refusal, Rules, WriteContext, WriteKind};

const TRUNK: &str = SenderIdVerification::SMS_TRUNK.as_str();
const VERIFICATIONS: &str = SmsTrunk::SENDER_ID_VERIFICATIONS.as_str();

/// The text is this server's own: no source has one.
const CLOSED: &str = "The verification is closed and cannot be changed";

impl Rules for SenderIdVerification {
    /// The senders are compared with those of the first 100 verifications of the trunk.
    const LINKED_READS: &'static [LinkedRead] = &[LinkedRead { relationship: TRUNK, members: VERIFICATIONS }];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let WriteKind::Update(stored) = context.kind else { return Ok(()) };
        let Some(before) = &draft.before else { return Ok(()) };
        if before.status == SenderIdStatus::Closed {
            draft.refusals.push(Refusal::record(CLOSED));
            return Ok(());
        }
        let Some(linked) = context.linked(TRUNK).and_then(<[_]>::first) else { return Ok(()) };
        let Some(trunk) = linked.decode::<SmsTrunk>()? else { return Ok(()) };
        if trunk.allow_out == Some(false) {
            let refusal = Refusal::relationship(TRUNK, Violation::Invalid);
            draft.refusals.push(refusal.because("no messages are sent through trunks of its type"));
        }
        let own: HashSet<&str> = before.sender_ids.as_slice().iter().map(Name::as_str).collect();
        for other in context.stored(VERIFICATIONS).iter().filter(|other| other.id != stored.id) {
            let Some(other) = other.decode::<Self>()? else { continue };
            // Its senders are in use no more, and no request can take it off the trunk.
            if other.status == Some(SenderIdStatus::Closed) {
                continue;
            }
            let senders = other.sender_ids.unwrap_or_default();
            if senders.as_slice().iter().any(|sender| own.contains(sender.as_str())) {
                let refusal = Refusal::relationship(TRUNK, Violation::Taken);
                draft.refusals.push(refusal.because("another verification of the trunk has a sender of it"));
                break;
            }
        }
        // If two verifications are set to one trunk at once, the second one is decided again.
        draft.also.push(RecordChange::touched(SmsTrunk::SPEC, &linked.id));
        Ok(())
    }
}
