//! The SIP messages of recent calls over the control API: as JSON, text, ladder and capture file; and
//! `trunk-server call`.

use std::process::Command;

use serde_json::{Value, json};

use super::certificates::Certificates;
use super::edge::{ANSWERS_AT_ONCE, Edge, RINGS_THEN_ANSWERS, Trunk, credentials, scratch, until};
use super::uac::{Call, Uac, unique};
use crate::docs::why::assert_has_row;

/// A `Call-ID` as a segment of a path: every other character is percent-encoded.
fn segment(call_id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    call_id
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The start lines of the stored messages of a call, once there are at least this many.
async fn stored(edge: &Edge, call_id: &str, least: usize) -> (Value, Vec<String>) {
    until(&format!("{least} stored messages of {call_id}"), async || {
        let answer = edge.control.get(&format!("/calls/{}/messages", segment(call_id))).await;
        let messages = answer.json()["messages"].as_array().cloned().unwrap_or_default();
        let start = |message: &Value| message["text"].as_str().unwrap().lines().next().unwrap().to_owned();
        (messages.len() >= least).then(|| (answer.json(), messages.iter().map(start).collect()))
    })
    .await
}

async fn rendered(edge: &Edge, call_id: &str, format: &str) -> (String, Vec<u8>) {
    let path = format!("/calls/{}/messages?format={format}", segment(call_id));
    let response = edge.control.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn the_messages_of_a_call_are_returned_with_its_digest_masked() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    // A Call-ID with characters that a path cannot contain.
    call.id = format!("{}/x?y%z@{}", unique(), call.uac.local.ip());
    assert_eq!(call.place(&trunk).await.code(), 200);
    let (json, starts) = stored(&edge, &call.id, 8).await;
    let first = [&format!("INVITE {} SIP/2.0", call.uri()), "SIP/2.0 100 Trying", "SIP/2.0 401 Unauthorized"];
    assert_eq!(starts[..3], first, "{starts:?}");
    assert!(starts.contains(&"SIP/2.0 200 OK".to_owned()), "{starts:?}");
    assert_eq!(starts.iter().filter(|start| start.starts_with("ACK ")).count(), 2, "{starts:?}");
    let response = call.sent.split("response=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(response.len(), 32);
    assert!(!json.to_string().contains(&response), "a digest is shown");
    assert!(json.to_string().contains(&"0".repeat(32)));
    let first = &json["messages"][0];
    assert_eq!(
        (&first["direction"], &first["stack"], &first["transport"], &first["cut"]),
        (&json!("received"), &json!("edge"), &json!("UDP"), &json!(false))
    );
    assert_eq!(first["remote"], call.uac.local.to_string());
    assert_eq!(first["local"], edge.sip.to_string());
    assert_eq!(first["bytes"], first["text"].as_str().unwrap().len());
    assert_eq!((&json["call_id"], &json["omitted"]), (&json!(call.id), &json!(0)));

    let (kind, ladder) = rendered(&edge, &call.id, "ladder").await;
    let ladder = String::from_utf8(ladder).unwrap();
    assert_eq!(kind, "text/plain; charset=utf-8");
    for part in ["|-- INVITE sip:9990200@127.0.0.1 -", "- 401 Unauthorized --|", "SDP audio 127.", &call.id] {
        assert!(ladder.contains(part), "no {part} in\n{ladder}");
    }
    let (_, text) = rendered(&edge, &call.id, "text").await;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("received by edge {} from {}", edge.sip, call.uac.local)), "{text}");
    assert!(!text.contains(&response));

    let missing = edge.control.get("/calls/unknown/messages").await;
    assert_eq!(missing.status, 404, "{}", missing.text);
    let wrong = edge.control.get(&format!("/calls/{}/messages?format=png", segment(&call.id))).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
}

