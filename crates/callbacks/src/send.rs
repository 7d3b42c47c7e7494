//! One attempt: to checked addresses, without proxies, and after no redirect that its policy does not follow.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Client, Response};
use url::Url;

use super::Settings;
use super::guard::{Forbidden, Guard};
use super::policy::Policy;
use super::request::Request;
use super::resolve::Checked;

/// Most bytes of an answer's body that are read; they only let the receiver finish.
const BODY: usize = 4 * 1024;
/// Longest time for a connection to one address.
const CONNECT: Duration = Duration::from_secs(10);

/// Sends callbacks and webhooks.
#[derive(Debug)]
pub(crate) struct Sender {
    settings: Settings,
    guard: Guard,
    resolver: Checked,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// The answer's HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why it did not work, if it did not. Never holds the URL, which may hold a password.
    pub error: Option<String>,
}

impl Outcome {
    /// An attempt without an answer.
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self { status: None, error: Some(error.into()) }
    }
}

impl Sender {
    pub(crate) fn new(settings: &Settings) -> Self {
        let guard = Guard { allow_loopback: settings.allow_loopback };
        let resolver = Checked { resolver: Arc::clone(&settings.resolver), guard };
        let settings = settings.clone();
        Self { settings, guard, resolver, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// Makes a request as a policy says.
    pub(crate) async fn send(&self, policy: &Policy, request: Request) -> Outcome {
        let limit = (policy.timeout)(&self.settings);
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        let answer = tokio::select! {
            answer = self.follow(policy.redirects, request) => answer,
            () = &mut deadline => Err(format!("no answer within {} ms", limit.as_millis())),
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) => return Outcome::failed(error),
        };
        let status = response.status();
        if !(policy.told)(status) {
            let error = Some(format!("answered {}", status.as_u16()));
            return Outcome { status: Some(status.as_u16()), error };
        }
        tokio::select! {
            () = finish(response) => {}
            () = deadline => {}
        }
        Outcome { status: Some(status.as_u16()), error: None }
    }

    /// Makes a request and those that its answers redirect to. Each target is checked like the first URL.
    async fn follow(&self, redirects: Option<usize>, mut request: Request) -> Result<Response, String> {
        let mut target = self.guard.url(&request.url).map_err(|forbidden| forbidden.to_string())?;
        let mut response = self.once(&target, &request).await?;
        let Some(most) = redirects else { return Ok(response) };
        let mut followed = 0;
        while let Some(location) = location(&response) {
            if followed == most {
                return Err(format!("redirected more than {most} times"));
            }
            followed += 1;
            let next = target.join(&location).map_err(|_| Forbidden::Url);
            let checked = next.and_then(|next| self.guard.url(next.as_str()));
            target = checked.map_err(|forbidden| format!("redirected: {forbidden}"))?;
            request.redirected(response.status());
            let answer = self.once(&target, &request).await;
            response = answer.map_err(|error| format!("redirected: {error}"))?;
        }
        Ok(response)
    }

    /// Makes a request to a checked URL.
    async fn once(&self, target: &Url, request: &Request) -> Result<Response, String> {
        let client = self.client(target.scheme() == "https")?;
        let mut builder = client.request(request.method.clone(), target.clone());
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            builder = builder.body(body.clone());
        }
        if let Some((name, value)) = &request.signature {
            builder = builder.header(*name, value);
        }
        builder.send().await.map_err(|error| reason(&error.without_url()))
    }

    /// Made when it is first needed: without TLS there is no use for certificates, and a bare container has none.
    fn client(&self, secure: bool) -> Result<&Client, String> {
        let cell = if secure { &self.secure } else { &self.plain };
        let client = cell.get_or_init(|| {
            if rustls::crypto::CryptoProvider::get_default().is_none() {
                // When two threads come here at once the second is refused, and the provider is there all the same.
                let _installed = rustls::crypto::ring::default_provider().install_default();
            }
            let builder = Client::builder()
                .dns_resolver(self.resolver.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                // A kept connection would be to an address that was checked for another attempt.
                .pool_max_idle_per_host(0)
                .http1_only()
                .user_agent(concat!("trunk-server/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT);
            let builder = if secure { builder } else { builder.tls_certs_only([]) };
            builder.build().map_err(|error| format!("no HTTP client could be made: {error}"))
        });
        client.as_ref().map_err(Clone::clone)
    }
}

/// Why there was no answer.
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
    format!("{what}: {deepest}")
}

/// Where an answer says that it is to be asked for instead. A redirect without a target is an answer.
fn location(response: &Response) -> Option<String> {
    let redirects = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| redirects)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Lets the receiver finish its answer, up to a limit. The status has decided already.
async fn finish(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read >= BODY {
            break;
        }
    }
}

/// A URL without its user and password, for a log or a record.
pub(crate) fn without_userinfo(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "(unreadable)".to_owned() };
    if url.username().is_empty() && url.password().is_none() {
        return text.to_owned();
    }
    // Both can be taken away from every URL that has a host, and others are refused before.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return "(unreadable)".to_owned();
    }
    url.into()
}

#[cfg(test)]
mod tests;
