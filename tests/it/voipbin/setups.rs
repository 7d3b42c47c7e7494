//! Setting up a provider at Telnyx: the objects that it creates there, their deletion when it fails, and the
//! secrecy of the credentials.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::config::{Config, Database};

use super::caller::{Answer as Answered, Caller};
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use super::telnyx::*;
use crate::sip::digest;
use crate::sip::edge::scratch;
use crate::support::binary::Binary;
use crate::support::engine;

/// The platform's public SIP address.
const GATEWAY: &str = "pstn.example.com:5060";

fn gateway(config: &mut Config) {
    config.voipbin.platform.sip_gateway = Some(GATEWAY.parse().unwrap());
}

fn body(telnyx: &Telnyx) -> Value {
    json!({
        "carrier": "telnyx", "name": "Main, of Telnyx!", "detail": "d",
        "credentials": { "api_key": KEY, "base_url": telnyx.base() },
    })
}

async fn ready() -> (Stage, Telnyx) {
    (Stage::with(gateway).await, Telnyx::start().await)
}

async fn set_up(stage: &Stage, telnyx: &Telnyx) -> Answered {
    stage.sa.post("/providers/setup", &body(telnyx)).await
}

fn rejected() -> Refusal {
    error(
        "INVALID_ARGUMENT",
        "CARRIER_CREDENTIALS_REJECTED",
        "The carrier rejected the supplied credentials.",
    )
}

/// Checks the error of a carrier whose API fails: it names the cause.
#[track_caller]
fn failed(answer: &Answered) {
    let message = answer.refused_somehow("UNAVAILABLE", "SERVICE_UNAVAILABLE");
    assert!(message.starts_with("The carrier's API failed: ") && message.len() > 30, "{message}");
}

/// Checks a refusal, or without one the error of a carrier whose API fails.
#[track_caller]
fn refused(answer: &Answered, refusal: Option<Refusal>) {
    match refusal {
        Some(refusal) => answer.refused(&refusal),
        None => failed(answer),
    }
}

/// The requests of a setup that fails at request `number`, and those that undo it.
fn until_the(number: usize) -> Vec<String> {
    let steps = [
        "GET /whoami".to_owned(),
        format!("POST {PROFILES}"),
        format!("POST {CONNECTIONS}"),
        format!("POST {FQDNS}"),
    ];
    let undone = [
        format!("DELETE {FQDNS}/{FQDN}"),
        format!("DELETE {CONNECTIONS}/{CONNECTION}"),
        format!("DELETE {PROFILES}/{PROFILE}"),
    ];
    let made = number.saturating_sub(1).min(3);
    [&steps[..steps.len().min(number + 1)], &undone[3 - made..]].concat()
}

