//! The settings of one source, how sources are combined, and their validation.

use std::path::{Path, PathBuf};

use didww_types::Secret;
use serde::Deserialize;
use tls_identity::IdentityFiles;

#[cfg(feature = "sip")]
use super::SipConfig;
use super::accounts::AccountsConfig;
use super::address::{check_address, is_same_port};
use super::database::{DatabaseSettings, is_server};
use super::error::ConfigError;
use super::http::{HttpConfig, HttpTable};
#[cfg(feature = "sip")]
use super::inbound_calls::{InboundCallsConfig, InboundCallsTable};
use super::location;
use super::log_filter::is_log_filter;
use super::otlp::check_otlp;
use super::prices::PricesConfig;
use super::secret_file::secret;
#[cfg(feature = "sip")]
use super::sip::SipTable;
use super::tokens::TokensConfig;
#[cfg(feature = "voipbin")]
use super::voipbin::{VoipbinConfig, VoipbinTable};
use super::{Config, LogFormat, ReferenceData, WorldSource};

/// The settings that a flag or a variable can set, by the names that errors have for them.
const NAMES: [&str; 18] = [
    "listen",
    "api-tls-cert",
    "control-listen",
    "metrics-listen",
    "otlp-endpoint",
    "database",
    "database-listen",
    "database-connections",
    "api-key",
    "callback-secret",
    "scenario",
    "public-url",
    "control-token",
    "sip-listen",
    "sip-tls-listen",
    "voipbin-admin",
    "journal",
    "log",
];

