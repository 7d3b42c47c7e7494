//! A server in memory with a client, and bodies and refusals that several tests use.

use http::header;
use serde_json::{Value, json};
use trunk_server::control::NewDid;
use trunk_server::{TestServer, TestServerBuilder};

use super::api::{Answer, Api};
use super::engine;

/// Path of the trunks.
pub const TRUNKS: &str = "/voice_out_trunks";
/// Path of the rotation of credentials.
pub const ROTATION: &str = "/voice_out_trunk_regenerate_credentials";
/// Path of the DIDs.
pub const DIDS: &str = "/dids";
/// An id that no record has.
pub const UNKNOWN: &str = "c3947e93-4a3b-4080-b9d3-cbcc633ab808";
/// Every version that has trunks.
pub const TRUNK_VERSIONS: [&str; 4] = ["2021-12-15", "2022-05-10", "2026-04-16", "2026-11-19"];

/// A server, and a client of its account at the newest version.
pub struct World {
    pub server: TestServer,
    pub api: Api,
}

impl World {
    /// Starts the default server: an account at 2021-12-15 with the outbound plan.
    pub async fn start() -> Self {
        Self::of(engine::builder()).await
    }

    /// Starts a server with these settings.
    pub async fn of(builder: TestServerBuilder) -> Self {
        let server = builder.start().await;
        let api = Api::new(server.base_url(), server.api_key());
        Self { server, api }
    }

    /// Adds a DID. Returns its id.
    pub async fn did(&self, number: &str) -> String {
        self.add(NewDid::new(number)).await
    }

    /// Adds a DID with emergency calling. Returns its id.
    pub async fn emergency_did(&self, number: &str) -> String {
        self.add(NewDid::new(number).emergency()).await
    }

    async fn add(&self, did: NewDid) -> String {
        self.server.control().add_did(self.server.account(), did).await.unwrap().to_string()
    }

    /// Creates a trunk with credentials. Returns its id.
    pub async fn trunk(&self, name: &str) -> String {
        self.created(&credentials(name)).await.id()
    }

