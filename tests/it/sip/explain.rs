//! The explanation of a call agrees with the outcome of a placed call.

use std::process::Stdio;

use serde_json::{Value, json};

use super::edge::{Edge, FOREIGN_NUMBER, RINGS_THEN_ANSWERS, Trunk, credentials};
use super::uac::Call;

#[tokio::test]
async fn questions_get_the_verdict_and_the_check_that_a_call_would_meet() {
    let edge = Edge::start().await;
    let did = edge.did("442079460000", true).await;
    let attributes = json!({
        "name": "Explained",
        "on_cli_mismatch_action": "reject_call",
        "dst_prefixes": ["4470"],
        "authentication_method": credentials(&["198.51.100.0/24"], Some("9#")),
    });
    let trunk = edge.linked_trunk(attributes, json!({ "dids": [did], "emergency_dids": [did] })).await;
    let base = json!({
        "source": "198.51.100.7", "to": "9#442079460018", "from": "442079460000", "username": trunk.username,
    });
    let with = |changes: Value| {
        let mut question = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            question[name] = value.clone();
        }
        question
    };
    let savp = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 8\r\n";
    for (question, verdict, code, check) in [
        (with(json!({})), "admitted", 200, None),
        (
            with(json!({ "to": "sip:9%23+442079460018@nyc.us.out.didww.com;user=phone" })),
            "admitted",
            200,
            None,
        ),
        (with(json!({ "sdp": "" })), "admitted", 200, None),
        (with(json!({ "source": "192.0.2.9" })), "refused", 403, Some("source")),
        (with(json!({ "source": "2001:db8::1" })), "refused", 403, Some("source")),
        (with(json!({ "to": RINGS_THEN_ANSWERS })), "refused", 403, Some("tech_prefix")),
        (with(json!({ "username": null })), "challenged", 401, Some("digest")),
        (with(json!({ "username": "nobody" })), "challenged", 401, Some("digest")),
        (with(json!({ "to": "9#020" })), "refused", 484, Some("number")),
        (with(json!({ "to": "9#447012345678" })), "refused", 403, Some("destination")),
        (with(json!({ "from": FOREIGN_NUMBER })), "refused", 403, Some("cli")),
        (
            with(json!({ "from": "anonymous", "asserted_identity": "442079460000" })),
            "refused",
            403,
            Some("cli"),
        ),
        (with(json!({ "to": "9#999" })), "admitted", 200, None),
        (with(json!({ "to": "9#911", "from": FOREIGN_NUMBER })), "refused", 403, Some("emergency")),
        (with(json!({ "sdp": savp })), "refused", 488, Some("media")),
        (
            with(json!({ "sdp": "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 99\r\n" })),
            "refused",
            488,
            Some("media"),
        ),
        (with(json!({ "sdp": "hello" })), "refused", 500, Some("media")),
    ] {
        let answer = edge.explain(&question).await;
        assert_eq!(answer["verdict"], verdict, "{question}: {answer}");
        assert_eq!(
            (&answer["code"], &answer["check"]),
            (&json!(code), &json!(check)),
            "{question}: {answer}"
        );
        assert!(!answer["explanation"].as_str().unwrap().is_empty(), "{answer}");
        let known = !matches!(check, Some("source" | "tech_prefix"))
            && question["username"] == trunk.username.as_str();
        assert_eq!(answer["trunk_id"] == trunk.id.as_str(), known, "{question}: {answer}");
        assert!(!answer.to_string().contains(&trunk.password), "a password is in the explanation");
    }
    let unknown = edge.explain(&with(json!({ "source": "198.51.101.7" }))).await;
    assert_eq!(unknown["nearest_allowed"], "198.51.100.0/24");
    let admitted = edge.explain(&base).await;
    assert_eq!(
        (&admitted["destination"], &admitted["cli"]),
        (&json!(RINGS_THEN_ANSWERS), &json!("442079460000"))
    );
    let order = [
        "source",
        "tech_prefix",
        "digest",
        "trunk",
        "request",
        "status",
        "recording",
        "number",
        "emergency",
        "destination",
    ];
    let all = [&order[..], &["cli", "route", "media", "capacity"]].concat();
    assert_eq!(admitted["passed"], json!(all));
    let refused = edge.explain(&with(json!({ "to": "9#447012345678" }))).await;
    assert_eq!(refused["passed"], json!(order[..9]));
    assert_eq!(refused["configured"], "allow_all except 4470");
    assert_eq!(refused["received"], "447012345678");
    assert_eq!(edge.counts().await, [0, 0, 0], "asking counts as no call");
    assert!(edge.records(&trunk).await.is_empty());
}

#[tokio::test]
async fn an_explanation_agrees_with_the_call_that_is_placed() {
    let edge = Edge::start().await;
    for attributes in [
        json!({}),
        json!({ "status": "blocked" }),
        json!({ "capacity_limit": 0 }),
        json!({ "threshold_amount": "0.0" }),
        json!({ "default_dst_action": "reject_all" }),
        json!({ "dst_prefixes": ["999"] }),
        json!({ "on_cli_mismatch_action": "reject_call" }),
        json!({ "on_cli_mismatch_action": "replace_cli" }),
        json!({ "media_encryption_mode": "srtp_dtls" }),
        json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("99")) }),
    ] {
        let trunk: Trunk = edge.trunk(attributes.clone()).await;
        let mut call = Call::new(&edge, "9990200").await;
        let question = json!({
            "source": call.uac.local.ip(), "to": "9990200", "from": FOREIGN_NUMBER, "username": trunk.username,
        });
        let explanation = edge.explain(&question).await;
        let met = call.place(&trunk).await;
        assert_eq!(explanation["code"], met.code(), "{attributes}: {explanation}");
        if met.code() == 200 {
            call.hang_up().await;
        } else {
            let check = format!("check={};", explanation["check"].as_str().unwrap());
            assert!(met.header("X-Refusal").unwrap().starts_with(&check), "{explanation} {met:?}");
        }
    }
}

