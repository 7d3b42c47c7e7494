//! The error of a blocking call that cannot block.

/// Why a call of the feature `blocking` did not run. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misplaced {
    /// The calling thread runs an async runtime, which the call would stop.
    #[error("a blocking call inside an async runtime would stop it: await the request instead")]
    InsideRuntime,
    /// The thread that does the I/O could not be started.
    #[error("the thread for blocking calls cannot be started")]
    NoThread(#[source] std::io::Error),
}
