//! DIDs that staff add to accounts and change. Those that an account orders are added by `orders`.

use std::time::Duration;

use didww_types::resources::{Did, DidFeature, DidPartial};
use didww_types::values::DidNumber;
use didww_types::{DecodeError, Named as _, Partial as _, Resource as _, Timestamp};
use serde_json::{Map, Value};
use service_core::{AttemptError, Retries};
use trunk_rules::domain::{HELD, with_defaults};
use trunk_store::{Change, Scope, StoreError};
use uuid::Uuid;

use crate::{Control, ControlError, did_groups, history, renewals, stock};

/// Maximum number of DIDs that one operation adds.
const MAX_DIDS: usize = 10_000;
/// Paid period of a new DID if none is specified.
const DEFAULT_PAID_PERIOD: Duration = Duration::from_hours(30 * 24);

/// A DID to add to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDid {
    /// The number, 1 to 20 digits; a leading plus is removed. E.164 has at most 15: longer ones exist in DIDWW's
    /// sandbox, and no call can have one as its caller number.
    pub number: String,
    /// A note of the account's owner.
    pub description: Option<String>,
    /// Whether the number can make emergency calls.
    pub emergency_enabled: bool,
    /// The end of the paid period; if `None`, 30 days from now.
    pub expires_at: Option<Timestamp>,
    /// The id of its DID group; if `None`, the group that the server keeps for its features.
    pub did_group: Option<Uuid>,
    /// The possible uses of the number, if no DID group is named; if `None`, incoming and outgoing calls, and emergency
    /// calls if they are enabled.
    pub features: Option<Vec<DidFeature>>,
}

impl NewDid {
    /// Creates a DID for incoming and outgoing calls, without emergency calling, without a note, and paid for 30 days.
    pub fn new(number: impl Into<String>) -> Self {
        Self {
            number: number.into(),
            description: None,
            emergency_enabled: false,
            expires_at: None,
            did_group: None,
            features: None,
        }
    }

    /// Sets the id of the DID group, from which the DID has its features.
    #[must_use]
    pub fn did_group(mut self, id: Uuid) -> Self {
        self.did_group = Some(id);
        self
    }

    /// Sets the features of a DID that names no DID group.
    #[must_use]
    pub fn features(mut self, features: impl IntoIterator<Item = DidFeature>) -> Self {
        self.features = Some(features.into_iter().collect());
        self
    }

    /// Enables emergency calls from the number.
    #[must_use]
    pub fn emergency(mut self) -> Self {
        self.emergency_enabled = true;
        self
    }

    /// Sets the note of the account's owner.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }
}

/// Changes to a DID that its owner cannot make. A field that is `None` leaves the value unchanged.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DidPatch {
    /// Whether the number can make emergency calls.
    pub emergency_enabled: Option<bool>,
    /// Whether the DID is blocked for traffic.
    pub blocked: Option<bool>,
    /// Whether the DID awaits a regulatory registration. It is blocked meanwhile, unless `blocked` says otherwise.
    pub awaiting_registration: Option<bool>,
    /// The end of the paid period.
    pub expires_at: Option<Timestamp>,
}

impl DidPatch {
    /// Creates a patch that enables or disables emergency calling.
    pub fn emergency(enabled: bool) -> Self {
        Self { emergency_enabled: Some(enabled), ..Self::default() }
    }
}

