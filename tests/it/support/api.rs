//! HTTP requests without the SDK.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::Method;
use reqwest::{Client, Request, RequestBuilder, Response};
use serde_json::{Value, json};

/// A version with nested attributes of trunks.
pub const NEW: &str = "2026-04-16";
/// A version with flat attributes of trunks.
pub const OLD: &str = "2021-12-15";
/// The version whose requests have access tokens.
pub const TOKENS: &str = "2026-11-19";

/// A client with an API key and a version. At the version with access tokens it mints one for the key, and another one
/// when the server refuses it.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
    key: Option<String>,
    version: Option<String>,
    /// The token of each key.
    tokens: Arc<Mutex<BTreeMap<String, String>>>,
}

/// A part of a form.
#[derive(Debug, Clone, Copy)]
pub enum FormPart<'a> {
    Text(&'a str),
    File(&'a [u8]),
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
        Self {
            http: http_client(),
            base: base.into(),
            key: Some(key.into()),
            version: Some(NEW.to_owned()),
            tokens: Arc::default(),
        }
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

    /// Asks the token service for a token.
    pub async fn mint(&self, body: &Value) -> Answer {
        let url = format!("{}/token", self.base.trim_end_matches("/v3"));
        let mut request =
            self.http.post(url).header("Content-Type", "application/json").body(body.to_string());
        if let Some(key) = &self.key {
            request = request.header("Api-Key", key);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Mints a token for the API at the version with tokens, with these further members.
    pub async fn token(&self, members: &Value) -> String {
        let mut body = json!({ "aud": "api.didww.com", "api_version": TOKENS, "expires_in": 3600 });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let minted = self.mint(&body).await;
        assert_eq!(minted.status, 200, "{}", minted.text);
        minted.at("/access_token").as_str().unwrap().to_owned()
    }

    /// Sends a request, with a token if the client's or the account's version needs one.
    async fn answered(&self, mut request: Request) -> Answer {
        let Some(key) = self.key.clone() else {
            return Answer::of(self.http.execute(request).await.unwrap()).await;
        };
        if self.version.as_deref() != Some(TOKENS) {
            // A body that is a stream cannot be sent twice.
            let again = request.try_clone();
            let answer = Answer::of(self.http.execute(request).await.unwrap()).await;
            match again {
                Some(again) if answer.status == 401 && answer.text.is_empty() => request = again,
                _ => return answer,
            }
        }
        for is_first in [true, false] {
            let known = self.tokens.lock().unwrap().get(&key).cloned();
            let token = if known.is_some() {
                known
            } else {
                let body = json!({ "aud": "api.didww.com", "api_version": TOKENS, "expires_in": 3600 });
                self.mint(&body).await.at("/access_token").as_str().map(str::to_owned)
            };
            // Without one, the server refuses the key.
            if let Some(token) = token {
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
                self.tokens.lock().unwrap().insert(key.clone(), token);
            }
            let again = request.try_clone();
            let answer = Answer::of(self.http.execute(request).await.unwrap()).await;
            match again {
                Some(again) if is_first && answer.status == 401 => request = again,
                _ => return answer,
            }
            self.tokens.lock().unwrap().remove(&key);
        }
        unreachable!()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.answered(self.request(Method::GET, path).build().unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.answered(self.request(Method::DELETE, path).build().unwrap()).await
    }

    /// Sends a request that a test has built.
    pub async fn execute(&self, request: Request) -> Answer {
        self.answered(request).await
    }

    /// POSTs a form of several parts: each has a name, and the text of a field or the content of a file.
    pub async fn upload(&self, path: &str, parts: &[(&str, FormPart<'_>)]) -> Answer {
        let mut body = Vec::new();
        for (name, part) in parts {
            let (file, content) = match part {
                FormPart::Text(text) => ("", text.as_bytes()),
                FormPart::File(content) => {
                    ("; filename=\"a.enc\"\r\nContent-Type: application/octet-stream", *content)
                }
            };
            let head = format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--part--\r\n");
        let mut request = self.request(Method::POST, path).body(body).build().unwrap();
        let media_type = "multipart/form-data; boundary=part".parse().unwrap();
        request.headers_mut().insert("content-type", media_type);
        request.headers_mut().insert("accept", "application/json".parse().unwrap());
        self.answered(request).await
    }

    /// Sends any method with any text as the body.
    pub async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        self.answered(self.request(method, path).body(body.to_owned()).build().unwrap()).await
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
