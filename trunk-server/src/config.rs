//! What a server is told before it starts: flags over environment over one file over defaults.

mod accounts;
mod http;
mod log_filter;
#[cfg(feature = "sip")]
mod sip;
#[cfg(feature = "voipbin")]
mod voipbin;

use std::path::{Path, PathBuf};

use didww_types::Secret;
use serde::{Deserialize, Serialize};

pub use accounts::{AccountsConfig, RECORD_QUOTA};
pub use http::HttpConfig;
#[cfg(feature = "voipbin")]
pub use voipbin::VoipbinConfig;

/// Everything that can be told. `--print-config` shows it, secrets hidden.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the API is served.
    pub listen: String,
    /// Where the control API is served; none serves it nowhere.
    pub control_listen: Option<String>,
    /// Where records are kept.
    pub database: Database,
    /// A key that belongs to an account after the start.
    pub api_key: Option<Secret>,
    /// Whether a new database is filled with a small set.
    pub demo: bool,
    /// What links begin with, when it is not the address that a request came to.
    pub public_url: Option<String>,
    /// What control requests must show; needed when the control listener is not on loopback.
    pub control_token: Option<Secret>,
    /// Who may take how much of the listeners for HTTP.
    pub http: HttpConfig,
    /// What an account may do that has no limits of its own.
    pub accounts: AccountsConfig,
    /// Where and how calls are taken; none takes no calls.
    #[cfg(feature = "sip")]
    pub sip: Option<SipConfig>,
    /// How the communication platform's side works.
    #[cfg(feature = "voipbin")]
    pub voipbin: voipbin::VoipbinConfig,
    /// Whether callback URLs may lead to this machine.
    pub allow_loopback_callbacks: bool,
    /// How much is logged, such as `info` or `trunk_server=debug`.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
}

/// Where and how calls are taken.
#[cfg(feature = "sip")]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SipConfig {
    /// Where SIP is taken, over UDP and TCP; the usual place when it is none.
    pub listen: Option<String>,
    /// Where SIP is taken over TLS.
    pub tls_listen: Option<String>,
    /// The certificate for TLS, a PEM file.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    pub tls_key: Option<PathBuf>,
    /// The `[sip]` table of the file.
    table: sip::SipTable,
}

/// Where SIP is taken when nobody says where.
#[cfg(feature = "sip")]
pub const USUAL_SIP_LISTEN: &str = "127.0.0.1:5060";

#[cfg(feature = "sip")]
impl SipConfig {
    /// Takes calls at an address, with every setting at its default.
    pub fn at(listen: impl Into<String>) -> Self {
        Self { listen: Some(listen.into()), ..Self::default() }
    }

    /// The edge's configuration.
    ///
    /// # Errors
    /// When a value is not right; the error names it.
    pub fn to_edge(&self) -> Result<carrier_edge::EdgeConfig, ConfigError> {
        let address = |name, text: &str| {
            let right = "give IP:PORT, such as 127.0.0.1:5060 or [::1]:5060";
            text.parse().map_err(|_| ConfigError::Value { name, given: text.to_owned(), right })
        };
        let listen = address("sip-listen", self.listen.as_deref().unwrap_or(USUAL_SIP_LISTEN))?;
        let mut edge = carrier_edge::EdgeConfig::new(listen);
        edge.tls = match (&self.tls_listen, &self.tls_cert, &self.tls_key) {
            (None, None, None) => None,
            (Some(listen), Some(certificate), Some(key)) => {
                let tls = carrier_edge::Tls { certificate: certificate.clone(), key: key.clone() };
                Some((address("sip-tls-listen", listen)?, tls))
            }
            (listen, ..) => {
                let right = "give sip-tls-listen, tls-cert and tls-key together, or none of them";
                let given = listen.clone().unwrap_or_default();
                return Err(ConfigError::Value { name: "sip-tls-listen", given, right });
            }
        };
        self.table.apply(&mut edge)?;
        Ok(edge)
    }
}

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In a file, durably.
    File(PathBuf),
    /// In memory, until the server ends.
    Ephemeral,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            control_listen: Some("127.0.0.1:8081".to_owned()),
            database: Database::File(PathBuf::from("trunk-server.db")),
            api_key: None,
            demo: false,
            public_url: None,
            control_token: None,
            http: HttpConfig::default(),
            accounts: AccountsConfig::default(),
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

