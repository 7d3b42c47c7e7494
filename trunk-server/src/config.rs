//! The configuration of a server. Flags override the environment, the environment overrides one TOML file, and the file
//! overrides the defaults.

mod accounts;
mod address;
mod changes;
mod database;
mod error;
mod http;
#[cfg(feature = "sip")]
mod inbound_calls;
mod location;
pub(crate) mod log_filter;
pub(crate) mod otlp;
#[cfg(any(feature = "sip", feature = "voipbin"))]
mod port_range;
mod prices;
mod reference;
mod secret_file;
mod settings;
#[cfg(feature = "sip")]
mod sip;
mod tokens;
#[cfg(feature = "voipbin")]
mod voipbin;
mod world;

use std::path::{Path, PathBuf};

use didww_types::Secret;
use serde::{Deserialize, Serialize};
use tls_identity::IdentityFiles;

pub(crate) use secret_file::secret;
pub(crate) use settings::Settings;

pub use accounts::{AccountsConfig, DEFAULT_RECORD_QUOTA};
pub use changes::ConfigChanges;
pub use database::{Database, PostgresDatabase};
pub use error::ConfigError;
pub use http::HttpConfig;
#[cfg(feature = "sip")]
pub use inbound_calls::InboundCallsConfig;
pub use prices::PricesConfig;
pub use reference::ReferenceData;
pub use tokens::TokensConfig;
#[cfg(feature = "voipbin")]
pub use voipbin::VoipbinConfig;
pub use world::WorldSource;