/// The settings of one source. As keys of the file they have the names of the flags, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) listen: Option<String>,
    pub(crate) api_tls_cert: Option<PathBuf>,
    pub(crate) api_tls_key: Option<PathBuf>,
    pub(crate) control_listen: Option<String>,
    pub(crate) metrics_listen: Option<String>,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) database: Option<PathBuf>,
    pub(crate) database_url_file: Option<PathBuf>,
    pub(crate) database_listen: Option<Secret>,
    pub(crate) database_listen_file: Option<PathBuf>,
    pub(crate) database_connections: Option<usize>,
    pub(crate) ephemeral: Option<bool>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) callback_secret: Option<Secret>,
    pub(crate) callback_secret_file: Option<PathBuf>,
    pub(crate) demo: Option<bool>,
    pub(crate) reference_data: Option<PathBuf>,
    pub(crate) world: Option<PathBuf>,
    pub(crate) scenario: Option<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) control_token: Option<Secret>,
    pub(crate) control_token_file: Option<PathBuf>,
    pub(crate) http: Option<HttpTable>,
    pub(crate) allow_loopback_callbacks: Option<bool>,
    pub(crate) accounts: Option<AccountsConfig>,
    pub(crate) tokens: Option<TokensConfig>,
    pub(crate) prices: Option<PricesConfig>,
    #[cfg(feature = "sip")]
    pub(crate) sip_listen: Option<String>,
    #[cfg(feature = "sip")]
    pub(crate) sip_tls_listen: Option<String>,
    #[cfg(feature = "sip")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[cfg(feature = "sip")]
    pub(crate) tls_key: Option<PathBuf>,
    #[cfg(feature = "sip")]
    pub(crate) sip: Option<SipTable>,
    #[cfg(feature = "sip")]
    pub(crate) inbound_calls: Option<InboundCallsTable>,
    #[cfg(feature = "voipbin")]
    pub(crate) voipbin_admin: Option<Secret>,
    #[cfg(feature = "voipbin")]
    pub(crate) voipbin_admin_file: Option<PathBuf>,
    #[cfg(feature = "voipbin")]
    pub(crate) voipbin: Option<VoipbinTable>,
    pub(crate) journal: Option<usize>,
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
    pub(super) fn from_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
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
            "api-tls-cert" => self.api_tls_cert.is_some() || self.api_tls_key.is_some(),
            "control-listen" => self.control_listen.is_some(),
            "metrics-listen" => self.metrics_listen.is_some(),
            "otlp-endpoint" => self.otlp_endpoint.is_some(),
            "database" => self.database.is_some() || self.ephemeral.is_some(),
            "database-listen" => self.database_listen.is_some(),
            "database-connections" => self.database_connections.is_some(),
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
            "journal" => self.journal.is_some(),
            "log" => self.log.is_some(),
            _ => false,
        }
    }

    /// Validates these settings, completed by those of a file. The error of a value of the file has its line.
    pub(crate) fn finish_with(self, file: Option<&Path>) -> Result<Config, ConfigError> {
        let this = self.with_secrets()?;
        let Some(file) = file else { return this.finish() };
        let (of_file, text) = Self::from_file(file)?;
        let of_file = of_file.with_secrets().map_err(|error| error.located(file, &text))?;
        let set_here: Vec<&str> = NAMES.into_iter().filter(|name| this.sets(name)).collect();
        this.or(of_file).finish().map_err(|error| {
            let is_set_here = matches!(&error, ConfigError::Value { name, .. } if set_here.contains(name));
            if is_set_here { error } else { error.located(file, &text) }
        })
    }

    /// Reads the secrets that are in files of their own.
    pub(super) fn with_secrets(mut self) -> Result<Self, ConfigError> {
        let named = self.database.take();
        // The path is not secret; it has this type because it replaces the value.
        let given = named.as_ref().map(|_| Secret::from(""));
        let url = secret("database-url-file", given, self.database_url_file.take())?;
        self.database = named.or_else(|| Some(url?.expose().into()));
        for (name, value, file) in [
            ("database-listen-file", &mut self.database_listen, &mut self.database_listen_file),
            ("api-key-file", &mut self.api_key, &mut self.api_key_file),
            ("callback-secret-file", &mut self.callback_secret, &mut self.callback_secret_file),
            ("control-token-file", &mut self.control_token, &mut self.control_token_file),
            #[cfg(feature = "voipbin")]
            ("voipbin-admin-file", &mut self.voipbin_admin, &mut self.voipbin_admin_file),
        ] {
            *value = secret(name, value.take(), file.take())?;
        }
        Ok(self)
    }

    /// Returns these settings, completed by those of a source of lower priority. `database` and `ephemeral` override
    /// each other: if one of them is set here, both are ignored in the other source, and unless the database is on
    /// PostgreSQL, the other source's settings for PostgreSQL are ignored too.
    pub(crate) fn or(self, mut other: Self) -> Self {
        let is_file = |database: &PathBuf| !database.to_str().is_some_and(is_server);
        if self.ephemeral == Some(true) || self.database.as_ref().is_some_and(is_file) {
            (other.database_listen, other.database_connections) = (None, None);
        }
        let (database, ephemeral) = if self.database.is_some() || self.ephemeral == Some(true) {
            (self.database, self.ephemeral)
        } else {
            (other.database, self.ephemeral.or(other.ephemeral))
        };
        let (world, scenario) = if self.world.is_some() || self.scenario.is_some() {
            (self.world, self.scenario)
        } else {
            (other.world, other.scenario)
        };
        Self {
            database_url_file: None,
            database_listen_file: None,
            api_key_file: None,
            callback_secret_file: None,
            control_token_file: None,
            #[cfg(feature = "voipbin")]
            voipbin_admin_file: None,
            listen: self.listen.or(other.listen),
            api_tls_cert: self.api_tls_cert.or(other.api_tls_cert),
            api_tls_key: self.api_tls_key.or(other.api_tls_key),
            control_listen: self.control_listen.or(other.control_listen),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            database,
            database_listen: self.database_listen.or(other.database_listen),
            database_connections: self.database_connections.or(other.database_connections),
            ephemeral,
            api_key: self.api_key.or(other.api_key),
            callback_secret: self.callback_secret.or(other.callback_secret),
            demo: self.demo.or(other.demo),
            reference_data: self.reference_data.or(other.reference_data),
            world,
            scenario,
            public_url: self.public_url.or(other.public_url),
            control_token: self.control_token.or(other.control_token),
            http: self.http.or(other.http),
            allow_loopback_callbacks: self.allow_loopback_callbacks.or(other.allow_loopback_callbacks),
            accounts: self.accounts.or(other.accounts),
            tokens: self.tokens.or(other.tokens),
            prices: self.prices.or(other.prices),
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
            #[cfg(feature = "sip")]
            inbound_calls: self.inbound_calls.or(other.inbound_calls),
            #[cfg(feature = "voipbin")]
            voipbin_admin: self.voipbin_admin.or(other.voipbin_admin),
            #[cfg(feature = "voipbin")]
            voipbin: self.voipbin.or(other.voipbin),
            journal: self.journal.or(other.journal),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
        }
    }

    /// Validates the settings and completes them with the defaults.
    pub(crate) fn finish(self) -> Result<Config, ConfigError> {
        let defaults = Config::default();
        let listen = self.listen.unwrap_or(defaults.listen);
        check_address("listen", &listen)?;
        let api_tls = check_api_tls(self.api_tls_cert, self.api_tls_key)?;
        let control_listen = self.control_listen.or(defaults.control_listen).filter(|text| text != "off");
        if let Some(control) = &control_listen {
            check_address("control-listen", control)?;
        }
        if control_listen.as_deref().is_some_and(|control| is_same_port(control, &listen)) {
            return Err(ConfigError::Value {
                name: "control-listen",
                given: control_listen.unwrap_or_default(),
                expected: "give another port than that of `listen`",
            });
        }
        let metrics_listen = check_metrics(self.metrics_listen, &listen, control_listen.as_deref())?;
        let otlp_endpoint = check_otlp(self.otlp_endpoint)?;
        let database = DatabaseSettings {
            database: self.database,
            ephemeral: self.ephemeral.unwrap_or(false),
            listen: self.database_listen,
            connections: self.database_connections,
        };
        let database = database.finish(defaults.database)?;
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
        #[cfg(feature = "sip")]
        let inbound_calls = InboundCallsConfig::new(self.inbound_calls.unwrap_or_default())?;
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
        let prices = self.prices.unwrap_or_default();
        let others =
            [Some(&listen), control_listen.as_ref(), metrics_listen.as_ref(), tokens.listen.as_ref()];
        prices.check(&others.into_iter().flatten().map(String::as_str).collect::<Vec<&str>>())?;
        let public_url = self.public_url.map(|url| check_url(&url)).transpose()?;
        let api_key = check_secret("api-key", self.api_key)?;
        let callback_secret = check_callback_secret(self.callback_secret)?;
        let control_token = check_secret("control-token", self.control_token)?;
        let journal = check_journal(self.journal.unwrap_or(defaults.journal))?;
        let log = self.log.unwrap_or(defaults.log);
        if !is_log_filter(&log) {
            let expected = "give a level (error, warn, info, debug, trace, off) or target=level pairs, such as \
                         `info` or `warn,trunk_server=debug`";
            return Err(ConfigError::Value { name: "log", given: log, expected });
        }
        Ok(Config {
            listen,
            api_tls,
            control_listen,
            metrics_listen,
            otlp_endpoint,
            database,
            api_key,
            callback_secret,
            demo: self.demo.unwrap_or(false),
            reference_data: self.reference_data.map_or_else(ReferenceData::default, ReferenceData::of),
            world: WorldSource::of(self.world, self.scenario)?,
            public_url,
            control_token,
            http: HttpConfig::new(self.http.unwrap_or_default())?,
            accounts,
            tokens,
            prices,
            #[cfg(feature = "sip")]
            sip,
            #[cfg(feature = "sip")]
            inbound_calls,
            #[cfg(feature = "voipbin")]
            voipbin,
            allow_loopback_callbacks: self.allow_loopback_callbacks.unwrap_or(false),
            journal,
            log,
            log_format: self.log_format.unwrap_or(defaults.log_format),
        })
    }
}

