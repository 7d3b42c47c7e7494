//! The errors of recording, replaying and comparing.

use std::io;
use std::path::PathBuf;

/// The error of recording, replaying or comparing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecorderError {
    /// The service cannot be recorded.
    #[error("the upstream `{0}` is refused: {1}")]
    Upstream(String, &'static str),
    /// The service cannot be compared.
    #[error("the server `{0}` is refused: {1}")]
    Target(String, &'static str),
    /// The folder cannot be read or written.
    #[error("the folder {folder} cannot be used: {1}", folder = .0.display())]
    Folder(PathBuf, io::Error),
    /// The folder of a new recording has files.
    #[error("the folder {folder} is not empty; name a new one", folder = .0.display())]
    NotEmpty(PathBuf),
    /// The folder has no exchanges.
    #[error("the folder {folder} has no exchanges, which are files that end with .json", folder = .0.display())]
    Empty(PathBuf),
    /// A file is not a recorded exchange.
    #[error("{file}: {1}", file = .0.display())]
    File(PathBuf, String),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    /// No HTTP client can be made.
    #[error("no HTTP client could be made: {0}")]
    Client(String),
    /// The service that is compared does not answer.
    #[error("{0} does not answer: {1}")]
    NoAnswer(String, String),
}
