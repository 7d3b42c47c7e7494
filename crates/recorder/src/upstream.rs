//! The service that is recorded.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method};
use reqwest::Client;
use url::{Host, Url};

use crate::client::{Answer, client, send};
use crate::error::RecorderError;

/// Headers that apply to one connection only, or that the client sets itself. Without `Accept-Encoding` bodies are not
/// compressed.
static OF_CONNECTIONS: [HeaderName; 11] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The service that is recorded.
#[derive(Debug)]
pub struct Upstream {
    /// Scheme, host and port, without a slash at the end.
    origin: String,
    client: Client,
}

impl Upstream {
    /// A service at `https://HOST`, or at `http://HOST:PORT` on loopback: requests contain credentials.
    ///
    /// # Errors
    /// If it is neither, or has a path, a query or a user.
    pub fn new(text: &str) -> Result<Self, RecorderError> {
        let shown = crate::mask::masked_url(text).unwrap_or_else(|| text.to_owned());
        let refused = |why: &'static str| RecorderError::Upstream(shown.clone(), why);
        let url =
            Url::parse(text).map_err(|_| refused("give a URL, such as https://sandbox-api.didww.com"))?;
        let is_https = url.scheme() == "https";
        if !is_https && (url.scheme() != "http" || !is_loopback(&url)) {
            return Err(refused("give https, or http on loopback: credentials would pass networks in clear"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("give it without a user: requests have their credentials"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("give scheme and host only: the paths are those of the requests"));
        }
        let origin = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { origin, client: client(is_https)? })
    }

    /// Sends a request, whose target begins with a slash, and returns the answer.
    ///
    /// # Errors
    /// The reason why there is no complete response.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, String> {
        strip(&mut headers);
        let mut answer = send(&self.client, method, (self.origin.as_str(), target), headers, body).await?;
        strip(&mut answer.headers);
        Ok(answer)
    }
}

/// Removes the headers that apply to one connection only.
fn strip(headers: &mut HeaderMap) {
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_pass_no_network_in_clear() {
        for right in
            ["https://sandbox-api.didww.com", "http://127.0.0.1:1", "http://[::1]:1/", "http://localhost:1"]
        {
            assert!(Upstream::new(right).is_ok(), "{right}");
        }
        for wrong in [
            "http://sandbox-api.didww.com",
            "http://10.0.0.1",
            "https://a.example/v3",
            "https://a.example/?key=1",
            "ftp://127.0.0.1",
            "a.example",
        ] {
            assert!(Upstream::new(wrong).is_err(), "{wrong}");
        }
        let error = Upstream::new("https://ann:secret@a.example").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
