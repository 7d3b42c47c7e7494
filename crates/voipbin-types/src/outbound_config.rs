//! The outbound config of a customer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;
use super::lenient::{or_default, texts};

/// The rules for a customer's outgoing calls. Each customer has at most one outbound config.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutboundConfig {
    /// The config's id.
    pub id: Uuid,
    /// The id of the customer.
    #[serde(default)]
    pub customer_id: Uuid,
    /// The name of the config.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note about the config.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// The countries whose telephone numbers the customer can call, as ISO 3166-1 alpha-2 codes in lower
    /// case. When it is empty, every call to a telephone number is refused.
    #[serde(default, deserialize_with = "or_default")]
    pub destination_whitelist: Vec<String>,
    /// The codecs for calls to SIP URIs, separated by commas, in the order of preference. When it is empty,
    /// the service chooses.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: String,
    /// The id of the number that replaces the source of calls without a valid one; [`ZERO`](super::ZERO) for
    /// none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_outgoing_source_number_id: Uuid,
    /// The time at which the config was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the config was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

impl OutboundConfig {
    /// The patch that adds a country, as an ISO 3166-1 alpha-2 code, to the whitelist; `None` if the whitelist
    /// has it. The service compares lower-case codes, so the code is added in lower case and replaces an entry
    /// that differs in letter case alone.
    ///
    /// ```
    /// # mod voipbin_client { pub use voipbin_types as types; }
    /// use voipbin_client::types::OutboundConfig;
    /// let config = OutboundConfig { destination_whitelist: vec!["us".to_owned()], ..Default::default() };
    /// let patch = config.with_country("GB").unwrap();
    /// assert_eq!(patch.destination_whitelist.unwrap(), ["us", "gb"]);
    /// assert_eq!(config.with_country("us"), None);
    /// ```
    pub fn with_country(&self, country: &str) -> Option<OutboundConfigPatch> {
        let country = country.trim().to_lowercase();
        if self.destination_whitelist.contains(&country) {
            return None;
        }
        let others =
            self.destination_whitelist.iter().filter(|code| !code.trim().eq_ignore_ascii_case(&country));
        let countries = others.cloned().chain([country.clone()]);
        Some(OutboundConfigPatch::default().destination_whitelist(countries))
    }
}

/// The body of a request that updates an [`OutboundConfig`]. Absent members and `null` keep the value; `[]`,
/// `""` and [`ZERO`](super::ZERO) clear it.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::OutboundConfigPatch;
/// let patch = OutboundConfigPatch::default().destination_whitelist(["us", "gb"]);
/// assert_eq!(serde_json::to_string(&patch)?, r#"{"destination_whitelist":["us","gb"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OutboundConfigPatch {
    /// The name of the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A note about the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// See [`OutboundConfig::destination_whitelist`].
    #[serde(deserialize_with = "texts", skip_serializing_if = "Option::is_none")]
    pub destination_whitelist: Option<Vec<String>>,
    /// See [`OutboundConfig::codecs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    /// See [`OutboundConfig::default_outgoing_source_number_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_outgoing_source_number_id: Option<Uuid>,
}

impl OutboundConfigPatch {
    /// Sets the config's name, which has no effect on calls.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the note, which has no effect on calls.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the countries whose telephone numbers can be called. An empty list refuses all calls to telephone
    /// numbers.
    #[must_use]
    pub fn destination_whitelist<C: Into<String>>(mut self, countries: impl IntoIterator<Item = C>) -> Self {
        self.destination_whitelist = Some(countries.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the codecs for calls to SIP URIs, separated by commas.
    #[must_use]
    pub fn codecs(mut self, codecs: impl Into<String>) -> Self {
        self.codecs = Some(codecs.into());
        self
    }

    /// Sets the number that replaces the source of calls without a valid one; [`ZERO`](super::ZERO) removes
    /// it.
    #[must_use]
    pub fn default_outgoing_source_number_id(mut self, number: Uuid) -> Self {
        self.default_outgoing_source_number_id = Some(number);
        self
    }
}

/// The body of a request that creates an [`OutboundConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OutboundConfigCreate {
    /// The id of the customer; `None` is the credentials' own customer. Not every deployment of VoIPBIN reads
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Uuid>,
    /// The members of the config; its fields are members of this object on the wire.
    #[serde(flatten)]
    pub config: OutboundConfigPatch,
}

impl From<OutboundConfigPatch> for OutboundConfigCreate {
    fn from(config: OutboundConfigPatch) -> Self {
        Self { customer_id: None, config }
    }
}
