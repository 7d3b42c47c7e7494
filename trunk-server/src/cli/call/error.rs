//! The error of a test call that was not placed.

/// Why a call was not placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The number contains a character that no SIP URI can have there.
    #[error("--to {0:?}: a number has digits, letters and + - . * # _ only")]
    Number(String),
    /// The address has no host, no port, or a host without an address.
    #[error("the SIP address {at} cannot be used: {why}")]
    Address {
        /// The address that cannot be used, as configured.
        at: String,
        /// The problem with the address.
        why: String,
    },
    /// The trunk could not be read from the API.
    #[error(
        "the trunk cannot be read from the API at {at}: {why}; set --listen to the address of the running server"
    )]
    Api {
        /// The address of the request, `HOST:PORT`.
        at: String,
        /// Why the request failed, or how it was refused.
        why: String,
    },
    /// The platform did not place the call, or could not be reached.
    #[error(
        "the platform at {at} cannot place the call: {why}; --listen is the address of the running server, and \
         --access-key a key with the permission of a super admin"
    )]
    Platform {
        /// The address of the request, `HOST:PORT`.
        at: String,
        /// Why the request failed, or how it was refused.
        why: String,
    },
    /// There is no such trunk or provider, or several.
    #[error("{0}")]
    Named(String),
    /// No SIP client could be started.
    #[error(transparent)]
    Dialler(#[from] sip_dialler::DiallerError),
}
