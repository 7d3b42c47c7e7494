//! The caller of a request: which credential identifies it, and which permissions it has.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use http_listener::missing_credential;
use service_base::guessing::{AuthRefusal, Source};
use trunk_rules::outbound::{self, Permission};
use uuid::Uuid;

use crate::error::ApiError;
use crate::platform::Platform;
use crate::query::QueryParams;
use crate::token::{self, AUDIENCE, Claims};

/// An authenticated caller, and the customer that it acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An agent who logged in, or an access key.
    Member { customer: Uuid, permission: Permission },
    /// A delegate, who acts for a customer with the permissions of its admin until the token expires.
    Delegate { customer: Uuid },
    /// The bearer of a direct token, which no endpoint of this server accepts.
    Direct { customer: Uuid },
}

/// A credential, as the client sent it.
enum Credential<'a> {
    Token(&'a str),
    AccessKey(&'a str),
}

impl Caller {
    /// Authenticates the caller by the first credential of the request.
    ///
    /// # Errors
    /// When the request has no credential, the credential is wrong, or too many wrong ones came from this
    /// address.
    pub(crate) fn authenticate(
        platform: &Platform,
        address: IpAddr,
        headers: &HeaderMap,
        query: &QueryParams,
    ) -> Result<Self, ApiError> {
        let credential = find(headers, query).ok_or_else(|| {
            let expected = "token or access key";
            let accepted = if bearer(headers).is_some() { &["authorization"][..] } else { &[] };
            ApiError::authentication_required().because(missing_credential(headers, expected, accepted))
        })?;
        let unknown = || {
            ApiError::invalid_credentials().because(match credential {
                Credential::Token(_) => {
                    "the token is malformed, expired, or of an agent or server that is unknown"
                }
                Credential::AccessKey(_) => "the access key is unknown, expired or deleted",
            })
        };
        let caller = Self::of_credential(platform, &credential);
        let (Credential::Token(sent) | Credential::AccessKey(sent)) = &credential;
        let mark = platform.core.guesses.hash(sent);
        match platform.core.guesses.check(
            Source::of(address),
            mark,
            caller.is_some(),
            platform.core.clock.now(),
        ) {
            Ok(()) => caller.ok_or_else(unknown),
            Err(AuthRefusal::Wrong) => Err(unknown()),
            Err(AuthRefusal::TooMany(wait)) => {
                Err(ApiError::rate_limited("ip", wait).because("the address sent too many wrong credentials"))
            }
        }
    }

    fn of_credential(platform: &Platform, credential: &Credential<'_>) -> Option<Self> {
        match credential {
            Credential::Token(token) => {
                let claims = token::verify(&platform.signing, token, platform.timestamps.now())?;
                Self::of_claims(platform, &claims)
            }
            Credential::AccessKey(key) => {
                let (customer, permission) = platform.directory.access_key(key, platform.timestamps.now())?;
                Some(Self::Member { customer, permission })
            }
        }
    }

    /// The caller that a valid token identifies, if the agent or customer still exists. An agent has its
    /// current permissions, not those in the token.
    fn of_claims(platform: &Platform, claims: &Claims) -> Option<Self> {
        let existing = |customer: Uuid| platform.directory.customer(customer).map(|_| customer);
        match claims.kind.as_deref() {
            None | Some("agent") => {
                let (customer, permission) = platform.directory.agent(claims.agent.as_ref()?.id)?;
                Some(Self::Member { customer, permission })
            }
            Some("delegate") if claims.aud.as_deref() == Some(AUDIENCE) => {
                Some(Self::Delegate { customer: existing(claims.customer_id?)? })
            }
            Some("direct") => Some(Self::Direct { customer: existing(claims.direct.as_ref()?.customer_id)? }),
            Some(_) => None,
        }
    }

    /// The customer that the caller acts for.
    pub(crate) fn customer(&self) -> Uuid {
        match self {
            Self::Member { customer, .. } | Self::Delegate { customer } | Self::Direct { customer } => {
                *customer
            }
        }
    }

    /// Whether the caller administers the whole platform.
    pub(crate) fn is_super_admin(&self) -> bool {
        matches!(self, Self::Member { permission, .. } if permission.has_any(Permission::PROJECT_SUPER_ADMIN))
    }

    /// Whether the caller sent a delegate's token.
    pub(crate) fn is_delegate(&self) -> bool {
        matches!(self, Self::Delegate { .. })
    }

    /// Whether the caller sent a direct token.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    /// Requires one of these permissions on the records of a customer; nil means the platform itself.
    ///
    /// # Errors
    /// When the caller has none of them, or sent a direct token.
    pub(crate) fn require(&self, wanted: Permission, customer: Uuid) -> Result<(), ApiError> {
        let permission = match self {
            Self::Direct { .. } => return Err(ApiError::direct_access()),
            Self::Delegate { .. } => Permission::CUSTOMER_ADMIN,
            Self::Member { permission, .. } => *permission,
        };
        let caller = outbound::Caller { customer_id: self.customer(), permission };
        if caller.may(wanted, customer) { Ok(()) } else { Err(ApiError::permission_denied()) }
    }

    /// Requires a super admin.
    ///
    /// # Errors
    /// When the caller is not one.
    pub(crate) fn require_super_admin(&self) -> Result<(), ApiError> {
        self.require(Permission::PROJECT_SUPER_ADMIN, Uuid::nil())
    }
}

/// The first credential that is not empty. A token takes precedence over an access key; for both, a cookie
/// takes precedence over the query, and for tokens the query over the `Authorization` header.
fn find<'a>(headers: &'a HeaderMap, query: &'a QueryParams) -> Option<Credential<'a>> {
    let present = |text: &&str| !text.is_empty();
    cookie(headers, "token")
        .filter(present)
        .or_else(|| query.first("token").filter(present))
        .or_else(|| bearer(headers).filter(present))
        .map(Credential::Token)
        .or_else(|| cookie(headers, "accesskey").filter(present).map(Credential::AccessKey))
        .or_else(|| query.first("accesskey").filter(present).map(Credential::AccessKey))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.split_once("Bearer ").map(|(_, token)| token)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        // Another cookie of the same site can have any bytes.
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
