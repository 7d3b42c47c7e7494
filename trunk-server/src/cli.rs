//! The command line: flags, environment variables, and the subcommands.

#[cfg(feature = "sip")]
mod call;
mod completion;
mod environment;
#[cfg(feature = "sip")]
mod exchange;
#[cfg(feature = "sip")]
mod explain;
mod health;
mod man;
mod recordings;
mod transfer;

use std::path::PathBuf;

use clap::Parser;
use clap::builder::BoolishValueParser;
use didww_types::Secret;

#[cfg(feature = "sip")]
pub use call::{CallError, G711, PlaceCall, Placed, Transport};
pub use completion::Completion;
pub use environment::{UnknownVariable, unknown_variables};
#[cfg(feature = "sip")]
pub use explain::{Explain, ExplainError, Explained};
pub use health::{Health, HealthError};
pub use man::Man;
pub use recordings::{Compare, CompareError, Record, Replay};
pub use transfer::{Backup, Move, Restore};

use crate::config::{Config, ConfigError, LogFormat, Settings};

/// A durable, DIDWW-compatible outbound trunk provisioning service on an embedded database or PostgreSQL.
///
/// Without any setting it serves the API on <http://127.0.0.1:8080/v3> and stores its records in
/// ./trunk-server.db. Its first start creates an account and prints the account's API key.
///
/// Each flag can also be an environment variable (`TRUNK_SERVER_LISTEN` for --listen) or a key of a TOML file
/// (listen = "..."). A flag overrides the environment, the environment overrides the file. Secrets, and a database's
/// URL with a password, belong in the environment, the file or files of their own (--api-key-file): other users of this
/// machine can read flags with ps.
///
/// Compatible with DIDWW, not affiliated with it.
#[derive(Debug, Parser)]
#[command(name = "trunk-server", version, verbatim_doc_comment, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Serve the API here [default: 127.0.0.1:8080]
    #[arg(long, env = "TRUNK_SERVER_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,

    /// Serve the API and tokens over TLS with this certificate, in PEM; requires --api-tls-key
    #[arg(long, env = "TRUNK_SERVER_API_TLS_CERT", value_name = "FILE")]
    pub api_tls_cert: Option<PathBuf>,

    /// The private key of that certificate, in PEM
    #[arg(long, env = "TRUNK_SERVER_API_TLS_KEY", value_name = "FILE")]
    pub api_tls_key: Option<PathBuf>,

    /// Serve the control API here, or "off" [default: 127.0.0.1:8081]
    #[arg(long, env = "TRUNK_SERVER_CONTROL_LISTEN", value_name = "HOST:PORT")]
    pub control_listen: Option<String>,

    /// Serve metrics for Prometheus here, at /metrics; they contain the names and the spending of trunks
    #[arg(long, env = "TRUNK_SERVER_METRICS_LISTEN", value_name = "HOST:PORT")]
    pub metrics_listen: Option<String>,

    /// Send traces to the OpenTelemetry collector at this URL, over HTTP; only a build with the feature opentelemetry
    /// can
    #[arg(long, env = "TRUNK_SERVER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// Store records in this file, created if it does not exist, or in the PostgreSQL database at this URL
    /// [default: trunk-server.db]
    #[arg(long, env = "TRUNK_SERVER_DATABASE", value_name = "FILE|URL", hide_env_values = true)]
    pub database: Option<PathBuf>,

    /// Read the URL of the PostgreSQL database from this file
    #[arg(long, env = "TRUNK_SERVER_DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// Receive notifications of other servers over this URL of the PostgreSQL database, which must bypass any pooler
    #[arg(long, env = "TRUNK_SERVER_DATABASE_LISTEN", value_name = "URL", hide_env_values = true)]
    pub database_listen: Option<String>,

    /// Read that URL from this file
    #[arg(long, env = "TRUNK_SERVER_DATABASE_LISTEN_FILE", value_name = "FILE")]
    pub database_listen_file: Option<PathBuf>,

    /// Use at most this number of connections to PostgreSQL, 2 to 500 [default: 16]
    #[arg(long, env = "TRUNK_SERVER_DATABASE_CONNECTIONS", value_name = "NUMBER")]
    pub database_connections: Option<usize>,

    /// Keep records in memory; they are lost when the server stops
    #[arg(long, env = "TRUNK_SERVER_EPHEMERAL", value_name = "BOOL", value_parser = BoolishValueParser::new(),
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// Create an account with this API key if there is none: version 2021-12-15, outbound plan on
    #[arg(long, env = "TRUNK_SERVER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// Read that API key from this file
    #[arg(long, env = "TRUNK_SERVER_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Sign the callbacks of the account with the API key, or of the only account, with this secret
    #[arg(long, env = "TRUNK_SERVER_CALLBACK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub callback_secret: Option<String>,

    /// Read that secret from this file
    #[arg(long, env = "TRUNK_SERVER_CALLBACK_SECRET_FILE", value_name = "FILE")]
    pub callback_secret_file: Option<PathBuf>,

    /// Add six DIDs, one with emergency calling, and a callback secret to a new database
    #[arg(long, env = "TRUNK_SERVER_DEMO", value_name = "BOOL", value_parser = BoolishValueParser::new(),
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub demo: Option<bool>,

    /// Load countries, groups of numbers and prices from this file, "demo" for the built-in ones, or "none"
    /// [default: none]
    #[arg(long, env = "TRUNK_SERVER_REFERENCE_DATA", value_name = "FILE")]
    pub reference_data: Option<PathBuf>,

    /// Fill a new database with the accounts and records of this file: TOML if its name ends with .toml, else JSON
    #[arg(long, env = "TRUNK_SERVER_WORLD", value_name = "FILE")]
    pub world: Option<PathBuf>,

    /// Fill a new database with the built-in world of this name
    #[arg(long, env = "TRUNK_SERVER_SCENARIO", value_name = "NAME")]
    pub scenario: Option<String>,

    /// Begin links in responses with this URL instead of the host that the request names
    #[arg(long, env = "TRUNK_SERVER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Require this token for control requests; mandatory when the control API is not on loopback
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,

    /// Read that token from this file
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN_FILE", value_name = "FILE")]
    pub control_token_file: Option<PathBuf>,

    /// Listen for SIP over UDP and TCP here, or "off" [default: 127.0.0.1:5060]
    #[cfg(feature = "sip")]
    #[arg(long, env = "TRUNK_SERVER_SIP_LISTEN", value_name = "HOST:PORT")]
    pub sip_listen: Option<String>,

    /// Listen for SIP over TLS here; requires --tls-cert and --tls-key
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

    /// Create or update a super admin of the communication platform with this name and password
    #[cfg(feature = "voipbin")]
    #[arg(
        long,
        env = "TRUNK_SERVER_VOIPBIN_ADMIN",
        value_name = "USERNAME:PASSWORD",
        hide_env_values = true
    )]
    pub voipbin_admin: Option<String>,

    /// Read that name and password from this file
    #[cfg(feature = "voipbin")]
    #[arg(long, env = "TRUNK_SERVER_VOIPBIN_ADMIN_FILE", value_name = "FILE")]
    pub voipbin_admin_file: Option<PathBuf>,

    /// Allow callback URLs that lead to this machine, for tests and development
    #[arg(long, env = "TRUNK_SERVER_ALLOW_LOOPBACK_CALLBACKS", value_name = "BOOL",
        value_parser = BoolishValueParser::new(), num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub allow_loopback_callbacks: Option<bool>,

    /// Keep this number of recent requests and their answers in memory, for the control API [default: 0]
    #[arg(long, env = "TRUNK_SERVER_JOURNAL", value_name = "NUMBER")]
    pub journal: Option<usize>,

    /// Log level: error, warn, info, debug, trace, off, or target=level pairs [default: info]
    #[arg(long, env = "TRUNK_SERVER_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Log format [default: text]
    #[arg(long, env = "TRUNK_SERVER_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Read settings from this TOML file
    #[arg(long, env = "TRUNK_SERVER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the resulting configuration with secrets hidden, and exit
    #[arg(long)]
    pub print_config: bool,

    /// The subcommand; without one the program serves.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Returns a hint for the arguments `--demo true`: an optional value must follow an equals sign, or else it would be