#[tokio::test]
async fn a_question_whose_request_uri_is_malformed_is_refused_as_the_call_would_be() {
    let edge = Edge::start().await;
    edge.trunk(json!({})).await;
    for to in ["44 2079460018", "<442079460018>", "sip:1@out.didww.com:x", "sip:1@out.didww.com?Route=x"] {
        let answer = edge.explain(&json!({ "source": "127.0.0.1", "to": to })).await;
        assert_eq!((&answer["verdict"], &answer["code"]), (&json!("refused"), &json!(400)), "{to}: {answer}");
        assert_eq!((&answer["check"], &answer["passed"]), (&json!("request"), &json!([])), "{to}: {answer}");
        let why = answer["explanation"].as_str().unwrap();
        assert!(why.starts_with("the Request-URI has "), "{to}: {answer}");
    }
}

#[tokio::test]
async fn a_question_that_makes_no_sense_says_what_is_wrong() {
    let edge = Edge::start().await;
    for (question, named) in [
        (json!({ "to": "1" }), "source"),
        (json!({ "source": "nowhere", "to": "1" }), "IP address"),
        (json!({ "source": "192.0.2.1" }), "to"),
        (json!({ "source": "192.0.2.1", "to": "1", "password": "x" }), "password"),
    ] {
        let answer = edge.control.post("/explain", &question).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains(named), "{}", answer.text);
    }
}

/// The standard output, standard error and exit code of `trunk-server explain`.
fn command(control: &str, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = crate::support::binary::command()
        .args(["explain", "--control-listen", control])
        .args(arguments)
        .env("TRUNK_SERVER_LOG", "warn")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_the_verdict_in_words_and_by_its_exit_code() {
    let edge = Edge::start().await;
    let attributes =
        json!({ "name": "Explained", "authentication_method": credentials(&["198.51.100.0/24"], None) });
    let trunk = edge.trunk(attributes).await;
    let control = edge.binary.control.clone().unwrap();
    let control = control.trim_start_matches("http://").trim_end_matches("/control/v1");

    let asked = [
        "--source",
        "198.51.100.7",
        "--to",
        RINGS_THEN_ANSWERS,
        "--from",
        FOREIGN_NUMBER,
        "--username",
        &trunk.username,
    ];
    let (said, complaint, code) = command(control, &asked);
    assert!(said.starts_with("200 OK: admitted\n"), "{said}{complaint}");
    for part in [&trunk.id, "Explained", "passed:", RINGS_THEN_ANSWERS, FOREIGN_NUMBER] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!((code, complaint.as_str()), (Some(0), ""));

    let (said, _, code) = command(control, &["--source", "198.51.101.7", "--to", RINGS_THEN_ANSWERS]);
    assert!(said.starts_with("403 Forbidden: refused by the check `source`, cause 110\n"), "{said}");
    assert!(said.contains("nearest allowed:  198.51.100.0/24"), "{said}");
    assert_eq!(code, Some(3));
    // A reader that ends early, such as `head`, is no failure of the question.
    let mut unread = crate::support::binary::command();
    unread.args(["explain", "--control-listen", control, "--source", "198.51.101.7", "--to", "1"]);
    let mut unread = unread.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(3));

    let (said, _, code) =
        command(control, &["--source", "198.51.100.7", "--to", RINGS_THEN_ANSWERS, "--json"]);
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&answer["verdict"], code), (&json!("challenged"), Some(3)));

    let offer = super::edge::scratch(&format!("offer-{}.sdp", std::process::id()));
    std::fs::write(&offer, "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 8\r\n").unwrap();
    let (said, _, _) = command(control, &[&asked[..], &["--sdp", offer.to_str().unwrap()]].concat());
    std::fs::remove_file(&offer).unwrap();
    assert!(said.contains("by the check `media`"), "{said}");
}

#[test]
fn the_command_reports_why_the_server_cannot_be_reached() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let asked = ["--source", "198.51.100.7", "--to", RINGS_THEN_ANSWERS];
    let (said, complaint, code) = command(&free, &asked);
    assert_eq!((said.as_str(), code), ("", Some(1)));
    assert!(complaint.contains(&free) && complaint.contains("--control-listen"), "{complaint}");

    let (_, complaint, code) = command("not a place", &asked);
    assert!(complaint.contains("not a place") && code == Some(1), "{complaint}");
    let (_, complaint, code) = command(&free, &[&asked[..], &["--sdp", "no-such-file.sdp"]].concat());
    assert!(complaint.contains("no-such-file.sdp") && code == Some(1), "{complaint}");
    let (_, complaint, code) = command(&free, &["--to", RINGS_THEN_ANSWERS]);
    assert!(complaint.contains("--source") && code == Some(2), "{complaint}");
}
