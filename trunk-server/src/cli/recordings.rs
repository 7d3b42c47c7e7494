//! The subcommands `record`, `replay` and `compare`.

use std::path::PathBuf;

use clap::Args;
use didww_types::Secret;
use recorder::{Comparison, Listener, RecorderError, Target, Upstream, Writer};
use service_base::ids::Ids;

use crate::config::{Config, ConfigError, Database, ReferenceData, WorldSource, secret};
use crate::server::{Server, StartError};

/// Maximum number of exchanges of a recording by default.
const MAX_EXCHANGES: usize = 10_000;

/// Forward requests to another service, and write the exchanges to a folder without their secrets
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Record {
    /// The service: https and a host, such as `https://sandbox-api.didww.com`, or http on loopback
    #[arg(long, value_name = "URL")]
    pub upstream: String,

    /// The folder, which must be new or empty
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,

    /// Take requests here
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8090")]
    pub listen: String,

    /// Record at most this number of exchanges; further requests are forwarded without a record
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_EXCHANGES)]
    pub max: usize,
}

/// Answer requests with the exchanges of a folder
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Replay {
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,

    /// Take requests here
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8090")]
    pub listen: String,
}

/// Send the requests of a folder to a new server in memory, or to one that runs, and print where its answers differ
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Compare {
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,

    /// Fill the new server with the accounts and records of this file
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub world: Option<PathBuf>,

    /// Fill the new server with the built-in world of this name
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub scenario: Option<String>,

    /// Load this file of reference data into the new server, or "demo"
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub reference_data: Option<PathBuf>,

    /// Compare the server here instead of a new one: scheme, host and port
    #[arg(long, value_name = "URL", requires = "api_key_file")]
    pub url: Option<String>,

    /// Read the API key of that server from this file
    #[arg(long, value_name = "FILE", requires = "url")]
    pub api_key_file: Option<PathBuf>,
}

/// The error of a comparison.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The recording cannot be read, or the server does not answer.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The new server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A setting is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Record {
    /// Begins to record. Returns the listener, and the text to print.
    ///
    /// # Errors
    /// If the service is refused, the folder has files, or the address cannot be listened on.
    pub async fn start(self) -> Result<(Listener, String), RecorderError> {
        let upstream = Upstream::new(&self.upstream)?;
        let writer = Writer::create(&self.into, self.max)?;
        let listener = Listener::open(&self.listen, recorder::record(upstream, writer)).await?;
        let (at, folder) = (listener.address(), self.into.display());
        if !at.ip().is_loopback() {
            tracing::warn!(%at, "requests come here in clear, with their credentials: networks can read them");
        }
        let text = format!("recording at http://{at}, into {folder}; requests go to {}\n", self.upstream);
        Ok((listener, text))
    }
}

impl Replay {
    /// Begins to answer. Returns the listener, and the text to print.
    ///
    /// # Errors
    /// If the folder cannot be read, or the address cannot be listened on.
    pub async fn start(self) -> Result<(Listener, String), RecorderError> {
        let exchanges = recorder::read(&self.from)?;
        let count = exchanges.len();
        let router = recorder::replay(exchanges.into_iter().map(|(_, exchange)| exchange));
        let listener = Listener::open(&self.listen, router).await?;
        let text = format!("replaying {count} exchanges at http://{}\n", listener.address());
        Ok((listener, text))
    }
}

impl Compare {
    /// Compares, and returns the result.
    ///
    /// # Errors
    /// [`CompareError`].
    pub async fn run(mut self) -> Result<Comparison, CompareError> {
        let exchanges = recorder::read(&self.from)?;
        let key = secret("api-key-file", None, self.api_key_file.take())?;
        if let (Some(url), Some(key)) = (&self.url, key) {
            let target = Target::new(url, key)?;
            return Ok(recorder::compare(&exchanges, &target).await?);
        }
        let key = Ids::system().api_key();
        let server = Server::builder(self.into_config(key.clone())?).start().await?;
        let target = Target::new(&format!("http://{}", server.address()), key)?;
        let found = recorder::compare(&exchanges, &target).await?;
        if let Err(error) = server.stop().await {
            tracing::warn!(%error, "the server in memory did not stop in order");
        }
        Ok(found)
    }

    /// The configuration of a new server in memory that serves only the API.
    fn into_config(self, key: Secret) -> Result<Config, ConfigError> {
        let reference_data = self.reference_data.map_or_else(ReferenceData::default, ReferenceData::of);
        Ok(Config {
            listen: "127.0.0.1:0".to_owned(),
            control_listen: None,
            database: Database::Ephemeral,
            api_key: Some(key),
            reference_data,
            world: WorldSource::of(self.world, self.scenario)?,
            #[cfg(feature = "sip")]
            sip: None,
            ..Config::default()
        })
    }
}