/// read as a subcommand.
pub fn flag_value_advice(arguments: impl IntoIterator<Item = String>) -> Option<String> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let is_switch =
        |argument: &str| matches!(argument, "--demo" | "--ephemeral" | "--allow-loopback-callbacks");
    let is_value = |argument: &str| {
        let word = argument.to_ascii_lowercase();
        ["true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"].contains(&word.as_str())
    };
    arguments.windows(2).find_map(|pair| match pair {
        [switch, value] if is_switch(switch) && is_value(value) => Some(format!(
            "{switch} takes its value after an equals sign: {switch}={value}, or {switch} alone"
        )),
        _ => None,
    })
}

/// A subcommand, which the program executes instead of serving.
#[derive(Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Ask a running server which check would admit or refuse a call
    #[cfg(feature = "sip")]
    Explain(Explain),
    /// Place a test call through a running server's edge or a provider, and print the result
    #[cfg(feature = "sip")]
    Call(PlaceCall),
    /// Exit with 0 if the server of this configuration accepts work, else with 1; for containers
    Health(Health),
    /// Write all contents of a database to a new file, also while a server uses the database
    Backup(Backup),
    /// Write a backup into a new database that no server uses; repeat the command to continue after an interruption
    Restore(Restore),
    /// Copy a database that no server uses into a new one; repeat the command to continue after an interruption
    Move(Move),
    /// Print the script that completes commands in a shell
    Completion(Completion),
    /// Write the manual pages to a folder, or print the first one
    Man(Man),
    /// Forward requests to another service, and write the exchanges to a folder without their secrets
    Record(Record),
    /// Answer requests with the exchanges of a folder
    Replay(Replay),
    /// Send the requests of a folder to a new server in memory, or to one that runs, and print where its answers differ
    Compare(Compare),
}

