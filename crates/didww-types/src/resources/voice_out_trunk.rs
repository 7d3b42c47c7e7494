//! Outbound trunks: `voice_out_trunks`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{AuthenticationMethod, AuthenticationMethodType, Did, MediaEncryptionMode};
use crate::enumeration::string_enum;
use crate::values::{
    AbsoluteCallbackUrl, BoundedList, CallbackUrl, CapacityLimit, DstPrefix, ExternalReference, IpNetworks,
    Money, Name, PositiveCapacity, RtpNetworks, RtpTimeout, ThresholdAmount, WithoutNull,
};
use crate::{
    Access, Adapter, ApiVersion, AttributeSpec, Extra, Id, NotRepresentable, Resource, Timestamp, ToMany,
    ToOne,
};

string_enum! {
    /// Whether a trunk accepts calls.
    VoiceOutTrunkStatus {
        /// The trunk accepts calls, subject to its other restrictions. This is the state of a new trunk.
        Active = "active",
        /// The trunk refuses every call. It was blocked by a user, or because it reached its spending
        /// threshold.
        Blocked = "blocked",
    }
}

string_enum! {
    /// The treatment of a call whose caller number is not one of the trunk's DIDs.
    OnCliMismatchAction {
        /// Place the call with the caller number unchanged.
        SendOriginalCli = "send_original_cli",
        /// Refuse the call, without notifying the called party.
        RejectCall = "reject_call",
        /// Place the call with one of the trunk's DIDs as caller number. DIDWW enables this per account.
        ReplaceCli = "replace_cli",
        /// Place the call with a random one of the trunk's DIDs as caller number. DIDWW enables this per
        /// account.
        RandomizeCli = "randomize_cli",
    }
}

string_enum! {
    /// The treatment of calls to destinations that match none of the trunk's `dst_prefixes`.
    DefaultDstAction {
        /// Allow all destinations except the prefixes.
        AllowAll = "allow_all",
        /// Refuse all destinations except the prefixes.
        RejectAll = "reject_all",
    }
}

/// The exceptions to a trunk's default destination action, at most 1,000. DIDWW documents no limit; this one
/// is chosen by this project.
pub type DstPrefixes = BoundedList<DstPrefix, 1000>;