/// The configuration of a server, as `--print-config` prints it with secrets hidden.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The address of the API, `HOST:PORT`; with port 0 the system selects one.
    pub listen: String,
    /// The certificate of the API, of the service for tokens and of the price services; `None` serves them without TLS.
    pub api_tls: Option<IdentityFiles>,
    /// The address of the control API, `HOST:PORT`; `None` disables it.
    pub control_listen: Option<String>,
    /// The address of the metrics, `HOST:PORT`; `None` disables them.
    pub metrics_listen: Option<String>,
    /// The URL of the collector that traces are sent to, without the path of traces; `None` leaves it to the variables
    /// of OpenTelemetry. Only a build with the feature `opentelemetry` sends any.
    pub otlp_endpoint: Option<String>,
    /// Where records are stored.
    pub database: Database,
    /// An API key; the start creates an account with it if there is none.
    pub api_key: Option<Secret>,
    /// The secret that signs the callbacks of the account with the API key, or of the only account.
    pub callback_secret: Option<Secret>,
    /// Whether a new database receives six DIDs and a callback secret.
    pub demo: bool,
    /// Where the reference data comes from.
    pub reference_data: ReferenceData,
    /// The world that fills a new database.
    pub world: WorldSource,
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
    /// The price services.
    pub prices: PricesConfig,
    /// The carrier edge; `None` disables SIP.
    #[cfg(feature = "sip")]
    pub sip: Option<SipConfig>,
    /// Calls to DIDs.
    #[cfg(feature = "sip")]
    pub inbound_calls: InboundCallsConfig,
    /// The communication platform and its super admin.
    #[cfg(feature = "voipbin")]
    pub voipbin: voipbin::VoipbinConfig,
    /// Whether callback URLs can lead to this machine.
    pub allow_loopback_callbacks: bool,
    /// The number of recent requests and answers that are kept in memory for the control API, at most 100,000; 0 keeps
    /// none.
    pub journal: usize,
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
    /// The address for SIP over UDP and TCP, `IP:PORT`; if `None`, [`DEFAULT_SIP_LISTEN`] unless another process uses
    /// it.
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
                let tls = IdentityFiles { certificate: certificate.clone(), key: key.clone() };
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
            api_tls: None,
            control_listen: Some("127.0.0.1:8081".to_owned()),
            metrics_listen: None,
            otlp_endpoint: None,
            database: Database::File(PathBuf::from("trunk-server.db")),
            api_key: None,
            callback_secret: None,
            demo: false,
            reference_data: ReferenceData::None,
            world: WorldSource::None,
            public_url: None,
            control_token: None,
            http: HttpConfig::default(),
            accounts: AccountsConfig::default(),
            tokens: TokensConfig::default(),
            prices: PricesConfig::default(),
            #[cfg(feature = "sip")]
            sip: Some(SipConfig::default()),
            #[cfg(feature = "sip")]
            inbound_calls: InboundCallsConfig::default(),
            #[cfg(feature = "voipbin")]
            voipbin: VoipbinConfig::default(),
            allow_loopback_callbacks: false,
            journal: 0,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Reads the text of a configuration file. Flags and the environment are ignored.
    ///
    /// # Errors
    /// Those of a file. They name the file `(text)`.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file = Path::new("(text)");
        Settings::from_text(file, text)?
            .with_secrets()
            .and_then(Settings::finish)
            .map_err(|error| error.located(file, text))
    }

    /// Renders the configuration as TOML that a file can contain. Secrets are replaced by `(hidden)`.
    pub fn to_toml(&self) -> String {
        // Not by `Debug`, whose escapes of characters that are not printable are not valid TOML.
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let hidden = |secret: &Option<Secret>| secret.as_ref().map(|_| quoted("(hidden)"));
        let file = |file: &Path| quoted(&file.display().to_string());
        let api_tls = self.api_tls.as_ref();
        let mut lines = vec![
            ("listen", Some(quoted(&self.listen))),
            ("api_tls_cert", api_tls.map(|files| file(&files.certificate))),
            ("api_tls_key", api_tls.map(|files| file(&files.key))),
            ("control_listen", Some(quoted(self.control_listen.as_deref().unwrap_or("off")))),
            ("metrics_listen", self.metrics_listen.as_deref().map(quoted)),
            ("otlp_endpoint", self.otlp_endpoint.as_deref().map(quoted)),
        ];
        lines.push(match &self.database {
            Database::File(file) => ("database", Some(quoted(&database::setting(file)))),
            Database::Ephemeral => ("ephemeral", Some("true".to_owned())),
            Database::Postgres(database) => ("database", Some(quoted(&database.shown()))),
        });
        if let Database::Postgres(database) = &self.database {
            lines.push(("database_listen", hidden(&database.listen)));
            lines.push(("database_connections", Some(database.connections.to_string())));
        }
        lines.extend([
            ("api_key", hidden(&self.api_key)),
            ("callback_secret", hidden(&self.callback_secret)),
            ("demo", Some(self.demo.to_string())),
            ("reference_data", Some(quoted(&self.reference_data.setting()))),
            ("world", self.world.file().map(file)),
            ("scenario", self.world.name().map(quoted)),
            ("public_url", self.public_url.as_deref().map(quoted)),
            ("control_token", hidden(&self.control_token)),
            ("allow_loopback_callbacks", Some(self.allow_loopback_callbacks.to_string())),
            ("journal", Some(self.journal.to_string())),
            ("log", Some(quoted(&self.log))),
            ("log_format", Some(quoted(if self.log_format == LogFormat::Json { "json" } else { "text" }))),
        ]);
        #[cfg(feature = "sip")]
        lines.extend(self.sip.as_ref().map_or_else(
            || vec![("sip_listen", Some(quoted("off")))],
            |sip| {
                vec![
                    ("sip_listen", Some(quoted(sip.listen.as_deref().unwrap_or(DEFAULT_SIP_LISTEN)))),
                    ("sip_tls_listen", sip.tls_listen.as_deref().map(quoted)),
                    ("tls_cert", sip.tls_cert.as_deref().map(file)),
                    ("tls_key", sip.tls_key.as_deref().map(file)),
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
        if let Some(table) = self.prices.to_toml() {
            text = format!("{text}\n{table}");
        }
        #[cfg(feature = "sip")]
        if let Some(table) = self.sip.as_ref().and_then(|sip| sip.table.to_toml()) {
            text = format!("{text}\n{table}");
        }
        #[cfg(feature = "sip")]
        if let Some(table) = self.inbound_calls.to_toml() {
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
    fn another_database_goes_before_that_of_the_file_and_its_connections() {
        let of_file = || Settings {
            database: Some("postgres://trunk@h/d".into()),
            database_connections: Some(4),
            ..Settings::default()
        };
        let ephemeral = Settings { ephemeral: Some(true), ..Settings::default() };
        assert_eq!(ephemeral.or(of_file()).finish().unwrap().database, Database::Ephemeral);
        let file = Settings { database: Some("a.db".into()), ..Settings::default() };
        assert_eq!(file.or(of_file()).finish().unwrap().database, Database::File("a.db".into()));
        let with_password = Settings { database: Some("postgres://u:p@h/d".into()), ..Settings::default() };
        let Database::Postgres(database) = with_password.or(of_file()).finish().unwrap().database else {
            panic!()
        };
        assert_eq!((database.url.expose(), database.connections), ("postgres://u:p@h/d", 4));
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
