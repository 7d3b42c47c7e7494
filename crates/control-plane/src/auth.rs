//! Access to the control listener: programs on this machine, or clients with the control token, but no web pages of
//! others.
//!
//! Without a token, a request is refused if its `Host` header names a foreign host, because a web page can reach the
//! listener under a DNS name of its own (DNS rebinding). A foreign `Origin` is refused in any case. The operator's page
//! is served without a token, under the same rules for `Host` and `Origin`: it holds no data.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderMap, StatusCode, header};
use http_listener::{host_of, missing_credential};
use service_base::clock::Clock;
use service_base::forwarded::{Client, origin};
use service_base::guessing::{AuthRefusal, GuessLimiter, Source};
use service_base::log_limiter::LogLimiter;

use crate::control_token::ControlToken;
use crate::respond::{RefusedBecause, refused, retry_after};

/// The access configuration of the control listener.
#[derive(Debug, Clone, Default)]
pub struct ControlAuth {
    /// The token that every request must have.
    pub token: ControlToken,
    /// The configured address of the listener, `HOST:PORT`. Its host is accepted in the `Host` header.
    pub host: String,
}

/// Runs the handler of an authenticated request; other requests receive 401, 403 or 429.
pub(crate) async fn authenticate(
    State(authenticator): State<Arc<Authenticator>>,
    request: Request,
    next: Next,
) -> Response {
    let source = Source::of(Client::of(request.extensions()));
    match authenticator.check(request.headers(), source) {
        Ok(()) => {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let response = next.run(request).await;
            if let Some(RefusedBecause(why)) = response.extensions().get() {
                let status = response.status().as_u16();
                tracing::info!(
                    method = method.as_str(),
                    path,
                    status,
                    why = &**why,
                    "control request refused"
                );
            }
            response
        }
        Err(rejection) => authenticator.reject(&request, rejection),
    }
}

/// Serves a page without a token, unless a web page of another host requests it.
pub(crate) async fn check_page(
    State(authenticator): State<Arc<Authenticator>>,
    request: Request,
    next: Next,
) -> Response {
    match authenticator.auth.check_page(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(rejection) => authenticator.reject(&request, rejection),
    }
}

/// Counts the requests that are not authenticated, by the address of the client.
static REJECTED: LogLimiter = LogLimiter::new("control requests were rejected");

/// Authenticates the requests of one listener.
#[derive(Debug)]
pub(crate) struct Authenticator {
    pub(crate) auth: ControlAuth,
    /// Counts wrong tokens by the address of the client.
    pub(crate) guesses: GuessLimiter,
    pub(crate) clock: Clock,
}

/// The response to a request that is not authenticated.
#[derive(Debug)]
struct Rejection {
    status: StatusCode,
    error: &'static str,
    /// A cause for the log, if it has more details than the error.
    cause: Option<String>,
    /// Number of seconds after which the client may try again.
    retry_after: Option<u64>,
}

impl Rejection {
    fn new(status: StatusCode, error: &'static str) -> Self {
        Self { status, error, cause: None, retry_after: None }
    }
}

impl Authenticator {
    /// Renders a rejection, and logs it unless there are too many.
    fn reject(&self, request: &Request, rejection: Rejection) -> Response {
        let Rejection { status, error, cause, retry_after: wait } = rejection;
        let address = origin(Client::of(request.extensions()));
        if REJECTED.admits(address, self.clock.now()) {
            let (status, why) = (status.as_u16(), cause.as_deref().unwrap_or(error));
            tracing::info!(%address, status, why, "control request rejected");
        }
        retry_after(refused(status, error), wait)
    }