/// An outbound trunk: its authentication, caller numbers, destinations, call limit and spending threshold.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "voice_out_trunks",
    since = "2021-12-15",
    verbs(list, get, create, update, delete),
    adapter = FLAT,
    list_needs = Outbound,
    needs(Outbound, "2026-04-16"),
    max_page_size = 1000,
    unique_everywhere("authentication_method.attributes.twilio_account_sid")
)]
#[filter(name = "id", id, list, value = Id<VoiceOutTrunk>)]
#[filter(name = "name_contains", contains = "name", list(until = "2026-04-16"), blank, value = String)]
#[filter(
    name = "authentication_method.type",
    equals = "authentication_method.type",
    list,
    since = "2026-04-16",
    value = AuthenticationMethodType
)]
#[filter(
    name = "default_did.id",
    linked = "default_did",
    list(until = "2026-04-16"),
    blank(until = "2026-04-16"),
    owned,
    value = Id<Did>
)]
#[non_exhaustive]
pub struct VoiceOutTrunk {
    /// The trunk's id, a UUID that the service chose.
    pub id: Id<VoiceOutTrunk>,
    /// The addresses from which media is accepted, at most 60. None is no restriction. From 2026-04-16 on, a list that
    /// is sent is neither empty nor contains an address twice or a network of all addresses.
    #[attr(create, update, revised(since = "2026-04-16", value = Option<RtpNetworks>))]
    pub allowed_rtp_ips: Option<IpNetworks>,
    /// Whether any eligible DID of the account can be the caller number. If true, `dids` cannot be set.
    #[attr(create, update, default = false, sort, filter)]
    pub allow_any_did_as_cli: bool,
    /// Whether the trunk accepts calls.
    #[attr(create, update, default = "active", filter)]
    pub status: VoiceOutTrunkStatus,
    /// The treatment of a call whose caller number is not one of the trunk's DIDs.
    #[attr(
        create = required(2),
        update,
        values_need(replace_cli = ReplaceCli, randomize_cli = RandomizeCli),
        filter(list(until = "2026-04-16"), blank)
    )]
    pub on_cli_mismatch_action: OnCliMismatchAction,
    /// The trunk's name, unique within the account.
    #[attr(
        create = required(1),
        update,
        unique,
        sort,
        value = Name,
        filter(list(until = "2026-04-16"), blank)
    )]
    pub name: String,
    /// The maximum number of simultaneous calls, 1 to 32767, and before 2026-04-16 from 0. None is no limit.
    #[attr(create, update, revised(since = "2026-04-16", value = Option<PositiveCapacity>))]
    pub capacity_limit: Option<CapacityLimit>,
    /// The time at which the trunk was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// Whether the spending of the last 24 hours reached the threshold.
    #[attr(default = false, sort, filter)]
    pub threshold_reached: bool,
    /// The spending threshold for a rolling 24 hours, 0.0 to 100000.0 US dollars. None is no threshold; it can be set
    /// before 2026-04-16 only.
    #[attr(
        create,
        update,
        default = "3000.0",
        default_since = "2026-04-16",
        revised(since = "2026-04-16", value = ThresholdAmount)
    )]
    pub threshold_amount: Option<ThresholdAmount>,
    /// The encryption of media.
    #[attr(create, update, default = "disabled", filter)]
    pub media_encryption_mode: MediaEncryptionMode,
    /// The treatment of calls to destinations that match none of `dst_prefixes`.
    #[attr(create, update, default = "allow_all", filter)]
    pub default_dst_action: DefaultDstAction,
    /// Exceptions to the default destination action: prefixes of 1 to 15 digits.
    #[attr(create, update, default = [], revised(since = "2026-04-16", value = WithoutNull<DstPrefixes>))]
    pub dst_prefixes: DstPrefixes,
    /// Whether media is sent to the address from which media arrives (COMEDIA) instead of the address in the
    /// SDP.
    #[attr(create, update, default = false)]
    pub force_symmetric_rtp: bool,
    /// Whether an empty RTP packet is sent once a call is established.
    #[attr(create, update, default = false)]
    pub rtp_ping: bool,
    /// The URL that is notified when the trunk is blocked by its threshold, or unblocked.
    #[attr(
        create,
        update,
        value = Option<AbsoluteCallbackUrl>,
        revised(since = "2026-04-16", value = Option<CallbackUrl>)
    )]
    pub callback_url: Option<CallbackUrl>,
    /// The trunk's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// How the trunk authenticates calls. An update replaces the whole object.
    #[attr(create = required(3), update, since = "2026-04-16", answered("ip_only"))]
    pub authentication_method: AuthenticationMethod,
    /// Whether emergency calls can be made from every emergency-enabled DID. If true, `emergency_dids` cannot
    /// be set.
    #[attr(create, update, default = false, since = "2026-04-16", value = bool)]
    pub emergency_enable_all: Option<bool>,
    /// The time without RTP after which a call is ended, 30 to 600 seconds.
    #[attr(create, update, default = 30, since = "2026-04-16", value = RtpTimeout)]
    pub rtp_timeout: Option<RtpTimeout>,
    /// The DID that replaces a mismatching caller number. Only for accounts for which DIDWW enables
    /// `replace_cli`.
    #[rel(one = "dids", create, update, feature = ReplaceCli)]
    pub default_did: ToOne<Did>,
    /// The DIDs that can be the caller number.
    #[rel(many = "dids", create, update)]
    pub dids: ToMany<Did>,
    /// The DIDs from which emergency calls can be made.
    #[rel(many = "dids", create, update, since = "2026-04-16")]
    pub emergency_dids: ToMany<Did>,
    /// The trunk's spending, which the service computes. It is not an attribute and cannot be written.
    #[meta]
    pub meta: VoiceOutTrunkMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The `meta` member of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoiceOutTrunkMeta {
    /// The US dollars spent, as compared with the threshold.
    #[serde(default)]
    pub spent_amount: Money,
}

impl VoiceOutTrunk {
    /// Whether the trunk accepts calls: its status is `active`.
    pub fn is_active(&self) -> bool {
        self.status == VoiceOutTrunkStatus::Active
    }

    /// The digest username and password; `None` unless the trunk authenticates with `credentials_and_ip`.
    pub fn credentials(&self) -> Option<(&str, &crate::Secret)> {
        self.authentication_method.credentials()
    }
}

/// The flat form: up to 2022-05-10, credentials and addresses are attributes of the trunk, and
/// `credentials_and_ip` is the only authentication method.
static FLAT: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[
        AttributeSpec::of::<IpNetworks>(
            "allowed_sip_ips",
            "The source addresses from which SIP requests are accepted, at most 60.",
        )
        .create(Access::Required)
        .update()
        .until(ApiVersion::V2022_05_10, "allowed_rtp_ips"),
        AttributeSpec::of::<Option<String>>("username", "The digest username, which the service generates.")
            .until(ApiVersion::V2022_05_10, "created_at"),
        AttributeSpec::of::<Option<String>>("password", "The digest password, which the service generates.")
            .until(ApiVersion::V2022_05_10, "created_at"),
    ],
    from_canonical: to_flat,
    to_canonical: from_flat,
    not_representable,
};

fn to_flat(_version: ApiVersion, attributes: &mut Map<String, Value>) {
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

fn from_flat(_version: ApiVersion, attributes: &mut Map<String, Value>) {
    // A response to selected `fields` may contain only some of the three. A trunk without credentials has
    // null.
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

fn not_representable(_version: ApiVersion, attributes: &Map<String, Value>) -> Option<NotRepresentable> {
    let attribute = "authentication_method";
    let method = attributes.get(attribute)?;
    if method.get("type").and_then(Value::as_str) != Some("credentials_and_ip") {
        return Some(NotRepresentable {
            attribute,
            reason: "only `credentials_and_ip` exists before 2026-04-16",
        });
    }
    let prefix = method.get("attributes")?.get("tech_prefix")?;
    (!prefix.is_null())
        .then_some(NotRepresentable { attribute, reason: "a tech prefix exists since 2026-04-16" })
}
