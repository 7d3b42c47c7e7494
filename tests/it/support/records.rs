//! Records of every declared type, made by the fixtures of `fixtures/coverage`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use didww_types::{ApiVersion, FormSpec, REGISTRY, ResourceSpec, Timestamp, Verb, find};
use serde_json::{Value, json};
use trunk_server::TestServer;
use uuid::Uuid;

use super::api::{Answer, Api, FormPart};
use super::fixture::Fixture;

/// The day before the present one, in UTC.
fn yesterday() -> String {
    let before = std::time::SystemTime::now() - std::time::Duration::from_hours(24);
    Timestamp::from(before).to_string().get(..10).unwrap().to_owned()
}

/// Makes records of an account.
pub struct Records {
    account: Uuid,
    /// A client of the account, whose requests are served at `version`.
    api: Api,
    version: ApiVersion,
    control: Api,
    /// The next unique number, which all accounts of the server share: some values are unique among all of them.
    unique: Arc<AtomicU32>,
}

impl Records {
    /// For an account of a server with a control listener.
    pub fn of(server: &TestServer, account: Uuid, api: Api, version: ApiVersion) -> Self {
        let control = server.server().control_address().expect("fixtures need the control listener");
        let control = Api::new(format!("http://{control}/control/v1"), "").with_key(None).at(None);
        Self { account, api, version, control, unique: Arc::new(AtomicU32::new(1)) }
    }

    /// The same for another account of the server, with a client of it.
    pub fn of_another(&self, account: Uuid, api: Api) -> Self {
        let (control, unique) = (self.control.clone(), Arc::clone(&self.unique));
        Self { account, api, version: self.version, control, unique }
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
            if let Some(form) = spec.form {
                let body = self.create_body(spec).await;
                let answer = self.upload(spec, form, &body["data"]["attributes"]).await;
                assert_eq!(answer.status, 201, "POST /{} at {}: {}", spec.name, self.version, answer.text);
                return answer.id();
            }
            let body = self.create_body(spec).await;
            let answer = self.api.post(&format!("/{}", spec.path_at(self.version)), &body).await;
            assert_eq!(answer.status, 201, "POST /{} at {}: {}", spec.name, self.version, answer.text);
            answer.id()
        })
    }

    /// Uploads a file with these attributes, encrypted with the keys of the server.
    pub async fn upload(&self, spec: &ResourceSpec, form: &FormSpec, attributes: &Value) -> Answer {
        let of = find(form.check.of).unwrap();
        let keys =
            async || self.api.get(&format!("/{}", of.name)).await.at("/data").as_array().unwrap().clone();
        for _ in keys().await.len()..2 {
            self.create(of).await;
        }
        let keys = keys().await;
        let keys: Vec<_> = keys.iter().map(|key| key["attributes"].as_object().unwrap().clone()).collect();
        let expected = (form.check.expected)(&keys).unwrap();
        let named = |name: &str| format!("{}[{name}]", spec.name);
        let mut parts = vec![(named(form.check.name), expected)];
        for (name, value) in attributes.as_object().unwrap() {
            parts.push((named(name), value.as_str().unwrap().to_owned()));
        }
        let file = named(form.file);
        let mut sent: Vec<(&str, FormPart<'_>)> =
            parts.iter().map(|(name, text)| (name.as_str(), FormPart::Text(text))).collect();
        sent.push((&file, FormPart::File(b"encrypted")));
        self.api.upload(&format!("/{}", spec.path_at(self.version)), &sent).await
    }

    /// Creates a record of each type whose records can be read in the version. Returns their ids, by type.
    pub async fn create_each(&self) -> BTreeMap<&'static str, String> {
        let mut ids = BTreeMap::new();
        for spec in REGISTRY
            .iter()
            .filter(|spec| spec.has_at(Verb::Get, self.version) && spec.exists_in(self.version))
        {
            ids.insert(spec.name, self.create(spec).await);
        }
        ids
    }

    /// A body that creates a record of a type that requests create. The records that this needs exist afterwards.
    pub async fn create_body(&self, spec: &'static ResourceSpec) -> Value {
        let fixture = Fixture::load(spec).unwrap_or_else(|error| panic!("{error}"));
        self.fill(&json!(fixture.needs)).await;
        self.body(spec, None, fixture.create_body(self.version)).await
    }

    /// The body of a request from the one of a fixture.
    pub async fn body(&self, spec: &ResourceSpec, id: Option<&str>, fixture: &Value) -> Value {
        let mut data = self.fill(fixture).await;
        data["type"] = json!(spec.name_at(self.version));
        if let Some(id) = id {
            data["id"] = json!(id);
        }
        json!({ "data": data })
    }

    /// Replaces the names in braces in the texts of a value.
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

    /// Creates a record, and returns the id of the first member of a relationship of it:
    /// `did_groups.stock_keeping_units`.
    async fn related(&self, path: &str) -> String {
        let (kind, relationship) = path.split_once('.').unwrap();
        let spec = find(kind).unwrap_or_else(|| panic!("{kind} is no declared type: {path}"));
        let id = self.create(spec).await;
        let path = format!("/{}/{id}/relationships/{relationship}", spec.path_at(self.version));
        let linkage = self.api.get(&path).await;
        linkage.at("/data/0/id").as_str().unwrap_or_else(|| panic!("{path}: {}", linkage.text)).to_owned()
    }

    async fn fill_text(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, opened)) = rest.split_once('{') {
            let (name, after) =
                opened.split_once('}').unwrap_or_else(|| panic!("a brace is not closed: {text}"));
            let value = match name {
                "unique" => format!("{:04}", self.unique.fetch_add(1, Ordering::Relaxed)),
                "account" => self.account.to_string(),
                "yesterday" => yesterday(),
                "year" => yesterday().get(..4).unwrap().to_owned(),
                "month" => yesterday().get(5..7).unwrap().to_owned(),
                path if path.contains('.') => self.related(path).await,
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
}