    fn check(&self, headers: &HeaderMap, source: Source) -> Result<(), Rejection> {
        self.auth.check_page(headers)?;
        let Some(token) = self.auth.token.current() else { return Ok(()) };
        let missing = |cause| Rejection {
            cause: Some(cause),
            ..Rejection::new(
                StatusCode::UNAUTHORIZED,
                "send the control token as `Authorization: Bearer TOKEN`",
            )
        };
        let wrong = || {
            let error = "the control token is wrong; it is the server's setting `control_token`";
            Rejection::new(StatusCode::UNAUTHORIZED, error)
        };
        let sent = headers.get(header::AUTHORIZATION).ok_or_else(|| {
            missing(missing_credential(headers, "header `Authorization`", &["authorization"]))
        })?;
        let sent = sent.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let sent =
            sent.ok_or_else(|| missing("the header `Authorization` is not `Bearer TOKEN`".to_owned()))?;
        let is_correct = Secret::new(sent) == token;
        match self.guesses.check(source, self.guesses.hash(sent), is_correct, self.clock.now()) {
            Ok(()) => Ok(()),
            Err(AuthRefusal::Wrong) => Err(wrong()),
            Err(AuthRefusal::TooMany(seconds)) => Err(Rejection {
                retry_after: Some(seconds),
                ..Rejection::new(StatusCode::TOO_MANY_REQUESTS, "this address sent too many wrong tokens")
            }),
        }
    }
}

impl ControlAuth {
    /// Rejects a request that a web page could have sent.
    fn check_page(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        // With a token the `Host` header does not matter: a web page does not know the token.
        if !self.token.is_set() && !self.is_own_host(host_of(host)) {
            return Err(Rejection::new(
                StatusCode::FORBIDDEN,
                "the Host header names another host; use the listener's own address",
            ));
        }
        let foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, authority)| authority != host);
        if text(header::ORIGIN).is_some_and(foreign) {
            return Err(Rejection::new(StatusCode::FORBIDDEN, "requests from web pages are not served"));
        }
        Ok(())
    }

    fn is_own_host(&self, host: &str) -> bool {
        matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host == host_of(&self.host)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use service_base::guessing::GuessLimits;

    use super::*;

    fn authenticator(token: Option<&str>, host: &str) -> Authenticator {
        let auth = ControlAuth { token: ControlToken::new(token.map(Secret::new)), host: host.to_owned() };
        let limits = GuessLimits { of_source: 3, ..GuessLimits::default() };
        let clock = Clock::system();
        clock.freeze(None);
        Authenticator { auth, guesses: GuessLimiter::new("control tokens", limits), clock }
    }

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_web_page_cannot_drive_the_server() {
        let authenticator = authenticator(None, "127.0.0.1:8081");
        assert!(authenticator.check(&headers(&[("host", "127.0.0.1:8081")]), source(1)).is_ok());
        assert!(
            authenticator
                .check(
                    &headers(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")]),
                    source(1)
                )
                .is_ok()
        );
        assert!(
            authenticator.check(&headers(&[("host", "evil.example:8081")]), source(1)).is_err(),
            "a rebound name"
        );
        assert!(
            authenticator
                .check(&headers(&[("host", "127.0.0.1:8081"), ("origin", "https://evil.example")]), source(1))
                .is_err()
        );
        assert!(
            authenticator
                .check(&headers(&[("host", "127.0.0.1:8081"), ("origin", "null")]), source(1))
                .is_err()
        );
        assert!(authenticator.check(&headers(&[]), source(1)).is_err());
    }

    #[test]
    fn a_configured_token_is_required() {
        let authenticator = authenticator(Some("open"), "10.0.0.5:8081");
        assert!(
            authenticator
                .check(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer open")]), source(1))
                .is_ok()
        );
        assert!(
            authenticator
                .check(&headers(&[("host", "10.0.0.5:8081"), ("authorization", "Bearer shut")]), source(1))
                .is_err()
        );
        assert!(authenticator.check(&headers(&[("host", "10.0.0.5:8081")]), source(1)).is_err());
    }

    #[test]
    fn tokens_are_not_guessed_at_without_end_and_no_client_is_locked_out() {
        let authenticator = authenticator(Some("open"), "10.0.0.5:8081");
        let ask = |last, token: &'static str| {
            let result = authenticator
                .check(&headers(&[("host", "10.0.0.5:8081"), ("authorization", token)]), source(last));
            result.map_err(|rejection| (rejection.status.as_u16(), rejection.retry_after))
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
        authenticator.clock.advance(std::time::Duration::from_secs(20));
        assert_eq!(ask(2, "Bearer open"), Ok(()));
    }
}