    /// Sends a create that must succeed. Returns the answer.
    pub async fn created(&self, body: &Value) -> Answer {
        let answer = self.api.post(TRUNKS, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    /// Makes a trunk `ip_only`, over the control API.
    pub async fn make_ip_only(&self, trunk: &str, address: &str) {
        let networks = didww_types::values::IpNetworks::parse([address]).unwrap();
        let trunk = trunk.parse().unwrap();
        self.server.control().make_ip_only(self.server.account(), trunk, &networks).await.unwrap();
    }

    /// Everything that the account can read of its records, as text.
    pub async fn dump(&self) -> String {
        let trunks = self.api.get(&format!("{TRUNKS}?include=dids,emergency_dids&page[size]=1000")).await;
        let dids = self.api.get(&format!("{DIDS}?page[size]=100")).await;
        assert_eq!((trunks.status, dids.status), (200, 200));
        assert!(dids.at("/meta/total_records").as_u64().unwrap() <= 100, "one page has all DIDs");
        format!("{}\n{}", trunks.text, dids.text)
    }
}

/// A body that creates a record with this type and these attributes.
pub fn resource(kind: &str, attributes: Value) -> Value {
    json!({ "data": { "type": kind, "attributes": attributes } })
}

/// A trunk with credentials at the newest version, with only the required attributes.
pub fn credentials(name: &str) -> Value {
    resource(
        "voice_out_trunks",
        json!({
            "name": name,
            "on_cli_mismatch_action": "send_original_cli",
            "authentication_method": {
                "type": "credentials_and_ip",
                "attributes": { "allowed_sip_ips": ["192.168.1.1"] },
            },
        }),
    )
}

/// A trunk that replaces caller numbers by a DID.
pub fn replacing(name: &str, did: &str) -> Value {
    let body = with(credentials(name), json!({ "on_cli_mismatch_action": "replace_cli" }));
    linking(body, "default_did", identifier("dids", did))
}

/// A trunk before 2026-04-16, with only the required attributes.
pub fn flat(name: &str) -> Value {
    resource(
        "voice_out_trunks",
        json!({ "name": name, "on_cli_mismatch_action": "send_original_cli", "allowed_sip_ips": ["192.168.1.1"] }),
    )
}

/// A trunk of a Twilio account, with only the required attributes.
pub fn twilio(name: &str) -> Value {
    let method = json!({ "type": "twilio", "attributes": { "twilio_account_sid": SID } });
    with(credentials(name), json!({ "authentication_method": method }))
}

/// The SID of a Twilio account.
pub const SID: &str = "AC22222222222222222222222222222222";

/// The body with these additional attributes; a null is sent as null.
pub fn with(mut body: Value, attributes: Value) -> Value {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    body["data"]["attributes"].as_object_mut().unwrap().extend(attributes);
    body
}

/// The body without an attribute.
pub fn without(mut body: Value, attribute: &str) -> Value {
    body["data"]["attributes"].as_object_mut().unwrap().remove(attribute).unwrap();
    body
}

/// The body with a relationship with this linkage.
pub fn linking(mut body: Value, relationship: &str, linkage: Value) -> Value {
    body["data"]["relationships"][relationship] = json!({ "data": linkage });
    body
}

/// A body that changes a trunk.
pub fn patch(id: &str, attributes: Value) -> Value {
    update("voice_out_trunks", id, attributes)
}

/// A body that changes a record.
pub fn update(kind: &str, id: &str, attributes: Value) -> Value {
    json!({ "data": { "type": kind, "id": id, "attributes": attributes } })
}

/// Linkage to DIDs.
pub fn dids(ids: &[&str]) -> Value {
    ids.iter().map(|id| identifier("dids", id)).collect()
}

/// A resource identifier.
pub fn identifier(kind: &str, id: &str) -> Value {
    json!({ "type": kind, "id": id })
}

/// A body that requests new credentials for a trunk.
pub fn rotation(trunk: &str) -> Value {
    json!({ "data": {
        "type": "voice_out_trunk_regenerate_credentials",
        "relationships": { "voice_out_trunk": { "data": identifier("voice_out_trunks", trunk) } },
    } })
}

/// An error as it appears on the wire.
pub struct Expected {
    status: u16,
    text: String,
}

impl Expected {
    /// A validation error of the whole record.
    pub fn record(message: &str) -> Self {
        let text = format!(
            r#"{{"title":"{message}","detail":"{message}","code":"100","source":{{"pointer":"/data"}},"status":"422"}}"#
        );
        Self { status: 422, text }
    }
}

/// An error without a pointer, such as `error(400, "102", "Filter not allowed", "bogus is not allowed.")`.
pub fn error(status: u16, code: &str, title: &str, detail: &str) -> Expected {
    let [title, detail] = [title, detail].map(|text| json!(text).to_string());
    let text = format!(r#"{{"title":{title},"detail":{detail},"code":"{code}","status":"{status}"}}"#);
    Expected { status, text }
}

/// A validation error of a member with a pointer.
pub fn invalid(field: &str, message: &str, pointer: &str) -> Expected {
    let text = format!(
        r#"{{"title":"{message}","detail":"{field} - {message}","code":"100","source":{{"pointer":"{pointer}"}},"status":"422"}}"#
    );
    Expected { status: 422, text }
}

/// A validation error of an attribute.
pub fn attribute(name: &str, message: &str) -> Expected {
    invalid(name, message, &format!("/data/attributes/{name}"))
}

/// A validation error of a relationship.
pub fn relationship(name: &str, message: &str) -> Expected {
    invalid(name, message, &format!("/data/relationships/{name}"))
}

/// The error for a name that may not be sent.
pub fn not_allowed(name: &str) -> Expected {
    error(400, "105", "Param not allowed", &format!("{name} is not allowed."))
}

/// The error for an unknown id.
pub fn not_found(id: &str) -> Expected {
    error(404, "404", "Record not found", &format!("The record identified by {id} could not be found."))
}

/// The error of a GET for an unknown proof or document, which names the type.
pub fn none_of_type(kind: &str) -> Expected {
    error(404, "404", "Record not found", &format!("{kind} - Record not found"))
}

/// The error for a path or verb that is not served.
pub fn no_route() -> Expected {
    error(404, "404", "Not Found", "Not Found")
}

/// The error for a missing or wrong key.
pub fn unauthorised() -> Expected {
    error(401, "401", "Unauthorized", "Authorization failed")
}

/// Checks a refusal byte for byte, with the headers that every refusal has.
#[track_caller]
pub fn refused(answer: &Answer, errors: &[Expected]) {
    let texts: Vec<&str> = errors.iter().map(|error| error.text.as_str()).collect();
    assert_eq!(answer.text, format!(r#"{{"errors":[{}]}}"#, texts.join(",")));
    assert_eq!(Some(answer.status), errors.first().map(|error| error.status));
    refusal_headers(answer);
}

/// Checks the headers that every refusal has.
#[track_caller]
pub fn refusal_headers(answer: &Answer) {
    let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(text(header::CONTENT_TYPE), Some("application/vnd.api+json"));
    assert_eq!(text(header::CACHE_CONTROL), Some("no-cache"));
    assert_eq!(text(header::CONTENT_LENGTH), Some(answer.text.len().to_string().as_str()));
    assert_eq!(text(header::ETAG), None);
}
