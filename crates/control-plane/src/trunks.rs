//! Changes of records that only staff can make, trunks in particular.

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use didww_types::values::IpNetworks;
use serde_json::{Map, Value};
use trunk_rules::domain::{TrunkOperation, apply_to_trunk};
use trunk_store::{Change, Scope, StoreError};
use uuid::Uuid;

use crate::{Control, ControlError};

/// Maximum number of attempts at a change, which is made again if another write changed the record in between.
pub(crate) const MAX_WRITE_ATTEMPTS: usize = 8;

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
        let scope = Scope { account: self.account(account)?.number, spec: VoiceOutTrunk::SPEC };
        self.change_record(scope, trunk, |attributes| {
            let act = TrunkOperation::IpOnly { allowed_sip_ips: allowed_sip_ips.texts().to_vec() };
            let forbidden = || ControlError::invalid("trunk", "has no authentication method");
            *attributes = apply_to_trunk(attributes, act).ok_or_else(forbidden)?;
            Ok(())
        })
        .await
    }

    /// Changes the attributes of a record without applying the rules for requests of its owner.
    ///
    /// # Errors
    /// If there is no such record, `change` fails, or every attempt conflicts with another write.
    pub(crate) async fn change_record(
        &self,
        scope: Scope,
        id: Uuid,
        change: impl Fn(&mut Map<String, Value>) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        for _ in 0..MAX_WRITE_ATTEMPTS {
            let found = self.core.store.find(scope, id).await?;
            let before = found.ok_or_else(|| ControlError::NotFound(format!("{} {id}", scope.spec.name)))?;
            let mut attributes = before.attributes()?;
            change(&mut attributes)?;
            let replace = Change::Replace { scope, before, attributes, links: Vec::new(), meta: None };
            match self.core.store.commit(vec![replace]).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }
}
