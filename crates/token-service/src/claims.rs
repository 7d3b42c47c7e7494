//! The claims of a token.
//!
//! DIDWW documents only the names `aud` and `api_version`; the others are ours, from RFC 7519 and RFC 9068 where these
//! define one.

use std::net::IpAddr;

use didww_types::ApiVersion;
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use trunk_store::account::Environment;
use uuid::Uuid;

/// The audience of the API itself.
pub const API_AUDIENCE: &str = "api.didww.com";

/// The audiences that a token can have: the production host names of the services, in the sandbox too.
pub const AUDIENCES: [&str; 4] =
    [API_AUDIENCE, "api-vin.didww.com", "api-vout.didww.com", "api-sms.didww.com"];

/// The operations that a token permits, as requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every operation that the API key of the token permits.
    Full,
    /// Operations that change nothing: requests with GET or HEAD.
    Read,
}

/// The claims of a token, as they are signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The id of the token, which makes each one different.
    pub(crate) jti: Uuid,
    /// The id of the account.
    pub(crate) sub: Uuid,
    /// The id of the API key that the token was minted with.
    pub(crate) key: Uuid,
    pub(crate) aud: Vec<String>,
    pub(crate) scope: Scope,
    /// The version that serves requests with the token.
    #[serde(with = "version")]
    pub(crate) api_version: ApiVersion,
    pub(crate) env: Environment,
    /// The networks from which the token may be used, as the key allowed them; absent if it allowed every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ips: Option<Vec<IpNetwork>>,
    /// When the token was minted, in seconds since 1970.
    pub(crate) iat: i64,
    /// When the token expires, in seconds since 1970.
    pub(crate) exp: i64,
}

impl Claims {
    /// Whether the token may be used from an address.
    pub(crate) fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ips.as_ref().is_none_or(|networks| networks.iter().any(|network| network.contains(address)))
    }
}

mod version {
    use didww_types::ApiVersion;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(version: &ApiVersion, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(version.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiVersion, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
