//! What a customer may call.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;
use super::lenient::or_default;

/// What a customer may call: there is one for each customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutboundConfig {
    /// The id.
    pub id: Uuid,
    /// The customer.
    #[serde(default)]
    pub customer_id: Uuid,
    /// A name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// The countries (ISO 3166-1 alpha-2, lower case) that telephone numbers may be called in; with none,
    /// every such call is refused.
    #[serde(default, deserialize_with = "or_default")]
    pub destination_whitelist: Vec<String>,
    /// The codecs of calls to SIP URIs in the order of preference, separated by commas; empty is the service's
    /// own choice.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: String,
    /// The number that calls without a valid source are made from; [`ZERO`](super::ZERO) is none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_outgoing_source_number_id: Uuid,
    /// When it was made.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// When it was changed.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// Changes of an [`OutboundConfig`]: what is absent keeps its value, and so does what is sent as `null`; `[]`,
/// `""` and [`ZERO`](super::ZERO) empty it.
///
/// ```
/// use voipbin_types::OutboundConfigPatch;
/// let patch = OutboundConfigPatch::default().destination_whitelist(["us", "gb"]);
/// assert_eq!(serde_json::to_string(&patch)?, r#"{"destination_whitelist":["us","gb"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutboundConfigPatch {
    /// A name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The countries that may be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_whitelist: Option<Vec<String>>,
    /// The codecs of calls to SIP URIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    /// The number that calls without a valid source are made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_outgoing_source_number_id: Option<Uuid>,
}

impl OutboundConfigPatch {
    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the note.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the countries that may be called; none forbids all calls to telephone numbers.
    #[must_use]
    pub fn destination_whitelist<C: Into<String>>(mut self, countries: impl IntoIterator<Item = C>) -> Self {
        self.destination_whitelist = Some(countries.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the codecs, separated by commas.
    #[must_use]
    pub fn codecs(mut self, codecs: impl Into<String>) -> Self {
        self.codecs = Some(codecs.into());
        self
    }

    /// Sets the number that calls without a valid source are made from; [`ZERO`](super::ZERO) removes it.
    #[must_use]
    pub fn default_outgoing_source_number_id(mut self, number: Uuid) -> Self {
        self.default_outgoing_source_number_id = Some(number);
        self
    }
}

/// A new [`OutboundConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutboundConfigCreate {
    /// The customer that it is for; the caller's own when absent. Not every deployment reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Uuid>,
    /// What it says.
    #[serde(flatten)]
    pub config: OutboundConfigPatch,
}

impl From<OutboundConfigPatch> for OutboundConfigCreate {
    fn from(config: OutboundConfigPatch) -> Self {
        Self { customer_id: None, config }
    }
}
