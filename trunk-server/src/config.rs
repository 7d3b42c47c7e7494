//! The configuration of a server. Flags override the environment, the environment overrides one TOML file, and the file
//! overrides the defaults.

mod accounts;
mod address;
mod error;
mod http;
mod location;
pub(crate) mod log_filter;
#[cfg(any(feature = "sip", feature = "voipbin"))]
mod port_range;
#[cfg(feature = "sip")]
mod sip;
mod tokens;
#[cfg(feature = "voipbin")]
mod voipbin;

use std::path::{Path, PathBuf};

use didww_types::Secret;
use serde::{Deserialize, Serialize};

use address::{check_address, is_same_port};

pub use accounts::{AccountsConfig, DEFAULT_RECORD_QUOTA};
pub use error::ConfigError;
pub use http::HttpConfig;
pub use tokens::TokensConfig;
#[cfg(feature = "voipbin")]
pub use voipbin::VoipbinConfig;

/// The configuration of a server, as `--print-config` prints it with secrets hidden.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The address of the API, `HOST:PORT`; with port 0 the system selects one.
    pub listen: String,
    /// The address of the control API, `HOST:PORT`; `None` disables it.
    pub control_listen: Option<String>,
    /// Where records are stored.
    pub database: Database,
    /// An API key; the start creates an account with it if there is none.
    pub api_key: Option<Secret>,
    /// The secret that signs the callbacks of the account with the API key, or of the only account.
    pub callback_secret: Option<Secret>,
    /// Whether a new database receives six DIDs and a callback secret.
    pub demo: bool,
    /// Scheme and host of the links in responses; if `None`, links use the `Host` header of the request.
    pub public_url: Option<String>,
    /// The token that control requests must have; mandatory if the control listener is not on loopback.
    pub control_token: Option<Secret>,
    /// Trusted proxies, and limits of the HTTP listeners.
    pub http: HttpConfig,
    /// Limits of accounts that have none of their own.
    pub accounts: AccountsConfig,
    /// The service that mints access tokens.
    pub tokens: TokensConfig,
    /// The carrier edge; `None` disables SIP.
    #[cfg(feature = "sip")]
    pub sip: Option<SipConfig>,
    /// The communication platform and its super admin.
    #[cfg(feature = "voipbin")]
    pub voipbin: voipbin::VoipbinConfig,
    /// Whether callback URLs can lead to this machine.
    pub allow_loopback_callbacks: bool,
    /// The log level, such as `info`, or `target=level` pairs, such as `warn,trunk_server=debug`.
    pub log: String,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// The configuration of the carrier edge.
#[cfg(feature = "sip")]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SipConfig {
    /// The address for SIP over UDP and TCP, `IP:PORT`; if `None`, [`DEFAULT_SIP_LISTEN`] unless another process uses it.
    pub listen: Option<String>,
    /// The address for SIP over TLS, `IP:PORT`; requires certificate and key.
    pub tls_listen: Option<String>,
    /// The PEM file with the certificate for TLS.
    pub tls_cert: Option<PathBuf>,
    /// The PEM file with the certificate's private key.
    pub tls_key: Option<PathBuf>,
    /// The `[sip]` table of the file.
    table: sip::SipTable,
}

/// The default address for SIP over UDP and TCP.
#[cfg(feature = "sip")]
pub const DEFAULT_SIP_LISTEN: &str = "127.0.0.1:5060";

#[cfg(feature = "sip")]
impl SipConfig {
    /// Creates a configuration with this address, `IP:PORT`, and defaults for everything else.
    pub fn at(listen: impl Into<String>) -> Self {
        Self { listen: Some(listen.into()), ..Self::default() }
    }

