//! Makes one attempt to deliver a request: only to allowed addresses, without HTTP proxies, and with the
//! redirects that its policy permits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use didww_types::hidden_in_url;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Client, Response};
use service_base::net::OwnSockets;
use service_base::trace;
use url::Url;

use crate::egress::{EgressFilter, Forbidden};
use crate::policy::Policy;
use crate::request::Request;
use crate::resolve::CheckedResolver;
use crate::settings::Settings;

/// The maximum number of bytes of a response's body that are read. They are discarded, but let the receiver
/// finish.
const MAX_BODY_BYTES: usize = 4 * 1024;
/// The most characters of a reason for a failure, which the history of attempts keeps: it can quote the receiver, such
/// as all names in its certificate.
const MAX_REASON_CHARS: usize = 500;
/// The longest time to connect to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends callbacks and webhooks, with one HTTP client for each scheme.
#[derive(Debug)]
pub(crate) struct Sender {
    settings: Settings,
    filter: EgressFilter,
    resolver: CheckedResolver,
    http: OnceLock<Result<Client, String>>,
    https: OnceLock<Result<Client, String>>,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// The response's HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// Why the attempt failed; `None` if it succeeded. It never contains the URL, which may contain a
    /// password.
    pub error: Option<String>,
    /// True if the events are dropped after this failure, instead of after the last attempt.
    pub is_final: bool,
}

impl Outcome {
    /// The outcome of an attempt without a response.
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::default() }
    }

    /// The outcome for events that are dropped without a request.
    pub(crate) fn dropped(error: impl Into<String>) -> Self {
        Self { is_final: true, ..Self::failed(error) }
    }

    /// The outcome of an attempt that had a response with this status.
    pub(crate) fn answered(status: u16, error: Option<String>) -> Self {
        Self { status: Some(status), error, is_final: false }
    }
}

impl Sender {
    /// `own` has the sockets of this process.
    pub(crate) fn new(settings: &Settings, own: OwnSockets) -> Self {
        let filter = EgressFilter { allow_loopback: settings.allow_loopback, own };
        let resolver = CheckedResolver { resolver: Arc::clone(&settings.resolver), filter: filter.clone() };
        let settings = settings.clone();
        Self { settings, filter, resolver, http: OnceLock::new(), https: OnceLock::new() }
    }

    /// Sends a request and follows redirects by the rules of a policy. The policy's timeout covers all of it.
    pub(crate) async fn send(&self, policy: &Policy, request: Request) -> Outcome {
        let limit = (policy.timeout)(&self.settings);
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        let result = tokio::select! {
            result = self.follow(policy.redirects, request) => result,
            () = &mut deadline => Err(format!("no answer within {} ms", limit.as_millis())),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => return Outcome::failed(error),
        };
        let status = response.status();
        if !(policy.is_delivered)(status) {
            let error = Some(format!("answered {}", status.as_u16()));
            return Outcome::answered(status.as_u16(), error);
        }
        tokio::select! {
            () = discard_body(response) => {}
            () = deadline => {}
        }
        Outcome::answered(status.as_u16(), None)
    }

    /// Sends a request and follows up to `redirects` redirects. The target of each is checked like the first
    /// URL.
    async fn follow(&self, redirects: Option<usize>, mut request: Request) -> Result<Response, String> {
        let mut target = self.filter.check_url(&request.url).map_err(|forbidden| forbidden.to_string())?;
        let mut response = self.send_once(&target, &request).await?;
        let Some(max) = redirects else { return Ok(response) };
        let mut followed = 0;
        while let Some(location) = location(&response) {
            if followed == max {
                return Err(format!("redirected more than {max} times"));
            }
            followed += 1;
            let next = target.join(&location).map_err(|_| Forbidden::Url);
            let checked = next.and_then(|next| self.filter.check_url(next.as_str()));
            target = checked.map_err(|forbidden| format!("redirected: {forbidden}"))?;
            request.redirect(response.status());
            let result = self.send_once(&target, &request).await;
            response = result.map_err(|error| format!("redirected: {error}"))?;
        }
        Ok(response)
    }

    /// Sends a single request to a checked URL.
    async fn send_once(&self, target: &Url, request: &Request) -> Result<Response, String> {
        let client = self.client(target.scheme() == "https")?;
        let mut builder = client.request(request.method.clone(), target.clone());
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
            builder = builder.body(body.clone());
        }
        if let Some((name, value)) = &request.signature {
            builder = builder.header(*name, value);
        }
        if let Some(value) = trace::traceparent() {
            builder = builder.header(trace::TRACEPARENT, value);
        }
        builder.send().await.map_err(|error| reason(&error.without_url()))
    }

    /// The HTTP client for a scheme, made when it is first needed. The one for http loads no root
    /// certificates, so it also works in a container without any.
    fn client(&self, is_https: bool) -> Result<&Client, String> {
        let cell = if is_https { &self.https } else { &self.http };
        let client = cell.get_or_init(|| {
            if rustls::crypto::CryptoProvider::get_default().is_none() {
                // This fails if another thread has installed one meanwhile, which has the same effect.
                let _installed = rustls::crypto::ring::default_provider().install_default();
            }
            let builder = Client::builder()
                .dns_resolver(self.resolver.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                // A reused connection would lead to an address that was checked for another attempt.
                .pool_max_idle_per_host(0)
                .http1_only()
                .user_agent(concat!("trunk-server/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT);
            let builder = if is_https { builder } else { builder.tls_certs_only([]) };
            builder.build().map_err(|error| format!("no HTTP client could be made: {error}"))
        });
        client.as_ref().map_err(Clone::clone)
    }
}

/// Describes why a request failed: the refusal of its target, or the innermost cause of the error.
fn reason(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    loop {
        if let Some(forbidden) = deepest.downcast_ref::<Forbidden>() {
            return forbidden.to_string();
        }
        match deepest.source() {
            Some(source) => deepest = source,
            None => break,
        }
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    shortened(&format!("{what}: {deepest}"))
}

/// The beginning of a text, with question marks for control characters, of which PostgreSQL cannot store NUL.
fn shortened(text: &str) -> String {
    let shown = |character: char| if character.is_control() { '?' } else { character };
    let mut short: String = text.chars().take(MAX_REASON_CHARS).map(shown).collect();
    if text.chars().nth(MAX_REASON_CHARS).is_some() {
        short.push('…');
    }
    short
}

/// The target of a redirect. `None` if the response is not a redirect that can be followed, or has no
/// `Location`.
fn location(response: &Response) -> Option<String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Reads and discards the response's body, up to a limit. The outcome depends on the status alone.
async fn discard_body(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read >= MAX_BODY_BYTES {
            break;
        }
    }
}

/// Removes the user and password from a URL, and hides the values of secret parameters, for records. Returns
/// "(unreadable)" if the URL cannot be parsed.
pub(crate) fn without_secrets(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "(unreadable)".to_owned() };
    if url.username().is_empty() && url.password().is_none() {
        return hidden_in_url(text).unwrap_or_else(|| text.to_owned());
    }
    // This works for every URL with a host. Others are refused before they are sent.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return "(unreadable)".to_owned();
    }
    hidden_in_url(url.as_str()).unwrap_or_else(|| url.into())
}

#[cfg(test)]
mod tests;
