//! The command line.

mod environment;
#[cfg(feature = "sip")]
mod explain;

use std::path::PathBuf;

use clap::Parser;
use clap::builder::BoolishValueParser;
use didww_types::Secret;

pub use environment::unknown_variables;
#[cfg(feature = "sip")]
pub use explain::{Explain, ExplainError, Explained};

use crate::config::{Config, ConfigError, LogFormat, Settings};

/// A durable, DIDWW-compatible outbound trunk provisioning service on an embedded database.
///
/// Started without anything, it serves the API on <http://127.0.0.1:8080/v3>, keeps its records in
/// ./trunk-server.db, and at its first start makes an account and prints its API key.
///
/// Each flag can also be an environment variable (`TRUNK_SERVER_LISTEN` for --listen) or a key of a TOML file
/// (listen = "..."). A flag goes before the environment, the environment before the file.
///
/// Compatible with DIDWW, not affiliated with it.
#[derive(Debug, Parser)]
#[command(name = "trunk-server", version, verbatim_doc_comment, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Serve the API here [default: 127.0.0.1:8080]
    #[arg(long, env = "TRUNK_SERVER_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,

    /// Serve the control API here, or "off" [default: 127.0.0.1:8081]
    #[arg(long, env = "TRUNK_SERVER_CONTROL_LISTEN", value_name = "HOST:PORT")]
    pub control_listen: Option<String>,

    /// Keep records in this file; it is made when it does not exist [default: trunk-server.db]
    #[arg(long, env = "TRUNK_SERVER_DATABASE", value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// Keep records in memory until the server ends
    #[arg(long, env = "TRUNK_SERVER_EPHEMERAL", value_name = "BOOL", value_parser = BoolishValueParser::new(),
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// Make sure that an account with this API key exists: version 2021-12-15, outbound plan on
    #[arg(long, env = "TRUNK_SERVER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// Fill a new database with six DIDs, one of them with emergency calling
    #[arg(long, env = "TRUNK_SERVER_DEMO", value_name = "BOOL", value_parser = BoolishValueParser::new(),
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub demo: Option<bool>,

    /// Begin links with this instead of the address that a request came to
    #[arg(long, env = "TRUNK_SERVER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Ask control requests for this token; needed when the control API is not on loopback
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,

    /// Take SIP over UDP and TCP here, or "off" [default: 127.0.0.1:5060]
    #[cfg(feature = "sip")]
    #[arg(long, env = "TRUNK_SERVER_SIP_LISTEN", value_name = "HOST:PORT")]
    pub sip_listen: Option<String>,

    /// Take SIP over TLS here; needs --tls-cert and --tls-key
    #[cfg(feature = "sip")]
    #[arg(long, env = "TRUNK_SERVER_SIP_TLS_LISTEN", value_name = "HOST:PORT")]
    pub sip_tls_listen: Option<String>,

    /// The certificate for SIP over TLS, in PEM
    #[cfg(feature = "sip")]
    #[arg(long, env = "TRUNK_SERVER_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, in PEM
    #[cfg(feature = "sip")]
    #[arg(long, env = "TRUNK_SERVER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Make sure that there is a super admin of the communication platform with this name and password
    #[cfg(feature = "voipbin")]
    #[arg(
        long,
        env = "TRUNK_SERVER_VOIPBIN_ADMIN",
        value_name = "USERNAME:PASSWORD",
        hide_env_values = true
    )]
    pub voipbin_admin: Option<String>,

    /// Let callback URLs lead to this machine: for tests and development
    #[arg(long, env = "TRUNK_SERVER_ALLOW_LOOPBACK_CALLBACKS", value_name = "BOOL",
        value_parser = BoolishValueParser::new(), num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub allow_loopback_callbacks: Option<bool>,

    /// Log this much: error, warn, info, debug, trace, or target=level pairs [default: info]
    #[arg(long, env = "TRUNK_SERVER_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Log in this form [default: text]
    #[arg(long, env = "TRUNK_SERVER_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Read this TOML file first
    #[arg(long, env = "TRUNK_SERVER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the configuration that would be used, secrets hidden, and end
    #[arg(long)]
    pub print_config: bool,

    /// What else than to serve.
    #[cfg(feature = "sip")]
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does when it does not serve.
#[cfg(feature = "sip")]
#[derive(Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Ask a running server what would become of a call
    Explain(Explain),
}

const EXAMPLES: &str = "Examples:
  trunk-server                                    start, durable, in this folder
  trunk-server --ephemeral --api-key test --demo  start for a test suite: known key, some DIDs, no file
  trunk-server --listen 0.0.0.0:8080              serve other machines too
  trunk-server --print-config                     see what is in force
  trunk-server explain --source 198.51.100.9 --to 442079460018 --from 12025550143
                                                  see why a call would not go through";

impl Cli {
    /// The configuration that flags, environment and file make together.
    ///
    /// # Errors
    /// When the file cannot be read or a value is not right; the error names it.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(Settings::from_file).transpose()?.unwrap_or_default();
        let told = Settings {
            listen: self.listen,
            control_listen: self.control_listen,
            database: self.database,
            ephemeral: self.ephemeral,
            api_key: self.api_key.map(Secret::from),
            demo: self.demo,
            public_url: self.public_url,
            control_token: self.control_token.map(Secret::from),
            http: None,
            allow_loopback_callbacks: self.allow_loopback_callbacks,
            accounts: None,
            #[cfg(feature = "sip")]
            sip_listen: self.sip_listen,
            #[cfg(feature = "sip")]
            sip_tls_listen: self.sip_tls_listen,
            #[cfg(feature = "sip")]
            tls_cert: self.tls_cert,
            #[cfg(feature = "sip")]
            tls_key: self.tls_key,
            #[cfg(feature = "sip")]
            sip: None,
            #[cfg(feature = "voipbin")]
            voipbin_admin: self.voipbin_admin.map(Secret::from),
            #[cfg(feature = "voipbin")]
            voipbin: None,
            log: self.log,
            log_format: self.log_format,
        };
        told.over(file).finish()
    }
}
