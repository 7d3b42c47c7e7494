//! Credentials: where they are read, their precedence, contents and lifetime.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::control::customers::{CustomerPatch, NewAccessKey, TokenKind};

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;

#[tokio::test]
async fn case_1_without_a_credential_authentication_is_required() {
    let stage = Stage::start().await;
    for path in ["/providers", "/outbound_config", "/calls", "/routes", "/providercalls"] {
        stage.anonymous().get(path).await.refused(&authentication_required());
    }
}

#[tokio::test]
async fn case_2_a_token_that_is_none_is_invalid() {
    let stage = Stage::start().await;
    for garbage in ["garbage", "a.b.c", "..", "eyJhbGciOiJIUzI1NiJ9.e30.e30"] {
        stage.anonymous().token(garbage).get("/providers").await.refused(&invalid_credentials());
    }
    for key in ["vb_nothing", "garbage"] {
        stage.anonymous().key(key).get("/providers").await.refused(&invalid_credentials());
    }
}

#[tokio::test]
async fn case_3_a_bad_token_wins_over_a_good_access_key() {
    let stage = Stage::start().await;
    let key = stage.key(stage.admin, Some(SUPER_ADMIN)).await;
    key.get("/providers").await.ok();
    key.header("Authorization: Bearer x").get("/providers").await.refused(&invalid_credentials());
}

#[tokio::test]
async fn case_4_another_scheme_counts_as_none() {
    let stage = Stage::start().await;
    for line in ["Basic YTpi", "bearer x", "Token x", "Bearer", "Bearer "] {
        let caller = stage.anonymous().header(format!("Authorization: {line}"));
        caller.get("/providers").await.refused(&authentication_required());
    }
}

#[tokio::test]
async fn case_5_an_access_key_is_an_admin_of_its_customer_and_no_more() {
    let stage = Stage::start().await;
    let key = stage.key(stage.admin, None).await;
    key.get("/providers").await.refused(&permission_denied());
    key.get("/outbound_config").await.ok();
    // The control API can set the permission bits of a key.
    let key = stage.key(stage.admin, Some(SUPER_ADMIN)).await;
    key.get("/providers").await.ok();
}

/// The token in a caller's query.
async fn token(stage: &Stage) -> String {
    log_in(stage.at, "root", "correct horse").await
}

/// A place for a credential: its name, a function that puts one there, and whether it accepts tokens.
type Place = (&'static str, fn(&Caller, &str) -> Caller, bool);

#[tokio::test]
async fn a_credential_is_taken_from_the_first_place_that_has_one() {
    let stage = Stage::start().await;
    let good = token(&stage).await;
    let (_, key) = {
        let mut new = NewAccessKey::default();
        new.permission = Some(SUPER_ADMIN);
        stage.control().create_access_key(stage.admin, new).await.unwrap()
    };
    // Each place with a valid credential, in the order of precedence.
    let places: [Place; 5] = [
        ("cookie token", |caller, text| caller.header(format!("Cookie: a=b; token={text}")), true),
        ("query token", |caller, text| caller.query(format!("token={text}")), true),
        ("header", |caller, text| caller.header(format!("Authorization: Bearer {text}")), true),
        ("cookie accesskey", |caller, text| caller.header(format!("Cookie: accesskey={text}")), false),
        ("query accesskey", |caller, text| caller.query(format!("accesskey={text}")), false),
    ];
    let right = |is_token: bool| if is_token { good.as_str() } else { key.expose() };
    for (first, (name, put, is_token)) in places.iter().enumerate() {
        put(&stage.anonymous(), right(*is_token)).get("/providers").await.ok();
        for (other, put_other, other_is_token) in &places[first + 1..] {
            // The two cookies would be two header lines here, which no browser sends.
            if name.starts_with("cookie") && other.starts_with("cookie") {
                continue;
            }
            let caller = put_other(&put(&stage.anonymous(), "bad"), right(*other_is_token));
            let answer = caller.get("/providers").await;
            assert_eq!(answer.status, 401, "a bad {name} before a good {other}");
            let caller = put_other(&put(&stage.anonymous(), right(*is_token)), "bad");
            let answer = caller.get("/providers").await;
            assert_eq!(answer.status, 200, "a good {name} before a bad {other}");
            let caller = put_other(&put(&stage.anonymous(), ""), right(*other_is_token));
            let answer = caller.get("/providers").await;
            assert_eq!(answer.status, 200, "an empty {name} before a good {other}");
        }
    }
    let both = stage.anonymous().header(format!("Cookie: accesskey=bad; token={good}"));
    both.get("/providers").await.ok();
    let both = stage.anonymous().header(format!("Cookie: accesskey={}; token=bad", key.expose()));
    both.get("/providers").await.refused(&invalid_credentials());
}

#[tokio::test]
async fn a_cookie_is_read_beside_another_one_of_any_bytes() {
    let stage = Stage::start().await;
    let good = token(&stage).await;
    // A page of the same host can set cookies that are not ASCII, which browsers send with all requests to the host.
    for other in ["name=Zo\u{eb}", "name=\u{d55c}", "na\u{ef}ve", "=;;", "a=b=c"] {
        for cookies in [format!("{other}; token={good}"), format!("token={good}; {other}")] {
            stage.anonymous().header(format!("Cookie: {cookies}")).get("/providers").await.ok();
        }
    }
}

#[tokio::test]
async fn a_login_returns_a_token_and_a_cookie() {
    let stage = Stage::start().await;
    let base = stage.anonymous().below("");
    let body = json!({ "username": "root", "password": "correct horse" });
    let answer = base.post("/auth/login", &body).await;
    let token = answer.ok()["token"].as_str().unwrap().to_owned();
    assert_eq!(answer.text, format!(r#"{{"username":"root","token":"{token}"}}"#));
    let cookie = answer.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("token={token}; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"));
    stage.anonymous().token(&token).get("/providers").await.ok();
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_login_that_fails_says_nothing() {
    let stage = Stage::start().await;
    let base = stage.anonymous().below("");
    for body in [
        json!({ "username": "root", "password": "wrong" }),
        json!({ "username": "nobody", "password": "correct horse" }),
        json!({ "username": "root" }),
        json!({}),
        json!([]),
    ] {
        let answer = base.post("/auth/login", &body).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, ""), "{body}");
    }
    for text in ["", "x"] {
        let answer = base.send("POST", "/auth/login", text).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, ""), "{text}");
    }
}

