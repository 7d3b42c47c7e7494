//! Reviews the verifications that customers request, as DIDWW's staff do.

use didww_types::resources::{
    Address, AddressVerification, Balance, Did, EmergencyCallingService, EmergencyVerification, Identity,
    VerificationStatus,
};
use didww_types::{DecodeError, Id, Resource as _, ResourceSpec, Timestamp};
use serde_json::Value;
use service_core::{AttemptError, Decided, Retries};
use trunk_rules::domain::{
    EmergencyReviewError, EmergencyReviewed, FoundRecord, MONTHLY_PRICE, RecordChange, Review, Reviewed,
    WriteOutcome, month_after, review_address, review_emergency,
};
use trunk_store::{Change, Record, Scope, StoreError};
use uuid::Uuid;

use crate::{Control, ControlError, renewals};

/// Maximum number of reasons of a rejection.
const MAX_REASONS: usize = 20;
/// Maximum number of characters of a reason, and of a comment.
const MAX_CHARACTERS: usize = 255;
/// Maximum number of numbers of a verification that a review changes.
const MAX_DIDS: usize = 10_000;

/// The records on which a review is decided.
#[derive(Debug, Default)]
struct UnderReview {
    addresses: Vec<Record>,
    identities: Vec<Record>,
    dids: Vec<Record>,
}

impl UnderReview {
    fn reviewed(&self) -> Result<Reviewed, StoreError> {
        let first = |records: &[Record]| records.first().map(|record| record.id.to_string());
        let (mut waiting, mut new) = (Vec::new(), Vec::new());
        for did in &self.dids {
            if did.attributes()?.get(AWAITING).and_then(Value::as_bool) == Some(true) {
                waiting.push(did.id.to_string());
                if is_in_first_month(did)? {
                    new.push(did.id.to_string());
                }
            }
        }
        Ok(Reviewed {
            address: first(&self.addresses),
            identity: first(&self.identities),
            dids: self.dids.iter().map(|did| did.id.to_string()).collect(),
            waiting,
            new,
        })
    }
}

impl Control {
    /// Approves or rejects a pending verification of an address. An approval verifies the address, registers its
    /// numbers to the identity, and ends their wait for a registration, during which they are blocked: the month that
    /// an order paid for begins then.
    ///
    /// # Errors
    /// If there is no such account or verification, it is reviewed already, or a rejection has no reasons, more than
    /// 20, or one that is empty or has more than 255 characters.
    pub async fn review_address_verification(
        &self,
        account: Uuid,
        verification: Uuid,
        review: Review,
    ) -> Result<(), ControlError> {
        check(&review)?;
        let number = self.account(account).await?.number;
        let review = &review;
        Retries::REQUEST
            .run(|| async move {
                let scope = Scope { account: number, spec: AddressVerification::SPEC };
                let record = self.verification(scope, verification).await?;
                let found: AddressVerification = read(&record)?;
                pending(&found.status)?;
                let records = self.under_review(scope, &record).await?;
                let now = self.core.clock.now();
                let changes = review_address(found.id.as_str(), &records.reviewed()?, review, now);
                let read: Vec<&Record> = std::iter::once(&record)
                    .chain(&records.addresses)
                    .chain(&records.identities)
                    .chain(&records.dids)
                    .collect();
                self.commit_review(number, changes, &read, None).await
            })
            .await
    }

    /// Approves or rejects a pending verification of emergency calling. An approval activates its service, and lets
    /// emergency services be called from the numbers; the first one is an order, which is paid from the balance.
    ///
    /// # Errors
    /// If there is no such account or verification, it is reviewed already, a rejection has no reasons, more than 20,
    /// or one that is empty or has more than 255 characters, or the account cannot pay the order.
    pub async fn review_emergency_verification(
        &self,
        account: Uuid,
        verification: Uuid,
        review: Review,
    ) -> Result<(), ControlError> {
        check(&review)?;
        let number = self.account(account).await?.number;
        let review = &review;
        Retries::REQUEST
            .run(|| async move {
                let scope = Scope { account: number, spec: EmergencyVerification::SPEC };
                let record = self.verification(scope, verification).await?;
                let found: EmergencyVerification = read(&record)?;
                pending(&found.status)?;
                let of_services = Scope { spec: EmergencyCallingService::SPEC, ..scope };
                let services = self.linked(scope, &record, SERVICE, EmergencyCallingService::SPEC).await?;
                let Some(service) = services.first() else {
                    let error = StoreError::Corrupt(format!("verification {verification} has no service"));
                    return Err(AttemptError::Store(error));
                };
                let dids = self.linked(of_services, service, SERVICE_DIDS, Did::SPEC).await?;
                let of_balances = Scope { spec: Balance::SPEC, ..scope };
                let balance = self.core.store.find(of_balances, account).await?;
                let reviewed = EmergencyReviewed {
                    service: as_found(service),
                    dids: dids.iter().map(|did| did.id.to_string()).collect(),
                    balance: balance.as_ref().map(as_found),
                };
                let (now, random) = (self.core.clock.now(), self.core.ids.word().to_be_bytes());
                let changes = review_emergency(found.id.as_str(), &reviewed, review, now, &random);
                let changes = changes.map_err(refused)?;
                let read: Vec<&Record> =
                    [&record, service].into_iter().chain(&dids).chain(&balance).collect();
                // The period of a service begins with its first approval.
                let renewals = (*review == Review::Approve).then(|| renewals::run_now(number, now));
                self.commit_review(number, changes, &read, renewals).await
            })
            .await
    }

