//! HTTP requests without the SDK.

use http::Method;
use reqwest::{Client, Request, RequestBuilder, Response};
use serde_json::Value;

/// A version with nested attributes of trunks.
pub const NEW: &str = "2026-04-16";
/// A version with flat attributes of trunks.
pub const OLD: &str = "2021-12-15";

/// A client with an API key and a version.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
    key: Option<String>,
    version: Option<String>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

/// A client for loopback. The workspace's features make `reqwest` require a TLS provider, which loopback does
/// not use.
pub fn http_client() -> Client {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // This fails if another thread has installed the provider already, which is fine.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

impl Api {
    /// A client for a base URL such as `http://127.0.0.1:1234/v3`, at the newest version.
    pub fn new(base: impl Into<String>, key: impl Into<String>) -> Self {
        Self { http: http_client(), base: base.into(), key: Some(key.into()), version: Some(NEW.to_owned()) }
    }

    /// The same client at another version; `None` sends no version header.
    pub fn at(&self, version: Option<&str>) -> Self {
        Self { version: version.map(str::to_owned), ..self.clone() }
    }

    /// The same client with another key; `None` sends no key.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request with key, version and media types; the path begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("Accept", "application/vnd.api+json")
            .header("Content-Type", "application/vnd.api+json");
        if let Some(key) = &self.key {
            request = request.header("Api-Key", key);
        }
        if let Some(version) = &self.version {
            request = request.header("X-DIDWW-API-Version", version);
        }
        request
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// Sends a request that a test has built.
    pub async fn execute(&self, request: Request) -> Answer {
        Answer::of(self.http.execute(request).await.unwrap()).await
    }

    /// Sends any method with any text as the body.
    pub async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        Answer::of(self.request(method, path).body(body.to_owned()).send().await.unwrap()).await
    }
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A value of the body by its JSON pointer; null if it is absent.
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The first error's code, detail and pointer.
    pub fn error(&self) -> (String, String, String) {
        let text = |pointer: &str| self.at(pointer).as_str().unwrap_or_default().to_owned();
        (text("/errors/0/code"), text("/errors/0/detail"), text("/errors/0/source/pointer"))
    }

    /// The id of the record.
    pub fn id(&self) -> String {
        self.at("/data/id").as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }
}