#[tokio::test]
async fn the_body_of_a_login_has_at_most_16_kib() {
    let stage = Stage::start().await;
    let base = stage.anonymous().below("");
    let padded = |length: usize| format!("{:<length$}", r#"{"username":"root","password":"correct horse"}"#);
    for (length, status) in [(16 << 10, 200), ((16 << 10) + 1, 400)] {
        let answer = base.send("POST", "/auth/login", &padded(length)).await;
        assert_eq!(answer.status, status, "{length} bytes");
    }
}

/// The three parts of a token.
fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// Decodes a part of a token: base64 with the URL-safe alphabet and without padding.
fn decoded(part: &str) -> Value {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in part.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter).expect("a letter of the alphabet");
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_token_says_who_it_is_for_and_until_when_and_cannot_be_altered() {
    let stage = Stage::start().await;
    stage.control().clock().freeze(Some("2026-04-21T23:15:00Z".parse().unwrap()));
    let token = token(&stage).await;
    let [head, claims, signature] = parts(&token);
    let head_json = decoded(&head);
    assert_eq!(head_json["alg"], "HS256");
    let payload = decoded(&claims);
    assert_eq!(payload["type"], "agent");
    assert_eq!(payload["expire"], "2026-04-28T23:15:00.000000Z");
    assert_eq!(payload.get("exp"), None);
    let agent = &payload["agent"];
    assert_eq!(agent["username"], "root");
    assert_eq!(agent["customer_id"], json!(stage.admin));
    assert_eq!(agent["permission"].as_u64().unwrap() & u64::from(SUPER_ADMIN), 1);
    assert!(agent["id"].is_string());
    let swap = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    // {"alg":"none"}, with and without the signature.
    let none = "eyJhbGciOiJub25lIn0";
    for altered in [
        format!("{head}.{}.{signature}", swap(&claims, 20)),
        format!("{head}.{claims}.{}", swap(&signature, 5)),
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
    ] {
        stage.anonymous().token(&altered).get("/providers").await.refused(&invalid_credentials());
    }
    stage.anonymous().token(&token).get("/providers").await.ok();
}

#[tokio::test]
async fn tokens_end_after_their_time() {
    const HOUR: u64 = 3600;
    let stage = Stage::start().await;
    stage.control().clock().freeze(None);
    let agent = stage.agent(stage.admin, ADMIN).await;
    let delegate = stage.holder(stage.admin, TokenKind::Delegate);
    let direct = stage.holder(stage.admin, TokenKind::Direct);
    let config = "/outbound_config";
    direct.get(config).await.refused(&direct_access());
    let forward = |hours: u64| {
        stage.control().clock().advance(Duration::from_secs(hours * HOUR));
    };
    stage.control().clock().advance(Duration::from_secs(4 * HOUR - 1));
    direct.get(config).await.refused(&direct_access());
    stage.control().clock().advance(Duration::from_secs(2));
    direct.get(config).await.refused(&invalid_credentials());
    delegate.get(config).await.ok();
    forward(4);
    delegate.get(config).await.refused(&invalid_credentials());
    agent.get(config).await.ok();
    forward(7 * 24 - 9);
    agent.get(config).await.ok();
    forward(2);
    agent.get(config).await.refused(&invalid_credentials());
}

#[tokio::test]
async fn an_access_key_ends_at_its_time_and_when_it_is_taken_away() {
    let stage = Stage::start().await;
    stage.control().clock().freeze(Some("2026-04-21T23:15:00Z".parse().unwrap()));
    let mut new = NewAccessKey::default();
    new.tm_expire = Some("2026-04-21T23:16:00Z".to_owned());
    let (_, key) = stage.control().create_access_key(stage.admin, new).await.unwrap();
    assert!(key.expose().starts_with("vb_") && key.expose().len() > 20);
    let caller = stage.anonymous().key(key.expose());
    caller.get("/outbound_config").await.ok();
    stage.control().clock().advance(Duration::from_secs(61));
    caller.get("/outbound_config").await.refused(&invalid_credentials());
    let (record, key) =
        stage.control().create_access_key(stage.admin, NewAccessKey::default()).await.unwrap();
    let caller = stage.anonymous().key(key.expose());
    caller.get("/outbound_config").await.ok();
    stage.control().delete_access_key(stage.admin, record.id).await.unwrap();
    caller.get("/outbound_config").await.refused(&invalid_credentials());
}

#[tokio::test]
async fn a_frozen_customers_error_names_the_deletion_date_and_the_way_back() {
    let stage = Stage::start().await;
    stage.control().clock().freeze(Some("2026-04-21T23:15:00Z".parse().unwrap()));
    let customer = stage.customer("frozen").await;
    let callers = [stage.agent(customer, ADMIN).await, stage.key(customer, None).await];
    let direct = stage.holder(customer, TokenKind::Direct);
    let mut patch = CustomerPatch::default();
    patch.status = Some(serde_json::from_value(json!("frozen")).unwrap());
    stage.control().update_customer(customer, patch.clone()).await.unwrap();
    stage.control().update_customer(stage.admin, patch).await.unwrap();
    for caller in callers {
        let answer = caller.get("/outbound_config").await;
        let message = answer.refused_somehow("PERMISSION_DENIED", "ACCOUNT_FROZEN");
        assert_eq!(message, "This account is frozen. Contact support.");
        let details = answer.at("/error/details/0");
        assert_eq!(instant(&details["deletion_scheduled_at"]), "2026-04-21T23:15:00Z");
        assert_eq!(instant(&details["deletion_effective_at"]), "2026-05-21T23:15:00Z");
        assert_eq!(details["recovery_endpoint"], "DELETE /auth/unregister");
        assert!(answer.text.starts_with(r#"{"error":{"details":[{"#), "{}", answer.text);
        // Refused before all other checks.
        caller.get("/providers/xyz").await.refused_somehow("PERMISSION_DENIED", "ACCOUNT_FROZEN");
    }
    direct.get("/outbound_config").await.refused(&direct_access());
    stage.sa.get("/providers").await.ok();
}

#[tokio::test]
async fn the_platforms_admin_of_the_command_line_can_log_in_and_call() {
    let arguments = ["--ephemeral", "--api-key", "good", "--voipbin-admin", "operator:pass:word"];
    let binary = crate::support::binary::Binary::start(&arguments);
    let at = binary.base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
    let token = log_in(at, "operator", "pass:word").await;
    let caller = Caller::anonymous(at).token(&token);
    caller.get("/providers").await.ok();
    assert_eq!(caller.get("/outbound_config").await.ok()["destination_whitelist"], json!([]));
    assert!(!binary.log().contains("pass:word") && !binary.greeting.contains("pass:word"));
}
