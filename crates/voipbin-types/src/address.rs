//! The addresses of the two parties of a call.

use serde::{Deserialize, Serialize};

use super::lenient::or_default;

wire_core::string_enum! {
    /// The type of an address.
    #[derive(Default)]
    AddressKind {
        /// No type: the member is absent on the wire.
        #[default]
        Unspecified = "",
        /// An agent of the customer.
        Agent = "agent",
        /// An AI. It cannot be the destination of a call.
        Ai = "ai",
        /// A team of AIs. It cannot be the destination of a call.
        AiTeam = "ai_team",
        /// A conference. It cannot be the destination of a call.
        Conference = "conference",
        /// An e-mail address. It cannot be the destination of a call.
        Email = "email",
        /// An extension of the customer.
        Extension = "extension",
        /// An account of LINE, a messenger. It cannot be the destination of a call.
        Line = "line",
        /// A SIP URI, such as `sip:alice@example.com`, which is called without a provider.
        Sip = "sip",
        /// A telephone number in E.164 form.
        Tel = "tel",
        /// A web chat. It cannot be the destination of a call.
        Webchat = "webchat",
        /// A web session. It cannot be the destination of a call.
        WebSession = "web_session",
        /// A `WhatsApp` account. It cannot be the destination of a call.
        Whatsapp = "whatsapp",
    }
}

impl AddressKind {
    fn is_unspecified(&self) -> bool {
        self.as_str().is_empty()
    }
}

/// The address of one party of a call. Empty members are omitted on the wire.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::Address;
/// let wire = serde_json::to_string(&Address::tel("+14155551234"))?;
/// assert_eq!(wire, r#"{"type":"tel","target":"+14155551234"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Address {
    /// The type of the address.
    #[serde(
        rename = "type",
        deserialize_with = "or_default",
        skip_serializing_if = "AddressKind::is_unspecified"
    )]
    pub kind: AddressKind,
    /// The number, URI or id, depending on the type.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// The display name.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub target_name: String,
    /// The customer's own name for the address.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The customer's own note about the address.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Address {
    /// Creates an address of this type.
    pub fn new(kind: AddressKind, target: impl Into<String>) -> Self {
        Self { kind, target: target.into(), ..Self::default() }
    }

    /// Creates the address of a telephone number in E.164 form with the plus sign, such as `+14155551234`.
    pub fn tel(number: impl Into<String>) -> Self {
        Self::new(AddressKind::Tel, number)
    }

    /// Creates the address of a SIP URI, such as `sip:alice@example.com`. The service adds a missing `sip:`.
    pub fn sip(uri: impl Into<String>) -> Self {
        Self::new(AddressKind::Sip, uri)
    }

    /// Sets the display name, which the called party may be shown.
    #[must_use]
    pub fn target_name(mut self, name: impl Into<String>) -> Self {
        self.target_name = name.into();
        self
    }
}
