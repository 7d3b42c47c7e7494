//! The rules of checks against the requirements of emergency calling: nothing is stored, and missing data is refused.

use didww_types::resources::{EmergencyRequirement, EmergencyRequirementValidation, MandatoryLabels};
use didww_types::{DecodeError, Resource as _};

use super::draft::Draft;
use super::needs::{Found, Need};
use super::requirement_check::{Check, Demands, OfIdentity, needs};
use super::{Links, RecordChange, Refusal, Rules, WriteContext};

const REQUIREMENT: &str = EmergencyRequirementValidation::EMERGENCY_REQUIREMENT.as_str();

impl Rules for EmergencyRequirementValidation {
    const IS_OPERATION: bool = true;

    fn link_needs(links: &Links, _read: &[Found]) -> Vec<Need> {
        needs((EmergencyRequirement::SPEC, REQUIREMENT), links)
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let requirement = (EmergencyRequirement::SPEC, REQUIREMENT);
        let Some(check) = Check::of(context, requirement, &mut draft.refusals)? else { return Ok(()) };
        let linked = context.linked(REQUIREMENT).and_then(<[_]>::first);
        let required = match linked {
            Some(linked) => linked.decode::<EmergencyRequirement>()?,
            None => None,
        };
        let Some(required) = required else { return Ok(()) };
        let labels = |labels: Option<MandatoryLabels>| labels.unwrap_or_default().as_slice().to_vec();
        let demands = Demands {
            identity_type: required.identity_type,
            personal: OfIdentity {
                area: required.personal_area_level.flatten(),
                fields: labels(required.personal_mandatory_fields),
            },
            business: OfIdentity {
                area: required.business_area_level.flatten(),
                fields: labels(required.business_mandatory_fields),
            },
            address_area: required.address_area_level,
        };
        let place = check.wrong_identity(&demands)?.into_iter().chain(check.wrong_address(&demands)?);
        draft.refusals.extend(place.chain(check.missing_fields(&demands)).map(Refusal::record));
        let id = check.requirement().to_owned();
        draft.also.push(RecordChange::Unchanged { spec: EmergencyRequirement::SPEC, id });
        Ok(())
    }
}
