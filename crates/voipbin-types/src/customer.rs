//! The customer that a caller belongs to.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::or_default;
use super::{Secret, SupportMetadata, Timestamp};

wire_core::string_enum! {
    /// The status of a customer.
    CustomerStatus {
        /// The customer has not completed its registration.
        Initial = "initial",
        /// The customer can use the service.
        Active = "active",
        /// The customer cannot use the service.
        Frozen = "frozen",
        /// The customer was deleted, and cannot use the service.
        Deleted = "deleted",
        /// The customer's registration was not completed in time.
        Expired = "expired",
    }
}

wire_core::string_enum! {
    /// The status of the verification of a customer's identity.
    IdentityVerification {
        /// No verification was requested, so the customer cannot call telephone numbers.
        NotRequested = "none",
        /// The verification has not ended.
        Pending = "pending",
        /// The identity is verified: the customer can call telephone numbers.
        Verified = "verified",
        /// The verification failed, so the customer cannot call telephone numbers.
        Rejected = "rejected",
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Customer {
    /// The customer's id, which other records carry as `customer_id`.
    pub id: Uuid,
    /// The customer's name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note about the customer.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The customer's e-mail address. The service does not validate it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The customer's phone number. The service does not validate it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub phone_number: String,
    /// The customer's postal address.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The HTTP method of webhook requests. The service does not validate it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub webhook_method: String,
    /// The URL that receives the customer's events; empty for none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub webhook_uri: String,
    /// The id of the customer's billing account; [`ZERO`](super::ZERO) for none.
    #[serde(default, deserialize_with = "or_default")]
    pub billing_account_id: Uuid,
    /// Settings for support.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: SupportMetadata,
    /// Whether the e-mail address was verified.
    #[serde(default)]
    pub email_verified: bool,
    /// The status.
    pub status: CustomerStatus,
    /// The status of the identity verification.
    pub identity_verification_status: IdentityVerification,
    /// The time at which the customer was frozen, from which the time to its deletion counts.
    #[serde(default)]
    pub tm_deletion_scheduled: Option<Timestamp>,
    /// The time at which the customer was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the customer was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
    /// The secret that webhook requests are signed with. Only the response that reads the own customer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<Secret>,
}

/// The body of a request that replaces the writable members of the own customer. Members that it leaves out
/// become empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CustomerBody {
    /// The customer's name, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the customer, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The customer's e-mail address, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub email: String,
    /// The customer's phone number, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub phone_number: String,
    /// The customer's postal address, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub address: String,
    /// The HTTP method of webhook requests, of at most 255 characters; empty for the default.
    #[serde(deserialize_with = "or_default")]
    pub webhook_method: String,
    /// The URL that receives the customer's events, of at most 2,048 characters; empty for none.
    #[serde(deserialize_with = "or_default")]
    pub webhook_uri: String,
}

impl From<Customer> for CustomerBody {
    fn from(customer: Customer) -> Self {
        Self {
            name: customer.name,
            detail: customer.detail,
            email: customer.email,
            phone_number: customer.phone_number,
            address: customer.address,
            webhook_method: customer.webhook_method,
            webhook_uri: customer.webhook_uri,
        }
    }
}
