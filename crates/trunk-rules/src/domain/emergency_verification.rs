//! The rules of verifications of emergency calling.
//!
//! A verification of numbers creates their service; a verification of a service is a further one. While it is reviewed
//! it has its address in a relationship that no version shows, as verifications of addresses have.

use didww_types::resources::{
    Did, DidFeature, DidGroup, EmergencyCallingService, EmergencyCallingServiceStatus, EmergencyRequirement,
    EmergencyVerification, NumberType, VerificationStatus,
};
use didww_types::{DecodeError, Resource as _, Violation};
use serde_json::{Map, json};

use super::decide_write::with_defaults;
use super::draft::Draft;
use super::emergency_calling_service::MAX_DIDS;
use super::needs::{Found, FoundRecord, Need, found};
use super::order::reference;
use super::{CREATED, CREATED_FIRST, Links, RecordChange, Refusal, Rules, UNDER_REVIEW, WriteContext};

type Status = EmergencyCallingServiceStatus;

const ADDRESS: &str = EmergencyVerification::ADDRESS.as_str();
const DIDS: &str = EmergencyVerification::DIDS.as_str();
const SERVICE: &str = EmergencyVerification::EMERGENCY_CALLING_SERVICE.as_str();

/// The documented text for a service whose status permits no further verification.
const NOT_VERIFIABLE: &str = "Emergency Calling Service should be in NEW, CHANGES_REQUIRED or ACTIVE status";

/// Maximum number of requirements of a country that are read.
const MAX_REQUIREMENTS: u64 = 100;

impl Rules for EmergencyVerification {
    /// Reads the groups of the numbers, with their requirements, and the numbers of the service.
    fn link_needs(links: &Links, read: &[Found]) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(service) = links.get(SERVICE).and_then(|ids| ids.first()) {
            needs.push(of_service(service));
        }
        let Some(dids) = links.get(DIDS).filter(|dids| !dids.is_empty() && dids.len() <= MAX_DIDS) else {
            return needs;
        };
        if let Some(groups) = group_ids(dids, read).filter(|groups| !groups.is_empty()) {
            let countries = of_groups(groups.clone(), DidGroup::COUNTRY.as_str());
            let country = found(read, &countries).and_then(<[_]>::first);
            needs.extend(country.map(|country| requirements(&country.id)));
            needs.extend([countries, of_groups(groups, DidGroup::CITY.as_str())]);
        }
        needs.extend(dids.iter().map(|did| group_of(did)));
        needs.push(services(dids));
        needs
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        if !context.is_create() {
            return Ok(());
        }
        let is_sent = |name| context.linked(name).is_some_and(|records| !records.is_empty());
        match (is_sent(DIDS), is_sent(SERVICE)) {
            (true, true) => draft.refusals.push(
                Refusal::relationship(SERVICE, Violation::MustBeBlank)
                    .because("a verification of numbers creates their service"),
            ),
            (false, false) => draft.refusals.push(Refusal::relationship(DIDS, Violation::Blank)),
            (true, false) if draft.refusals.is_empty() => of_numbers(context, draft)?,
            (false, true) if draft.refusals.is_empty() => of_existing(context, draft)?,
            _ => {}
        }
        draft.changes.status = Some(VerificationStatus::Pending);
        draft.changes.reference = Some(reference(context.fresh.username.as_bytes()));
        let address = draft.links.get(ADDRESS).cloned();
        draft.links.extend(address.map(|address| (UNDER_REVIEW, address)));
        Ok(())
    }
}

/// A verification of numbers, which creates their service.
fn of_numbers(
    context: &WriteContext<'_>,
    draft: &mut Draft<EmergencyVerification>,
) -> Result<(), DecodeError> {
    let sent = context.linked(DIDS).unwrap_or_default();
    let mut refuse = |violation, why: &str| {
        draft.refusals.push(Refusal::relationship(DIDS, violation).because(why));
        Ok(())
    };
    if sent.len() > MAX_DIDS {
        return refuse(Violation::TooMany(MAX_DIDS), "a service has no more numbers");
    }
    let dids: Vec<String> = sent.iter().map(|did| did.id.clone()).collect();
    let read = |need: &Need| found(context.found, need).unwrap_or_default();
    if !read(&services(&dids)).is_empty() {
        return refuse(Violation::Taken, "a number has a service already");
    }
    let (types, unsupported) = kinds(&dids, context.found)?;
    let groups = group_ids(&dids, context.found).unwrap_or_default();
    let countries = read(&of_groups(groups.clone(), DidGroup::COUNTRY.as_str()));
    let number_type = types.first().cloned().flatten();
    let candidates = countries.first().map_or(&[][..], |country| read(&requirements(&country.id)));
    let requirement = of_type(candidates, number_type.as_ref())?;
    // In the order of the official example, which has all of them.
    let mut refusals = Vec::new();
    if requirement.is_none() && !groups.is_empty() {
        let refusal = Refusal::record(Violation::NoEmergencyRate.to_string());
        refusals.push(refusal.because("no requirement has the country and the type of the first number"));
    }
    if types.len() > 1 || countries.len() > 1 {
        refusals.push(Refusal::relationship(DIDS, Violation::OtherDidGroupType));
    }
    if read(&of_groups(groups, DidGroup::CITY.as_str())).len() > 1 {
        refusals.push(Refusal::relationship(DIDS, Violation::OtherCity));
    }
    refusals.extend(unsupported.into_iter().map(|did| Refusal::member(DIDS, did, Violation::NoEmergency)));
    if !refusals.is_empty() {
        draft.refusals.extend(refusals);
        return Ok(());
    }
    let Some((country, requirement)) = countries.first().zip(requirement) else { return Ok(()) };
    let (seed, number_type) = (context.fresh.password.expose(), json!(number_type));
    let address = context.linked(ADDRESS).and_then(<[_]>::first);
    let attributes = Map::from_iter([
        ("name".to_owned(), json!(format!("Emergency calling of {} numbers", dids.len()))),
        ("reference".to_owned(), json!(reference(seed.as_bytes()))),
        ("number_type".to_owned(), number_type),
    ]);
    let mut links = Links::from([
        (EmergencyCallingService::COUNTRY.as_str(), vec![country.id.clone()]),
        (EmergencyCallingService::EMERGENCY_REQUIREMENT.as_str(), vec![requirement.id.clone()]),
    ]);
    links.extend(address.map(|address| (UNDER_REVIEW, vec![address.id.clone()])));
    let spec = EmergencyCallingService::SPEC;
    let attributes = with_defaults(spec, context.now, attributes);
    let meta = requirement.meta.clone();
    draft.first.push(RecordChange::Create { spec, attributes, links, meta, later: None });
    draft.links.insert(SERVICE, vec![CREATED_FIRST.to_owned()]);
    Ok(())
}

