//! A server whose account is at one version and has every feature, and the requests that are sent to it.

use std::fmt;
use std::sync::Mutex;

use didww_types::{ApiVersion, FormSpec, ResourceSpec, find};
use http::Method;
use reqwest::Url;
use serde_json::Value;
use trunk_server::{TestServer, TestServerBuilder};

use super::journal::Journal;
use crate::support::api::{Answer, Api};
use crate::support::engine;
use crate::support::records::Records;

pub struct World {
    _server: TestServer,
    pub version: ApiVersion,
    pub api: Api,
    records: Records,
    pub journal: Journal,
    /// The last request, for the messages of failures.
    last: Mutex<String>,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.last.lock().unwrap(), self.version)
    }
}

impl World {
    pub async fn start(version: ApiVersion) -> Self {
        let builder = engine::builder().version(version).control_listener();
        let server = engine::granted().fold(builder, TestServerBuilder::feature).start().await;
        let api = Api::new(server.base_url(), server.api_key()).at(Some(version.as_str()));
        let records = Records::of(&server, server.account(), api.clone(), version);
        Self { _server: server, version, api, records, journal: Journal::default(), last: Mutex::default() }
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

    /// Uploads a file with these attributes, and writes that down.
    pub async fn upload(&self, spec: &ResourceSpec, form: &FormSpec, attributes: &Value) -> Answer {
        let path = format!("/{}", spec.path_at(self.version));
        *self.last.lock().unwrap() = format!("POST {path} (a form)");
        let answer = self.records.upload(spec, form, attributes).await;
        self.journal.note("POST", &path, answer.status);
        answer
    }

    /// Whether the last answer has the media type of JSON: that to a form, up to 2026-04-16.
    pub fn is_json(&self, status: u16) -> bool {
        status == 201
            && self.version <= ApiVersion::V2026_04_16
            && self.last.lock().unwrap().ends_with("(a form)")
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
    pub async fn create(&self, spec: &'static ResourceSpec) -> String {
        self.records.create(spec).await
    }

    /// A body that creates a record.
    pub async fn create_body(&self, spec: &'static ResourceSpec) -> Value {
        self.records.create_body(spec).await
    }

    /// The body of a request from the one of a fixture.
    pub async fn body(&self, spec: &ResourceSpec, id: Option<&str>, fixture: &Value) -> Value {
        self.records.body(spec, id, fixture).await
    }

    /// The declaration of a type that is served in the version, its records alone or included; none if there is no such
    /// type.
    pub fn served(&self, kind: &str) -> Option<&'static ResourceSpec> {
        find(kind).filter(|spec| spec.exists_in(self.version))
    }
}
