//! Access keys, which authenticate a customer without a login. The key itself is not stored, only its digest.

use didww_types::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service_base::ids::Ids;
use trunk_store::DocumentKind;
use trunk_store::account::KeyDigest;
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::entity::{Entity, Kind};

/// The number of characters of a key that its record shows: `vb_` and eight more.
const PREFIX_LENGTH: usize = 11;

/// An access key, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessKey {
    /// The id of the key, which is not the key itself.
    pub id: Uuid,
    /// The customer that the key belongs to.
    pub customer_id: Uuid,
    /// A name; it need not be unique.
    pub name: String,
    /// A note about the key.
    #[serde(default)]
    pub detail: String,
    /// The first 11 characters of the key; empty for a key of an earlier release.
    #[serde(default)]
    pub token_prefix: String,
    /// The key's permission bits. On VoIPBIN's own platform a key always has the permissions of its
    /// customer's admin and no others.
    pub permission: u16,
    /// When the key expires; null for never.
    pub tm_expire: Option<String>,
    /// When the key was created.
    pub tm_create: String,
    /// When the name or the note was changed last; null for never.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// When the key was deleted; null for never.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// The private part of an access key.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AccessKeyPrivate {
    /// The key's digest, in hexadecimal digits. The key itself is not stored.
    pub digest: String,
    /// When the key expires, in microseconds since 1970; none for never.
    pub expires: Option<i64>,
}

/// An access key to create.
#[derive(Debug, Clone)]
pub struct AccessKeyRequest {
    /// A name; it need not be unique.
    pub name: String,
    /// A note about the key.
    pub detail: String,
    /// The permission bits of the key, as those of an agent.
    pub permission: u16,
    /// When the key expires; none for never.
    pub expires: Option<Timestamp>,
}

/// The [`Kind`] of access keys.
pub struct AccessKeys;

impl Kind for AccessKeys {
    const KIND: DocumentKind = DocumentKind::AccessKey;
    type Public = AccessKey;
    type Private = AccessKeyPrivate;

    fn keys(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", key.customer.to_string())]
    }

    fn unique(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("digest", key.private.digest.clone())]
    }
}

impl Entity<AccessKeys> {
    /// A new key of a customer, which is not stored yet, with the key itself: `vb_` and 32 characters of the
    /// URL-safe base64 alphabet, as on VoIPBIN's own platform.
    pub fn generate(
        ids: &Ids,
        (id, at): (Uuid, Timestamp),
        customer: Uuid,
        request: AccessKeyRequest,
    ) -> (Self, Secret) {
        let AccessKeyRequest { name, detail, permission, expires } = request;
        let key = format!("vb_{}", ids.url_safe_token().expose());
        let public = AccessKey {
            id,
            customer_id: customer,
            name,
            detail,
            token_prefix: key.chars().take(PREFIX_LENGTH).collect(),
            permission,
            tm_expire: expires.map(|at| at.to_string()),
            tm_create: at.to_string(),
            tm_update: None,
            tm_delete: None,
        };
        let private =
            AccessKeyPrivate { digest: digest(&key), expires: expires.map(Timestamp::as_unix_micros) };
        (Self::new(id, customer, at, public, private), Secret::new(key))
    }

    /// Marks the key as deleted at this time. The caller writes it, and updates the directory.
    pub fn mark_deleted(&mut self, at: Timestamp) {
        self.deleted = true;
        (self.public.tm_update, self.public.tm_delete) = (Some(at), Some(at));
    }

    /// The key's record as the platform's own API sends it, without the key itself.
    pub(crate) fn shown(&self) -> voipbin_types::AccessKey {
        let AccessKey { name, detail, token_prefix, tm_update, tm_delete, .. } = self.public.clone();
        voipbin_types::AccessKey {
            id: self.id,
            customer_id: self.customer,
            name,
            detail,
            token: None,
            token_prefix,
            tm_expire: self.private.expires.map(Timestamp::from_unix_micros),
            tm_create: Some(self.created_at),
            tm_update,
            tm_delete,
        }
    }
}

/// The digest of an access key in hexadecimal digits, which is stored instead of the key.
pub(crate) fn digest(key: &str) -> String {
    wire_core::to_hex(KeyDigest::of(key).as_bytes())
}
