//! The rules of emergency calling services, which verifications create and deletions cancel.
//!
//! A service that is not canceled has its address in a relationship that no version shows, so that the address is in
//! use.

use didww_types::resources::{Did, EmergencyCallingService, EmergencyCallingServiceStatus};
use didww_types::{Resource as _, Timestamp};
use serde_json::{Map, Value, json};

use super::emergency_requirement::NO_PRICES;
use super::{
    DeleteContext, Links, RecordChange, Refusal, RelatedRecords, Rules, UNDER_REVIEW, WriteError,
    WriteOutcome,
};

type Status = EmergencyCallingServiceStatus;

/// Maximum number of telephone numbers of a service, all of which a deletion receives and detaches.
pub(super) const MAX_DIDS: usize = 100;

impl Rules for EmergencyCallingService {
    const INITIAL_META: Option<&'static str> = Some(NO_PRICES);
    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Members(EmergencyCallingService::DIDS.as_str())];

    /// A customer can cancel a service, unless a further verification is reviewed after one was rejected. The record
    /// stays.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        let service: EmergencyCallingService = context.record.decode()?;
        if matches!(service.status, Status::Canceled | Status::InProcess) {
            let why = format!("can't be canceled while its status is {}", service.status);
            return Err(Refusal::record(why).into());
        }
        let dids = context.related.iter().flatten();
        let changes = cancel(context.record.id, dids.map(String::as_str), context.now);
        Ok(WriteOutcome { changes, events: Vec::new() })
    }
}

/// The changes that cancel the service with an id: its status, its address, which is no longer in use, and its numbers,
/// which are detached and can no longer call emergency services.
pub fn cancel<'a>(
    service: &str,
    dids: impl IntoIterator<Item = &'a str>,
    now: Timestamp,
) -> Vec<RecordChange> {
    let canceled = Map::from_iter([
        ("status".to_owned(), json!(Status::Canceled)),
        ("canceled_at".to_owned(), json!(now.to_string())),
        ("renew_date".to_owned(), Value::Null),
    ]);
    let free = Links::from([(UNDER_REVIEW, Vec::new())]);
    let mut changes = vec![RecordChange::update(EmergencyCallingService::SPEC, service, canceled, free)];
    let detached = |id: &str| {
        let silent = Map::from_iter([("emergency_enabled".to_owned(), json!(false))]);
        let links = Links::from([(Did::EMERGENCY_CALLING_SERVICE.as_str(), Vec::new())]);
        RecordChange::update(Did::SPEC, id, silent, links)
    };
    changes.extend(dids.into_iter().map(detached));
    changes
}
