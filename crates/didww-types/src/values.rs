//! Attribute values with documented limits.
//!
//! Constructors validate, and their error states the valid values. Deserialisation does not validate: a value
//! that the service returns is accepted and written back unchanged, even outside the documented limits.

mod balance_amount;
mod bounded_integer;
mod callback_url;
mod date;
mod did_number;
mod distinct_list;
mod dst_prefix;
mod email_address;
mod external_reference;
mod former_callback_method;
mod inbound;
mod ip_networks;
mod list;
mod money;
mod name;
mod nanpa;
mod phone_digits;
mod public_key;
mod rtp_networks;
mod sms;
mod street_address;
mod tech_prefix;
mod threshold;
mod twilio_account_sid;
mod without_null;

pub use balance_amount::{BalanceAmount, CreditLimit};
pub(crate) use bounded_integer::validate_integer;
pub use bounded_integer::{BillingCycles, CapacityLimit, PositiveCapacity, RtpTimeout};
pub(crate) use callback_url::with_scheme;
pub use callback_url::{AbsoluteCallbackUrl, CallbackUrl};
pub use date::Date;
pub use did_number::DidNumber;
pub use distinct_list::DistinctList;
pub use dst_prefix::DstPrefix;
pub use email_address::EmailAddress;
pub use external_reference::ExternalReference;
pub use former_callback_method::FormerCallbackMethod;
pub use inbound::{
    ChannelCount, CliPrefix, FailoverTime, ForwardNumber, HopCount, InboundRtpTimeout, RingingTimeout,
    RtpSource, SessionTime, SipHost, SipPort, SipTimerB, SipUser, TrunkRank,
};
pub(crate) use ip_networks::distinct_networks;
pub use ip_networks::{IpNetworks, normalised_network};
pub use list::BoundedList;
pub use money::Money;
pub use name::Name;
pub use nanpa::{AreaCode, ExchangeCode};
pub use phone_digits::PhoneDigits;
pub use public_key::PublicKeyText;
pub use rtp_networks::RtpNetworks;
pub use sms::{
    ConnectionTimeout, MessageBody, MessageTemplate, SmppSystemId, SmppSystemType, SmsPriority, TextMembers,
};
pub use street_address::StreetAddress;
pub use tech_prefix::TechPrefix;
pub use threshold::ThresholdAmount;
pub use twilio_account_sid::TwilioAccountSid;
pub use without_null::WithoutNull;

/// The type of [`IpNetworks::networks`], of the crate `ipnetwork`.
#[doc(no_inline)]
pub use ipnetwork::IpNetwork;
/// The exact decimals of prices and thresholds, of the crate `rust_decimal`.
#[doc(no_inline)]
pub use rust_decimal::Decimal;

use crate::Violation;

/// A constructor refused a value that is outside its documented limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{given}` {violation}; {right}")]
pub struct ValueError {
    /// The name of the expected kind of value, such as `tech prefix`.
    pub what: &'static str,
    /// The refused value, or the number of items of a list that is too long.
    pub given: String,
    /// The rule that the value breaks.
    pub violation: Violation,
    /// The valid values, in words, such as `1 to 15 digits`.
    pub right: &'static str,
}

/// Declares a text value. Its constructor validates and its deserialiser does not.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $what:literal, $right:literal, $kind:expr, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tolerant::text(deserializer).map(Self)
            }
        }

        impl $name {
            #[doc = concat!("Validates a text. Valid is: ", $right, ".")]
            ///
            /// # Errors
            /// Returns an error for any other text.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::values::ValueError> {
                let text = text.into();
                let check: fn(&str) -> Option<$crate::Violation> = $check;
                match check(&text) {
                    None => Ok(Self(text)),
                    Some(violation) => {
                        Err($crate::values::ValueError { what: $what, given: text, violation, right: $right })
                    }
                }
            }

            /// The text as it is written on the wire. A text that a service returned may break the documented
            /// limits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::values::ValueError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::values::ValueError;
            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $crate::Attribute for $name {
            const KIND: $crate::Kind = $kind;

            fn validate(sent: &serde_json::Value) -> Result<serde_json::Value, Vec<$crate::Flaw>> {
                let check: fn(&str) -> Option<$crate::Violation> = $check;
                match sent {
                    serde_json::Value::String(text) => match check(text) {
                        None => Ok(sent.clone()),
                        Some(violation) => Err(violation.into()),
                    },
                    // The framework behind the API casts numbers to text.
                    serde_json::Value::Number(number) => match check(&number.to_string()) {
                        None => Ok(serde_json::Value::String(number.to_string())),
                        Some(violation) => Err(violation.into()),
                    },
                    serde_json::Value::Null => Err($crate::Violation::Blank.into()),
                    _ => Err($crate::Violation::Invalid.into()),
                }
            }
        }
    };
}
use checked_text;
