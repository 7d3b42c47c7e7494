//! Text message trunks: `sms_trunks`. The server only stores their configuration: no message is sent or received.

use serde::{Deserialize, Serialize};

use super::{Did, SenderIdVerification, SmsConfiguration, SmsTrunkGroup, SmsTrunkType};
use crate::values::{ExternalReference, Name, SmsPriority};
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

/// The forwarding of text messages to and from DIDs: as e-mail, by HTTP or by SMPP.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "sms_trunks", since = "2026-11-19", verbs(list, get, create, update, delete))]
#[filter(name = "configuration.type", equals = "configuration.type", list, value = SmsTrunkType)]
#[filter(name = "id", id, list, value = Id<SmsTrunk>)]
#[non_exhaustive]
pub struct SmsTrunk {
    /// The trunk's id, a UUID that the service chose.
    pub id: Id<SmsTrunk>,
    /// The trunk's name, unique among the text message trunks and their groups of the account.
    #[attr(create = required(1), update, unique_among = "sms", sort, value = Name, filter(list))]
    pub name: String,
    /// The trunk's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, sort, filter)]
    pub external_reference_id: Option<ExternalReference>,
    /// Whether the trunk carries no messages.
    #[attr(create, update, sort, default = false)]
    pub blocked: bool,
    /// The priority, 0 to 32767, 100 unless one is sent. Of the trunks of a group, those with the higher one are
    /// offered a message first. Null for the type `http_out`, which is in no group.
    #[attr(create, update, sort)]
    pub priority: Option<SmsPriority>,
    /// Whether every DID of the account can be the source of messages. It empties `outgoing_dids`.
    #[attr(create, update, default = false)]
    pub allow_any_did_as_source: bool,
    /// Whether the trunk receives messages to DIDs, which follows from its type.
    #[attr(sort, default = false)]
    pub allow_in: bool,
    /// Whether messages can be sent through the trunk, which follows from its type.
    #[attr(sort, default = false)]
    pub allow_out: bool,
    /// The time at which the trunk was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The time at which the trunk was changed last.
    #[attr(sort)]
    pub updated_at: Timestamp,
    /// How messages are forwarded. An update changes the attributes that it contains; the type cannot be changed.
    #[attr(create = required(2), update, merged)]
    pub configuration: SmsConfiguration,
    /// The DIDs that can be the source of messages. None with `allow_any_did_as_source`.
    #[rel(many = "dids", create, update)]
    pub outgoing_dids: ToMany<Did>,
    /// The DIDs whose messages are sent to the trunk. The relationship is set on the DIDs.
    #[rel(many = "dids", inverse = "sms_trunk")]
    pub incoming_dids: ToMany<Did>,
    /// The group that the trunk is in.
    #[rel(one = "sms_trunk_groups", create, update)]
    pub sms_trunk_group: ToOne<SmsTrunkGroup>,
    /// The verified senders of the trunk's messages. They are set on the verifications.
    #[rel(many = "sender_id_verifications", inverse = "sms_trunk")]
    pub sender_id_verifications: ToMany<SenderIdVerification>,
    /// Where messages are submitted, of the type `http_out`.
    #[meta]
    pub meta: SmsTrunkMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The `meta` member of a trunk, which only the type `http_out` has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SmsTrunkMeta {
    /// The URL to which messages are submitted; `None` for other types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}