/// What a configuration may not say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file says something that is not known or not right; the text names it.
    #[error("the configuration file {} is wrong: {why}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// The line, and what is wrong with it.
        why: String,
    },
    /// A value is not right.
    #[error("{name} is `{given}`; {right}")]
    Value {
        /// The setting, as flag and as key of the file.
        name: &'static str,
        /// What was given; never a secret.
        given: String,
        /// What would be right.
        right: &'static str,
    },
}

/// The file's keys: the flags' names, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) listen: Option<String>,
    pub(crate) control_listen: Option<String>,
    pub(crate) database: Option<PathBuf>,
    pub(crate) ephemeral: Option<bool>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) demo: Option<bool>,
    pub(crate) public_url: Option<String>,
    pub(crate) control_token: Option<Secret>,
    pub(crate) http: Option<http::HttpTable>,
    pub(crate) allow_loopback_callbacks: Option<bool>,
    pub(crate) accounts: Option<AccountsConfig>,
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
    pub(crate) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { file: path.to_owned(), error })?;
        toml::from_str(&text).map_err(|error| {
            // The rendered form quotes the line, which may hold a secret: the message and the place are enough.
            let line = error
                .span()
                .map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            ConfigError::Wrong { file: path.to_owned(), why: format!("line {line}: {}", error.message()) }
        })
    }

    /// These settings, and the other's where these say nothing. A database that is named here ends a say there.
    pub(crate) fn over(self, other: Self) -> Self {
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
            demo: self.demo.or(other.demo),
            public_url: self.public_url.or(other.public_url),
            control_token: self.control_token.or(other.control_token),
            http: self.http.or(other.http),
            allow_loopback_callbacks: self.allow_loopback_callbacks.or(other.allow_loopback_callbacks),
            accounts: self.accounts.or(other.accounts),
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
        let database = match (self.database, self.ephemeral.unwrap_or(false)) {
            (Some(file), true) => {
                return Err(ConfigError::Value {
                    name: "database",
                    given: file.display().to_string(),
                    right: "give either `database` or `ephemeral`, not both",
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
        let public_url = self.public_url.map(|url| check_url(&url)).transpose()?;
        let api_key = check_secret("api-key", self.api_key)?;
        let control_token = check_secret("control-token", self.control_token)?;
        let log = self.log.unwrap_or(defaults.log);
        if !log_filter::is_log_filter(&log) {
            let right = "give a level (error, warn, info, debug, trace, off) or target=level pairs, such as \
                         `info` or `warn,trunk_server=debug`";
            return Err(ConfigError::Value { name: "log", given: log, right });
        }
        Ok(Config {
            listen,
            control_listen,
            database,
            api_key,
            demo: self.demo.unwrap_or(false),
            public_url,
            control_token,
            http: HttpConfig::new(self.http.unwrap_or_default())?,
            accounts,
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

fn check_address(name: &'static str, text: &str) -> Result<(), ConfigError> {
    let good =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if good {
        return Ok(());
    }
    Err(ConfigError::Value { name, given: text.to_owned(), right: "give HOST:PORT, such as 127.0.0.1:8080" })
}

fn check_url(text: &str) -> Result<String, ConfigError> {
    let wrong = |right| Err(ConfigError::Value { name: "public-url", given: text.to_owned(), right });
    let parsed = url::Url::parse(text).ok();
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        return wrong("give an http or https URL, such as https://trunks.example.com");
    };
    let plain = url.path().trim_end_matches('/');
    if plain.ends_with("/v3") || plain.ends_with("/v1.0") {
        return wrong("give it without the API's own path: links put /v3 behind it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("give it without a query or fragment, such as https://trunks.example.com");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A secret that is there and says nothing protects nothing.
fn check_secret(name: &'static str, secret: Option<Secret>) -> Result<Option<Secret>, ConfigError> {
    match secret {
        Some(secret) if secret.expose().trim().is_empty() => Err(ConfigError::Value {
            name,
            given: String::new(),
            right: "give some characters, or leave the setting out",
        }),
        secret => Ok(secret),
    }
}

impl Config {
    /// The configuration as a file would say it. Secrets are hidden.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| format!("{text:?}");
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
                    ("sip_listen", Some(quoted(sip.listen.as_deref().unwrap_or(USUAL_SIP_LISTEN)))),
                    ("sip_tls_listen", sip.tls_listen.as_deref().map(quoted)),
                    ("tls_cert", file(&sip.tls_cert)),
                    ("tls_key", file(&sip.tls_key)),
                ]
            },
        ));
        #[cfg(feature = "voipbin")]
        lines.push(("voipbin_admin", hidden(&self.voipbin.admin_text())));
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
