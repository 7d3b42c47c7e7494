//! The errors of starting a server.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use control_plane::ControlError;
use service_core::reference::LoadError;
use trunk_store::{OpenError, StoreError};

use crate::config::ConfigError;

/// The error of starting a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database on PostgreSQL, whose URL is named without its password, cannot be opened.
    #[cfg(feature = "postgres")]
    #[error("{0}: {1}")]
    OpenPostgres(String, trunk_store::PostgresOpenError),
    /// The first heartbeat of this server could not be written to the database.
    #[error("the database could not be written: {0}")]
    FirstHeartbeat(StoreError),
    /// The price plans of accounts cannot be read.
    #[error("the price plans of accounts could not be read: {0}")]
    PricePlans(StoreError),
    /// The records that every database has cannot be stored.
    #[error("the reference data could not be stored: {0}")]
    Reference(StoreError),
    /// The file with reference data cannot be loaded.
    #[error("the reference data in {file} could not be loaded: {1}", file = .0.display())]
    ReferenceFile(PathBuf, LoadError),
    /// The world that fills a new database cannot be loaded.
    #[error("the world {0} could not be loaded: {1}")]
    World(String, String),
    /// The server cannot listen on an address.
    #[error("cannot listen on {0}: {1}{advice}", advice = listen_advice(.0, .1))]
    Listen(String, io::Error),
    /// The certificate of the API cannot be used.
    #[error("the API over TLS: {0}")]
    Certificate(#[from] tls_identity::IdentityError),
    /// The control API would be reachable from other machines without a token.
    #[error("the control API on {0} is not on loopback; set --control-token, or --control-listen off")]
    OpenControl(SocketAddr),
    /// The carrier edge did not start.
    #[cfg(feature = "sip")]
    #[error(transparent)]
    Edge(#[from] carrier_edge::EdgeError),
    /// The records of calls to DIDs cannot be read or written.
    #[cfg(feature = "sip")]
    #[error("the records of inbound calls could not be read: {0}")]
    InboundCalls(StoreError),
    /// A setting is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The stored data of the communication platform cannot be read or written.
    #[cfg(feature = "voipbin")]
    #[error("the communication platform could not be started: {0}")]
    Platform(#[from] StoreError),
    /// The dialler of outbound calls did not start.
    #[cfg(feature = "voipbin")]
    #[error(transparent)]
    Dialler(#[from] voipbin_platform::DiallerError),
    /// The first account, its demo DIDs or the super admin could not be created.
    #[error("the account could not be set up: {0}")]
    Setup(#[from] ControlError),
}

/// A hint that is appended to the error of a listener, for errors with a known usual cause.
fn listen_advice(address: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process has this port",
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported if address.starts_with('[') => {
            "; this machine has no such address: its IPv6 may be off"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        io::ErrorKind::PermissionDenied => "; a port below 1024 needs a privilege",
        _ => "",
    }
}

#[cfg(feature = "voipbin")]
impl From<voipbin_platform::PlatformError> for StartError {
    fn from(error: voipbin_platform::PlatformError) -> Self {
        match error {
            voipbin_platform::PlatformError::Store(error) => Self::Platform(error),
            voipbin_platform::PlatformError::Dialler(error) => Self::Dialler(error),
        }
    }
}