    /// Builds the edge's own configuration.
    ///
    /// # Errors
    /// If a value is not valid; the error names it.
    pub fn to_edge(&self) -> Result<carrier_edge::EdgeConfig, ConfigError> {
        let address = |name, text: &str| {
            let expected = "give IP:PORT, such as 127.0.0.1:5060 or [::1]:5060";
            text.parse().map_err(|_| ConfigError::Value { name, given: text.to_owned(), expected })
        };
        let listen = address("sip-listen", self.listen.as_deref().unwrap_or(DEFAULT_SIP_LISTEN))?;
        let mut edge = carrier_edge::EdgeConfig::new(listen);
        edge.tls = match (&self.tls_listen, &self.tls_cert, &self.tls_key) {
            (None, None, None) => None,
            (Some(listen), Some(certificate), Some(key)) => {
                let tls = carrier_edge::Tls { certificate: certificate.clone(), key: key.clone() };
                Some((address("sip-tls-listen", listen)?, tls))
            }
            (listen, ..) => {
                let expected = "give sip-tls-listen, tls-cert and tls-key together, or none of them";
                let given = listen.clone().unwrap_or_default();
                return Err(ConfigError::Value { name: "sip-tls-listen", given, expected });
            }
        };
        self.table.apply(&mut edge)?;
        Ok(edge)
    }
}

/// Where records are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In this file. Acknowledged writes survive a crash.
    File(PathBuf),
    /// In memory, until the server stops.
    Ephemeral,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            control_listen: Some("127.0.0.1:8081".to_owned()),
            database: Database::File(PathBuf::from("trunk-server.db")),
            api_key: None,
            callback_secret: None,
            demo: false,
            public_url: None,
            control_token: None,
            http: HttpConfig::default(),
            accounts: AccountsConfig::default(),
            tokens: TokensConfig::default(),
            #[cfg(feature = "sip")]
            sip: Some(SipConfig::default()),
            #[cfg(feature = "voipbin")]
            voipbin: VoipbinConfig::default(),
            allow_loopback_callbacks: false,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// The settings that a flag or a variable can set, by the names that errors have for them.
const NAMES: [&str; 11] = [
    "listen",
    "control-listen",
    "database",
    "api-key",
    "callback-secret",
    "public-url",
    "control-token",
    "sip-listen",
    "sip-tls-listen",
    "voipbin-admin",
    "log",
];

/// The settings of one source. As keys of the file they have the names of the flags, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) listen: Option<String>,
    pub(crate) control_listen: Option<String>,
    pub(crate) database: Option<PathBuf>,
    pub(crate) ephemeral: Option<bool>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) callback_secret: Option<Secret>,
    pub(crate) demo: Option<bool>,
    pub(crate) public_url: Option<String>,
    pub(crate) control_token: Option<Secret>,
    pub(crate) http: Option<http::HttpTable>,
    pub(crate) allow_loopback_callbacks: Option<bool>,
    pub(crate) accounts: Option<AccountsConfig>,
    pub(crate) tokens: Option<TokensConfig>,
    #[cfg(feature = "sip")]
    pub(crate) sip_listen: Option<String>,
    #[cfg(feature = "sip")]
    pub(crate) sip_tls_listen: Option<String>,
    #[cfg(feature = "sip")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[cfg(feature = "sip")]
    pub(crate) tls_key: Option<PathBuf>,
    #[cfg(feature = "sip")]
    pub(crate) sip: Option<sip::SipTable>,
    #[cfg(feature = "voipbin")]
    pub(crate) voipbin_admin: Option<Secret>,
    #[cfg(feature = "voipbin")]
    pub(crate) voipbin: Option<voipbin::VoipbinTable>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<LogFormat>,
}

