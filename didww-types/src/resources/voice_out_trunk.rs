//! Outbound trunks: `voice_out_trunks`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{AuthenticationMethod, AuthenticationMethodType, Did, MediaEncryptionMode};
use crate::enumeration::string_enum;
use crate::values::{
    BoundedList, CallbackUrl, CapacityLimit, DstPrefix, ExternalReference, IpNetworks, Money, RtpTimeout,
    ThresholdAmount,
};
use crate::{
    Access, Adapter, ApiVersion, AttributeSpec, Extra, Id, Obstacle, Resource, Timestamp, ToMany, ToOne,
};

string_enum! {
    /// Whether a trunk takes calls.
    VoiceOutTrunkStatus {
        /// It takes calls.
        Active = "active",
        /// It refuses every call, by hand or because the threshold is reached.
        Blocked = "blocked",
    }
}

string_enum! {
    /// What happens to a call whose caller number is none of the trunk's DIDs.
    OnCliMismatchAction {
        /// The call goes on with the caller number as it came.
        SendOriginalCli = "send_original_cli",
        /// The call is refused.
        RejectCall = "reject_call",
        /// The call goes on with one of the trunk's DIDs. The account must have the feature.
        ReplaceCli = "replace_cli",
        /// The call goes on with a random one of the trunk's DIDs. The account must have the feature.
        RandomizeCli = "randomize_cli",
    }
}

string_enum! {
    /// What happens to a destination that no prefix names.
    DefaultDstAction {
        /// It is allowed, and the prefixes are refused.
        AllowAll = "allow_all",
        /// It is refused, and the prefixes are allowed.
        RejectAll = "reject_all",
    }
}

/// The exceptions to a trunk's default destination action. No source limits them; 1,000 is this project's limit.
pub type DstPrefixes = BoundedList<DstPrefix, 1000>;

/// An outbound trunk: who may call, as whom, where to, how many at once and for how much.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "voice_out_trunks",
    since = "2021-12-15",
    verbs(list, get, create, update, delete),
    adapter = FLAT,
    list_needs = Outbound
)]
#[filter(name = "id", id, list, value = Id<VoiceOutTrunk>)]
#[filter(name = "name_contains", contains = "name", list, blank, value = String)]
#[filter(
    name = "authentication_method.type",
    equals = "authentication_method.type",
    list,
    since = "2026-04-16",
    value = AuthenticationMethodType
)]
#[filter(name = "default_did.id", linked = "default_did", list, blank, value = Id<Did>)]
#[non_exhaustive]
pub struct VoiceOutTrunk {
    /// The trunk's id.
    pub id: Id<VoiceOutTrunk>,
    /// Addresses that media may come from, at most 60. None is no restriction.
    #[attr(create, update)]
    pub allowed_rtp_ips: Option<IpNetworks>,
    /// Whether any eligible DID of the account may be the caller number. Then `dids` cannot be set.
    #[attr(create, update, default = false, sort, filter)]
    pub allow_any_did_as_cli: bool,
    /// Whether the trunk takes calls.
    #[attr(create, update, default = "active", filter)]
    pub status: VoiceOutTrunkStatus,
    /// What happens to a call whose caller number is none of the trunk's DIDs.
    #[attr(create = required(2), update, filter(list, blank))]
    pub on_cli_mismatch_action: OnCliMismatchAction,
    /// The trunk's name, unique within the account.
    #[attr(create = required(1), update, unique, sort, filter(list, blank))]
    pub name: String,
    /// Most simultaneous calls, 0 to 32767. None is no limit.
    #[attr(create, update)]
    pub capacity_limit: Option<CapacityLimit>,
    /// When the trunk was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// Whether the spending of the last 24 hours reached the threshold.
    #[attr(default = false, sort, filter)]
    pub threshold_reached: bool,
    /// Most US dollars in a rolling 24 hours, 0.0 to 100000.0. None is no threshold.
    #[attr(create, update, default = "3000.0")]
    pub threshold_amount: Option<ThresholdAmount>,
    /// How media is encrypted.
    #[attr(create, update, default = "disabled", filter)]
    pub media_encryption_mode: MediaEncryptionMode,
    /// What happens to a destination that no prefix names.
    #[attr(create, update, default = "allow_all", filter)]
    pub default_dst_action: DefaultDstAction,
    /// Exceptions to the default destination action, 1 to 15 digits each.
    #[attr(create, update, default = [])]
    pub dst_prefixes: DstPrefixes,
    /// Whether media goes to where it comes from (COMEDIA) instead of to the address in the SDP.
    #[attr(create, update, default = false)]
    pub force_symmetric_rtp: bool,
    /// Whether an empty RTP packet is sent once a call is established.
    #[attr(create, update, default = false)]
    pub rtp_ping: bool,
    /// Where it is told that the trunk was blocked by its threshold, or unblocked.
    #[attr(create, update)]
    pub callback_url: Option<CallbackUrl>,
    /// The customer's own name for the trunk, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank))]
    pub external_reference_id: Option<ExternalReference>,
    /// How the trunk knows who calls. An update replaces the whole of it.
    #[attr(create = required(3), update, since = "2026-04-16")]
    pub authentication_method: AuthenticationMethod,
    /// Whether every emergency-enabled DID may make emergency calls. Then `emergency_dids` cannot be set.
    #[attr(create, update, default = false, since = "2026-04-16")]
    pub emergency_enable_all: bool,
    /// Seconds without RTP after which a call is ended, 30 to 600.
    #[attr(create, update, default = 30, since = "2026-04-16")]
    pub rtp_timeout: Option<RtpTimeout>,
    /// The DID to replace a caller number with. Only for accounts that may replace it.
    #[rel(one = "dids", create, update, feature = ReplaceCli)]
    pub default_did: ToOne<Did>,
    /// The DIDs that may be the caller number.
    #[rel(many = "dids", create, update)]
    pub dids: ToMany<Did>,
    /// The DIDs that may make emergency calls.
    #[rel(many = "dids", create, update, since = "2026-04-16")]
    pub emergency_dids: ToMany<Did>,
    /// What the trunk spent.
    #[meta]
    pub meta: VoiceOutTrunkMeta,
    /// Attributes that this crate does not know.
    #[extra]
    pub extra: Extra,
}

