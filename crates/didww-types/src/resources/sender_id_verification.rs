//! Verified senders of text messages: `sender_id_verifications`. Staff make them.

use super::{Address, Country, Did, Identity, Order, SmsTrunk};
use crate::enumeration::string_enum;
use crate::values::{BoundedList, Date, Name};
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

string_enum! {
    /// The status of a verification.
    SenderIdStatus {
        /// Messages can be sent.
        Active = "active",
        /// The customer must change something.
        ChangesRequired = "changes_required",
        /// The verification has ended.
        Closed = "closed",
        /// The verification is being ended.
        ClosingInProcess = "closing_in_process",
        /// The verification is being carried out.
        InProcess = "in_process",
        /// The verification was requested.
        New = "new",
    }
}

string_enum! {
    /// The kind of a sender of messages.
    SenderType {
        /// An alphanumeric sender name.
        Alphanumeric = "alphanumeric",
        /// A sender that the carrier chooses.
        Carrier = "carrier",
        /// A long code: a telephone number of normal length.
        LongCode = "long_code",
        /// A short code.
        ShortCode = "short_code",
        /// A toll-free number.
        TollFree = "toll_free",
    }
}

/// Texts of a verification: its sender ids, or the reasons of a refusal.
pub type VerificationTexts = BoundedList<Name, 1000>;

/// Senders that messages of a trunk can have, as staff have verified them.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "sender_id_verifications", since = "2026-11-19", verbs(list, get, update))]
#[filter(name = "id", id, list, value = Id<SenderIdVerification>)]
#[filter(name = "sms_trunk.id", linked = "sms_trunk", list, value = Id<SmsTrunk>)]
#[non_exhaustive]
pub struct SenderIdVerification {
    /// The verification's id, a UUID that the service chose.
    pub id: Id<SenderIdVerification>,
    /// The verification's name.
    #[attr(update, sort, filter, value = Name)]
    pub name: String,
    /// The status of the verification. A closed one cannot be changed.
    #[attr(sort, filter, default = "new")]
    pub status: SenderIdStatus,
    /// The kind of the senders.
    #[attr(filter)]
    pub sender_type: SenderType,
    /// The senders. Those of the types `long_code` and `toll_free` are the numbers of `dids`.
    #[attr(default = [])]
    pub sender_ids: VerificationTexts,
    /// The verification's number, such as `SID-1234`.
    #[attr(filter, default = "")]
    pub reference: String,
    /// Why changes are required; else none.
    #[attr]
    pub reject_reasons: Option<VerificationTexts>,
    /// The required changes, in words; none if nothing has to be changed.
    #[attr]
    pub reject_comment: Option<String>,
    /// The day of the next payment; none of a closed verification.
    #[attr(sort)]
    pub renew_date: Option<Date>,
    /// The time at which the verification was requested.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The time from which messages could be sent.
    #[attr]
    pub activated_at: Option<Timestamp>,
    /// The time at which the verification ended.
    #[attr]
    pub closed_at: Option<Timestamp>,
    /// The trunk whose messages use the senders. Null ends this use.
    #[rel(one = "sms_trunks", update)]
    pub sms_trunk: ToOne<SmsTrunk>,
    /// The countries to which messages are sent.
    #[rel(many = "countries")]
    pub countries: ToMany<Country>,
    /// The DIDs that are senders.
    #[rel(many = "dids")]
    pub dids: ToMany<Did>,
    /// The order of the verification.
    #[rel(one = "orders")]
    pub order: ToOne<Order>,
    /// The identity of the sender of the messages.
    #[rel(one = "identities")]
    pub identity: ToOne<Identity>,
    /// The address of who sends the messages.
    #[rel(one = "addresses")]
    pub address: ToOne<Address>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
