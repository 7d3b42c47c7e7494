//! Registrations of numbers to addresses: `address_verifications`.

use serde_json::{Value, json};

use super::{Address, CallbackMethod, Did, EncryptedFile};
use crate::enumeration::string_enum;
use crate::values::{AbsoluteCallbackUrl, BoundedList, CallbackUrl, ExternalReference, FormerCallbackMethod};
use crate::{Adapter, ApiVersion, Extra, Id, Resource, Timestamp, ToMany, ToOne};

string_enum! {
    /// The status of the review of a verification.
    VerificationStatus {
        /// It is not reviewed yet.
        Pending = "pending",
        /// It was approved.
        Approved = "approved",
        /// It was rejected, for the reasons that it has.
        Rejected = "rejected",
    }
}

/// Why a verification was rejected. A service that has more reasons than this crate permits to send can return more.
pub type RejectReasons = BoundedList<String, 20>;

/// A registration of numbers to an address, which the service reviews.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "address_verifications",
    since = "2021-04-19",
    verbs(list, get, create, update(since = "2026-04-16")),
    adapter = FORMER_TEXTS,
    nested_includes("dids.did_group"),
    callback_on("approved", "rejected"),
    callback_with("reject_reason=reject_reasons", "reject_comment"),
    hidden("addresses")
)]
#[filter(name = "address.id", linked = "address", list, blank(until = "2022-05-10"), value = Id<Address>)]
#[filter(name = "address.identity.id", linked = "address.identity", list, blank(until = "2022-05-10"), value = String)]
#[filter(name = "id", id, list, value = Id<AddressVerification>)]
#[filter(name = "reference_in", equals = "reference", list, since = "2026-04-16", value = String)]
#[non_exhaustive]
pub struct AddressVerification {
    /// The verification's id, a UUID.
    pub id: Id<AddressVerification>,
    /// The purpose of the numbers. Some requirements demand it.
    #[attr(create)]
    pub service_description: Option<String>,
    /// The URL that is notified when the verification was reviewed. It needs `callback_method`.
    #[attr(create, value = Option<AbsoluteCallbackUrl>, revised(since = "2026-04-16", value = Option<CallbackUrl>))]
    pub callback_url: Option<CallbackUrl>,
    /// The HTTP method of the notification. It needs `callback_url`.
    #[attr(
        create,
        value = Option<FormerCallbackMethod>,
        revised(since = "2026-04-16", value = Option<CallbackMethod>)
    )]
    pub callback_method: Option<CallbackMethod>,
    /// The status of the review.
    #[attr(filter, default = "pending")]
    pub status: VerificationStatus,
    /// Why the verification was rejected. None unless it was.
    #[attr(value = Option<String>, revised(since = "2026-04-16", value = Option<RejectReasons>))]
    pub reject_reasons: Option<RejectReasons>,
    /// The reviewer's comment on the reasons.
    #[attr(since = "2026-04-16")]
    pub reject_comment: Option<String>,
    /// The verification's number, three letters and six digits.
    #[attr(filter(list(until = "2022-05-10"), contains(since = "2026-04-16")), default = "")]
    pub reference: String,
    /// The time at which the verification was requested.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The verification's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter)]
    pub external_reference_id: Option<ExternalReference>,
    /// The numbers, at least one. A number that is registered again, or detached, is removed from the verification.
    #[rel(many = "dids", create = required(2), inverse = "address_verification")]
    pub dids: ToMany<Did>,
    /// The address to which the numbers are registered.
    #[rel(one = "addresses", create = required(1))]
    pub address: ToOne<Address>,
    /// The uploaded files of the forms that are filled in for each verification. Responses do not have them.
    #[rel(many = "encrypted_files", create, write_only)]
    pub onetime_files: ToMany<EncryptedFile>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10, the method of callbacks can be sent in capital letters, and the reasons are one text.
static FORMER_TEXTS: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |_version, attributes| {
        if let Some(reasons) = attributes.get_mut(REASONS)
            && let Some(items) = reasons.as_array()
        {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            *reasons = Value::from(texts.join(", "));
        }
    },
    to_canonical: |_version, attributes| {
        if let Some(Value::String(method)) = attributes.get_mut(METHOD) {
            *method = method.to_lowercase();
        }
        if let Some(reasons) = attributes.get_mut(REASONS)
            && let Some(text) = reasons.as_str()
        {
            *reasons = if text.is_empty() { Value::Null } else { json!([text]) };
        }
    },
    not_representable: |_version, _attributes| None,
};

const METHOD: &str = "callback_method";

const REASONS: &str = "reject_reasons";