impl Settings {
    /// Reads the settings of a TOML file.
    pub(crate) fn from_file(path: &Path) -> Result<(Self, String), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { file: path.to_owned(), error })?;
        Ok((Self::from_text(path, &text)?, text))
    }

    /// Parses the text of a file.
    fn from_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            // The `Display` form quotes the line, which can contain a secret: only the message and the line number are
            // used.
            let offset = error.span().map_or(0, |span| span.start);
            let why = location::quotes_advice(text, offset).unwrap_or_else(|| error.message().to_owned());
            let line = location::line_at(text, offset);
            ConfigError::Wrong { file: path.to_owned(), why: format!("line {line}: {why}") }
        })
    }

    /// Whether these settings contain the one that an error names. Tables are settings of the file alone.
    fn sets(&self, name: &str) -> bool {
        match name {
            "listen" => self.listen.is_some(),
            "control-listen" => self.control_listen.is_some(),
            "database" => self.database.is_some() || self.ephemeral.is_some(),
            "api-key" => self.api_key.is_some(),
            "callback-secret" => self.callback_secret.is_some(),
            "public-url" => self.public_url.is_some(),
            "control-token" => self.control_token.is_some(),
            #[cfg(feature = "sip")]
            "sip-listen" => self.sip_listen.is_some(),
            #[cfg(feature = "sip")]
            "sip-tls-listen" => {
                self.sip_tls_listen.is_some() || self.tls_cert.is_some() || self.tls_key.is_some()
            }
            #[cfg(feature = "voipbin")]
            "voipbin-admin" => self.voipbin_admin.is_some(),
            "log" => self.log.is_some(),
            _ => false,
        }
    }

    /// Validates these settings, completed by those of a file. The error of a value of the file has its line.
    pub(crate) fn finish_with(self, file: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(file) = file else { return self.finish() };
        let (of_file, text) = Self::from_file(file)?;
        let set_here: Vec<&str> = NAMES.into_iter().filter(|name| self.sets(name)).collect();
        self.or(of_file).finish().map_err(|error| {
            let is_set_here = matches!(&error, ConfigError::Value { name, .. } if set_here.contains(name));
            if is_set_here { error } else { error.located(file, &text) }
        })
    }

    /// Returns these settings, completed by those of a source of lower priority. `database` and `ephemeral` override
    /// each other: if one of them is set here, both are ignored there.
    pub(crate) fn or(self, other: Self) -> Self {
        let (database, ephemeral) = if self.database.is_some() || self.ephemeral == Some(true) {
            (self.database, self.ephemeral)
        } else {
            (other.database, self.ephemeral.or(other.ephemeral))
        };
        Self {
            listen: self.listen.or(other.listen),
            control_listen: self.control_listen.or(other.control_listen),
            database,
            ephemeral,
            api_key: self.api_key.or(other.api_key),
            callback_secret: self.callback_secret.or(other.callback_secret),
            demo: self.demo.or(other.demo),
            public_url: self.public_url.or(other.public_url),
            control_token: self.control_token.or(other.control_token),
            http: self.http.or(other.http),
            allow_loopback_callbacks: self.allow_loopback_callbacks.or(other.allow_loopback_callbacks),
            accounts: self.accounts.or(other.accounts),
            tokens: self.tokens.or(other.tokens),
            #[cfg(feature = "sip")]
            sip_listen: self.sip_listen.or(other.sip_listen),
            #[cfg(feature = "sip")]
            sip_tls_listen: self.sip_tls_listen.or(other.sip_tls_listen),
            #[cfg(feature = "sip")]
            tls_cert: self.tls_cert.or(other.tls_cert),
            #[cfg(feature = "sip")]
            tls_key: self.tls_key.or(other.tls_key),
            #[cfg(feature = "sip")]
            sip: self.sip.or(other.sip),
            #[cfg(feature = "voipbin")]
            voipbin_admin: self.voipbin_admin.or(other.voipbin_admin),
            #[cfg(feature = "voipbin")]
            voipbin: self.voipbin.or(other.voipbin),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
        }
    }

    /// Validates the settings and completes them with the defaults.
    pub(crate) fn finish(self) -> Result<Config, ConfigError> {
        let defaults = Config::default();
        let listen = self.listen.unwrap_or(defaults.listen);
        check_address("listen", &listen)?;
        let control_listen = match self.control_listen.or(defaults.control_listen) {
            Some(text) if text == "off" => None,
            Some(text) => {
                check_address("control-listen", &text)?;
                Some(text)
            }
            None => None,
        };
        if control_listen.as_deref().is_some_and(|control| is_same_port(control, &listen)) {
            return Err(ConfigError::Value {
                name: "control-listen",
                given: control_listen.unwrap_or_default(),
                expected: "give another port than that of `listen`",
            });
        }
        let database = match (self.database, self.ephemeral.unwrap_or(false)) {
            (Some(file), true) => {
                return Err(ConfigError::Value {
                    name: "database",
                    given: file.display().to_string(),
                    expected: "give either `database` or `ephemeral`, not both",
                });
            }
            (_, true) => Database::Ephemeral,
            (Some(file), false) => Database::File(file),
            (None, false) => defaults.database,
        };
        #[cfg(feature = "sip")]
        let sip = if self.sip_listen.as_deref() == Some("off") {
            None
        } else {
            let sip = SipConfig {
                listen: self.sip_listen,
                tls_listen: self.sip_tls_listen,
                tls_cert: self.tls_cert,
                tls_key: self.tls_key,
                table: self.sip.unwrap_or_default(),
            };
            sip.to_edge()?;
            Some(sip)
        };
        #[cfg(feature = "voipbin")]
        let voipbin = VoipbinConfig::new(self.voipbin_admin, self.voipbin.unwrap_or_default())?;
        let accounts = self.accounts.unwrap_or_default();
        accounts.check()?;
        let tokens = self.tokens.unwrap_or_default();
        tokens.check(&listen)?;
        if let (Some(own), Some(control)) = (&tokens.listen, &control_listen)
            && is_same_port(own, control)
        {
            let expected = "give another port than that of `control_listen`";
            return Err(ConfigError::value("tokens.listen", own, expected));
        }
        let public_url = self.public_url.map(|url| check_url(&url)).transpose()?;
        let api_key = check_secret("api-key", self.api_key)?;
        let callback_secret = check_callback_secret(self.callback_secret)?;
        let control_token = check_secret("control-token", self.control_token)?;
        let log = self.log.unwrap_or(defaults.log);
        if !log_filter::is_log_filter(&log) {
            let expected = "give a level (error, warn, info, debug, trace, off) or target=level pairs, such as \
                         `info` or `warn,trunk_server=debug`";
            return Err(ConfigError::Value { name: "log", given: log, expected });
        }
        Ok(Config {
            listen,
            control_listen,
            database,
            api_key,
            callback_secret,
            demo: self.demo.unwrap_or(false),
            public_url,
            control_token,
            http: HttpConfig::new(self.http.unwrap_or_default())?,
            accounts,
            tokens,
            #[cfg(feature = "sip")]
            sip,
            #[cfg(feature = "voipbin")]
            voipbin,
            allow_loopback_callbacks: self.allow_loopback_callbacks.unwrap_or(false),
            log,
            log_format: self.log_format.unwrap_or(defaults.log_format),
        })
    }
}

