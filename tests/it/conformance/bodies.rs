//! Invalid bodies: not a resource, not a linkage, or with members that may not be sent.

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, OLD};
use crate::support::world::*;

async fn refused_create(world: &World, body: &str, error: Expected) {
    let before = world.dump().await;
    refused(&world.api.send(Method::POST, TRUNKS, body).await, &[error]);
    assert_eq!(world.dump().await, before);
}

fn missing(name: &str) -> Expected {
    error(400, "106", "Missing Parameter", &format!("The required parameter, {name}, is missing."))
}

fn not_a_hash() -> Expected {
    error(400, "122", "Invalid data format", "Data must be a hash.")
}

fn not_linkage() -> Expected {
    error(400, "115", "Invalid Links Object", "Data is not a valid Links Object.")
}

#[tokio::test]
async fn case_40_a_flat_attribute_is_refused_at_2026_04_16() {
    let world = World::start().await;
    for name in ["allowed_sip_ips", "username", "password"] {
        let body = with(credentials("A"), json!({ name: ["192.168.1.1"] }));
        refused_create(&world, &body.to_string(), not_allowed(name)).await;
    }
}

#[tokio::test]
async fn case_41_the_nested_method_is_refused_before_2026_04_16() {
    let world = World::start().await;
    for version in [OLD, "2022-05-10"] {
        let api = world.api.at(Some(version));
        for name in ["authentication_method", "rtp_timeout", "emergency_enable_all", "external_reference_id"]
        {
            let answer = api.post(TRUNKS, &with(flat("A"), json!({ name: null }))).await;
            refused(&answer, &[not_allowed(name)]);
        }
        let body = linking(flat("A"), "emergency_dids", json!([]));
        refused(&api.post(TRUNKS, &body).await, &[not_allowed("emergency_dids")]);
    }
}

#[tokio::test]
async fn case_42_what_the_service_makes_is_not_sent() {
    let world = World::start().await;
    for name in ["created_at", "threshold_reached", "bogus", "meta", "id", "type", "dids"] {
        let body = with(credentials("A"), json!({ name: null }));
        refused_create(&world, &body.to_string(), not_allowed(name)).await;
    }
    for name in ["username", "password", "created_at", "threshold_reached"] {
        let answer = world.api.at(Some(OLD)).post(TRUNKS, &with(flat("A"), json!({ name: "x" }))).await;
        refused(&answer, &[not_allowed(name)]);
    }
}

#[tokio::test]
async fn case_43_a_create_names_no_id() {
    let world = World::start().await;
    let mut body = credentials("A");
    body["data"]["id"] = json!(UNKNOWN);
    refused_create(&world, &body.to_string(), not_allowed("id")).await;
}

#[tokio::test]
async fn an_unknown_member_or_relationship_is_refused() {
    let world = World::start().await;
    let mut body = credentials("A");
    body["data"]["meta"] = json!({});
    refused_create(&world, &body.to_string(), not_allowed("meta")).await;
    for name in ["bogus", "default_did", "name"] {
        let body = linking(credentials("A"), name, json!(null));
        refused_create(&world, &body.to_string(), not_allowed(name)).await;
    }
}

