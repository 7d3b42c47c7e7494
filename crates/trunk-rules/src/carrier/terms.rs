//! A trunk in the form that calls use: everything that a check needs, prepared when the trunk is written.

use std::ops::Deref;
use std::sync::Arc;

use didww_types::Id;
use didww_types::resources::{AuthenticationMethod, Did, VoiceOutTrunk};
use didww_types::values::{IpNetworks, Money, ThresholdAmount, normalised_network};

use super::callers::Callers;
use super::network::Subnet;
use super::policy::TrunkPolicy;
use super::subnet_set::SubnetSet;
use super::{
    AccountDids, Algorithm, BlockState, CliAction, CliRule, DestinationRule, Digits, PasswordHash, PrefixSet,
    RtpTerms,
};

/// How a trunk authenticates calls.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// By a digest, from allowed addresses.
    Credentials {
        /// The digest username, by which the trunk is found.
        username: Box<str>,
        /// The hash that the password is verified with.
        password: PasswordHash,
    },
    /// By the source address alone.
    Address,
    /// By the Twilio account SID.
    Twilio(Box<str>),
    /// No call is accepted: the method is unknown, or has no credentials yet.
    Nobody,
}

/// The DIDs that a trunk is linked to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkLinks {
    /// The DIDs that may be the caller number.
    pub dids: Vec<Id<Did>>,
    /// The DID that replaces a caller number under `replace_cli`.
    pub default_did: Option<Id<Did>>,
    /// The DIDs that may make emergency calls.
    pub emergency_dids: Vec<Id<Did>>,
}

impl TrunkLinks {
    /// Takes the links of a trunk that was read with all three relationships included; `None` if one was not.
    pub fn loaded(trunk: &VoiceOutTrunk) -> Option<Self> {
        Some(Self {
            dids: trunk.dids.ids()?,
            default_did: if trunk.default_did.is_loaded() { trunk.default_did.id() } else { return None },
            emergency_dids: trunk.emergency_dids.ids()?,
        })
    }

    /// The DIDs that are not known yet: once one of them is, the terms of the trunk must be prepared again.
    pub fn unknown<'a>(&'a self, dids: &'a AccountDids) -> impl Iterator<Item = &'a Id<Did>> {
        let all = self.dids.iter().chain(&self.default_did).chain(&self.emergency_dids);
        all.filter(move |id| !dids.knows(id))
    }
}

/// A trunk has an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The tech prefix cannot be dialled.
    #[error("tech prefix `{0}` of the trunk must be at most 8 of the characters 0 to 9 and #")]
    TechPrefix(String),
    /// A value is not an IP address or subnet.
    #[error("`{given}` in {attribute} of the trunk must be an address or subnet")]
    Network {
        /// The attribute that contains the value.
        attribute: &'static str,
        /// The value that is neither an address nor a subnet, as stored.
        given: String,
    },
    /// A destination prefix is not a number.
    #[error("destination prefix `{0}` of the trunk must be 1 to 15 digits")]
    DestinationPrefix(String),
}

/// A trunk in the form that calls use: its own members, and its [`TrunkPolicy`].
// A million of them can be in memory, so members that trunks share are in the policy.
#[derive(Debug, Clone)]
pub struct TrunkTerms {
    /// The trunk's id, as in the API.
    pub id: Id<VoiceOutTrunk>,
    /// The trunk's name, which log lines quote.
    pub name: Box<str>,
    /// Whether the trunk is blocked, and why.
    pub block_state: BlockState,
    /// The amount spent when these terms were prepared, in US dollars. Used in explanations only.
    pub spent: Money,
    /// How the trunk authenticates calls.
    pub authentication: Authentication,
    pub(super) policy: Arc<TrunkPolicy>,
}

impl Deref for TrunkTerms {
    type Target = TrunkPolicy;

    fn deref(&self) -> &TrunkPolicy {
        &self.policy
    }
}

