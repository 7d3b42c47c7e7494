//! The rules of verifications of emergency calling.
//!
//! A verification of numbers creates their service; a verification of a service is a further one. While it is reviewed it has
//! its address in a relationship that no version shows, as verifications of addresses have.

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
        let groups = groups(dids);
        if let Some(groups) = found(read, &groups) {
            let countries = of_groups(groups, DidGroup::COUNTRY.as_str());
            let country = found(read, &countries).and_then(<[_]>::first);
            needs.extend(country.map(|country| requirements(&country.id)));
            needs.extend([countries, of_groups(groups, DidGroup::CITY.as_str())]);
        }
        needs.extend([groups, services(dids)]);
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
    let groups = read(&groups(&dids));
    let mut number_type: Option<NumberType> = None;
    for group in groups {
        let group: DidGroup = group.decode()?;
        if !group.features.as_slice().contains(&DidFeature::Emergency) {
            return refuse(Violation::NoEmergency, "the group of a number has no emergency calling");
        }
        if number_type.is_some() && number_type != group.number_type {
            return refuse(Violation::OtherDidGroupType, "the numbers have several types");
        }
        number_type = group.number_type;
    }
    if groups.is_empty() {
        return refuse(Violation::NoEmergency, "the numbers have no group");
    }
    let countries = read(&of_groups(groups, DidGroup::COUNTRY.as_str()));
    if countries.len() > 1 {
        return refuse(Violation::OtherDidGroupType, "the numbers are of several countries");
    }
    if read(&of_groups(groups, DidGroup::CITY.as_str())).len() > 1 {
        return refuse(Violation::OtherCity, "the numbers are of several cities");
    }
    let country = countries.first();
    let candidates = country.map_or(&[][..], |country| read(&requirements(&country.id)));
    let (Some(country), Some(requirement)) = (country, of_type(candidates, number_type.as_ref())?) else {
        return refuse(
            Violation::NoEmergencyRate,
            "no requirement has the country and the type of the numbers",
        );
    };
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

fn groups(dids: &[String]) -> Need {
    Need::MembersOf(Did::SPEC, dids.to_vec(), Did::DID_GROUP.as_str())
}

fn services(dids: &[String]) -> Need {
    Need::MembersOf(Did::SPEC, dids.to_vec(), Did::EMERGENCY_CALLING_SERVICE.as_str())
}

fn of_groups(groups: &[FoundRecord], through: &'static str) -> Need {
    Need::MembersOf(DidGroup::SPEC, groups.iter().map(|group| group.id.clone()).collect(), through)
}

fn requirements(country: &str) -> Need {
    let links = vec![(EmergencyRequirement::COUNTRY.as_str(), country.to_owned())];
    Need::Owners(EmergencyRequirement::SPEC, links, MAX_REQUIREMENTS)
}

fn of_service(service: &str) -> Need {
    let through = EmergencyCallingService::DIDS.as_str();
    Need::MembersOf(EmergencyCallingService::SPEC, vec![service.to_owned()], through)
}
