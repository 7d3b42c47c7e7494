//! Refusals in the log: each has its reason, none has a secret, and no client can write a line of its own.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use didww_types::ApiVersion;

use crate::support::api::{Answer, Api, http_client};
use crate::support::binary::Binary;
use crate::support::engine;

const ARGUMENTS: [&str; 6] =
    ["--ephemeral", "--api-key", "canary-key", "--voipbin-admin", "root:canary-password", "--control-token"];

fn start() -> Binary {
    Binary::start(&[&ARGUMENTS[..], &["canary-token"]].concat())
}

/// Waits until a line of the log contains all of these words.
#[track_caller]
fn logged(binary: &Binary, words: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let log = binary.log();
        if let Some(line) = log.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line has {words:?}:\n{log}");
        std::thread::yield_now();
    }
}

async fn ask(method: Method, url: String, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = http_client().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.body(body.to_owned()).send().await.unwrap()).await
}

#[tokio::test]
async fn the_log_states_which_of_three_causes_a_401_of_the_api_had() {
    let binary = start();
    let dids = || format!("{}/dids", binary.base);
    for (header, words) in [
        (None, "no header `Api-Key` was sent\""),
        (Some("X-Api-Key"), "no header `Api-Key` was sent, but a header `x-api-key`"),
        (Some("Authorization"), "no header `Api-Key` was sent, but a header `authorization`"),
    ] {
        let headers: Vec<_> = header.map(|header| (header, "canary-wrong")).into_iter().collect();
        assert_eq!(ask(Method::GET, dids(), &headers, "").await.status, 401);
        logged(&binary, &["request refused", "status=401", words]);
    }
    let binary = start();
    let url = format!("{}/dids", binary.base);
    assert_eq!(ask(Method::GET, url, &[("Api-Key", "canary-wrong")], "").await.status, 401);
    logged(
        &binary,
        &["request refused", "status=401", "the key of the header `Api-Key` belongs to no account"],
    );
    assert!(!binary.log().contains("canary"), "{}", binary.log());
}

#[tokio::test]
async fn the_log_states_once_for_a_key_that_its_version_header_is_ignored() {
    let binary = start();
    let api = Api::new(&binary.base, "canary-key");
    for _ in 0..3 {
        assert_eq!(api.at(Some("2020-01-01")).get("/dids").await.status, 200);
    }
    assert_eq!(api.at(Some("banana")).get("/dids").await.status, 200);
    logged(&binary, &["a version header is ignored", "banana", "2021-12-15"]);
    let log = binary.log();
    let lines = log.lines().filter(|line| line.contains("2020-01-01")).count();
    assert_eq!(lines, 1, "{log}");
    let new = json!({ "data": { "type": "voice_out_trunks", "attributes": {
        "name": "a", "on_cli_mismatch_action": "reject_call", "authentication_method": {} } } });
    assert_eq!(api.at(None).post("/voice_out_trunks", &new).await.status, 400);
    logged(&binary, &["authentication_method is not allowed", "no version header was sent", "2021-12-15"]);
    for (path, detail) in [
        ("/dids?include=identity", "identity is not a valid relationship of dids"),
        ("/dids?filter[emergency_enabled]=true", "emergency_enabled is not allowed."),
        ("/dids?fields[dids]=emergency_enabled", "emergency_enabled is not a valid field for dids."),
        ("/dids?fields[sms_trunks]=name", "sms_trunks is not a valid resource."),
        ("/voice_in_trunks?sort=external_reference_id", "external_reference_id is not a valid sort criteria"),
    ] {
        assert_eq!(api.at(None).get(path).await.status, 400, "{path}");
        logged(&binary, &[detail, "no version header was sent", "2021-12-15"]);
    }
}

#[tokio::test]
async fn requests_of_strangers_for_paths_that_do_not_exist_are_a_few_lines_with_the_cause() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "canary-key"]);
    let url = format!("{}/voice_out_trunks", binary.base.trim_end_matches("/v3"));
    for _ in 0..30 {
        assert_eq!(ask(Method::GET, url.clone(), &[], "").await.status, 404);
    }
    logged(&binary, &["request refused", "status=404", "they begin with /v3/ and the name of a type"]);
    // The lines of these requests are written before that of a later one.
    assert_eq!(ask(Method::GET, format!("{}/dids", binary.base), &[], "").await.status, 401);
    logged(&binary, &["request refused", "status=401"]);
    // Three in a minute, and the requests may be of two minutes.
    let lines = binary.log().lines().filter(|line| line.contains("status=404")).count();
    assert!((1..=6).contains(&lines), "{}", binary.log());
}