    async fn verification(&self, scope: Scope, id: Uuid) -> Result<Record, ControlError> {
        let record = self.core.store.find(scope, id).await?;
        record.ok_or_else(|| ControlError::NotFound(format!("verification {id}")))
    }

    /// Reads the records on which the review of a verification is decided.
    async fn under_review(&self, scope: Scope, verification: &Record) -> Result<UnderReview, StoreError> {
        let addresses = self.linked(scope, verification, ADDRESS, Address::SPEC).await?;
        let of_addresses = Scope { spec: Address::SPEC, ..scope };
        let identities = match addresses.first() {
            Some(address) => {
                self.linked(of_addresses, address, Address::IDENTITY.as_str(), Identity::SPEC).await?
            }
            None => Vec::new(),
        };
        let dids = self.linked(scope, verification, DIDS, Did::SPEC).await?;
        Ok(UnderReview { addresses, identities, dids })
    }

    /// The members of a relationship of a record.
    async fn linked(
        &self,
        scope: Scope,
        owner: &Record,
        relationship: &'static str,
        target: &'static ResourceSpec,
    ) -> Result<Vec<Record>, StoreError> {
        let store = &self.core.store;
        let members = store.members(scope, vec![owner.number], relationship, MAX_DIDS).await?;
        let ids = members.into_iter().map(|(_, _, id)| id).collect();
        store.find_all(Scope { spec: target, ..scope }, ids).await
    }

    async fn commit_review(
        &self,
        account: i64,
        changes: Vec<RecordChange>,
        read: &[&Record],
        further: Option<Change>,
    ) -> Result<(), AttemptError<ControlError>> {
        let decided = Decided { account, at: self.core.clock.now(), read };
        let outcome = WriteOutcome { changes, events: Vec::new() };
        let mut changes = decided.changes(outcome, &self.core.ids)?;
        changes.extend(further);
        self.core.commit(changes).await?;
        Ok(())
    }
}

const SERVICE: &str = EmergencyVerification::EMERGENCY_CALLING_SERVICE.as_str();
const SERVICE_DIDS: &str = EmergencyCallingService::DIDS.as_str();
const ADDRESS: &str = AddressVerification::ADDRESS.as_str();
const DIDS: &str = AddressVerification::DIDS.as_str();
const AWAITING: &str = Did::SPEC.attribute_name("awaiting_registration");
const CREATED_AT: &str = Did::SPEC.attribute_name("created_at");
const EXPIRES_AT: &str = Did::SPEC.attribute_name("expires_at");

/// Whether a number is in the first month of an order that paid the whole of it, and was not renewed since.
fn is_in_first_month(did: &Record) -> Result<bool, StoreError> {
    let attributes = did.attributes()?;
    let time = |name: &str| attributes.get(name).and_then(Value::as_str)?.parse::<Timestamp>().ok();
    let end = time(CREATED_AT).map(month_after);
    Ok(end.is_some() && end == time(EXPIRES_AT) && did.meta()?.contains_key(MONTHLY_PRICE))
}

/// Refuses a rejection without reasons, or with too many or too long ones.
fn check(review: &Review) -> Result<(), ControlError> {
    let Review::Reject { reasons, comment } = review else { return Ok(()) };
    let is_long = |text: &String| text.chars().count() > MAX_CHARACTERS;
    if reasons.is_empty() || reasons.len() > MAX_REASONS {
        return Err(ControlError::invalid("reasons", format!("must be 1 to {MAX_REASONS} texts")));
    }
    if reasons.iter().any(|reason| reason.trim().is_empty() || is_long(reason)) {
        let message = format!("has a text that is empty or longer than {MAX_CHARACTERS} characters");
        return Err(ControlError::invalid("reasons", message));
    }
    if comment.as_ref().is_some_and(is_long) {
        let message = format!("has more than {MAX_CHARACTERS} characters");
        return Err(ControlError::invalid("comment", message));
    }
    Ok(())
}

/// A record as the rules receive it.
fn as_found(record: &Record) -> FoundRecord {
    FoundRecord {
        id: record.id.to_string(),
        attributes: record.attributes.clone(),
        meta: record.meta.clone(),
    }
}

fn refused(error: EmergencyReviewError) -> ControlError {
    match error {
        EmergencyReviewError::Unpaid(..) => ControlError::invalid("balance", format!("is too low: {error}")),
        EmergencyReviewError::Undecodable(error) => StoreError::Corrupt(error.to_string()).into(),
    }
}

fn pending(status: &VerificationStatus) -> Result<(), ControlError> {
    if *status == VerificationStatus::Pending {
        return Ok(());
    }
    Err(ControlError::invalid("verification", "is approved or rejected already"))
}

fn read<R: didww_types::Resource>(record: &Record) -> Result<R, StoreError> {
    let decoded = R::from_texts(Id::new(record.id.to_string()), &record.attributes, record.meta.as_deref());
    decoded.map_err(|error: DecodeError| StoreError::Corrupt(format!("a record under review: {error}")))
}