#[tokio::test]
async fn a_setup_makes_a_profile_a_connection_and_the_platforms_name_at_telnyx() {
    let (stage, telnyx) = ready().await;
    let answer = set_up(&stage, &telnyx).await;
    let provider = answer.ok();
    let asked = telnyx.asked();
    assert_eq!(telnyx.lines(), until_the(3)[..4]);
    assert_eq!(
        asked[1].body,
        json!({ "name": "Main, of Telnyx!", "traffic_type": "conversational", "service_plan": "global" })
    );
    let (username, password) = telnyx.sip();
    assert_eq!((username.len(), password.len()), (32, 32));
    assert_eq!(
        asked[2].body,
        json!({
            "connection_name": "Main, of Telnyx!",
            "user_name": username,
            "password": password,
            "inbound": { "ani_number_format": "+E.164", "dnis_number_format": "+e164" },
            "outbound": { "outbound_voice_profile_id": PROFILE },
        })
    );
    assert_eq!(
        asked[3].body,
        json!({
            "connection_id": CONNECTION, "fqdn": "pstn.example.com", "port": 5060, "dns_record_type": "a",
        })
    );
    for (name, value) in [
        ("type", json!("sip")),
        ("hostname", json!("sip.telnyx.com")),
        ("tech_prefix", json!("")),
        ("tech_postfix", json!("")),
        ("tech_headers", json!({})),
        ("name", json!("Main, of Telnyx!")),
        ("detail", json!("d")),
        ("health_status", json!("unknown")),
        ("tm_update", Value::Null),
        (
            "metadata",
            json!({
                "telnyx_profile_id": PROFILE,
                "telnyx_connection_id": CONNECTION,
                "telnyx_fqdn_id": FQDN,
                "telnyx_fqdn": GATEWAY,
                "sip_credentials": true,
            }),
        ),
    ] {
        assert_eq!(provider[name], value, "{name}");
    }
    let id = answer.id();
    for text in [answer.text, stage.sa.get(&format!("/providers/{id}")).await.text] {
        for secret in [KEY, &username, &password] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    // Another provider of the same name receives different credentials.
    set_up(&stage, &telnyx).await.ok();
    let (second_name, second_password) = telnyx.sip();
    assert!(second_name != username && second_password != password);
    assert_eq!(stage.sa.get("/providers").await.rows().len(), 2);
}

#[tokio::test]
async fn whatever_fails_at_telnyx_is_undone_in_reverse() {
    let (stage, telnyx) = ready().await;
    for (number, line) in [(1, PROFILES), (2, CONNECTIONS), (3, FQDNS)] {
        let words = format!(
            "The carrier refused: POST /v2{line}: 422 Unprocessable Entity: the first; Only a title."
        );
        let errors =
            json!({ "errors": [{ "title": "T", "detail": "the first" }, { "title": "Only a title." }] });
        for (answer, refusal) in [
            (Answer::json(422, errors), Some(invalid(words))),
            (
                Answer::Text(404, "<html>".to_owned()),
                Some(invalid(format!("The carrier refused: POST /v2{line}: 404 Not Found."))),
            ),
            (Answer::error(401, "no"), Some(rejected())),
            (Answer::error(403, "no"), Some(rejected())),
            (Answer::error(500, "no"), None),
            (Answer::error(408, "no"), None),
            (Answer::Redirect("/elsewhere".to_owned()), None),
            // The answer reports that something was created, but not what.
            (Answer::Text(201, "<html>".to_owned()), None),
            (Answer::json(201, json!({ "data": { "id": "../../whoami" } })), None),
            (Answer::json(201, json!({ "data": { "id": "1", "long": "x".repeat(300_000) } })), None),
        ] {
            telnyx.forget();
            telnyx.answers(format!("POST {line}"), answer.clone());
            refused(&set_up(&stage, &telnyx).await, refusal);
            assert_eq!(telnyx.lines(), until_the(number), "{answer:?}");
        }
    }
    assert!(stage.sa.get("/providers").await.rows().is_empty());
}

#[tokio::test]
async fn what_cannot_be_undone_does_not_keep_the_rest_there() {
    let (stage, telnyx) = ready().await;
    telnyx.answers(format!("POST {FQDNS}"), Answer::error(422, "is taken"));
    telnyx.answers(format!("DELETE {CONNECTIONS}/{CONNECTION}"), Answer::error(500, "no"));
    let refusal =
        invalid(format!("The carrier refused: POST /v2{FQDNS}: 422 Unprocessable Entity: is taken."));
    set_up(&stage, &telnyx).await.refused(&refusal);
    assert_eq!(telnyx.lines(), until_the(3));
}

#[tokio::test]
async fn a_key_that_telnyx_does_not_know_makes_nothing() {
    let (stage, telnyx) = ready().await;
    let mut wrong = body(&telnyx);
    wrong["credentials"]["api_key"] = json!("KEYwrong");
    stage.sa.post("/providers/setup", &wrong).await.refused(&rejected());
    assert_eq!(telnyx.lines(), until_the(0));
    let elsewhere = Telnyx::start().await;
    for (answer, refusal) in [
        (Answer::error(403, "no"), Some(rejected())),
        (Answer::error(404, "no"), None),
        (Answer::error(500, "no"), None),
        (Answer::Text(204, String::new()), None),
        (Answer::Redirect(format!("{}/whoami", elsewhere.base())), None),
    ] {
        telnyx.forget();
        telnyx.answers("GET /whoami", answer.clone());
        refused(&set_up(&stage, &telnyx).await, refusal);
        assert_eq!(telnyx.lines(), until_the(0), "{answer:?}");
    }
    assert!(elsewhere.lines().is_empty(), "the key went to another place");
    assert!(stage.sa.get("/providers").await.rows().is_empty());
}

#[tokio::test]
async fn a_telnyx_that_does_not_answer_is_not_waited_for() {
    let telnyx = Telnyx::start().await;
    let hours = Duration::from_hours(1);
    let short = Duration::from_secs(2);
    for (request, setup) in [(short, hours), (hours, short)] {
        let stage = Stage::with(|config| {
            gateway(config);
            let timeouts = &mut config.voipbin.platform.carrier_timeouts;
            (timeouts.request, timeouts.setup) = (request, setup);
        });
        let stage = stage.await;
        telnyx.forget();
        telnyx.answers(format!("POST {FQDNS}"), Answer::Hang);
        failed(&set_up(&stage, &telnyx).await);
        assert_eq!(telnyx.lines(), until_the(3));
    }
    // Undoing has a time limit too.
    let stage = Stage::with(|config| {
        gateway(config);
        config.voipbin.platform.carrier_timeouts.undo = short;
    });
    let stage = stage.await;
    telnyx.forget();
    telnyx.answers(format!("POST {FQDNS}"), Answer::error(500, "no"));
    telnyx.answers(format!("DELETE {CONNECTIONS}/{CONNECTION}"), Answer::Hang);
    failed(&set_up(&stage, &telnyx).await);
    assert_eq!(telnyx.lines(), until_the(3));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_telnyx_is_asked() {
    let telnyx = Telnyx::start().await;
    let stage = Stage::start().await;
    let missing = "The server's setting voipbin.sip_gateway is missing: telnyx must be told where the platform takes calls.";
    set_up(&stage, &telnyx).await.refused(&invalid(missing));
    let stage = Stage::with(gateway).await;
    let example = "it looks like `https://api.telnyx.com/v2`.";
    let at = telnyx.at;
    for (member, value, words) in [
        (
            "trunk_id",
            json!("1"),
            "credentials.trunk_id means nothing at telnyx, where a connection is always made; leave it out."
                .to_owned(),
        ),
        (
            "base_url",
            json!(format!("ftp://{at}/v2")),
            format!("credentials.base_url: the base URL is not one of http or https; {example}"),
        ),
        (
            "base_url",
            json!(format!("http://user:pass@{at}/v2")),
            format!(
                "credentials.base_url: the base URL holds credentials, which would reach logs; {example}"
            ),
        ),
        (
            "api_key",
            json!("two\nlines"),
            "credentials.api_key has characters that a header cannot carry.".to_owned(),
        ),
    ] {
        let mut body = body(&telnyx);
        body["credentials"][member] = value;
        stage.sa.post("/providers/setup", &body).await.refused(&invalid(words));
    }
    for member in ["name", "credentials"] {
        let mut body = body(&telnyx);
        body[member] = Value::Null;
        stage.sa.post("/providers/setup", &body).await.refused_because("is missing");
    }
    let admin = stage.key(stage.admin, None).await;
    admin.post("/providers/setup", &body(&telnyx)).await.refused(&permission_denied());
    assert!(telnyx.lines().is_empty() && stage.sa.get("/providers").await.rows().is_empty());
    // An empty text means no credential.
    let mut body = body(&telnyx);
    body["credentials"]["trunk_id"] = json!("");
    stage.sa.post("/providers/setup", &body).await.ok();
}

#[tokio::test]
async fn what_was_made_for_a_provider_that_cannot_be_written_is_taken_away_again() {
    let carrier = engine::builder().api_key("carrierkey").version(didww_types::ApiVersion::V2026_04_16);
    let carrier = carrier.start().await;
    let telnyx = Telnyx::start().await;
    let file = scratch(&format!("setup-unwritten-{}.db", std::process::id()));
    let stage = Stage::with(|config| {
        gateway(config);
        config.database = Database::File(file.clone());
    });
    let stage = stage.await;
    // Simulates a full disk.
    let connection = rusqlite::Connection::open(&file).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON document BEGIN SELECT RAISE(ABORT, 'full'); END";
    connection.execute_batch(full).unwrap();
    drop(connection);
    let didww = json!({
        "carrier": "didww", "name": "Main",
        "credentials": { "api_key": "carrierkey", "base_url": carrier.base_url() },
    });
    let internal = error("INTERNAL", "INTERNAL", "An internal error occurred.");
    stage.sa.post("/providers/setup", &didww).await.refused(&internal);
    let api = crate::support::api::Api::new(carrier.base_url(), "carrierkey");
    assert_eq!(api.get("/voice_out_trunks").await.at("/meta/total_records"), 0);
    set_up(&stage, &telnyx).await.refused(&internal);
    assert_eq!(telnyx.lines(), until_the(4));
    stage.server.stop().await.unwrap();
    for end in ["", "-wal", "-shm", "-commits"] {
        // Remaining files are removed with the build folder.
        let _stays = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}

/// Whether an INVITE answers a challenge with these credentials.
fn answers(invite: &crate::sip::message::Message, (username, password): &(String, String)) -> bool {
    let header = "Proxy-Authorization";
    let said = |name: &str| invite.parameter(header, name).unwrap_or_else(|| panic!("no {name}: {invite:?}"));
    let right = digest::Answer {
        username: username.clone(),
        password: password.clone(),
        realm: "sip.telnyx.com".to_owned(),
        nonce: "n0nce".to_owned(),
        uri: invite.start.split(' ').nth(1).unwrap().to_owned(),
        method: "INVITE".to_owned(),
        algorithm: Some("MD5".to_owned()),
        qop: Some("auth".to_owned()),
        nc: said("nc"),
        cnonce: said("cnonce"),
    };
    let response = format!("response=\"{}\"", said("response"));
    said("username") == *username && right.value().contains(&response)
}

#[tokio::test]
async fn the_credentials_answer_telnyxs_challenge_and_are_in_no_log() {
    let telnyx = Telnyx::start().await;
    let mut carrier = Carrier::start().await;
    let config = scratch(&format!("setup-telnyx-{}.toml", std::process::id()));
    let text = format!(
        "[voipbin]\nsip_gateway = \"{GATEWAY}\"\nsip_bind = \"127.0.0.1\"\nprobe_interval = 0\n\
         [voipbin.hosts]\n\"sip.telnyx.com\" = \"{at}\"\n\"sip.telnyx.eu\" = \"{at}\"\n\"sip.example.com\" = \"{at}\"\n",
        at = carrier.at
    );
    std::fs::write(&config, text).unwrap();
    let binary = Binary::start(&[
        "--ephemeral",
        "--api-key",
        "good",
        "--voipbin-admin",
        "root:correct horse",
        "--log",
        "trace",
        "--config",
        config.to_str().unwrap(),
    ]);
    std::fs::remove_file(config).unwrap();
    let at = binary.base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
    let caller = Caller::anonymous(at).token(&log_in(at, "root", "correct horse").await);
    allow(&caller).await;
    let mut secrets = vec![KEY.to_owned()];

    // If the carrier's answer contains them, they are not passed on.
    telnyx.answers(format!("DELETE {PROFILES}/{PROFILE}"), Answer::error(409, &format!("{KEY} is in use")));
    telnyx.answers(format!("POST {CONNECTIONS}"), Answer::error(422, &format!("{KEY} is in debt")));
    let refused = caller.post("/providers/setup", &body(&telnyx)).await;
    let words = refused.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
    assert!(words.ends_with("422 Unprocessable Entity: (hidden) is in debt."), "{words}");
    let (username, password) = telnyx.sip();
    secrets.extend([username, password]);

    telnyx.forget();
    let provider = caller.post("/providers/setup", &body(&telnyx)).await.ok();
    let id = provider["id"].as_str().unwrap();
    let sip = telnyx.sip();
    let call = json!({ "provider_id": id, "source": tel(US_TOO), "destinations": [tel(US)] });
    let challenge =
        "Proxy-Authenticate: Digest realm=\"sip.telnyx.com\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"";
    let refusal = format!("407 Proxy Authentication Required\r\n{challenge}");
    // Telnyx's other hosts accept the same credentials.
    for host in ["sip.telnyx.com", "sip.telnyx.eu"] {
        caller.put(&format!("/providers/{id}"), &json!({ "hostname": host })).await.ok();
        caller.post("/providercalls", &call).await.ok();
        let mut first = carrier.call().await;
        assert_eq!(first.invite.header("Proxy-Authorization"), None);
        assert!(first.uri().contains(host), "{}", first.uri());
        first.respond(&refusal).await;
        first.hears("ACK").await;
        let mut second = carrier.call().await;
        assert!(answers(&second.invite, &sip), "{:?}", second.invite);
        second.refuse(486).await;
    }
    // Another carrier does not receive them.
    caller.put(&format!("/providers/{id}"), &json!({ "hostname": "sip.example.com" })).await.ok();
    let record = caller.post("/providercalls", &call).await.ok();
    let mut first = carrier.call().await;
    first.respond(&refusal).await;
    first.hears("ACK").await;
    let ended = call_ends(&caller, &first_call(&record)).await;
    assert_eq!(ended, ("failed".to_owned(), "remote".to_owned()));
    assert_eq!(carrier.untaken(), 0);

    secrets.extend([sip.0, sip.1]);
    let log = binary.log();
    assert!(log.contains("something was made at telnyx for nothing and stays there"), "{log}");
    assert!(log.contains("/v2/fqdn_connections"), "requests are traced");
    for secret in &secrets {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "a secret is in the log: {lines:?}");
    }
}

#[tokio::test]
async fn the_credentials_at_telnyx_are_replaced_by_hand_and_the_connection_stays_known() {
    let (telnyx, mut carrier) = (Telnyx::start().await, Carrier::start().await);
    let stage = Stage::with(|config| {
        gateway(config);
        host(config, &[("sip.telnyx.com", carrier.at)]);
    })
    .await;
    stage.allow().await;
    let made = set_up(&stage, &telnyx).await.ok();
    let path = format!("/providers/{}", made["id"].as_str().unwrap());
    let credentials = format!("{path}/credentials");
    // Telnyx's API was asked once, for the setup: the server does not keep its key.
    let by_key = json!({ "credentials": { "api_key": KEY, "base_url": telnyx.base() } });
    stage.sa.put(&credentials, &by_key).await.refused_because("send the username and the password");
    let login = ("rotated".to_owned(), "a-new-password".to_owned());
    let replaced =
        stage.sa.put(&credentials, &json!({ "username": login.0, "password": login.1 })).await.ok();
    assert_eq!((&replaced["metadata"], &replaced["id"]), (&made["metadata"], &made["id"]));
    assert_eq!(replaced["metadata"]["sip_credentials"], true);

    let call = json!({ "provider_id": made["id"], "source": tel(US_TOO), "destinations": [tel(US)] });
    stage.sa.post("/providercalls", &call).await.ok();
    let mut first = carrier.call().await;
    let challenge =
        "Proxy-Authenticate: Digest realm=\"sip.telnyx.com\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"";
    first.respond(&format!("407 Proxy Authentication Required\r\n{challenge}")).await;
    first.hears("ACK").await;
    let mut second = carrier.call().await;
    assert!(answers(&second.invite, &login), "{:?}", second.invite);
    second.refuse(486).await;

    // Without credentials nothing is claimed of the carrier either.
    assert_eq!(stage.sa.delete(&credentials).await.ok()["metadata"], json!({}));
    assert_eq!(stage.sa.get(&path).await.ok()["metadata"], json!({}));
}