/// The types of the groups of numbers, each once, and the numbers that do not support emergency calling.
fn kinds<'d>(
    dids: &'d [String],
    read: &[Found],
) -> Result<(Vec<Option<NumberType>>, Vec<&'d str>), DecodeError> {
    let (mut types, mut unsupported) = (Vec::new(), Vec::new());
    for did in dids {
        let mut is_supported = false;
        for group in found(read, &group_of(did)).unwrap_or_default() {
            let group: DidGroup = group.decode()?;
            is_supported = group.features.as_slice().contains(&DidFeature::Emergency);
            if !types.contains(&group.number_type) {
                types.push(group.number_type);
            }
        }
        if !is_supported {
            unsupported.push(did.as_str());
        }
    }
    Ok((types, unsupported))
}

/// A further verification of a service, and of its numbers.
fn of_existing(
    context: &WriteContext<'_>,
    draft: &mut Draft<EmergencyVerification>,
) -> Result<(), DecodeError> {
    let Some(service) = context.linked(SERVICE).and_then(<[_]>::first) else { return Ok(()) };
    let decoded = service.decode::<EmergencyCallingService>()?;
    let next = match decoded.and_then(|service| service.status) {
        Some(Status::New) => Status::New,
        Some(Status::ChangesRequired) => Status::InProcess,
        Some(Status::Active) => Status::PendingUpdate,
        _ => {
            draft.refusals.push(Refusal::record(NOT_VERIFIABLE));
            return Ok(());
        }
    };
    let address = context.linked(ADDRESS).and_then(<[_]>::first);
    let links: Links = address.iter().map(|address| (UNDER_REVIEW, vec![address.id.clone()])).collect();
    let status = Map::from_iter([("status".to_owned(), json!(next))]);
    draft.also.push(RecordChange::update(EmergencyCallingService::SPEC, &service.id, status, links));
    let dids = found(context.found, &of_service(&service.id)).unwrap_or_default();
    let verified = || Links::from([(Did::EMERGENCY_VERIFICATION.as_str(), vec![CREATED.to_owned()])]);
    draft
        .also
        .extend(dids.iter().map(|did| RecordChange::update(Did::SPEC, &did.id, Map::new(), verified())));
    Ok(())
}

/// The first of these requirements that is for numbers of a type.
fn of_type<'a>(
    candidates: &'a [FoundRecord],
    number_type: Option<&NumberType>,
) -> Result<Option<&'a FoundRecord>, DecodeError> {
    for candidate in candidates {
        let requirement: EmergencyRequirement = candidate.decode()?;
        if requirement.number_type.as_ref() == number_type {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn group_of(did: &str) -> Need {
    Need::MembersOf(Did::SPEC, vec![did.to_owned()], Did::DID_GROUP.as_str())
}

/// The ids of the groups of numbers, each once; `None` until the groups were read.
fn group_ids(dids: &[String], read: &[Found]) -> Option<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for did in dids {
        for group in found(read, &group_of(did))? {
            if !ids.contains(&group.id) {
                ids.push(group.id.clone());
            }
        }
    }
    Some(ids)
}

fn services(dids: &[String]) -> Need {
    Need::MembersOf(Did::SPEC, dids.to_vec(), Did::EMERGENCY_CALLING_SERVICE.as_str())
}

fn of_groups(groups: Vec<String>, through: &'static str) -> Need {
    Need::MembersOf(DidGroup::SPEC, groups, through)
}

fn requirements(country: &str) -> Need {
    let links = vec![(EmergencyRequirement::COUNTRY.as_str(), country.to_owned())];
    Need::Owners(EmergencyRequirement::SPEC, links, MAX_REQUIREMENTS)
}

fn of_service(service: &str) -> Need {
    let through = EmergencyCallingService::DIDS.as_str();
    Need::MembersOf(EmergencyCallingService::SPEC, vec![service.to_owned()], through)
}
