//! The three APIs of one server, as far as a test of idempotency keys can treat them alike.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use trunk_server::control::customers::{NewAccessKey, SUPER_ADMIN};
use trunk_server::control::{NewAccount, NewDid};
use trunk_server::{Clock, TestServer};

use crate::support::api::http_client;
use crate::support::engine;
use crate::support::world::{TRUNKS, credentials};

/// An endpoint of an API that creates a record.
#[derive(Clone)]
pub struct Door {
    /// The API.
    pub name: &'static str,
    pub http: reqwest::Client,
    pub headers: HeaderMap,
    pub url: String,
    /// Another endpoint that accepts a POST.
    pub other_url: String,
    /// The status of a create.
    pub created: u16,
    pub body: Value,
    pub other_body: Value,
    pub wrong_body: Value,
    /// Where a list has its records.
    pub records: &'static str,
    /// Where an error has its text.
    pub error: &'static str,
}

/// An answer as it was received.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    headers: HeaderMap,
    pub body: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Door {
    pub async fn post(&self, key: &str, body: &Value) -> Answered {
        self.post_to(&self.url, key, body).await
    }

    pub async fn post_to(&self, url: &str, key: &str, body: &Value) -> Answered {
        let sent = self.http.post(url).headers(self.headers.clone()).header("Idempotency-Key", key);
        answered(sent.body(body.to_string())).await.unwrap()
    }

    /// As [`post`](Self::post); `None` if the connection ends without a complete answer.
    pub async fn try_post(&self, key: &str, body: &Value) -> Option<Answered> {
        let sent = self.http.post(&self.url).headers(self.headers.clone()).header("Idempotency-Key", key);
        answered(sent.body(body.to_string())).await
    }

    pub async fn get(&self, key: &str) -> Answered {
        let sent = self.http.get(&self.url).headers(self.headers.clone()).header("Idempotency-Key", key);
        answered(sent).await.unwrap()
    }

    /// The number of records.
    pub async fn count(&self) -> usize {
        let listed = self.get("\"list\"").await;
        listed.json().pointer(self.records).and_then(Value::as_array).unwrap().len()
    }

    /// Checks an error, and that it has the form of the API's other errors.
    #[track_caller]
    pub fn is_error(&self, answer: &Answered, status: u16, words: &str) {
        assert_eq!(answer.status, status, "{}: {}", self.name, answer.body);
        let text = answer.json().pointer(self.error).and_then(Value::as_str).map(str::to_owned);
        assert!(text.is_some_and(|text| text.contains(words)), "{}: {}", self.name, answer.body);
    }

    pub fn headers_at(&self, version: &'static str) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert("x-didww-api-version", HeaderValue::from_static(version));
        headers
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Option<Answered> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Some(Answered { status, headers, body: response.text().await.ok()? })
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// The trunks of an account.
pub fn didww(base: &str, key: &str) -> Door {
    let kind = "application/vnd.api+json";
    Door {
        name: "/v3",
        http: http_client(),
        headers: headers(&[
            ("api-key", key),
            ("x-didww-api-version", "2026-04-16"),
            ("accept", kind),
            ("content-type", kind),
        ]),
        url: format!("{base}{TRUNKS}"),
        other_url: format!("{base}/voice_out_trunk_regenerate_credentials"),
        created: 201,
        body: credentials("A"),
        other_body: credentials("B"),
        wrong_body: credentials(""),
        records: "/data",
        error: "/errors/0/detail",
    }
}

/// The providers of the communication platform, as a super admin sees them.
pub fn voipbin(base: &str, access_key: &str) -> Door {
    Door {
        name: "/v1.0",
        http: http_client(),
        headers: headers(&[
            ("content-type", "application/json"),
            ("cookie", &format!("accesskey={access_key}")),
        ]),
        url: format!("{base}/providers"),
        other_url: format!("{base}/routes"),
        created: 200,
        body: json!({ "hostname": "a.test", "name": "A" }),
        other_body: json!({ "hostname": "b.test", "name": "B" }),
        wrong_body: json!({ "hostname": "a.test", "codecs": "PCMU,,PCMA" }),
        records: "/result",
        error: "/error/message",
    }
}

/// The accounts of the control API.
pub fn control(base: &str) -> Door {
    Door {
        name: "control",
        http: http_client(),
        headers: headers(&[("content-type", "application/json")]),
        url: format!("{base}/accounts"),
        other_url: format!("{base}/customers"),
        created: 201,
        body: json!({ "name": "A" }),
        other_body: json!({ "name": "B" }),
        wrong_body: json!({ "name": "A", "version": "1999-01-01" }),
        records: "/accounts",
        error: "/error",
    }
}

/// The three APIs of a server in memory.
pub struct Doors {
    pub server: TestServer,
    pub didww: Door,
    pub voipbin: Door,
    pub control: Door,
}

impl Doors {
    pub async fn start() -> Self {
        Self::with_clock(Clock::system()).await
    }

    pub async fn with_clock(clock: Clock) -> Self {
        let server = engine::builder().clock(clock).control_listener().start().await;
        let control = server.control();
        let admin = control.ensure_super_admin("root", "correct horse".to_owned().into()).await.unwrap();
        let mut key = NewAccessKey::default();
        key.permission = Some(SUPER_ADMIN);
        let (_, access_key) = control.create_access_key(admin.customer_id, key).await.unwrap();
        let at = server.server().control_address().unwrap();
        Self {
            didww: didww(&server.base_url(), server.api_key()),
            voipbin: voipbin(&server.voipbin_url(), access_key.expose()),
            control: self::control(&format!("http://{at}/control/v1")),
            server,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Door> {
        [&self.didww, &self.voipbin, &self.control].into_iter()
    }

    /// The trunks of a second account.
    pub async fn other_account(&self) -> Door {
        let (_, key) = self.server.control().create_account(NewAccount::named("other")).await.unwrap();
        didww(&self.server.base_url(), key.expose())
    }

    /// Adds a DID. Returns its id.
    pub async fn did(&self) -> String {
        let did = NewDid::new("37061498222");
        self.server.control().add_did(self.server.account(), did).await.unwrap().to_string()
    }
}
