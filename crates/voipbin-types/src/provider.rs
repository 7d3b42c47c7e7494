//! Carriers that calls go out through.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::lenient::or_default;
use super::{Extra, Secret, Timestamp};

wire_core::string_enum! {
    /// How a provider is called.
    ProviderKind {
        /// By SIP.
        Sip = "sip",
    }
}

impl Default for ProviderKind {
    /// The empty text, which a provider has that was made without a type.
    fn default() -> Self {
        Self::from("")
    }
}

wire_core::string_enum! {
    /// Whether a provider answers. It decides nothing: an unhealthy one is called all the same.
    #[derive(Default)]
    HealthStatus {
        /// It was not asked yet, or not since its hostname changed.
        #[default]
        NotAsked = "unknown",
        /// It answered a SIP OPTIONS, whatever it said.
        Healthy = "healthy",
        /// It did not answer.
        Unhealthy = "unhealthy",
    }
}

/// Headers of an INVITE by name.
///
/// `Debug` shows the names alone: a value may be what the carrier knows its customer by.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct TechHeaders(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for TechHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A secret does not quote what stands in its place.
        let headers = BTreeMap::<String, Secret>::deserialize(deserializer)?;
        Ok(headers.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect())
    }
}

impl fmt::Debug for TechHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Deref for TechHeaders {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for TechHeaders {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for TechHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl From<BTreeMap<String, String>> for TechHeaders {
    fn from(headers: BTreeMap<String, String>) -> Self {
        Self(headers)
    }
}

impl From<TechHeaders> for BTreeMap<String, String> {
    fn from(headers: TechHeaders) -> Self {
        headers.0
    }
}

/// A carrier that calls go out through. It belongs to the platform and not to a customer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provider {
    /// The id.
    pub id: Uuid,
    /// How it is called.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: ProviderKind,
    /// The SIP host that calls are sent to.
    #[serde(default, deserialize_with = "or_default")]
    pub hostname: String,
    /// What is put before the number.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_prefix: String,
    /// What is put after the number.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_postfix: String,
    /// Headers of its INVITEs.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_headers: TechHeaders,
    /// A name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// What the service notes about a provider that it set up; it cannot be written.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, Value>,
    /// The codecs that it is offered, separated by commas; empty is no restriction.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: String,
    /// Whether it answers.
    #[serde(default, deserialize_with = "or_default")]
    pub health_status: HealthStatus,
    /// When it was asked last.
    #[serde(default)]
    pub health_checked_at: Option<Timestamp>,
    /// When it was made.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// When it was changed, or its health asked.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
    /// Members that are not declared here; an update sends them back.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A new provider, or all of what an existing one becomes: an update replaces it whole, and what is left out
/// becomes empty.
///
/// To change one thing, begin with what is there:
///
/// ```
/// use voipbin_types::{Provider, ProviderBody};
/// fn renamed(provider: Provider) -> ProviderBody {
///     ProviderBody { name: "Berlin".to_owned(), ..provider.into() }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderBody {
    /// How it is called.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: ProviderKind,
    /// The SIP host that calls are sent to. One with a port can be called, but is never healthy.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
    /// What is put before the number.
    #[serde(deserialize_with = "or_default")]
    pub tech_prefix: String,
    /// What is put after the number.
    #[serde(deserialize_with = "or_default")]
    pub tech_postfix: String,
    /// Headers of its INVITEs.
    #[serde(deserialize_with = "or_default")]
    pub tech_headers: TechHeaders,
    /// A name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The codecs that it is offered, separated by commas; empty is no restriction.
    #[serde(deserialize_with = "or_default")]
    pub codecs: String,
    /// Members that are not declared here.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ProviderBody {
    /// A SIP provider.
    pub fn sip(name: impl Into<String>, hostname: impl Into<String>) -> Self {
        Self { kind: ProviderKind::Sip, name: name.into(), hostname: hostname.into(), ..Self::default() }
    }
}

impl From<Provider> for ProviderBody {
    fn from(provider: Provider) -> Self {
        Self {
            kind: provider.kind,
            hostname: provider.hostname,
            tech_prefix: provider.tech_prefix,
            tech_postfix: provider.tech_postfix,
            tech_headers: provider.tech_headers,
            name: provider.name,
            detail: provider.detail,
            codecs: provider.codecs,
            extra: provider.extra,
        }
    }
}

/// Has the service make what it needs at a carrier, and the provider that references it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderSetup {
    /// The carrier: `telnyx`, or `didww` where the service knows it.
    #[serde(deserialize_with = "or_default")]
    pub carrier: String,
    /// The provider's name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The provider's note.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the carrier knows its customer by.
    #[serde(deserialize_with = "or_default")]
    pub credentials: ProviderCredentials,
}

/// What a carrier knows its customer by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderCredentials {
    /// The key of the carrier's API.
    #[serde(deserialize_with = "secret")]
    pub api_key: Secret,
    /// The base URL of the carrier's API, where the service takes one; that of its production environment when
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// For `didww` alone: a trunk that exists already; a new one is made when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk_id: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(|| Secret::new("")))
}

impl Default for ProviderCredentials {
    fn default() -> Self {
        Self::new("")
    }
}

impl ProviderCredentials {
    /// A key of the carrier's API.
    pub fn new(api_key: impl Into<Secret>) -> Self {
        Self { api_key: api_key.into(), base_url: None, trunk_id: None }
    }
}
