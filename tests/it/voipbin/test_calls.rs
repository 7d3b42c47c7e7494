//! `trunk-server call --provider`: a test call that the running server places through a provider.

use serde_json::{Value, json};
use trunk_server::config::SipConfig;
use trunk_server::control::customers::NewAccessKey;

use super::carrier::Carrier;
use super::stage::*;
use crate::support::api::Api;
use crate::support::binary;
use crate::support::world::ROTATION;

/// A server with a control listener, a carrier edge, a carrier, and a super admin's access key.
async fn ready() -> (Stage, Carrier, String) {
    let carrier = Carrier::start().await;
    let stage = Stage::with(|config| {
        host(config, &[("carrier.example.com", carrier.at)]);
        config.control_listen = Some("127.0.0.1:0".to_owned());
        config.sip = Some(SipConfig::at("127.0.0.1:0"));
    })
    .await;
    stage.allow().await;
    let mut new = NewAccessKey::default();
    new.permission = Some(SUPER_ADMIN);
    let (_, key) = stage.control().create_access_key(stage.admin, new).await.unwrap();
    (stage, carrier, key.expose().to_owned())
}

/// The standard output, standard error and exit code of the command, which runs beside the test.
async fn command(stage: &Stage, key: &str, arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut command = binary::command();
    command.args(["call", "--access-key", key, "--from", US_TOO, "--duration", "0"]).args(arguments);
    let (listen, control) = (stage.at.to_string(), stage.server.control_address().unwrap().to_string());
    // An argument occurs once.
    for (name, value) in [("--listen", listen), ("--control-listen", control)] {
        if !arguments.contains(&name) {
            command.args([name, &value]);
        }
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

async fn named(stage: &Stage, name: &str) -> String {
    stage.provider_with(json!({ "hostname": "carrier.example.com", "name": name })).await
}

#[tokio::test]
async fn the_command_places_a_call_through_a_provider_and_prints_what_it_tried() {
    let (stage, mut carrier, key) = ready().await;
    let id = named(&stage, "Main").await;
    for provider in ["Main", id.as_str()] {
        let with = ["--to", "442079460018", "--provider", provider];
        let answer = async {
            let mut incoming = carrier.call().await;
            incoming.respond("180 Ringing").await;
            incoming.answer().await;
            incoming.hears("BYE").await;
            incoming.uri().to_owned()
        };
        let ((said, complaint, code), uri) = tokio::join!(command(&stage, &key, &with), answer);
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
        assert!(uri.contains("+442079460018@"), "{uri}");
        for part in [
            &format!("calling +442079460018 through Main (carrier.example.com) as {US_TOO}\n"),
            "  ended: normal, by local\n",
            &format!("tried carrier.example.com at {} over udp: the carrier answered the call; ", carrier.at),
            "|-- INVITE sip:",
            "- 200 OK --|",
            "\n200 OK: answered\n",
        ] {
            assert!(said.contains(part), "no {part} in\n{said}");
        }
        assert!(!said.contains(&key) && !said.contains("why:"), "{said}");
    }
}

#[tokio::test]
async fn the_command_prints_the_outcome_of_a_call_that_the_carrier_refuses() {
    let (stage, mut carrier, key) = ready().await;
    named(&stage, "Main").await;
    let with = ["--to", "442079460018", "--provider", "Main", "--json"];
    let ((said, _, code), ()) =
        tokio::join!(command(&stage, &key, &with), async { carrier.call().await.refuse(486).await });
    assert_eq!(code, Some(1), "{said}");
    let outcome: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&outcome["answered"], &outcome["code"], &outcome["phrase"], &outcome["end"]),
        (&json!(false), &json!(486), &json!("As Told"), &json!("busy, by remote"))
    );
    assert_eq!(outcome["reason"], "the carrier refused the call with 486");
    assert_eq!(outcome["tries"][0]["next"], "no other route was tried: the callee is busy");
    assert!(outcome["ladder"].as_str().unwrap().contains("486 As Told"), "{said}");

    // Without the control API the end is known, and that its reason is not.
    let with = ["--to", "442079460018", "--provider", "Main", "--control-listen", "127.0.0.1:1"];
    let ((said, _, code), ()) =
        tokio::join!(command(&stage, &key, &with), async { carrier.call().await.refuse(486).await });
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not answered: busy, by remote\n") && said.contains("why: unknown: "), "{said}");
}

#[tokio::test]
async fn the_reason_of_the_servers_own_edge_is_the_reason_of_the_call() {
    let (stage, _carrier, key) = ready().await;
    let base = stage.server.base_url();
    let credentials = json!({ "api_key": "good", "base_url": base });
    let body = json!({ "carrier": "didww", "name": "Own", "credentials": credentials });
    let provider = stage.sa.post("/providers/setup", &body).await.ok();
    let trunk = json!({ "type": "voice_out_trunks", "id": provider["metadata"]["didww_trunk_id"] });
    let body = json!({ "data": {
        "type": "voice_out_trunk_regenerate_credentials",
        "relationships": { "voice_out_trunk": { "data": trunk } },
    }});
    assert!(Api::new(base, "good").post(ROTATION, &body).await.status < 300);
    let (said, _, code) = command(&stage, &key, &["--to", "442079460018", "--provider", "Own"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the carrier refused the credentials with 401"), "{said}");
    let why = said.split("why: ").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert!(why.ends_with("; check digest\n"), "{said}");
}

#[tokio::test]
async fn a_call_that_cannot_be_placed_through_a_provider_is_an_error_with_a_way_out() {
    let (stage, _carrier, key) = ready().await;
    named(&stage, "Main").await;
    named(&stage, "Twice").await;
    named(&stage, "Twice").await;
    for (arguments, named) in [
        (&["--to", "442079460018", "--provider", "None"][..], "there is no provider None"),
        (&["--to", "442079460018", "--provider", "Twice"], "several providers are named Twice"),
        (&["--to", "81312345678", "--provider", "Main"], "outbound destination country not whitelisted"),
        (&["--to", "a b", "--provider", "Main"], "--to"),
        (&["--to", "1", "--provider", "Main", "--trunk", "T"], "--trunk"),
        (&["--to", "1", "--provider", "Main", "--listen", "127.0.0.1:1"], "the platform at 127.0.0.1:1"),
    ] {
        let (said, complaint, code) = command(&stage, &key, arguments).await;
        assert_eq!((code, said.as_str()), (Some(2), ""), "{arguments:?}: {complaint}");
        assert!(complaint.contains(named), "{arguments:?}: {complaint}");
        assert!(!complaint.contains(&key), "the key is printed: {complaint}");
    }
    let (_, complaint, code) = command(&stage, "vb_wrong", &["--to", "1", "--provider", "Main"]).await;
    assert_eq!(code, Some(2));
    assert!(complaint.contains("401 INVALID_CREDENTIALS"), "{complaint}");
}
