//! Who may drive the control listener: programs on this machine, not web pages in its browser.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use std::sync::Arc;

use crate::http::plain_json;

/// What a request to the control listener must show.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// The token that is asked for; none on loopback.
    pub token: Option<Secret>,
    /// The host that the listener was told to listen on.
    pub host: String,
}

/// Refuses what a web page could send: a foreign `Host` (rebound names) and any foreign `Origin`.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, error)) => plain_json(status, &json!({ "error": error })),
    }
}

impl Guard {
    fn admit(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        // Whoever knows the token is no page under a rebound name.
        if self.token.is_none() && !self.knows(host_of(host)) {
            return Err((
                StatusCode::FORBIDDEN,
                "the Host header names another host; use the listener's own address",
            ));
        }
        let foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, authority)| authority != host);
        if text(header::ORIGIN).is_some_and(foreign) {
            return Err((StatusCode::FORBIDDEN, "requests of web pages are not served"));
        }
        let Some(token) = &self.token else { return Ok(()) };
        let sent = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        if sent.is_some_and(|sent| Secret::new(sent) == *token) {
            return Ok(());
        }
        Err((StatusCode::UNAUTHORIZED, "send the control token as `Authorization: Bearer TOKEN`"))
    }

    fn knows(&self, host: &str) -> bool {
        matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host == host_of(&self.host)
    }
}

/// The host of `host:port`.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_web_page_cannot_drive_the_server() {
        let guard = Guard { token: None, host: "127.0.0.1:8081".to_owned() };
        assert!(guard.admit(&headers(&[("host", "127.0.0.1:8081")])).is_ok());
        assert!(
            guard.admit(&headers(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")])).is_ok()
        );
        assert!(guard.admit(&headers(&[("host", "evil.example:8081")])).is_err(), "a rebound name");
        assert!(
            guard.admit(&headers(&[("host", "127.0.0.1:8081"), ("origin", "https://evil.example")])).is_err()
        );
        assert!(guard.admit(&headers(&[("host", "127.0.0.1:8081"), ("origin", "null")])).is_err());
        assert!(guard.admit(&headers(&[])).is_err());
    }

    #[test]
    fn the_token_is_asked_for_where_there_is_one() {
        let guard = Guard { token: Some(Secret::new("open")), host: "10.0.0.5:8081".to_owned() };
        assert!(
            guard.admit(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer open")])).is_ok()
        );
        assert!(
            guard.admit(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer shut")])).is_err()
        );
        assert!(guard.admit(&headers(&[("host", "10.0.0.5:8081")])).is_err());
    }
}
