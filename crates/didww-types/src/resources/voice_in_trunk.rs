//! Inbound trunks: `voice_in_trunks`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Pop, SipConfiguration, TrunkConfiguration, TrunkConfigurationType, VoiceInTrunkGroup};
use crate::enumeration::string_enum;
use crate::values::{
    CapacityLimit, CliPrefix, ExternalReference, Name, PositiveCapacity, RingingTimeout, TrunkRank,
};
use crate::{
    Adapter, ApiVersion, Attribute, Extra, Flaw, Id, Kind, NotRepresentable, Resource, Timestamp, ToOne,
};

string_enum! {
    /// The form of the caller's number.
    CliFormat {
        /// The number as received, unchanged.
        Raw = "raw",
        /// E.164, where it can be converted.
        E164 = "e164",
        /// That of the country, where it can be converted.
        Local = "local",
    }
}

string_enum! {
    /// A place from which calls go to inbound trunks, as it is named since 2026-11-19.
    PointOfPresence {
        /// New York.
        Nyc = "NYC",
        /// Frankfurt.
        Fra = "FRA",
        /// Los Angeles.
        Lac = "LAC",
        /// Miami.
        Mia = "MIA",
        /// Singapore.
        Sg = "SG",
        /// Hong Kong.
        Hk = "HK",
        /// Amsterdam.
        Ams = "AMS",
    }
}

/// A form of the caller's number as it is sent: null and an empty text are `e164`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SentCliFormat(CliFormat);

impl Attribute for SentCliFormat {
    const KIND: Kind = CliFormat::KIND;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let is_blank = sent.is_null() || sent.as_str().is_some_and(|text| text.trim().is_empty());
        if is_blank { Ok(CliFormat::E164.as_str().into()) } else { CliFormat::validate(sent) }
    }
}

/// Where calls to DIDs go: a SIP host, a device that registers, or a telephone number.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "voice_in_trunks",
    since = "2017-09-18",
    verbs(list, get, create, update, delete),
    formerly(name = "trunks", until = "2021-04-19"),
    adapter = OLDER
)]
#[filter(name = "configuration.type", equals = "configuration.type", list, blank(until = "2026-04-16"), value = TrunkConfigurationType)]
#[filter(name = "id", id, list, value = Id<VoiceInTrunk>)]
#[non_exhaustive]
pub struct VoiceInTrunk {
    /// The trunk's id, a UUID that the service chose.
    pub id: Id<VoiceInTrunk>,
    /// The trunk's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The priority, 0 to 65535. Of the trunks of a group, those with the lowest one are tried first.
    #[attr(create, update, default = 1, sort)]
    pub priority: TrunkRank,
    /// The maximum number of simultaneous calls, 1 to 32767, and before 2026-04-16 from 0. None is no limit.
    #[attr(create, update, sort, revised(since = "2026-04-16", value = Option<PositiveCapacity>))]
    pub capacity_limit: Option<CapacityLimit>,
    /// The share of the calls among trunks of one priority, 0 to 65535.
    #[attr(create, update, default = 65535, sort)]
    pub weight: TrunkRank,
    /// The trunk's name, unique among the inbound trunks and their groups of the account.
    #[attr(
        create = required(1),
        update,
        unique_among = "voice_in",
        sort,
        value = Name,
        filter(list, blank(until = "2026-04-16"))
    )]
    pub name: String,
    /// The format of the caller's number. Null and an empty text mean `e164`.
    #[attr(create, update, default = "e164", sort, value = SentCliFormat)]
    pub cli_format: Option<CliFormat>,
    /// The prefix of the caller's number: at most 7 letters, digits, `+` and `#`.
    #[attr(create, update, sort)]
    pub cli_prefix: Option<CliPrefix>,
    /// The customer's note about the trunk.
    #[attr(create, update, sort)]
    pub description: Option<String>,
    /// The time for which a call rings before the next trunk is tried, 1 to 32 seconds.
    #[attr(create, update, sort)]
    pub ringing_timeout: Option<RingingTimeout>,
    /// The destination of the calls. An update changes the attributes that it contains; the type cannot be changed.
    #[attr(create = required(2), update, parameter, merged)]
    pub configuration: TrunkConfiguration,
    /// The point of presence from which calls are sent. With None the service chooses.
    #[attr(create, update, since = "2026-11-19")]
    pub pop: Option<PointOfPresence>,
    /// The time at which the trunk was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The group that the trunk is in.
    #[rel(
        one = "voice_in_trunk_groups",
        create,
        update,
        formerly(name = "trunk_group", target = "trunk_groups", until = "2021-04-19")
    )]
    pub voice_in_trunk_group: ToOne<VoiceInTrunkGroup>,
    /// The place from which the calls come, up to 2026-04-16.
    #[rel(one = "pops", name = "pop", create, update, until = "2026-04-16", mirrors = "pop")]
    pub pop_record: ToOne<Pop>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The forms up to 2022-05-10, whose SIP configurations lack attributes.
static OLDER: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |version, attributes| {
        if let Some(members) = sip_members(attributes) {
            members.retain(|name, _| version >= SipConfiguration::since(name));
        }
    },
    to_canonical: |_version, _attributes| {},
    not_representable: |version, attributes| {
        let configuration = attributes.get(CONFIGURATION)?.get("attributes")?.as_object()?;
        let is_newer = |(name, value): (&String, &Value)| {
            // The values that an older trunk has implicitly.
            let is_default = matches!(value, Value::Bool(false) | Value::Null);
            version < SipConfiguration::since(name) && !is_default
        };
        let reason = "its SIP configuration has an attribute that the version lacks";
        configuration.iter().any(is_newer).then_some(NotRepresentable { attribute: CONFIGURATION, reason })
    },
};

const CONFIGURATION: &str = "configuration";

fn sip_members(attributes: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    let configuration = attributes.get_mut(CONFIGURATION)?;
    let is_sip = configuration.get("type").and_then(Value::as_str) == Some("sip_configurations");
    configuration.get_mut("attributes").filter(|_| is_sip)?.as_object_mut()
}
