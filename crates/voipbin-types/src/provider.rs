//! Providers: the carriers through which calls are sent.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::lenient::or_default;
use super::{Extra, Secret, Timestamp};

wire_core::string_enum! {
    /// The protocol of a provider.
    ProviderKind {
        /// SIP.
        Sip = "sip",
    }
}

impl Default for ProviderKind {
    /// The empty text, which is the type of a provider that was created without one.
    fn default() -> Self {
        Self::from("")
    }
}

wire_core::string_enum! {
    /// The result of a provider's last health check. It has no effect on calls: they are also sent to an
    /// unhealthy provider.
    #[derive(Default)]
    HealthStatus {
        /// The provider has not been checked since it was created or its hostname changed.
        #[default]
        NotAsked = "unknown",
        /// The provider answered a SIP OPTIONS request with any status.
        Healthy = "healthy",
        /// The provider did not answer a SIP OPTIONS request.
        Unhealthy = "unhealthy",
    }
}

/// Additional headers of an INVITE, by name.
///
/// `Debug` prints the names without the values, because a carrier may authenticate its customer by a header.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TechHeaders(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for TechHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The decode error of a `Secret`, unlike that of a `String`, does not quote the value.
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

/// A carrier through which calls are sent. Providers belong to the platform, not to a customer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provider {
    /// The provider's id.
    pub id: Uuid,
    /// The protocol.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: ProviderKind,
    /// The SIP host to which calls are sent.
    #[serde(default, deserialize_with = "or_default")]
    pub hostname: String,
    /// The text that is put before the called number.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_prefix: String,
    /// The text that is put after the called number.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_postfix: String,
    /// Additional headers of INVITEs to this provider.
    #[serde(default, deserialize_with = "or_default")]
    pub tech_headers: TechHeaders,
    /// The provider's name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note about the provider.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// Read-only facts that the service records about a provider that was created by a [`ProviderSetup`].
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, Value>,
    /// The codecs that are offered to the provider, separated by commas. When it is empty, there is no
    /// restriction.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: String,
    /// The result of the last health check.
    #[serde(default, deserialize_with = "or_default")]
    pub health_status: HealthStatus,
    /// The time of the last health check.
    #[serde(default)]
    pub health_checked_at: Option<Timestamp>,
    /// The time at which the provider was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change or health check.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the provider was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
    /// Members that this crate does not declare. An update sends them back.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The body of a request that creates a provider, or that replaces all members of an existing one. Members
/// that it leaves out become empty.
///
/// To change single members, build the body from the present provider:
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{Provider, ProviderBody};
/// fn renamed(provider: Provider) -> ProviderBody {
///     ProviderBody { name: "Berlin".to_owned(), ..provider.into() }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProviderBody {
    /// The protocol.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: ProviderKind,
    /// The SIP host to which calls are sent. Calls can be sent to a host with a port, but its health checks
    /// always fail.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
    /// The text that is put before the called number.
    #[serde(deserialize_with = "or_default")]
    pub tech_prefix: String,
    /// The text that is put after the called number.
    #[serde(deserialize_with = "or_default")]
    pub tech_postfix: String,
    /// Additional headers of INVITEs to this provider.
    #[serde(deserialize_with = "or_default")]
    pub tech_headers: TechHeaders,
    /// The provider's name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the provider.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The codecs that are offered to the provider, separated by commas. When it is empty, there is no
    /// restriction.
    #[serde(deserialize_with = "or_default")]
    pub codecs: String,
    /// Members that this crate does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ProviderBody {
    /// Creates the body of a SIP provider.
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

/// The body of a request that makes the service create the resources that it needs at a carrier, and a
/// provider that refers to them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProviderSetup {
    /// The name of the carrier: `telnyx`, or `didww` where the service supports it.
    #[serde(deserialize_with = "or_default")]
    pub carrier: String,
    /// The provider's name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the provider.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The credentials for the carrier's API.
    #[serde(deserialize_with = "or_default")]
    pub credentials: ProviderCredentials,
}

/// The credentials for a carrier's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProviderCredentials {
    /// The API key.
    #[serde(deserialize_with = "secret")]
    pub api_key: Secret,
    /// The base URL of the carrier's API, for services that accept one; `None` is the carrier's production
    /// environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Only for `didww`: the id of an existing trunk; `None` creates a new trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk_id: Option<String>,
}

/// The body of a request that replaces the SIP credentials of a provider, for services that support it: either
/// those that the carrier's API returns, or a username and a password.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProviderLogin {
    /// The credentials for the carrier's API, which is asked for the SIP credentials of the provider's trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<ProviderCredentials>,
    /// The SIP username.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// The SIP password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
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
    /// Creates credentials from an API key, for the carrier's production environment.
    pub fn new(api_key: impl Into<Secret>) -> Self {
        Self { api_key: api_key.into(), base_url: None, trunk_id: None }
    }
}
