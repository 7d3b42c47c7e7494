//! The access keys of a customer.

use didww_types::Secret;
use uuid::Uuid;
use voipbin_platform::{AccessKey, AccessKeyRequest, AccessKeys, Entity, Timestamp};

use super::CUSTOMER_ADMIN;
use crate::{Control, ControlError};

/// An access key to create.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewAccessKey {
    /// A name for display.
    pub name: String,
    /// The permission bits. Default: [`CUSTOMER_ADMIN`], as on the running platform.
    pub permission: Option<u16>,
    /// The time when the key expires, as a timestamp in UTC. Default: never.
    pub tm_expire: Option<String>,
}

impl Control {
    /// Returns the access keys of a customer, newest first, without the secrets: only their digests are stored.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn access_keys(&self, customer: Uuid) -> Result<Vec<AccessKey>, ControlError> {
        self.list_of::<AccessKeys>(customer).await
    }

    /// Creates an access key. Returns it with its secret, which cannot be read again.
    ///
    /// # Errors
    /// If there is no such customer, or `tm_expire` is not a timestamp.
    pub async fn create_access_key(
        &self,
        customer: Uuid,
        new: NewAccessKey,
    ) -> Result<(AccessKey, Secret), ControlError> {
        self.check_customer(customer)?;
        let expires = new.tm_expire.as_deref().map(str::parse::<Timestamp>).transpose();
        let expires = expires.map_err(|error| ControlError::invalid("tm_expire", error.to_string()))?;
        let _turn = self.platform.changes.lock().await;
        let request = AccessKeyRequest {
            name: new.name,
            detail: String::new(),
            permission: new.permission.unwrap_or(CUSTOMER_ADMIN),
            expires,
        };
        let make = || {
            let new = self.platform.new_id_and_time();
            Entity::<AccessKeys>::generate(&self.core.ids, new, customer, request.clone())
        };
        let (key, secret) = self.add_to(customer, make).await?;
        self.platform.directory.put_key(&key);
        Ok((key.public, secret))
    }

    /// Deletes an access key with effect from the next request.
    ///
    /// # Errors
    /// If the customer has no such key.
    pub async fn delete_access_key(&self, customer: Uuid, key: Uuid) -> Result<(), ControlError> {
        let _turn = self.platform.changes.lock().await;
        let read = || self.entity_of::<AccessKeys>(customer, key, "access key");
        let apply = |key: &mut Entity<AccessKeys>| {
            key.mark_deleted(self.platform.timestamps.next());
            Ok(())
        };
        let key = Entity::<AccessKeys>::change(&*self.core.store, read, apply).await?;
        self.platform.directory.put_key(&key);
        Ok(())
    }
}
