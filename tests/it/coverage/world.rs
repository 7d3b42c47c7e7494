//! A server whose account is at one version and has every feature, and the requests that are sent to it.

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use didww_types::{ApiVersion, Feature, ResourceSpec, Verb, find};
use http::Method;
use reqwest::Url;
use serde_json::{Value, json};
use trunk_server::{TestServer, TestServerBuilder};

use super::fixture::Fixture;
use super::journal::Journal;
use crate::support::api::{Answer, Api};

pub struct World {
    server: TestServer,
    pub version: ApiVersion,
    pub api: Api,
    control: Api,
    pub journal: Journal,
    /// The last request, for the messages of failures.
    last: Mutex<String>,
    unique: AtomicU32,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.last.lock().unwrap(), self.version)
    }
}

impl World {
    pub async fn start(version: ApiVersion) -> Self {
        let builder = TestServer::builder().version(version).control_listener();
        let server = Feature::ALL.into_iter().fold(builder, TestServerBuilder::feature).start().await;
        let api = Api::new(server.base_url(), server.api_key()).at(Some(version.as_str()));
        let control = server.server().control_address().unwrap();
        let control = Api::new(format!("http://{control}/control/v1"), "").with_key(None).at(None);
        Self {
            server,
            version,
            api,
            control,
            journal: Journal::default(),
            last: Mutex::default(),
            unique: AtomicU32::new(1),
        }
    }

    /// Sends a request and writes it down.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        *self.last.lock().unwrap() = format!("{method} {path}");
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.api.send(Method::from_bytes(method.as_bytes()).unwrap(), path, &body).await;
        assert!(answer.status < 500, "{self}: {}", answer.text);
        self.journal.note(method, path, answer.status);
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Sends a GET with one parameter.
    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        let mut url = Url::parse(&format!("http://localhost{path}")).unwrap();
        url.query_pairs_mut().append_pair(name, value);
        self.get(url.as_str().trim_start_matches("http://localhost")).await
    }

    /// Checks that an answer is a refusal with this status and code.
    pub fn expect_refusal(&self, answer: &Answer, status: u16, code: &str) {
        self.expect_status(answer, status);
        assert_eq!(answer.error().0, code, "{self}: {}", answer.text);
        assert_eq!(answer.at("/errors/0/status"), status.to_string(), "{self}: {}", answer.text);
    }

    /// Creates a record of a type by its fixture, and returns its id.
    pub fn create(&self, spec: &'static ResourceSpec) -> Pin<Box<dyn Future<Output = String> + '_>> {
        Box::pin(async move {
            let fixture = Fixture::load(spec).unwrap_or_else(|error| panic!("{error}"));
            if let Some(control) = &fixture.control {
                let path = self.fill(&json!(control.path)).await;
                let body = self.fill(&control.body).await;
                let answer = self.control.post(path.as_str().unwrap(), &body).await;
                let id = answer.at(&control.id);
                let id = id
                    .as_str()
                    .unwrap_or_else(|| panic!("control created no {}: {}", spec.name, answer.text));
                return id.to_owned();
            }
            let body = self.body(spec, None, fixture.create_body(self.version)).await;
            let answer = self.api.post(&format!("/{}", spec.name), &body).await;
            assert_eq!(answer.status, 201, "POST /{} at {}: {}", spec.name, self.version, answer.text);
            answer.id()
        })
    }

    /// The body of a request from the one of a fixture.
    pub async fn body(&self, spec: &ResourceSpec, id: Option<&str>, fixture: &Value) -> Value {
        let mut data = self.fill(fixture).await;
        data["type"] = json!(spec.name);
        if let Some(id) = id {
            data["id"] = json!(id);
        }
        json!({ "data": data })
    }

    /// Replaces what is in braces in the texts of a value.
    fn fill<'a>(&'a self, value: &'a Value) -> Pin<Box<dyn Future<Output = Value> + 'a>> {
        Box::pin(async move {
            match value {
                Value::String(text) => Value::String(self.fill_text(text).await),
                Value::Array(items) => {
                    let mut filled = Vec::new();
                    for item in items {
                        filled.push(self.fill(item).await);
                    }
                    Value::Array(filled)
                }
                Value::Object(members) => {
                    let mut filled = serde_json::Map::new();
                    for (name, member) in members {
                        filled.insert(name.clone(), self.fill(member).await);
                    }
                    Value::Object(filled)
                }
                other => other.clone(),
            }
        })
    }

    async fn fill_text(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, opened)) = rest.split_once('{') {
            let (name, after) =
                opened.split_once('}').unwrap_or_else(|| panic!("a brace is not closed: {text}"));
            let value = match name {
                "unique" => format!("{:04}", self.unique.fetch_add(1, Ordering::Relaxed)),
                "account" => self.server.account().to_string(),
                name => {
                    let spec = find(name).unwrap_or_else(|| panic!("{{{name}}} is no declared type: {text}"));
                    self.create(spec).await
                }
            };
            filled.push_str(before);
            filled.push_str(&value);
            rest = after;
        }
        filled + rest
    }

    /// The declaration of a type whose records can be read in the version; none if there is no such type.
    pub fn readable(&self, kind: &str) -> Option<&'static ResourceSpec> {
        find(kind).filter(|spec| self.version >= spec.since && spec.has(Verb::Get))
    }
}