const EXAMPLES: &str = "Examples:
  trunk-server                                    start with a database in this directory
  trunk-server --ephemeral --api-key test --demo  start for a test suite: known key, six DIDs, no file
  trunk-server --listen 0.0.0.0:8080              serve other machines too
  trunk-server --print-config                     print the configuration
  trunk-server explain --source 198.51.100.9 --to 442079460018 --from 12025550143
                                                  print which check would refuse a call
  trunk-server call --to 442079460018 --trunk PBX --api-key test
                                                  place a test call, and print its SIP messages
  trunk-server health                             exit with 0 if the server on this machine accepts work
  trunk-server backup monday.backup               write the database in this directory to a file
  trunk-server restore monday.backup --database new.db
                                                  make a database of it
  trunk-server move --from trunk-server.db --to postgres://trunk@db.example/trunk
                                                  copy the database to PostgreSQL
  trunk-server record --upstream https://sandbox-api.didww.com --into recording
                                                  pass requests on and record them
  trunk-server compare --from recording           print where this server answers otherwise";

impl Cli {
    /// Builds the configuration from flags, environment, file and defaults.
    ///
    /// # Errors
    /// If the file cannot be read or a value is not valid; the error names it.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let file = self.config;
        let settings = Settings {
            listen: self.listen,
            api_tls_cert: self.api_tls_cert,
            api_tls_key: self.api_tls_key,
            control_listen: self.control_listen,
            metrics_listen: self.metrics_listen,
            otlp_endpoint: self.otlp_endpoint,
            database: self.database,
            database_url_file: self.database_url_file,
            database_listen: self.database_listen.map(Secret::from),
            database_listen_file: self.database_listen_file,
            database_connections: self.database_connections,
            ephemeral: self.ephemeral,
            api_key: self.api_key.map(Secret::from),
            api_key_file: self.api_key_file,
            callback_secret: self.callback_secret.map(Secret::from),
            callback_secret_file: self.callback_secret_file,
            demo: self.demo,
            reference_data: self.reference_data,
            world: self.world,
            scenario: self.scenario,
            public_url: self.public_url,
            control_token: self.control_token.map(Secret::from),
            control_token_file: self.control_token_file,
            http: None,
            allow_loopback_callbacks: self.allow_loopback_callbacks,
            accounts: None,
            tokens: None,
            prices: None,
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
            #[cfg(feature = "sip")]
            inbound_calls: None,
            #[cfg(feature = "voipbin")]
            voipbin_admin: self.voipbin_admin.map(Secret::from),
            #[cfg(feature = "voipbin")]
            voipbin_admin_file: self.voipbin_admin_file,
            #[cfg(feature = "voipbin")]
            voipbin: None,
            journal: self.journal,
            log: self.log,
            log_format: self.log_format,
        };
        settings.finish_with(file.as_deref())
    }
}