#[tokio::test]
async fn messages_of_refused_and_of_unknown_callers_are_stored_too() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "default_dst_action": "reject_all" })).await;
    let mut refused = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(refused.place(&trunk).await.code(), 403);
    let (_, starts) = stored(&edge, &refused.id, 8).await;
    assert!(starts.contains(&"SIP/2.0 403 Forbidden".to_owned()), "{starts:?}");
    let (_, ladder) = rendered(&edge, &refused.id, "ladder").await;
    assert!(String::from_utf8(ladder).unwrap().contains("X-Refusal: check=destination"));

    let strict = Edge::start().await;
    let _other = strict.trunk(json!({ "authentication_method": credentials(&["198.51.100.9"], None) })).await;
    let mut unknown = Call::new(&strict, ANSWERS_AT_ONCE).await;
    assert_eq!(unknown.attempt().await.code(), 403);
    // The ACK of an unknown source is dropped, and stored beside the others.
    let (_, starts) = stored(&strict, &unknown.id, 3).await;
    assert_eq!(starts[1], "SIP/2.0 403 Forbidden");
}

#[tokio::test]
async fn the_newest_messages_of_all_calls_are_listed_by_their_first_lines() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "default_dst_action": "reject_all" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 403);
    stored(&edge, &call.id, 8).await;
    let listed = async |query: &str| {
        let answer = edge.control.get(&format!("/messages?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["messages"].as_array().unwrap().clone()
    };
    let all = listed("").await;
    assert!(all.len() >= 8 && all.iter().all(|message| message["call_id"] == call.id), "{all:?}");
    assert!(all.is_sorted_by(|newer, older| newer["at"].as_str() >= older["at"].as_str()), "{all:?}");
    assert_eq!(listed("limit=2").await.len(), 2);
    let refused = listed("line=403").await;
    // A response can be repeated.
    assert!(!refused.is_empty(), "{all:?}");
    assert!(refused.iter().all(|message| message["line"] == "SIP/2.0 403 Forbidden"), "{refused:?}");
    assert_eq!((&refused[0]["direction"], &refused[0]["stack"]), (&json!("sent"), &json!("edge")));
    assert_eq!(listed("peer=198.51.100.77").await, Vec::<Value>::new());
    assert!(listed(&format!("peer={}", call.uac.local.ip())).await.len() >= 8);
    assert_eq!(edge.control.get("/messages?peer=none").await.status, 422);
}

#[tokio::test]
async fn without_room_for_messages_none_are_stored() {
    let edge = Edge::with_config("[sip]\nmessage_bytes = 0\n").await;
    let trunk = edge.trunk(json!({})).await;
    let call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let answer = edge.control.get(&format!("/calls/{}/messages", segment(&call.id))).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
}

/// The columns that tshark reads from a capture file, one row for each packet.
pub fn tshark(file: &[u8], sip: &[u16], fields: &[&str]) -> Vec<Vec<String>> {
    let path = scratch(&format!("capture-{}.pcapng", unique()));
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new("tshark");
    // With checksums verified, which is off by default.
    command.args([
        "-o",
        "udp.check_checksum:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
        "-n",
        "-T",
        "fields",
        "-r",
    ]);
    command.arg(&path);
    for port in sip {
        command.args(["-d", &format!("udp.port=={port},sip")]);
    }
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.output().expect("tshark is installed: scripts/test installs it");
    let _gone = std::fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = String::from_utf8(output.stdout).unwrap();
    rows.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn tshark_reads_the_capture_file_of_calls_over_every_transport() {
    const FIELDS: [&str; 9] = [
        "sip.Method",
        "sip.Status-Code",
        "sdp.media",
        "sdp.connection_info.address",
        "udp.checksum.status",
        "ip.checksum.status",
        "frame.comment",
        "frame.interface_name",
        "_ws.malformed",
    ];
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let tls = ["--sip-tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
    let edge = Edge::with_arguments(&tls).await;
    let trunk = edge.trunk(json!({})).await;
    let uacs = [
        Uac::udp(&edge).await,
        Uac::tcp(&edge).await,
        Uac::tls(&edge, Certificates::client(&made.folder.join("ca.pem"))).await.unwrap(),
    ];
    for uac in uacs {
        let transport = uac.local;
        let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
        assert_eq!(call.place(&trunk).await.code(), 200);
        stored(&edge, &call.id, 8).await;
        let (kind, file) = rendered(&edge, &call.id, "pcap").await;
        assert_eq!(kind, "application/x-pcapng");
        let ports = [edge.sip.port(), edge.binary.sip_tls.unwrap().port(), transport.port()];
        let rows = tshark(&file, &ports, &FIELDS);
        let column = |name: &str| {
            let at = FIELDS.iter().position(|field| *field == name).unwrap();
            rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect::<Vec<String>>()
        };
        let methods = column("sip.Method");
        assert_eq!(
            (methods[0].as_str(), &column("sip.Status-Code")[1..3]),
            ("INVITE", &["100".to_owned(), "401".to_owned()][..]),
            "{rows:?}"
        );
        assert_eq!(methods.iter().filter(|method| *method == "ACK").count(), 2, "{rows:?}");
        let sdp = column("sdp.media");
        assert!(sdp[0].starts_with("audio "), "{rows:?}");
        assert_eq!(sdp.iter().filter(|media| media.starts_with("audio ")).count(), 3, "{rows:?}");
        assert_eq!(column("sdp.connection_info.address")[0], call.uac.local.ip().to_string());
        for (name, good) in [("udp.checksum.status", "1"), ("ip.checksum.status", "1"), ("_ws.malformed", "")]
        {
            assert!(column(name).iter().all(|status| status == good), "{name}: {rows:?}");
        }
        assert!(column("frame.interface_name").iter().all(|name| name == "edge"), "{rows:?}");
        let is_stream = call.sent.contains("SIP/2.0/T");
        assert!(column("frame.comment").iter().all(|comment| comment.is_empty() != is_stream), "{rows:?}");
    }
}

/// The standard output, standard error and exit code of `trunk-server call`.
fn command(edge: &Edge, arguments: &[&str]) -> (String, String, Option<i32>) {
    let host = |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let addresses = [
        ("--listen", host(&edge.binary.base)),
        ("--control-listen", host(edge.binary.control.as_deref().unwrap())),
        ("--sip-listen", edge.sip.to_string()),
    ];
    let others = addresses.iter().filter(|(name, _)| !arguments.contains(name));
    let output = crate::support::binary::command()
        .args(["call", "--duration", "0"])
        .args(others.flat_map(|(name, address)| [*name, address]))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

async fn named(edge: &Edge, name: &str, attributes: Value) -> Trunk {
    let mut all = attributes;
    all["name"] = json!(name);
    edge.trunk(all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_places_a_call_and_prints_its_steps_and_its_ladder() {
    let edge = Edge::start().await;
    edge.did("442079460000", false).await;
    let trunk =
        named(&edge, "PBX", json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("9#")) }))
            .await;
    for (name, transport) in [("PBX", "udp"), (trunk.id.as_str(), "tcp")] {
        let with =
            ["--to", RINGS_THEN_ANSWERS, "--trunk", name, "--api-key", "good", "--transport", transport];
        let (said, complaint, code) = command(&edge, &with);
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
        for part in [
            &format!("calling sip:9%23{RINGS_THEN_ANSWERS}@{}", edge.sip),
            "as 442079460000\n",
            "  ringing\n",
            "  answered\n",
            "  hung up\n",
            "- 401 Unauthorized --|",
            "-- BYE sip:",
            "\n200 OK: answered\n",
        ] {
            assert!(said.contains(part), "no {part} in\n{said}");
        }
        assert!(said.contains(&format!("over {}", transport.to_uppercase())), "{said}");
    }
    let record = edge.record(&trunk, 2).await;
    assert_eq!(record["success"], true);
    assert!(record["user_agent"].as_str().unwrap().starts_with("trunk-server-call/"), "{record}");
    // An account whose version needs access tokens is read with one.
    let newest = json!({ "version": "2026-11-19" });
    edge.control_request(&format!("/accounts/{}", edge.account), "PATCH", &newest).await;
    let with = ["--to", RINGS_THEN_ANSWERS, "--trunk", "PBX", "--api-key", "good"];
    let (said, complaint, code) = command(&edge, &with);
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_why_a_call_is_refused() {
    let edge = Edge::start().await;
    let blocked = named(&edge, "Blocked", json!({ "default_dst_action": "reject_all" })).await;
    let with = ["--to", RINGS_THEN_ANSWERS, "--trunk", "Blocked", "--api-key", "good"];
    let (said, _, code) = command(&edge, &with);
    assert_eq!(code, Some(1), "{said}");
    let last = said.split("\n403 Forbidden: not answered\n").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert!(last.contains("check destination") && last.contains("reject_all"), "{said}");

    let (said, _, code) = command(&edge, &[&with[..], &["--json"]].concat());
    let outcome: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(1));
    assert_eq!(
        (&outcome["answered"], &outcome["code"], &outcome["phrase"]),
        (&json!(false), &json!(403), &json!("Forbidden"))
    );
    assert!(outcome["reason"].as_str().unwrap().contains("check destination"), "{said}");
    assert!(outcome["ladder"].as_str().unwrap().contains("X-Refusal"), "{said}");
    assert_eq!(outcome["steps"][0]["at_ms"], 0);

    // Without the control API the response's own headers explain it.
    let (said, _, code) = command(&edge, &[&with[..], &["--control-listen", "127.0.0.1:1"]].concat());
    assert_eq!(code, Some(1));
    assert!(said.contains("why: ") && said.contains("check=destination"), "{said}");

    // A wrong password is challenged again, and the call ends with the challenge.
    let wrong = ["--to", RINGS_THEN_ANSWERS, "--username", &blocked.username, "--password", "another-secret"];
    let (said, _, code) = command(&edge, &wrong);
    assert!(said.contains("\n401 Unauthorized: not answered\n"), "{said}");
    assert_eq!(code, Some(1));
    assert!(!said.contains("another-secret"), "the password is printed: {said}");

    // An address that no trunk allows gets no explanation; the control API has one.
    let strict = Edge::start().await;
    named(&strict, "Other", json!({ "authentication_method": credentials(&["198.51.100.9"], None) })).await;
    let (said, _, code) = command(&strict, &["--to", RINGS_THEN_ANSWERS]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no trunk allows the address"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_why_an_answered_call_has_no_audio() {
    let edge = Edge::start().await;
    let trunk = named(&edge, "Deaf", json!({ "allowed_rtp_ips": ["192.0.2.0/24"] })).await;
    let with = ["--to", RINGS_THEN_ANSWERS, "--trunk", "Deaf", "--api-key", "good"];
    let (said, complaint, code) = command(&edge, &with);
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
    let record = edge.record(&trunk, 1).await;
    let sentence = record["no_audio"].as_str().unwrap();
    assert!(said.ends_with(&format!("\n200 OK: answered\n  {sentence}\n")), "{said} lacks {sentence}");
    assert_has_row(sentence);

    let (said, _, _) = command(&edge, &[&with[..], &["--json"]].concat());
    let outcome: Value = serde_json::from_str(&said).unwrap();
    let record = edge.record(&trunk, 2).await;
    assert_eq!((&outcome["no_audio"], &outcome["reason"]), (&record["no_audio"], &Value::Null), "{said}");

    // Without the control API the reason is unknown, but the call was answered.
    let (said, _, code) = command(&edge, &[&with[..], &["--control-listen", "127.0.0.1:1"]].concat());
    assert!(code == Some(0) && said.ends_with("\n200 OK: answered\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_placed_is_an_error_with_a_way_out() {
    let edge = Edge::start().await;
    for (arguments, named) in [
        (&["--from", "1"][..], "--to"),
        (&["--to", "a b"], "--to"),
        (&["--to", "1", "--trunk", "None", "--api-key", "good"], "no trunk None"),
        (&["--to", "1", "--trunk", "None", "--api-key", "bad"], "401"),
        (&["--to", "1", "--trunk", "None"], "--api-key"),
        (&["--to", "1", "--username", "a"], "--password"),
        (&["--to", "1", "--sip-listen", "nowhere"], "nowhere"),
    ] {
        let (said, complaint, code) = command(&edge, arguments);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{arguments:?}: {complaint}");
        assert!(complaint.contains(named), "{arguments:?}: {complaint}");
    }
    // Nothing listens there.
    let (said, _, code) = command(&edge, &["--to", "1", "--sip-listen", "127.0.0.1:1", "--transport", "tcp"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not answered: no response, or the server cannot be reached"), "{said}");
}
