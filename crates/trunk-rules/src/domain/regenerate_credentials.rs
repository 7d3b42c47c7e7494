//! The rules of credential rotation, which is an operation on a trunk.

use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};
use didww_types::{DecodeError, Id, Partial as _, Resource as _, Violation};

use super::draft::Draft;
use super::voice_out_trunk::{TrunkOperation, apply_to_trunk};
use super::{Links, RecordChange, Refusal, Rules, WriteContext};

type Rotation = VoiceOutTrunkRegenerateCredentials;

impl Rules for Rotation {
    const IS_OPERATION: bool = true;

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        let name = Rotation::VOICE_OUT_TRUNK.as_str();
        // The declaration requires the trunk.
        let Some(linked) = context.linked(name).and_then(<[_]>::first) else { return Ok(()) };
        let mut refuse = |why: &str| {
            draft.refusals.push(Refusal::relationship(name, Violation::Invalid).because(why));
            Ok(())
        };
        let Some(attributes) = linked.attributes else { return refuse("the account has no such trunk") };
        let trunk = VoiceOutTrunk::from_texts(Id::new(linked.id.as_str()), attributes, None)?;
        match apply_to_trunk(&trunk, TrunkOperation::Regenerate(context.fresh.clone())) {
            Some(changes) => draft.also.push(RecordChange::Update {
                spec: VoiceOutTrunk::SPEC,
                id: linked.id.clone(),
                attributes: changes.attributes()?,
                links: Links::new(),
                meta: None,
            }),
            None => return refuse("only a credentials_and_ip trunk has credentials"),
        }
        Ok(())
    }
}
