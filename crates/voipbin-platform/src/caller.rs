//! Who asks: where credentials are looked for, and what they allow.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use trunk_rules::outbound::{self, Permission};
use uuid::Uuid;

use super::error::ApiError;
use super::platform::Platform;
use super::query::Query;
use super::token::{self, AUDIENCE, Claims};
use service_base::guessing::{NotTaken, Source};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An agent who logged in, or an access key.
    Member { customer: Uuid, permission: Permission },
    /// Somebody who acts for a customer for a while.
    Delegate { customer: Uuid },
    /// Somebody with a token for one thing, which is none of these.
    Direct { customer: Uuid },
}

/// What was found.
enum Credential<'a> {
    Token(&'a str),
    AccessKey(&'a str),
}

impl Caller {
    /// Who asks, by the first credential that is there, from this address.
    ///
    /// # Errors
    /// When there is none, it is not right, or too many from there were not.
    pub(crate) fn of(
        platform: &Platform,
        address: IpAddr,
        headers: &HeaderMap,
        query: &Query,
    ) -> Result<Self, ApiError> {
        let credential = find(headers, query).ok_or_else(ApiError::authentication_required)?;
        let caller = Self::of_credential(platform, &credential);
        let (Credential::Token(sent) | Credential::AccessKey(sent)) = credential;
        let mark = platform.core.guesses.mark(sent);
        match platform.core.guesses.take(
            Source::of(address),
            mark,
            caller.is_some(),
            platform.core.clock.now(),
        ) {
            Ok(()) => caller.ok_or_else(ApiError::invalid_credentials),
            Err(NotTaken::Wrong) => Err(ApiError::invalid_credentials()),
            Err(NotTaken::TooMany(wait)) => Err(ApiError::rate_limited("ip", wait)),
        }
    }

    fn of_credential(platform: &Platform, credential: &Credential<'_>) -> Option<Self> {
        match credential {
            Credential::Token(token) => {
                let claims = token::verify(&platform.signing, token, platform.moments.now())?;
                Self::of_claims(platform, &claims)
            }
            Credential::AccessKey(key) => {
                let (customer, permission) = platform.directory.access_key(key, platform.moments.now())?;
                Some(Self::Member { customer, permission })
            }
        }
    }

    /// Whom a token that this server signed stands for, if that one is still there. What an agent may do is what it
    /// may do now, whatever its token says.
    fn of_claims(platform: &Platform, claims: &Claims) -> Option<Self> {
        let there = |customer: Uuid| platform.directory.customer(customer).map(|_| customer);
        match claims.kind.as_deref() {
            None | Some("agent") => {
                let (customer, permission) = platform.directory.agent(claims.agent.as_ref()?.id)?;
                Some(Self::Member { customer, permission })
            }
            Some("delegate") if claims.aud.as_deref() == Some(AUDIENCE) => {
                Some(Self::Delegate { customer: there(claims.customer_id?)? })
            }
            Some("direct") => Some(Self::Direct { customer: there(claims.direct.as_ref()?.customer_id)? }),
            Some(_) => None,
        }
    }

    pub(crate) fn customer(&self) -> Uuid {
        match self {
            Self::Member { customer, .. } | Self::Delegate { customer } | Self::Direct { customer } => {
                *customer
            }
        }
    }

    pub(crate) fn is_super_admin(&self) -> bool {
        matches!(self, Self::Member { permission, .. } if permission.has_any(Permission::PROJECT_SUPER_ADMIN))
    }

    pub(crate) fn is_direct(&self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    /// Lets whoever has one of these permissions on what belongs to a customer; nil is the platform itself.
    ///
    /// # Errors
    /// For everybody else.
    pub(crate) fn must(&self, wanted: Permission, of: Uuid) -> Result<(), ApiError> {
        let permission = match self {
            Self::Direct { .. } => return Err(ApiError::direct_access()),
            Self::Delegate { .. } => Permission::CUSTOMER_ADMIN,
            Self::Member { permission, .. } => *permission,
        };
        let caller = outbound::Caller { customer_id: self.customer(), permission };
        if caller.may(wanted, of) { Ok(()) } else { Err(ApiError::permission_denied()) }
    }

    /// Lets super admins alone.
    ///
    /// # Errors
    /// For everybody else.
    pub(crate) fn must_run_the_platform(&self) -> Result<(), ApiError> {
        self.must(Permission::PROJECT_SUPER_ADMIN, Uuid::nil())
    }
}

/// The first credential that is not empty; a token anywhere is taken before any key.
fn find<'a>(headers: &'a HeaderMap, query: &'a Query) -> Option<Credential<'a>> {
    let bearer = || {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        value.split_once("Bearer ").map(|(_, token)| token)
    };
    let given = |text: &&str| !text.is_empty();
    cookie(headers, "token")
        .filter(given)
        .or_else(|| query.first("token").filter(given))
        .or_else(|| bearer().filter(given))
        .map(Credential::Token)
        .or_else(|| cookie(headers, "accesskey").filter(given).map(Credential::AccessKey))
        .or_else(|| query.first("accesskey").filter(given).map(Credential::AccessKey))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}
