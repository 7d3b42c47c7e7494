//! Who may drive the control listener: programs on this machine, not web pages in its browser.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use std::sync::Arc;

use http_listener::plain_json;
use service_base::clock::Clock;
use service_base::forwarded::Client;
use service_base::guessing::{Guesses, NotTaken, Source};

/// What a request to the control listener must show.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// The token that is asked for; none on loopback.
    pub token: Option<Secret>,
    /// The host that the listener was told to listen on.
    pub host: String,
}

/// Refuses what a web page could send: a foreign `Host` (rebound names) and any foreign `Origin`.
pub(crate) async fn check(State(door): State<Arc<Guarded>>, request: Request, next: Next) -> Response {
    let source = Source::of(Client::of(request.extensions()));
    match door.admit(request.headers(), source) {
        Ok(()) => next.run(request).await,
        Err(Refused { status, error, retry_after }) => {
            let mut response = plain_json(status, &json!({ "error": error }));
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// The guard at work.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) guard: Guard,
    /// Wrong tokens.
    pub(crate) guesses: Guesses,
    pub(crate) clock: Clock,
}

/// A request is not served.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    /// Seconds after which it may be sent again.
    retry_after: Option<u64>,
}

impl Refused {
    fn new(status: StatusCode, error: &'static str) -> Self {
        Self { status, error, retry_after: None }
    }
}

impl Guarded {
    fn admit(&self, headers: &HeaderMap, source: Source) -> Result<(), Refused> {
        self.guard.admit_page(headers)?;
        let Some(token) = &self.guard.token else { return Ok(()) };
        let wrong = || {
            let error = "send the control token as `Authorization: Bearer TOKEN`";
            Refused::new(StatusCode::UNAUTHORIZED, error)
        };
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(wrong)?;
        let right = Secret::new(sent) == *token;
        match self.guesses.take(source, self.guesses.mark(sent), right, self.clock.now()) {
            Ok(()) => Ok(()),
            Err(NotTaken::Wrong) => Err(wrong()),
            Err(NotTaken::TooMany(seconds)) => Err(Refused {
                retry_after: Some(seconds),
                ..Refused::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens came from this address")
            }),
        }
    }
}

impl Guard {
    /// Refuses what a web page could send.
    fn admit_page(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        // Whoever knows the token is no page under a rebound name.
        if self.token.is_none() && !self.knows(host_of(host)) {
            return Err(Refused::new(
                StatusCode::FORBIDDEN,
                "the Host header names another host; use the listener's own address",
            ));
        }
        let foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, authority)| authority != host);
        if text(header::ORIGIN).is_some_and(foreign) {
            return Err(Refused::new(StatusCode::FORBIDDEN, "requests of web pages are not served"));
        }
        Ok(())
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
    use service_base::guessing::GuessLimits;

    fn guarded(token: Option<&str>, host: &str) -> Guarded {
        let guard = Guard { token: token.map(Secret::new), host: host.to_owned() };
        let limits = GuessLimits { of_source: 3, ..GuessLimits::default() };
        let clock = Clock::system();
        clock.freeze(None);
        Guarded { guard, guesses: Guesses::new("control tokens", limits), clock }
    }

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_web_page_cannot_drive_the_server() {
        let guard = guarded(None, "127.0.0.1:8081");
        assert!(guard.admit(&headers(&[("host", "127.0.0.1:8081")]), source(1)).is_ok());
        assert!(
            guard
                .admit(
                    &headers(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")]),
                    source(1)
                )
                .is_ok()
        );
        assert!(
            guard.admit(&headers(&[("host", "evil.example:8081")]), source(1)).is_err(),
            "a rebound name"
        );
        assert!(
            guard
                .admit(&headers(&[("host", "127.0.0.1:8081"), ("origin", "https://evil.example")]), source(1))
                .is_err()
        );
        assert!(guard.admit(&headers(&[("host", "127.0.0.1:8081"), ("origin", "null")]), source(1)).is_err());
        assert!(guard.admit(&headers(&[]), source(1)).is_err());
    }

    #[test]
    fn the_token_is_asked_for_where_there_is_one() {
        let guard = guarded(Some("open"), "10.0.0.5:8081");
        assert!(
            guard
                .admit(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer open")]), source(1))
                .is_ok()
        );
        assert!(
            guard
                .admit(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer shut")]), source(1))
                .is_err()
        );
        assert!(guard.admit(&headers(&[("host", "10.0.0.5:8081")]), source(1)).is_err());
    }
    #[test]
    fn tokens_are_not_guessed_at_without_end_and_nobody_is_locked_out() {
        let guard = guarded(Some("open"), "10.0.0.5:8081");
        let ask = |last, token: &'static str| {
            let asked =
                guard.admit(&headers(&[("host", "10.0.0.5:8081"), ("authorization", token)]), source(last));
            asked.map_err(|refused| (refused.status.as_u16(), refused.retry_after))
        };
        assert_eq!(ask(1, "Bearer open"), Ok(()));
        for _ in 0..3 {
            assert_eq!((ask(1, "Bearer shut"), ask(2, "Bearer shut")), (Err((401, None)), Err((401, None))));
        }
        assert_eq!(
            (ask(1, "Bearer shut"), ask(2, "Bearer open")),
            (Err((429, Some(20))), Err((429, Some(20))))
        );
        assert_eq!((ask(1, "Bearer open"), ask(3, "Bearer open")), (Ok(()), Ok(())));
        guard.clock.advance(std::time::Duration::from_secs(20));
        assert_eq!(ask(2, "Bearer open"), Ok(()));
    }
}