impl Control {
    /// Adds up to 10,000 DIDs to an account, all or none. Returns their ids in the same order.
    ///
    /// # Errors
    /// If there is no such account or DID group, a number or feature is not valid, a DID names both a group and
    /// features, or a number already exists in this or another account.
    pub async fn add_dids(
        &self,
        account: Uuid,
        dids: impl IntoIterator<Item = NewDid>,
    ) -> Result<Vec<Uuid>, ControlError> {
        let scope = Scope { account: self.account(account).await?.number, spec: Did::SPEC };
        let dids: Vec<NewDid> = dids.into_iter().collect();
        if dids.len() > MAX_DIDS {
            return Err(ControlError::invalid("dids", format!("must be at most {MAX_DIDS} in one request")));
        }
        let (now, dids) = (self.core.clock.now(), dids.as_slice());
        let records = Retries::REQUEST
            .run(|| async move {
                let (groups, mut changes) = did_groups::prepare(&self.core, dids, now).await?;
                let all = dids.iter().map(|did| attributes(did, now)).collect::<Result<Vec<_>, _>>()?;
                let number =
                    |attributes: &Map<String, Value>| attributes.get("number")?.as_str().map(str::to_owned);
                let numbers: Vec<String> = all.iter().filter_map(number).collect();
                let in_stock = stock::by_number(&self.core, &numbers).await?;
                let mut entries = Vec::with_capacity(dids.len());
                for (attributes, group) in all.into_iter().zip(groups) {
                    entries.extend(history::of_staff(&self.core, scope, None, &attributes, now)?);
                    let id = self.core.ids.record(now);
                    let mut links = vec![(Did::DID_GROUP.as_str(), vec![group])];
                    // A number in stock is not offered while it is a DID.
                    let stocked = number(&attributes).and_then(|number| in_stock.get(&number).copied());
                    links.extend(stocked.map(|stocked| (HELD, vec![stocked])));
                    changes.push(Change::Insert {
                        scope,
                        id,
                        created_at: now,
                        attributes,
                        links,
                        meta: None,
                    });
                }
                changes.extend(entries);
                self.core.commit(changes).await.map_err(|error| match error {
                    StoreError::Taken(field) if field == "number" => taken(dids).into(),
                    // Another request has stored the group since it was looked up: the next attempt finds it.
                    StoreError::Taken(field) if field == "id" => StoreError::Conflict.into(),
                    other => AttemptError::<ControlError>::Store(other),
                })
            })
            .await?;
        Ok(records.into_iter().filter(|record| record.kind == Did::TYPE).map(|record| record.id).collect())
    }

    /// Adds one DID to an account. Returns its id.
    ///
    /// # Errors
    /// As [`add_dids`](Self::add_dids).
    pub async fn add_did(&self, account: Uuid, did: NewDid) -> Result<Uuid, ControlError> {
        let ids = self.add_dids(account, [did]).await?;
        ids.into_iter().next().ok_or_else(|| ControlError::NotFound("DID that was added".to_owned()))
    }

    /// Changes a DID.
    ///
    /// # Errors
    /// If there is no such account or DID.
    pub async fn update_did(&self, account: Uuid, did: Uuid, patch: DidPatch) -> Result<(), ControlError> {
        let account = self.account(account).await?.number;
        self.change_record(account, did, |did: &Did| {
            let mut changes = DidPartial::empty();
            changes.emergency_enabled = patch.emergency_enabled.map(Some);
            let begins_or_ends =
                patch.awaiting_registration.filter(|waits| *waits != did.awaiting_registration);
            changes.blocked = patch.blocked.or(begins_or_ends);
            changes.awaiting_registration = patch.awaiting_registration;
            changes.expires_at = patch.expires_at.map(Some);
            changes
        })
        .await?;
        if patch.expires_at.is_some() {
            renewals::decide_now(&self.core, account).await?;
        }
        Ok(())
    }
}

/// The error for DIDs of which one has a number that is a DID already.
fn taken(dids: &[NewDid]) -> ControlError {
    let message = if let [only] = dids {
        format!("`{}` is a DID already, of this account or of another", only.number)
    } else {
        "of at least one of them is a DID already, of this account or of another; none was added".to_owned()
    };
    ControlError::invalid("number", message)
}

fn attributes(did: &NewDid, now: Timestamp) -> Result<Map<String, Value>, ControlError> {
    let number = &did.number;
    let digits = DidNumber::new(number.strip_prefix('+').unwrap_or(number)).map_err(|_| {
        let message = format!("`{number}` is not a number; give 1 to 20 digits, such as 37061498222");
        ControlError::invalid("number", message)
    })?;
    let mut new = DidPartial::empty();
    new.number = Some(digits.to_string());
    new.description = Some(did.description.clone());
    new.emergency_enabled = Some(Some(did.emergency_enabled));
    new.expires_at = Some(Some(did.expires_at.unwrap_or_else(|| now.after(DEFAULT_PAID_PERIOD))));
    let unreadable = |error: DecodeError| ControlError::invalid("body", error.to_string());
    Ok(with_defaults(Did::SPEC, now, new.attributes().map_err(unreadable)?))
}
