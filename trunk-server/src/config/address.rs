//! The addresses of listeners.

use http_listener::host_of;

use super::error::ConfigError;

/// Refuses a text that is not `HOST:PORT`.
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

/// Refuses a text that is not a bare host name: the host of a request is compared with it without the port and without
/// a trailing full stop.
pub(super) fn check_host(name: &'static str, host: &str) -> Result<(), ConfigError> {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-[:]".contains(&byte);
    let is_alone = host_of(host) == host && !host.ends_with('.');
    if !host.is_empty() && is_alone && host.bytes().all(is_valid) {
        return Ok(());
    }
    let expected = "give a host name without scheme, port and path, such as host.example.com";
    Err(ConfigError::value(name, host, expected))
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
