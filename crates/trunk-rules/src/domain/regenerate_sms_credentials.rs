//! The rules of the rotation of a text message trunk's credentials, which is an operation on the trunk.

use didww_types::resources::{SmsTrunk, SmsTrunkPartial, SmsTrunkRegenerateCredentials};
use didww_types::{DecodeError, Id, Partial as _, Resource as _, Violation};

use super::draft::Draft;
use super::sms_trunk::renew;
use super::{Links, RecordChange, Refusal, Rules, WriteContext};

type Rotation = SmsTrunkRegenerateCredentials;

impl Rules for Rotation {
    const IS_OPERATION: bool = true;

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        let name = Rotation::SMS_TRUNK.as_str();
        // The declaration requires the trunk.
        let Some(linked) = context.linked(name).and_then(<[_]>::first) else { return Ok(()) };
        let refuse = |why: &str| Refusal::relationship(name, Violation::Invalid).because(why);
        let Some(attributes) = linked.attributes else {
            draft.refusals.push(refuse("the account has no such trunk"));
            return Ok(());
        };
        let mut configuration =
            SmsTrunk::from_texts(Id::new(linked.id.as_str()), attributes, None)?.configuration;
        if !renew(&mut configuration, context.fresh) {
            draft.refusals.push(refuse("only trunks of the types http_out and smpp_esme have credentials"));
            return Ok(());
        }
        let mut changes = SmsTrunkPartial::empty();
        (changes.configuration, changes.updated_at) = (Some(configuration), Some(context.now));
        let attributes = changes.attributes()?;
        draft.also.push(RecordChange::update(SmsTrunk::SPEC, &linked.id, attributes, Links::new()));
        Ok(())
    }
}
