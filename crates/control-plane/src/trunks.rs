//! Changes of records that only staff can make, trunks in particular.

use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkPartial};
use didww_types::values::IpNetworks;
use didww_types::{DecodeError, Id, Partial as _, Resource};
use service_core::{Decided, Retries};
use trunk_rules::domain::{Links, RecordChange, TrunkOperation, WriteOutcome, apply_to_trunk};
use trunk_store::{Record, Scope, StoreError};
use uuid::Uuid;

use crate::{Control, ControlError};

/// The notice about a trunk that was made `ip_only` for all addresses.
pub(crate) const OPEN_TRUNK: &str = "the trunk takes calls from any address, without a password";

impl Control {
    /// Makes a trunk authenticate calls by their source address alone (`ip_only`), which its owner cannot request.
    ///
    /// # Errors
    /// If there is no such account or trunk, or if `allowed_sip_ips` is empty.
    pub async fn make_ip_only(
        &self,
        account: Uuid,
        trunk: Uuid,
        allowed_sip_ips: &IpNetworks,
    ) -> Result<(), ControlError> {
        if allowed_sip_ips.texts().is_empty() {
            return Err(ControlError::invalid("allowed_sip_ips", "must name at least one address or subnet"));
        }
        let (owner, account) = (account, self.account(account).await?.number);
        self.change_record(account, trunk, |trunk: &VoiceOutTrunk| {
            let operation = TrunkOperation::IpOnly { allowed_sip_ips: allowed_sip_ips.clone() };
            apply_to_trunk(trunk, operation).unwrap_or_else(VoiceOutTrunkPartial::empty)
        })
        .await?;
        if allowed_sip_ips.has_every_address() {
            tracing::warn!(account = %owner, id = %trunk, "{OPEN_TRUNK}");
        }
        Ok(())
    }

    /// Changes the attributes of a record without applying the rules for requests of its owner. `change` returns the
    /// attributes that change.
    ///
    /// # Errors
    /// If there is no such record, or every attempt conflicts with another write.
    pub(crate) async fn change_record<R: Resource>(
        &self,
        account: i64,
        id: Uuid,
        change: impl Fn(&R) -> R::Partial,
    ) -> Result<(), ControlError> {
        let scope = Scope { account, spec: R::SPEC };
        let change = &change;
        Retries::REQUEST
            .run(|| async move {
                let found = self.core.store.find(scope, id).await?;
                let before = found.ok_or_else(|| ControlError::NotFound(format!("{} {id}", R::SPEC.name)))?;
                let changed = changed(&before, change)
                    .map_err(|error| StoreError::Corrupt(format!("{} {id}: {error}", R::SPEC.name)))?;
                let outcome = WriteOutcome { changes: vec![changed], events: Vec::new() };
                let decided = Decided { account, at: self.core.clock.now(), read: &[&before] };
                self.core.commit(decided.changes(outcome, &self.core.ids)?).await?;
                Ok(())
            })
            .await
    }
}

fn changed<R: Resource>(
    before: &Record,
    change: impl Fn(&R) -> R::Partial,
) -> Result<RecordChange, DecodeError> {
    let id = before.id.to_string();
    let record = R::from_texts(Id::new(id.as_str()), &before.attributes, before.meta.as_deref())?;
    let attributes = change(&record).attributes()?;
    Ok(RecordChange::Update { spec: R::SPEC, id, attributes, links: Links::new(), meta: None })
}