/// Facts about a trunk that are no attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoiceOutTrunkMeta {
    /// US dollars spent, as measured against the threshold.
    #[serde(default)]
    pub spent_amount: Money,
}

impl VoiceOutTrunk {
    /// Whether the trunk takes calls.
    pub fn is_active(&self) -> bool {
        self.status == VoiceOutTrunkStatus::Active
    }

    /// The digest username and password, where the trunk has them.
    pub fn credentials(&self) -> Option<(&str, &crate::Secret)> {
        self.authentication_method.credentials()
    }
}

/// Until 2022-05-10 a trunk had flat credentials and addresses, and no other kind of authentication.
static FLAT: Adapter = Adapter {
    attributes: &[
        AttributeSpec::of::<IpNetworks>("allowed_sip_ips", "Addresses that SIP may come from, at most 60.")
            .create(Access::Required)
            .update()
            .until(ApiVersion::V2022_05_10, "allowed_rtp_ips"),
        AttributeSpec::of::<Option<String>>("username", "Digest username, made by the service.")
            .until(ApiVersion::V2022_05_10, "created_at"),
        AttributeSpec::of::<Option<String>>("password", "Digest password, made by the service.")
            .until(ApiVersion::V2022_05_10, "created_at"),
    ],
    lower,
    lift,
    obstacle,
};

fn flat(version: ApiVersion) -> bool {
    version <= ApiVersion::V2022_05_10
}

fn lower(version: ApiVersion, attributes: &mut Map<String, Value>) {
    if !flat(version) {
        return;
    }
    let Some(method) = attributes.remove("authentication_method") else { return };
    let nested = |name: &str| method.get("attributes").and_then(|inner| inner.get(name));
    attributes.insert(
        "allowed_sip_ips".to_owned(),
        nested("allowed_sip_ips").cloned().unwrap_or_else(|| json!([])),
    );
    for name in ["username", "password"] {
        if let Some(value) = nested(name) {
            attributes.insert(name.to_owned(), value.clone());
        }
    }
}

fn lift(version: ApiVersion, attributes: &mut Map<String, Value>) {
    if !flat(version) {
        return;
    }
    // An answer to chosen `fields` may hold any of the three alone. A null is the credential of a trunk that
    // has none.
    let inner: Map<String, Value> = ["allowed_sip_ips", "username", "password"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), attributes.remove(name)?)))
        .filter(|(name, value)| name == "allowed_sip_ips" || !value.is_null())
        .collect();
    if inner.is_empty() {
        return;
    }
    attributes.insert(
        "authentication_method".to_owned(),
        json!({ "type": "credentials_and_ip", "attributes": inner }),
    );
}

fn obstacle(version: ApiVersion, attributes: &Map<String, Value>) -> Option<Obstacle> {
    let attribute = "authentication_method";
    let method = attributes.get(attribute).filter(|_| flat(version))?;
    if method.get("type").and_then(Value::as_str) != Some("credentials_and_ip") {
        return Some(Obstacle { attribute, reason: "only `credentials_and_ip` exists before 2026-04-16" });
    }
    let prefix = method.get("attributes")?.get("tech_prefix")?;
    (!prefix.is_null()).then_some(Obstacle { attribute, reason: "a tech prefix exists since 2026-04-16" })
}