#[tokio::test]
async fn refused_requests_of_strangers_for_a_type_without_credentials_are_a_few_lines() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "canary-key"]);
    for _ in 0..12 {
        let answer = ask(Method::GET, format!("{}/public_keys?sort=key", binary.base), &[], "").await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    logged(&binary, &["request refused", "status=400", "/v3/public_keys", "not a valid sort criteria"]);
    assert_eq!(ask(Method::GET, format!("{}/dids", binary.base), &[], "").await.status, 401);
    logged(&binary, &["request refused", "status=401"]);
    let lines = binary.log().lines().filter(|line| line.contains("status=400")).count();
    assert!((1..=6).contains(&lines), "{}", binary.log());
}

#[tokio::test]
async fn refusals_of_the_platform_and_its_login_are_logged_with_their_causes() {
    let binary = start();
    let base = binary.base.trim_end_matches("/v3").to_owned();
    let providers = || format!("{base}/v1.0/providers");
    for (header, words) in [
        (None, "no token or access key was sent\""),
        (Some(("Authorization", "Basic canary-wrong")), "was sent, but a header `authorization`"),
        (Some(("Cookie", "accesskey=canary-wrong")), "the access key is unknown, expired or deleted"),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        assert_eq!(ask(Method::GET, providers(), &headers, "").await.status, 401);
        logged(&binary, &["request refused", "status=401", words]);
    }
    let login = async |username: &str, password: &str| {
        let body = json!({ "username": username, "password": password }).to_string();
        ask(Method::POST, format!("{base}/auth/login"), &[], &body).await
    };
    assert_eq!(login("canary-name", "canary-wrong").await.status, 400);
    logged(&binary, &["a login was refused", "no agent has the username"]);
    assert_eq!(login("root", "canary-wrong").await.status, 400);
    logged(&binary, &["a login was refused", "the password is wrong"]);
    let token = login("root", "canary-password").await;
    let bearer = format!("Bearer {}", token.at("/token").as_str().unwrap());
    let refused = ask(Method::POST, providers(), &[("Authorization", &bearer)], "canary-body").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    logged(
        &binary,
        &["request refused", "method=\"POST\"", "INVALID_JSON_BODY", "the body is no JSON, line 1"],
    );
    for (body, place) in [
        (r#"{"name":"canary-name","hostname":["canary-host"]}"#, "at `hostname`, line 1, column "),
        ("{\"name\":\"canary-name\",\n\"hostname\":5}", "at `hostname`, line 2, column "),
    ] {
        let refused = ask(Method::POST, providers(), &[("Authorization", &bearer)], body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_eq!(refused.at("/error/message"), "The request body is not valid JSON.", "as the platform");
        logged(&binary, &["request refused", "a member is missing or has another type", place]);
    }
    assert!(!binary.log().contains("canary"), "{}", binary.log());
}

#[tokio::test]
async fn what_the_platform_accepts_and_cannot_use_is_a_warning_of_the_log() {
    let binary = start();
    let base = binary.base.trim_end_matches("/v3").to_owned();
    let login = json!({ "username": "root", "password": "canary-password" }).to_string();
    let token = ask(Method::POST, format!("{base}/auth/login"), &[], &login).await;
    let bearer = format!("Bearer {}", token.at("/token").as_str().unwrap());
    let post = async |path: &str, body: serde_json::Value| {
        let headers = [("Authorization", bearer.as_str())];
        let answer = ask(Method::POST, format!("{base}/v1.0/{path}"), &headers, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    };
    let headers = json!({ "X-Sent": "1", "X Unsent": "2" });
    post("providers", json!({ "type": "sip", "hostname": "127.0.0.1", "tech_headers": headers })).await;
    let words = "a provider's header is never sent: its name or value is not permitted";
    logged(&binary, &[" WARN ", words, "hostname=\"127.0.0.1\"", "header=\"X Unsent\""]);
    assert!(!binary.log().contains("X-Sent"), "{}", binary.log());

    let nobody = "7f9c24e8-3b12-4fef-91a0-5e7a4d1c9b01";
    post("routes", json!({ "customer_id": nobody, "provider_id": nobody, "target": "mars" })).await;
    for why in [
        "its target is neither `all` nor a calling code such as +82",
        "its provider does not exist",
        "its customer does not exist",
    ] {
        logged(&binary, &[" WARN ", "no call can take a route", why, "route_target=mars", nobody]);
    }

    let credentials = json!({ "api_key": "canary-key", "base_url": binary.base });
    post("providers/setup", json!({ "carrier": "didww", "name": "Own", "credentials": credentials })).await;
    let words = "a new trunk at didww accepts calls from every address that knows its credentials";
    logged(&binary, &[" WARN ", words, "set voipbin.source_networks", "name=\"Own\""]);
    assert!(!binary.log().contains("canary"), "{}", binary.log());
}

#[tokio::test]
async fn refusals_of_the_control_api_are_logged_with_their_causes_and_a_wrong_token_is_called_wrong() {
    let binary = start();
    let control = binary.control.clone().unwrap();
    let accounts = || format!("{control}/accounts");
    for (header, words, answered) in [
        (None, "no header `Authorization` was sent\"", "send the control token"),
        (Some(("X-Api-Key", "canary-wrong")), "but a header `x-api-key`", "send the control token"),
        (Some(("Authorization", "canary-wrong")), "is not `Bearer TOKEN`", "send the control token"),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let answer = ask(Method::GET, accounts(), &headers, "").await;
        assert!(answer.status == 401 && answer.text.contains(answered), "{}", answer.text);
        logged(&binary, &["control request rejected", "status=401", words]);
    }
    let binary = start();
    let accounts = format!("{}/accounts", binary.control.clone().unwrap());
    let wrong = ask(Method::GET, accounts.clone(), &[("Authorization", "Bearer canary-wrong")], "").await;
    assert!(wrong.status == 401 && wrong.text.contains("the control token is wrong"), "{}", wrong.text);
    logged(&binary, &["control request rejected", "status=401", "the control token is wrong"]);
    let token = [("Authorization", "Bearer canary-token")];
    let refused = ask(Method::POST, accounts.clone(), &token, r#"{"name":["canary-name"]}"#).await;
    assert!(refused.status == 422 && refused.text.contains("a wrong `name`"), "{}", refused.text);
    logged(&binary, &["control request refused", "status=422", "the response states where"]);
    let missing = ask(Method::GET, format!("{accounts}/none%0a%1b"), &token, "").await;
    assert_eq!(missing.status, 404);
    let line = logged(&binary, &["control request refused", "status=404", "there is no account none"]);
    assert!(!line.contains('\u{1b}'), "{line}");
    assert!(!binary.log().contains("canary"), "{}", binary.log());
}

#[tokio::test]
async fn a_trunk_that_takes_calls_from_any_address_is_stated_when_it_is_made_and_in_a_list_and_at_the_start()
{
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunks.db");
    let arguments =
        ["--database", database.to_str().unwrap(), "--api-key", "k", "--sip-listen", "127.0.0.1:0"];
    let binary = Binary::start(&arguments);
    let api = Api::new(&binary.base, "k");
    let trunk = |name: &str, network: &str| {
        let method = json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": [network] } });
        json!({ "data": { "type": "voice_out_trunks", "attributes": { "name": name,
            "on_cli_mismatch_action": "reject_call", "authentication_method": method } } })
    };
    let closed = api.post("/voice_out_trunks", &trunk("closed 0.0.0.0/0", "203.0.113.7")).await.id();
    let open = api.post("/voice_out_trunks", &trunk("open", "0.0.0.0/0")).await.id();
    let sentence = "the trunk takes calls from any address that has its password";
    logged(&binary, &["WARN", sentence, &open]);
    let renamed =
        json!({ "data": { "type": "voice_out_trunks", "id": open, "attributes": { "name": "renamed" } } });
    assert_eq!(api.patch(&format!("/voice_out_trunks/{open}"), &renamed).await.status, 200);
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let listed = control.get("/trunks/open").await;
    assert_eq!(listed.at("/total"), 1, "{}", listed.text);
    assert_eq!(listed.at("/open_trunks/0/trunk"), open);
    assert_eq!(listed.at("/open_trunks/0/warning"), sentence);
    assert!(!listed.text.contains(&closed), "{}", listed.text);
    let account = listed.at("/open_trunks/0/account").as_str().unwrap().to_owned();
    let path = format!("/accounts/{account}/trunks/{closed}/ip_only");
    let made = control.post(&path, &json!({ "allowed_sip_ips": ["::/0"] })).await;
    assert_eq!(made.at("/warning"), "the trunk takes calls from any address, without a password");
    logged(&binary, &["WARN", "any address, without a password", &closed]);
    assert_eq!(binary.log().matches(sentence).count(), 1, "renaming it is no news: {}", binary.log());
    assert_eq!(binary.terminate(), Some(0));
    let binary = Binary::start(&arguments);
    let line = logged(&binary, &["WARN", "trunks take calls from any address", "total=2"]);
    assert!(line.contains(&open) && line.contains(&closed), "{line}");
}

#[tokio::test]
async fn a_provider_whose_trunk_takes_calls_from_any_address_is_stated_when_it_is_made_and_in_lists_and_at_the_start()
 {
    let carrier = engine::builder().api_key("carrierkey").version(ApiVersion::V2026_04_16).start().await;
    let at_carrier = Api::new(carrier.base_url(), "carrierkey");
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.7"] } });
    let closed = json!({ "data": { "type": "voice_out_trunks", "attributes": { "name": "closed",
        "on_cli_mismatch_action": "reject_call", "authentication_method": method } } });
    let closed = at_carrier.post("/voice_out_trunks", &closed).await.id();

    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("providers.db");
    let arguments = [
        "--database",
        database.to_str().unwrap(),
        "--api-key",
        "k",
        "--voipbin-admin",
        "root:canary-password",
    ];
    let binary = Binary::start(&arguments);
    let base = binary.base.trim_end_matches("/v3").to_owned();
    let login = json!({ "username": "root", "password": "canary-password" }).to_string();
    let token = ask(Method::POST, format!("{base}/auth/login"), &[], &login).await;
    let bearer = format!("Bearer {}", token.at("/token").as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    let set_up = async |name: &str, trunk: Option<&str>| {
        let credentials =
            json!({ "api_key": "carrierkey", "base_url": carrier.base_url(), "trunk_id": trunk });
        let body = json!({ "carrier": "didww", "name": name, "credentials": credentials }).to_string();
        let made = ask(Method::POST, format!("{base}/v1.0/providers/setup"), &headers, &body).await;
        assert_eq!(made.status, 200, "{}", made.text);
        made
    };
    let closed = set_up("Closed", Some(closed.as_str())).await;
    assert_eq!(closed.at("/metadata/accepts_every_address"), json!(null), "{}", closed.text);
    // Without `source_networks` and `sip_bind`, a new trunk takes calls from any address.
    let new = set_up("New", None).await;
    logged(&binary, &[" WARN ", "a new trunk at didww accepts calls from every address", "name=\"New\""]);
    let trunk = new.at("/metadata/didww_trunk_id").as_str().unwrap().to_owned();
    let existing = set_up("Existing", Some(trunk.as_str())).await;
    logged(&binary, &[" WARN ", "the trunk of a provider at didww accepts calls from every address", &trunk]);
    let id = |made: &Answer| made.at("/id").as_str().unwrap().to_owned();
    for open in [&new, &existing] {
        assert_eq!(open.at("/metadata/accepts_every_address"), true, "{}", open.text);
        let shown = ask(Method::GET, format!("{base}/v1.0/providers/{}", id(open)), &headers, "").await;
        assert_eq!(shown.at("/metadata"), open.at("/metadata"));
    }

    let listed = async |binary: &Binary| {
        Api::new(binary.control.clone().unwrap(), "").with_key(None).get("/providers/open").await
    };
    let open = listed(&binary).await;
    assert_eq!(open.at("/total"), 2, "{}", open.text);
    assert_eq!(open.at("/open_providers/0/provider"), id(&existing));
    assert_eq!(open.at("/open_providers/1/provider"), id(&new));
    assert_eq!(open.at("/open_providers/1/allowed_sip_ips"), json!(["0.0.0.0/0"]));
    let sentence = open.at("/open_providers/1/warning");
    assert!(sentence.as_str().unwrap().ends_with("from any address that has its password"), "{sentence}");
    assert!(!open.text.contains(&id(&closed)), "{}", open.text);

    assert_eq!(binary.terminate(), Some(0));
    let binary = Binary::start(&arguments);
    let line =
        logged(&binary, &["WARN", "trunks of providers at carriers take calls from any address", "total=2"]);
    assert!(line.contains(&id(&new)) && line.contains(&id(&existing)), "{line}");

    // The trunk is closed at the carrier, and its credentials are read again.
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.7"] } });
    let attributes = json!({ "authentication_method": method });
    let patch = json!({ "data": { "type": "voice_out_trunks", "id": trunk, "attributes": attributes } });
    assert_eq!(at_carrier.patch(&format!("/voice_out_trunks/{trunk}"), &patch).await.status, 200);
    let base = binary.base.trim_end_matches("/v3").to_owned();
    let again = json!({ "credentials": { "api_key": "carrierkey" } }).to_string();
    let url = format!("{base}/v1.0/providers/{}/credentials", id(&new));
    let read = ask(Method::PUT, url, &headers, &again).await;
    assert_eq!(
        (read.status, read.at("/metadata/accepts_every_address")),
        (200, json!(null)),
        "{}",
        read.text
    );
    assert_eq!(listed(&binary).await.at("/total"), 1);
    assert!(!binary.log().contains("canary"), "{}", binary.log());
}