#[tokio::test]
async fn the_first_wrong_name_in_the_order_of_the_body_is_answered() {
    let world = World::start().await;
    for (members, first) in [
        (r#""attributes":{"zzz":1,"aaa":1},"bbb":1"#, "zzz"),
        (r#""bbb":1,"attributes":{"zzz":1,"aaa":1}"#, "bbb"),
        (r#""relationships":{"rrr":{}},"attributes":{"aaa":1}"#, "rrr"),
        (r#""attributes":{"aaa":1},"relationships":{"rrr":{}}"#, "aaa"),
        (r#""id":"1","attributes":{"aaa":1}"#, "id"),
    ] {
        let body = format!(r#"{{"data":{{"type":"voice_out_trunks",{members}}}}}"#);
        refused_create(&world, &body, not_allowed(first)).await;
    }
}

#[tokio::test]
async fn members_beside_data_are_passed_over() {
    let world = World::start().await;
    let mut body = credentials("A");
    body["jsonapi"] = json!({ "version": "1.0" });
    body["meta"] = json!(null);
    world.created(&body).await;
}

#[tokio::test]
async fn case_44_a_body_without_data_is_refused() {
    let world = World::start().await;
    for body in ["{}", r#"{"meta":{}}"#, r#"{"data":null}"#, r#"{"data":{}}"#, r#"{"data":""}"#] {
        refused_create(&world, body, missing("data")).await;
    }
}

#[tokio::test]
async fn case_45_data_without_a_type_is_refused() {
    let world = World::start().await;
    for body in [r#"{"data":{"attributes":{}}}"#, r#"{"data":{"type":null,"bogus":1}}"#] {
        refused_create(&world, body, missing("type")).await;
    }
}

#[tokio::test]
async fn case_46_data_of_another_type_is_refused() {
    let world = World::start().await;
    for (kind, named) in [("\"dids\"", "dids"), ("\"Voice_out_trunks\"", "Voice_out_trunks"), ("7", "7")] {
        let body = format!(r#"{{"data":{{"type":{kind},"bogus":1}}}}"#);
        let detail = format!("{named} is not a valid resource.");
        refused_create(&world, &body, error(400, "101", "Invalid resource", &detail)).await;
    }
}

#[tokio::test]
async fn case_47_an_empty_list_counts_as_missing_and_other_data_is_no_hash() {
    let world = World::start().await;
    refused_create(&world, r#"{"data":[]}"#, missing("data")).await;
    for data in [r#""x""#, "7", "true", r#"[{"type":"voice_out_trunks"}]"#] {
        refused_create(&world, &format!(r#"{{"data":{data}}}"#), not_a_hash()).await;
    }
}

#[tokio::test]
async fn case_48_a_body_that_is_no_json_is_a_bad_request() {
    let world = World::start().await;
    for body in ["{", "data", "{\"data\":}", "\u{0}", "{\"data\":{}} trailing", "nul"] {
        let answer = world.api.send(Method::POST, TRUNKS, body).await;
        assert_eq!((answer.status, answer.at("/errors/0/code")), (400, json!("400")), "{body}");
        assert_eq!(answer.at("/errors/0/title"), "Bad Request");
        refusal_headers(&answer);
    }
    let request = world.api.request(Method::POST, TRUNKS).body(b"{\"data\":\"\xff\"}".to_vec());
    assert_eq!(Answer::of(request.send().await.unwrap()).await.at("/errors/0/title"), "Bad Request");
}

#[tokio::test]
async fn json_that_is_no_object_is_a_bad_request_too() {
    let world = World::start().await;
    for body in ["[]", "7", "null", "\"text\""] {
        refused_create(&world, body, error(400, "400", "Bad Request", "Request must be a hash")).await;
    }
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let answer = world.api.send(Method::POST, TRUNKS, &deep).await;
    assert_eq!((answer.status, answer.at("/errors/0/title")), (400, json!("Bad Request")));
}

#[tokio::test]
async fn attributes_and_relationships_are_hashes() {
    let world = World::start().await;
    for member in ["attributes", "relationships"] {
        // `[]` is an empty object, as PHP writes it.
        for value in ["[1]", "7", "\"x\"", "null"] {
            let body = format!(r#"{{"data":{{"type":"voice_out_trunks","{member}":{value}}}}}"#);
            let answer = world.api.send(Method::POST, TRUNKS, &body).await;
            assert_eq!(answer.status, 400, "{member} {value}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn case_49_a_body_of_another_media_type_is_refused() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    for sent in ["application/json", "application/vnd+json", "text/plain"] {
        for (method, path) in [
            (Method::POST, TRUNKS.to_owned()),
            (Method::POST, ROTATION.to_owned()),
            (Method::PATCH, format!("{TRUNKS}/{trunk}")),
            (Method::PUT, format!("{TRUNKS}/{trunk}")),
            (Method::POST, format!("{TRUNKS}/{trunk}/relationships/dids")),
            (Method::PATCH, format!("{TRUNKS}/{trunk}/relationships/dids")),
        ] {
            let mut request = world.api.request(method, &path).body("{}").build().unwrap();
            request.headers_mut().insert("content-type", sent.parse().unwrap());
            let answer = world.api.execute(request).await;
            let detail = format!(
                "All requests that create or update must use the 'application/vnd.api+json' Content-Type. \
                 This request specified '{sent}.'"
            );
            refused(&answer, &[error(415, "415", "Unsupported media type", &detail)]);
        }
    }
}

#[tokio::test]
async fn a_read_and_a_delete_may_name_any_media_type() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let did = world.did("37061498222").await;
    for (method, path, body, status) in [
        (Method::GET, TRUNKS.to_owned(), String::new(), 200),
        (
            Method::DELETE,
            format!("{TRUNKS}/{trunk}/relationships/dids"),
            json!({ "data": dids(&[&did]) }).to_string(),
            204,
        ),
        (Method::DELETE, format!("{TRUNKS}/{trunk}"), String::new(), 204),
    ] {
        let mut request = world.api.request(method, &path).body(body).build().unwrap();
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        let answer = world.api.execute(request).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

async fn accepting(world: &World, accept: Option<&str>) -> Answer {
    let mut request = world.api.request(Method::GET, TRUNKS).build().unwrap();
    request.headers_mut().remove("accept");
    if let Some(accept) = accept {
        request.headers_mut().insert("accept", accept.parse().unwrap());
    }
    world.api.execute(request).await
}

#[tokio::test]
async fn case_50_an_accept_without_the_media_type_is_refused() {
    let world = World::start().await;
    for sent in [
        "application/json",
        "application/vnd.api+json; ext=bulk",
        "text/html, application/json",
        "application/*",
    ] {
        let detail = format!(
            "All requests must use the 'application/vnd.api+json' Accept without media type parameters. \
             This request specified '{sent}'."
        );
        let answer = accepting(&world, Some(sent)).await;
        refused(&answer, &[error(406, "406", "Not acceptable", &detail)]);
    }
}

#[tokio::test]
async fn case_51_anything_or_nothing_is_accepted() {
    let world = World::start().await;
    for sent in [
        Some("*/*"),
        None,
        Some("text/html, application/vnd.api+json"),
        Some("application/json, */*;q=0.1"),
        Some("application/vnd.api+json; ext=bulk, application/vnd.api+json"),
    ] {
        let answer = accepting(&world, sent).await;
        assert_eq!(answer.status, 200, "{sent:?}");
        assert_eq!(answer.headers["content-type"], "application/vnd.api+json");
    }
}

#[tokio::test]
async fn case_61_linkage_of_another_type_is_refused() {
    let world = World::start().await;
    let body = linking(credentials("A"), "dids", json!([identifier("orders", UNKNOWN)]));
    let expected = error(400, "116", "Type Mismatch", " is not a valid type for this operation.");
    refused_create(&world, &body.to_string(), expected).await;
    let mut body = rotation(UNKNOWN);
    body["data"]["relationships"]["voice_out_trunk"]["data"]["type"] = json!("dids");
    let expected = error(400, "116", "Type Mismatch", "dids is not a valid type for this operation.");
    refused(&world.api.post(ROTATION, &body).await, &[expected]);
}

#[tokio::test]
async fn case_62_a_to_many_relationship_is_a_list_of_identifiers() {
    let world = World::start().await;
    for linkage in [
        json!(null),
        json!({}),
        identifier("dids", UNKNOWN),
        json!("x"),
        json!(["x"]),
        json!([null]),
        json!([{ "id": UNKNOWN }]),
        json!([{ "type": "dids" }]),
        json!([{ "type": "dids", "id": 7 }]),
        json!([{ "type": "dids", "id": UNKNOWN, "meta": {} }]),
    ] {
        let body = linking(credentials("A"), "dids", linkage);
        refused_create(&world, &body.to_string(), not_linkage()).await;
    }
    for relationship in [json!(null), json!({}), json!([]), json!("x"), json!({ "links": {} })] {
        let mut body = credentials("A");
        body["data"]["relationships"] = json!({ "dids": relationship });
        refused_create(&world, &body.to_string(), not_linkage()).await;
    }
}

#[tokio::test]
async fn a_to_one_relationship_is_one_identifier_or_null() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let path = format!("{DIDS}/{did}");
    for linkage in [json!([]), json!("x"), json!({}), json!({ "type": "voice_in_trunks" })] {
        let body = linking(update("dids", &did, json!({})), "voice_in_trunk", linkage);
        refused(&world.api.patch(&path, &body).await, &[not_linkage()]);
    }
    let body = linking(update("dids", &did, json!({})), "voice_in_trunk", identifier("dids", &did));
    let expected = error(400, "116", "Type Mismatch", "dids is not a valid type for this operation.");
    refused(&world.api.patch(&path, &body).await, &[expected]);
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_without_being_kept() {
    let world = World::start().await;
    let body = with(credentials("A"), json!({ "name": "x".repeat(1 << 20) }));
    let request = world.api.request(Method::POST, TRUNKS).body(body.to_string());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 413);
    assert_eq!(world.api.get(TRUNKS).await.at("/data"), Value::Array(Vec::new()));
}
