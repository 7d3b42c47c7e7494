//! The two ends of a call.

use serde::{Deserialize, Serialize};

use super::lenient::or_default;

wire_core::string_enum! {
    /// What an address is.
    #[derive(Default)]
    AddressKind {
        /// Nothing: the member is absent.
        #[default]
        Unspecified = "",
        /// An agent of the customer.
        Agent = "agent",
        /// An AI.
        Ai = "ai",
        /// A team of AIs.
        AiTeam = "ai_team",
        /// A conference.
        Conference = "conference",
        /// A mail address.
        Email = "email",
        /// An extension of the customer.
        Extension = "extension",
        /// A LINE account.
        Line = "line",
        /// A SIP URI.
        Sip = "sip",
        /// A telephone number.
        Tel = "tel",
        /// A web chat.
        Webchat = "webchat",
        /// A web session.
        WebSession = "web_session",
        /// A `WhatsApp` account.
        Whatsapp = "whatsapp",
    }
}

impl AddressKind {
    fn is_unspecified(&self) -> bool {
        self.as_str().is_empty()
    }
}

/// One end of a call. Every empty member is left out on the wire.
///
/// ```
/// use voipbin_types::Address;
/// let wire = serde_json::to_string(&Address::tel("+14155551234"))?;
/// assert_eq!(wire, r#"{"type":"tel","target":"+14155551234"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// What it is.
    #[serde(
        rename = "type",
        deserialize_with = "or_default",
        skip_serializing_if = "AddressKind::is_unspecified"
    )]
    pub kind: AddressKind,
    /// The number, URI or id.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// The name that is shown with it.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub target_name: String,
    /// A name of the customer's own.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note of the customer's own.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Address {
    /// An address of some kind.
    pub fn new(kind: AddressKind, target: impl Into<String>) -> Self {
        Self { kind, target: target.into(), ..Self::default() }
    }

    /// A telephone number in E.164, with its plus.
    pub fn tel(number: impl Into<String>) -> Self {
        Self::new(AddressKind::Tel, number)
    }

    /// A SIP URI.
    pub fn sip(uri: impl Into<String>) -> Self {
        Self::new(AddressKind::Sip, uri)
    }

    /// The same address with a name that is shown with it.
    #[must_use]
    pub fn target_name(mut self, name: impl Into<String>) -> Self {
        self.target_name = name.into();
        self
    }
}
