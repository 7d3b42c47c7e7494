//! The rules of registrations of numbers to addresses, and of their review.
//!
//! A verification under review has its address in a relationship that no version shows, by which the address, its
//! identity and the documents of both are found to be in use.

use std::collections::HashSet;

use didww_types::resources::{
    Address, AddressRequirement, AddressVerification, Did, DidGroup, VerificationStatus,
};
use didww_types::{DecodeError, Resource as _, ResourceSpec, Timestamp, Violation};
use serde_json::{Map, Value, json};

use super::did::REGISTERED_TO;
use super::draft::Draft;
use super::months::month_after;
use super::needs::{Found, FoundRecord, Need, found};
use super::order::reference;
use super::{Links, RecordChange, Refusal, Rules, WriteContext};

/// The relationship of a verification to the address that it is reviewed with, which no version shows.
pub const UNDER_REVIEW: &str = "addresses";

/// Maximum number of telephone numbers of a verification. The requirements of all of them are read before it is stored,
/// and a review changes all.
const MAX_DIDS: usize = 10_000;

const DIDS: &str = AddressVerification::DIDS.as_str();
const ONETIME_FILES: &str = AddressVerification::ONETIME_FILES.as_str();
const ONETIME_DOCUMENTS: [&str; 2] = [
    AddressRequirement::PERSONAL_ONETIME_DOCUMENT.as_str(),
    AddressRequirement::BUSINESS_ONETIME_DOCUMENT.as_str(),
];
const SERVICE_DESCRIPTION: &str = AddressVerification::SPEC.attribute_name("service_description");

impl Rules for AddressVerification {
    /// Reads the requirements of the registration of the numbers.
    fn link_needs(links: &Links, read: &[Found]) -> Vec<Need> {
        let groups = links.get(DIDS).filter(|dids| dids.len() <= MAX_DIDS).map(|dids| groups(dids.clone()));
        let requirements = groups.as_ref().and_then(|need| requirements(found(read, need)?));
        let has_files = links.get(ONETIME_FILES).is_some_and(|files| !files.is_empty());
        let required = requirements.as_ref().and_then(|need| found(read, need)).filter(|_| has_files);
        let documents = required.map(onetime_documents).into_iter().flatten();
        groups.into_iter().chain(requirements).chain(documents).collect()
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        if !context.is_create() {
            return Ok(());
        }
        if context.linked(DIDS).is_some_and(|dids| dids.len() > MAX_DIDS) {
            let refusal = Refusal::relationship(DIDS, Violation::TooMany(MAX_DIDS));
            draft.refusals.push(refusal.because("the requirements of all numbers are checked together"));
            return Ok(());
        }
        let description = draft.changes.service_description.as_ref().and_then(Option::as_deref);
        let is_described = description.is_some_and(|text| !text.trim().is_empty());
        let requirements = required(context);
        let needs_description = needs_description(&requirements)?;
        if needs_description && !is_described {
            let refusal = Refusal::attribute(SERVICE_DESCRIPTION, Violation::Blank);
            draft.refusals.push(refusal.because("the registration of the numbers requires it"));
        }
        // Numbers whose requirements are not known may have both.
        if !requirements.is_empty() {
            let files = context.linked(ONETIME_FILES).unwrap_or_default();
            let has_files = files.iter().any(|file| file.attributes.is_some());
            if has_files && !needs_document(context) {
                draft.refusals.push(Refusal::record("one-time document is not needed"));
            }
            if is_described && !needs_description {
                draft.refusals.push(Refusal::record("service description is not needed"));
            }
        }
        draft.changes.status = Some(VerificationStatus::Pending);
        draft.changes.reference = Some(reference(context.fresh.username.as_bytes()));
        let address = draft.links.get(AddressVerification::ADDRESS.as_str()).cloned();
        draft.links.extend(address.map(|address| (UNDER_REVIEW, address)));
        Ok(())
    }
}

fn groups(dids: Vec<String>) -> Need {
    Need::MembersOf(Did::SPEC, dids, Did::DID_GROUP.as_str())
}

fn requirements(groups: &[FoundRecord]) -> Option<Need> {
    let ids: Vec<String> = groups.iter().map(|group| group.id.clone()).collect();
    let through = DidGroup::ADDRESS_REQUIREMENT.as_str();
    (!ids.is_empty()).then_some(Need::MembersOf(DidGroup::SPEC, ids, through))
}

/// The forms that requirements demand for each verification.
fn onetime_documents(requirements: &[FoundRecord]) -> [Need; 2] {
    let ids: Vec<String> = requirements.iter().map(|requirement| requirement.id.clone()).collect();
    ONETIME_DOCUMENTS.map(|through| Need::MembersOf(AddressRequirement::SPEC, ids.clone(), through))
}

/// The members that were read of records of a type.
fn members<'a>(
    context: &WriteContext<'a>,
    of: &'static ResourceSpec,
) -> impl Iterator<Item = &'a FoundRecord> {
    let is_of = move |need: &Need| matches!(need, Need::MembersOf(spec, ..) if spec.name == of.name);
    context.found.iter().filter(move |found| is_of(&found.need)).flat_map(|found| &found.records)
}

/// The requirements of the registration of the numbers.
fn required<'a>(context: &WriteContext<'a>) -> Vec<&'a FoundRecord> {
    members(context, DidGroup::SPEC).collect()
}