fn check_url(text: &str) -> Result<String, ConfigError> {
    let invalid = |expected| Err(ConfigError::Value { name: "public-url", given: text.to_owned(), expected });
    let parsed = url::Url::parse(text).ok();
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        return invalid("give an http or https URL, such as https://trunks.example.com");
    };
    let path = url.path().trim_end_matches('/');
    if path.ends_with("/v3") || path.ends_with("/v1.0") {
        return invalid("give it without the API's own path: links append /v3");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return invalid("give it without a query or fragment, such as https://trunks.example.com");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Refuses a secret that the control API would refuse, before an account is created.
fn check_callback_secret(secret: Option<Secret>) -> Result<Option<Secret>, ConfigError> {
    let is_valid =
        |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match secret {
        Some(secret) if !is_valid(secret.expose()) => Err(ConfigError::Value {
            name: "callback-secret",
            given: String::new(),
            expected: "give 1 to 255 visible ASCII characters without spaces, or leave the setting out",
        }),
        secret => Ok(secret),
    }
}

/// Refuses a blank secret, which would protect nothing.
fn check_secret(name: &'static str, secret: Option<Secret>) -> Result<Option<Secret>, ConfigError> {
    match secret {
        Some(secret) if secret.expose().trim().is_empty() => Err(ConfigError::Value {
            name,
            given: String::new(),
            expected: "give at least one character, or leave the setting out",
        }),
        secret => Ok(secret),
    }
}

impl Config {
    /// Reads the text of a configuration file. Flags and the environment are not regarded.
    ///
    /// # Errors
    /// Those of a file. They name the file `(text)`.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file = Path::new("(text)");
        Settings::from_text(file, text)?.finish().map_err(|error| error.located(file, text))
    }

    /// Renders the configuration as TOML that a file can contain. Secrets are replaced by `(hidden)`.
    pub fn to_toml(&self) -> String {
        // Not by `Debug`, whose escapes of characters that are not printable are no TOML.
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let hidden = |secret: &Option<Secret>| secret.as_ref().map(|_| quoted("(hidden)"));
        let mut lines = vec![
            ("listen", Some(quoted(&self.listen))),
            ("control_listen", Some(quoted(self.control_listen.as_deref().unwrap_or("off")))),
        ];
        lines.push(match &self.database {
            Database::File(file) => ("database", Some(quoted(&file.display().to_string()))),
            Database::Ephemeral => ("ephemeral", Some("true".to_owned())),
        });
        lines.extend([
            ("api_key", hidden(&self.api_key)),
            ("callback_secret", hidden(&self.callback_secret)),
            ("demo", Some(self.demo.to_string())),
            ("public_url", self.public_url.as_deref().map(quoted)),
            ("control_token", hidden(&self.control_token)),
            ("allow_loopback_callbacks", Some(self.allow_loopback_callbacks.to_string())),
            ("log", Some(quoted(&self.log))),
            ("log_format", Some(quoted(if self.log_format == LogFormat::Json { "json" } else { "text" }))),
        ]);
        #[cfg(feature = "sip")]
        lines.extend(self.sip.as_ref().map_or_else(
            || vec![("sip_listen", Some(quoted("off")))],
            |sip| {
                let file =
                    |file: &Option<PathBuf>| file.as_ref().map(|file| quoted(&file.display().to_string()));
                vec![
                    ("sip_listen", Some(quoted(sip.listen.as_deref().unwrap_or(DEFAULT_SIP_LISTEN)))),
                    ("sip_tls_listen", sip.tls_listen.as_deref().map(quoted)),
                    ("tls_cert", file(&sip.tls_cert)),
                    ("tls_key", file(&sip.tls_key)),
                ]
            },
        ));
        #[cfg(feature = "voipbin")]
        lines.push(("voipbin_admin", hidden(&self.voipbin.admin_secret())));
        let line = |(name, value): (&str, Option<String>)| match value {
            Some(value) => format!("{name} = {value}\n"),
            None => format!("# {name} is not set\n"),
        };
        let mut text: String = lines.into_iter().map(line).collect();
        if let Some(table) = self.http.to_toml() {
            text = format!("{text}\n{table}");
        }
        if let Some(table) = self.accounts.to_toml() {
            text = format!("{text}\n{table}");
        }
        if let Some(table) = self.tokens.to_toml() {
            text = format!("{text}\n{table}");
        }
        #[cfg(feature = "sip")]
        if let Some(table) = self.sip.as_ref().and_then(|sip| sip.table.to_toml()) {
            text = format!("{text}\n{table}");
        }
        #[cfg(feature = "voipbin")]
        if let Some(table) = self.voipbin.to_toml() {
            text = format!("{text}\n{table}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again_whatever_characters_a_value_has() {
        let text = "listen = \"h\\u007f:1\"\ndatabase = \"a\\u200b\\u0000'\\\"\\\\\\n.db\"\n";
        let config = Config::from_toml(text).unwrap();
        let again = Config::from_toml(&config.to_toml()).unwrap();
        assert_eq!((&again.listen, &again.database), (&config.listen, &config.database));
        assert_eq!(config.database, Database::File("a\u{200b}\0'\"\\\n.db".into()));
    }

    #[test]
    fn an_error_of_a_text_has_the_line_of_the_value() {
        let error = Config::from_toml("demo = true\nlisten = \"nowhere\"\n").unwrap_err().to_string();
        assert!(
            error.starts_with("the configuration file (text) is wrong: line 2: listen is `nowhere`"),
            "{error}"
        );
        let error = Config::from_toml("listen = 1\n").unwrap_err().to_string();
        assert!(error.contains("line 1: "), "{error}");
    }
}
