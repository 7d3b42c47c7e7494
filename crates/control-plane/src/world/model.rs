//! The accounts in the file of a world, and reading and writing the file.

use std::fmt;

use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Feature, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use trunk_store::account::{Environment, KeyDigest};
use uuid::Uuid;

use super::digest::HexDigest;
use super::platform::WorldPlatform;
use super::rates::WorldRate;
use super::records::{self, Records};

/// The format that this program reads and writes.
const FORMAT: u32 = 1;

/// A world: the data that fills a server, or one of its accounts.
///
/// ```
/// use control_plane::World;
///
/// let error = World::from_json("{\n \"acounts\": []\n}").unwrap_err();
/// assert!(error.to_string().starts_with("line 2: unknown field `acounts`, expected one of"), "{error}");
/// ```
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct World {
    /// The format of the file.
    #[serde(default)]
    format: Format,
    /// Records that all accounts share: reference data.
    #[serde(default, deserialize_with = "records::shared", skip_serializing_if = "Records::is_empty")]
    pub shared: Records,
    /// The accounts.
    #[serde(default)]
    pub accounts: Vec<WorldAccount>,
    /// The communication platform.
    #[serde(default, skip_serializing_if = "WorldPlatform::is_empty")]
    pub platform: WorldPlatform,
}

/// An account of a world.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldAccount {
    /// The id of a new account; one that exists is found by it, or by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name, unique among accounts.
    pub name: String,
    /// The API version of requests that name no newer one; if `None`, 2021-12-15 for a new account.
    #[serde(default, with = "version", skip_serializing_if = "Option::is_none")]
    pub version: Option<ApiVersion>,
    /// The features; if `None`, outbound for a new account.
    #[serde(default, with = "features", skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
    /// Maximum number of requests per second of each key. 0 is no limit; `None` is the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
    /// Maximum number of records of each type. 0 is no limit; `None` is the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_quota: Option<u64>,
    /// The rates of its outbound calls, in place of those of the server. If there are none, it keeps those that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<WorldRate>,
    /// The API keys. A new account without any receives a random one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<WorldKey>,
    /// The records of the account.
    #[serde(default, deserialize_with = "records::owned", skip_serializing_if = "Records::is_empty")]
    pub records: Records,
}

/// An API key of a world: the key itself, or its digest.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldKey {
    /// The key: 1 to 255 visible ASCII characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// The SHA-256 digest of the key, which is all that a server stores of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<HexDigest>,
    /// The addresses and networks from which the key may be used; `None` means from anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_addresses: Option<IpNetworks>,
    /// The environment that the key belongs to; `None` means the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

impl WorldKey {
    /// A key that may be used from anywhere.
    pub fn named(key: impl Into<Secret>) -> Self {
        Self { api_key: Some(key.into()), ..Self::default() }
    }

    /// Whether it is this key, of which a file can have the digest alone.
    pub fn is(&self, key: &Secret) -> bool {
        let is_digest = |digest: HexDigest| digest.0 == KeyDigest::of(key.expose());
        self.api_key.as_ref() == Some(key) || self.sha256.is_some_and(is_digest)
    }
}

impl WorldAccount {
    /// An account without keys and records.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            id: None,
            name: name.into(),
            version: None,
            features: None,
            rate_limit: None,
            record_quota: None,
            rates: Vec::new(),
            keys: Vec::new(),
            records: Records::default(),
        }
    }
}

/// Why a text is not a valid world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorldError {
    /// The number of the line, from 1; `None` if the text has no such line.
    pub line: Option<usize>,
    /// The reason why it is not valid, and the valid values.
    pub message: String,
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for WorldError {}

impl World {
    /// Reads a world in JSON.
    ///
    /// # Errors
    /// At the first member that is not declared or not valid, with its line.
    pub fn from_json(text: &str) -> Result<Self, WorldError> {
        // Editors of Windows mark UTF-8 at its beginning. The parser of TOML knows it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        serde_json::from_str(text).map_err(|error| {
            let line = Some(error.line()).filter(|line| *line > 0);
            // The text of the error ends with the place, which this one begins with.
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            WorldError { line, message }
        })
    }

    /// Reads a world in TOML, which has no null: a world in which an attribute is null must be JSON.
    ///
    /// # Errors
    /// At the first member that is not declared or not valid, with its line.
    pub fn from_toml(text: &str) -> Result<Self, WorldError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.bytes().filter(|byte| *byte == b'\n').count() + 1);
            WorldError { line, message: error.message().trim_end().to_owned() }
        })
    }

    /// Writes the world in JSON, so that equal worlds are equal texts.
    pub fn to_json(&self) -> String {
        // It cannot fail: all names are texts, and a text accepts every byte.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The number of records, and of providers, customers and routes.
    pub fn record_count(&self) -> usize {
        let owned: usize = self.accounts.iter().map(|account| account.records.len()).sum();
        self.shared.len() + owned + self.platform.len()
    }
}

/// The number of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format(u32);

impl Default for Format {
    fn default() -> Self {
        Self(FORMAT)
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let format = u32::deserialize(deserializer)?;
        if format == FORMAT {
            return Ok(Self(format));
        }
        Err(de::Error::custom(format!("`format` is {format}, and this program reads format {FORMAT}")))
    }
}

/// An API version as its date.
mod version {
    use super::{ApiVersion, Deserialize as _, Deserializer, Serializer, de};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(
        version: &Option<ApiVersion>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match version {
            Some(version) => serializer.serialize_str(version.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ApiVersion>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let version: Result<ApiVersion, didww_types::UnknownVersion> = text.parse();
        version.map(Some).map_err(de::Error::custom)
    }
}

/// Features by their names.
mod features {
    use super::{Deserialize as _, Deserializer, Feature, Serializer, de};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(
        features: &Option<Vec<Feature>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match features {
            Some(features) => serializer.collect_seq(features.iter().map(|feature| feature.as_str())),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<Feature>>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let mut features = Vec::with_capacity(names.len());
        for name in names {
            features.push(name.parse::<Feature>().map_err(<D::Error as de::Error>::custom)?);
        }
        Ok(Some(features))
    }
}