/// Whether one of the requirements demands a description.
fn needs_description(requirements: &[&FoundRecord]) -> Result<bool, DecodeError> {
    for requirement in requirements {
        let requirement = requirement.decode_partial::<AddressRequirement>()?;
        if requirement.service_description_required == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one of the requirements demands a form for each verification.
fn needs_document(context: &WriteContext<'_>) -> bool {
    members(context, AddressRequirement::SPEC).next().is_some()
}

/// The decision of a reviewer on a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// The submitted data is accepted.
    Approve,
    /// The submitted data is refused.
    Reject {
        /// The reasons, at least one.
        reasons: Vec<String>,
        /// The reviewer's comment on the reasons.
        comment: Option<String>,
    },
}

impl Review {
    /// The attributes that a reviewed verification has.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let (status, reasons, comment) = match self {
            Self::Approve => (VerificationStatus::Approved, Value::Null, Value::Null),
            Self::Reject { reasons, comment } => {
                (VerificationStatus::Rejected, json!(reasons), json!(comment))
            }
        };
        Map::from_iter([
            ("status".to_owned(), json!(status)),
            ("reject_reasons".to_owned(), reasons),
            ("reject_comment".to_owned(), comment),
        ])
    }
}

/// The ids of the records that a review of a verification changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// The id of the address.
    pub address: Option<String>,
    /// The id of the identity that has the address.
    pub identity: Option<String>,
    /// The ids of the DIDs.
    pub dids: Vec<String>,
    /// Those of the numbers that await their registration.
    pub waiting: Vec<String>,
    /// Those of the waiting numbers that are in the first month of their order.
    pub new: Vec<String>,
}

/// The changes that a review of a pending verification of an address makes. An approval registers the numbers to the
/// address and to the identity: those that awaited it carry traffic then, and the first month of those that are new
/// begins, as recorded.
pub fn review_address(
    verification: &str,
    reviewed: &Reviewed,
    review: &Review,
    now: Timestamp,
) -> Vec<RecordChange> {
    let done = Links::from([(UNDER_REVIEW, Vec::new())]);
    let mut changes =
        vec![RecordChange::update(AddressVerification::SPEC, verification, review.attributes(), done)];
    if *review == Review::Approve {
        // Whether a number is registered to it is computed.
        let addresses = reviewed.address.iter();
        changes.extend(addresses.map(|id| RecordChange::Unchanged { spec: Address::SPEC, id: id.clone() }));
        let waiting: HashSet<&str> = reviewed.waiting.iter().map(String::as_str).collect();
        let new: HashSet<&str> = reviewed.new.iter().map(String::as_str).collect();
        let registered = |id: &str| {
            let mut attributes = Map::from_iter([("awaiting_registration".to_owned(), json!(false))]);
            if waiting.contains(id) {
                attributes.insert("blocked".to_owned(), json!(false));
            }
            if new.contains(id) {
                attributes.insert("expires_at".to_owned(), json!(month_after(now)));
            }
            attributes
        };
        let registered_to = || {
            let identity = reviewed.identity.iter().map(|id| (Did::IDENTITY.as_str(), vec![id.clone()]));
            let address = reviewed.address.iter().map(|id| (REGISTERED_TO, vec![id.clone()]));
            identity.chain(address).collect::<Links>()
        };
        let dids = reviewed.dids.iter();
        changes.extend(
            dids.map(|id| RecordChange::update(Did::SPEC, id, registered(id.as_str()), registered_to())),
        );
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use didww_types::Timestamp;

    use super::*;
    use crate::domain::{LinkedRecord, Rulebook, WriteError, with_defaults};

    fn numbers(count: usize) -> Vec<String> {
        (1..=count).map(|number| number.to_string()).collect()
    }

    /// The details of the errors of a new verification of this many numbers.
    fn errors(count: usize) -> Vec<String> {
        let stored =
            |spec, sent| Value::Object(with_defaults(spec, Timestamp::from_unix_millis(0), sent)).to_string();
        let number = Map::from_iter([("number".to_owned(), json!("37061498222"))]);
        let (address, did) = (stored(Address::SPEC, Map::new()), stored(Did::SPEC, number));
        let links = BTreeMap::from([
            (
                AddressVerification::ADDRESS.as_str(),
                vec![LinkedRecord { id: "address".to_owned(), attributes: Some(&address) }],
            ),
            (
                DIDS,
                numbers(count).into_iter().map(|id| LinkedRecord { id, attributes: Some(&did) }).collect(),
            ),
        ]);
        let context = WriteContext { links: &links, ..WriteContext::of_nothing() };
        match Rulebook::DIDWW.decide_write(AddressVerification::SPEC, &context) {
            Ok(_) => Vec::new(),
            Err(WriteError::Refused(refusals)) => {
                let detail = |refusal: &Refusal| json!(refusal.to_error())["detail"].to_string();
                refusals.iter().map(detail).collect()
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_verification_of_more_numbers_than_are_checked_together_is_refused() {
        assert_eq!(errors(MAX_DIDS), [""; 0]);
        assert_eq!(errors(MAX_DIDS + 1), [r#""dids - is too long (maximum is 10000 items)""#]);
    }

    #[test]
    fn what_the_groups_require_is_read_of_all_numbers_or_of_none() {
        let needs = |count| {
            let links = Links::from([(DIDS, numbers(count))]);
            AddressVerification::link_needs(&links, &[]).len()
        };
        assert_eq!((needs(MAX_DIDS), needs(MAX_DIDS + 1)), (1, 0));
    }
}
