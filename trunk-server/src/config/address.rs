//! The addresses of listeners.

use super::error::ConfigError;

/// Refuses what is no `HOST:PORT`.
pub(super) fn check_address(name: &'static str, text: &str) -> Result<(), ConfigError> {
    let is_valid =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_valid {
        return Ok(());
    }
    Err(ConfigError::Value {
        name,
        given: text.to_owned(),
        expected: "give HOST:PORT, such as 127.0.0.1:8080",
    })
}

/// Whether two listeners would take the same port of the same address, or of all addresses.
pub(super) fn is_same_port(one: &str, other: &str) -> bool {
    let (Some((host, port)), Some((other_host, other_port))) = (one.rsplit_once(':'), other.rsplit_once(':'))
    else {
        return false;
    };
    let is_any = |host: &str| matches!(host, "0.0.0.0" | "[::]");
    port == other_port
        && port.parse() != Ok(0_u16)
        && (host == other_host || is_any(host) || is_any(other_host))
}
