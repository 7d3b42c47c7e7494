//! The HTTP client that requests are sent with.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use reqwest::Client;

use crate::error::RecorderError;

/// Maximum time until a connection is open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time until an answer is complete.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum number of bytes of an answer.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A complete response of the service.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Makes a client that follows no redirects. One for http loads no root certificates.
pub(crate) fn client(is_https: bool) -> Result<Client, RecorderError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // This fails if another thread has installed one meanwhile, which has the same effect.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    let builder = if is_https { builder } else { builder.no_proxy().tls_certs_only([]) };
    builder.build().map_err(|error| RecorderError::Client(error.to_string()))
}

/// Sends a request to a target of an origin, which is a scheme, a host and perhaps a port, and reads its answer.
///
/// # Errors
/// If the target does not begin with a slash: it could change the host of the origin, and another host would receive
/// the credentials. If there is no complete response; the error omits the URL, whose query can have a secret.
pub(crate) async fn send(
    client: &Client,
    method: Method,
    (origin, target): (&str, &str),
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    if !target.starts_with('/') {
        return Err("the path of a request must begin with a slash".to_owned());
    }
    let request = client.request(method, format!("{origin}{target}")).headers(headers);
    let request = if body.is_empty() { request } else { request.body(body) };
    let mut response = request.send().await.map_err(reason)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body: Vec<u8> = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reason)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(format!("the answer has more than {MAX_ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.into() })
}

/// The innermost cause of an error: the text of the outermost contains no detail.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use super::*;
    use crate::listen::Listener;

    #[tokio::test]
    async fn an_answer_that_is_one_byte_too_long_is_an_error() {
        let client = client(false).unwrap();
        for (length, is_taken) in [(MAX_ANSWER_BYTES, true), (MAX_ANSWER_BYTES + 1, false)] {
            let router = Router::new().fallback(move || async move { vec![b'a'; length] });
            let service = Listener::open("127.0.0.1:0", router).await.unwrap();
            let origin = format!("http://{}", service.address());
            let at = (origin.as_str(), "/v3/a");
            match send(&client, Method::GET, at, HeaderMap::new(), Bytes::new()).await {
                Ok(answer) => assert_eq!((answer.body.len(), is_taken), (length, true)),
                Err(error) => assert!(!is_taken && error.contains("more than 16777216 bytes"), "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn a_path_that_would_make_another_host_of_the_origin_is_not_sent() {
        let client = client(false).unwrap();
        for target in ["@example.com/v3", ".example.com/v3", "", "*"] {
            let at = ("http://127.0.0.1:1", target);
            let error = send(&client, Method::GET, at, HeaderMap::new(), Bytes::new()).await.unwrap_err();
            assert!(error.contains("begin with a slash"), "{target}: {error}");
        }
    }
}