impl TrunkTerms {
    /// Prepares a trunk. `dids` are those of its account. `realm` is the digest realm of the edge; the password is
    /// hashed with it under every algorithm.
    pub fn new(
        trunk: &VoiceOutTrunk,
        links: &TrunkLinks,
        account: Arc<str>,
        dids: &AccountDids,
        realm: &str,
    ) -> Result<Self, TermsError> {
        Self::for_digests(trunk, links, account, dids, (realm, &[Algorithm::Md5, Algorithm::Sha256]))
    }

    /// Prepares a trunk for digests of this realm with these algorithms, as
    /// [`Settings::algorithms`](super::Settings::algorithms) offers them.
    pub fn for_digests(
        trunk: &VoiceOutTrunk,
        links: &TrunkLinks,
        account: Arc<str>,
        dids: &AccountDids,
        (realm, algorithms): (&str, &[Algorithm]),
    ) -> Result<Self, TermsError> {
        let method = &trunk.authentication_method;
        let tech_prefix = method.tech_prefix().map_or("", |prefix| prefix.as_str());
        if tech_prefix.len() > 8 || tech_prefix.bytes().any(|b| !b.is_ascii_digit() && b != b'#') {
            return Err(TermsError::TechPrefix(tech_prefix.to_owned()));
        }
        let prefixes: Result<Vec<Digits>, TermsError> = trunk
            .dst_prefixes
            .as_slice()
            .iter()
            .map(|prefix| {
                Digits::parse(prefix.as_str().as_bytes())
                    .ok_or_else(|| TermsError::DestinationPrefix(prefix.as_str().to_owned()))
            })
            .collect();
        let callers =
            if trunk.allow_any_did_as_cli { Callers::All } else { Callers::Own(dids.links(&links.dids)) };
        let emergency = if trunk.emergency_enable_all == Some(true) {
            Callers::All
        } else {
            Callers::Own(dids.links(&links.emergency_dids))
        };
        let default = links.default_did.as_ref().and_then(|id| dids.link(id));
        let policy = TrunkPolicy {
            account,
            threshold: trunk.threshold_amount.map(ThresholdAmount::money),
            capacity: trunk.capacity_limit.map(|limit| u32::try_from(limit.get().max(0)).unwrap_or(u32::MAX)),
            tech_prefix: tech_prefix.into(),
            destinations: DestinationRule::new(&trunk.default_dst_action, PrefixSet::new(prefixes?)),
            cli: CliRule::new(CliAction::of(&trunk.on_cli_mismatch_action), callers, default),
            media_encryption_mode: trunk.media_encryption_mode.clone(),
            networks: subnets("allowed_sip_ips", method.allowed_sip_ips())?,
            rtp: RtpTerms::new(trunk)?,
            emergency,
        };
        Ok(Self {
            id: trunk.id.clone(),
            name: trunk.name.as_str().into(),
            block_state: BlockState::of(trunk),
            spent: trunk.meta.spent_amount,
            authentication: authentication(method, realm, algorithms),
            policy: Arc::new(policy),
        })
    }
}

/// Parses the subnets of an attribute and removes duplicates.
pub(super) fn subnets(
    attribute: &'static str,
    networks: Option<&IpNetworks>,
) -> Result<SubnetSet, TermsError> {
    let mut subnets = Vec::new();
    for text in networks.map_or(&[][..], IpNetworks::texts) {
        let network =
            normalised_network(text).ok_or_else(|| TermsError::Network { attribute, given: text.clone() })?;
        subnets.push(Subnet::of(network));
    }
    Ok(SubnetSet::new(subnets))
}

fn authentication(method: &AuthenticationMethod, realm: &str, algorithms: &[Algorithm]) -> Authentication {
    match method {
        AuthenticationMethod::CredentialsAndIp(_) => match method.credentials() {
            Some((username, password)) => Authentication::Credentials {
                username: username.into(),
                password: PasswordHash::under(algorithms, username, realm, password),
            },
            None => Authentication::Nobody,
        },
        AuthenticationMethod::IpOnly(_) => Authentication::Address,
        AuthenticationMethod::Twilio(twilio) => {
            Authentication::Twilio(twilio.twilio_account_sid.as_str().into())
        }
        _ => Authentication::Nobody,
    }
}
