//! The HTTP client that sends spans. It uses the same library as the server's callbacks: the exporter's own client
//! would add a second TLS stack.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use reqwest::Client;
use tokio::runtime::Handle;

/// Maximum number of bytes of a response. Responses of collectors are short.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A collector, and whether it accepts spans.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    /// Runs the requests: the thread that exports has no runtime.
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Collector {
    /// A client whose requests take at most this time.
    pub(super) fn new(runtime: Handle, is_https: bool, timeout: Duration) -> Result<Self, reqwest::Error> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // This fails if another thread has installed one meanwhile, which has the same effect.
            let _installed = rustls::crypto::ring::default_provider().install_default();
        }
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .timeout(timeout)
            .user_agent(concat!("trunk-server/", env!("CARGO_PKG_VERSION")));
        // Without root certificates, so that it also works in a container that has none.
        let builder = if is_https { builder } else { builder.tls_certs_only([]) };
        Ok(Self { client: builder.build()?, runtime, is_failing: AtomicBool::new(false) })
    }

    /// Logs when the collector begins to fail, and when it accepts spans again.
    fn note(&self, answered: &Result<Response<Bytes>, HttpError>) {
        let why = match answered {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("answered {}", answer.status().as_u16())),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = self.is_failing.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !was_failing => {
                tracing::warn!(
                    why,
                    "spans could not be exported; they are lost until the collector takes them"
                );
            }
            None if was_failing => tracing::info!("the collector takes spans again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = self.runtime.spawn(exchange(self.client.clone(), request));
        let answered = exchange.await.unwrap_or_else(|stopped| Err(stopped.into()));
        self.note(&answered);
        answered
    }
}

async fn exchange(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = request.into_parts();
    let sent = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
    let mut answer = sent.await.map_err(|error| reason(&error))?;
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
        if read.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ResponseBodyTooLarge::new().into());
        }
        read.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(read));
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// The innermost cause of an error. It has no URL.
fn reason(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { deepest.to_string() }
}