/// Refuses a certificate without its key, and a key without its certificate.
fn check_api_tls(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<IdentityFiles>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(IdentityFiles { certificate, key })),
        (one, other) => {
            let given = one.or(other).unwrap_or_default().display().to_string();
            let expected = "give api-tls-cert and api-tls-key together, or none of them";
            Err(ConfigError::Value { name: "api-tls-cert", given, expected })
        }
    }
}

/// Refuses a number of journal entries above the maximum.
fn check_journal(entries: usize) -> Result<usize, ConfigError> {
    if entries > lab::journal::MAX_ENTRIES {
        let expected = "give a number of entries, at most 100000; 0 keeps no journal";
        return Err(ConfigError::Value { name: "journal", given: entries.to_string(), expected });
    }
    Ok(entries)
}

/// Refuses an address of the metrics that is invalid, or that another listener uses.
fn check_metrics(
    text: Option<String>,
    listen: &str,
    control: Option<&str>,
) -> Result<Option<String>, ConfigError> {
    let Some(text) = text.filter(|text| text != "off") else { return Ok(None) };
    check_address("metrics-listen", &text)?;
    if [Some(listen), control].into_iter().flatten().any(|other| is_same_port(&text, other)) {
        let expected = "give another port than those of `listen` and `control_listen`";
        return Err(ConfigError::Value { name: "metrics-listen", given: text, expected });
    }
    Ok(Some(text))
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
