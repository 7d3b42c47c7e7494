//! Digests over the network: those that real clients send, and those that are wrong in one member.

use serde_json::json;

use super::digest::Answer;
use super::edge::{ANSWERS_AT_ONCE, Edge, credentials};
use super::uac::Call;

type Spoil = fn(&mut Answer);

#[tokio::test]
async fn a_challenge_is_401_for_the_fixed_realm_with_a_nonce_of_its_own() {
    let edge = Edge::start().await;
    let _trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (first, second) = (call.attempt().await, call.attempt().await);
    for challenge in [&first, &second] {
        assert_eq!(challenge.start, "SIP/2.0 401 Unauthorized");
        let said = |name: &str| challenge.parameter("WWW-Authenticate", name).unwrap_or_default();
        assert_eq!([said("realm"), said("qop"), said("algorithm")], ["out.didww.com", "auth", "MD5"]);
        assert_eq!(said("stale") + &said("opaque"), "");
        assert!(challenge.header("To").unwrap().contains(";tag="), "{challenge:?}");
    }
    assert_eq!(call.provisional.iter().filter(|message| message.code() == 100).count(), 2, "100 comes first");
    let nonce = |challenge: &super::message::Message| challenge.parameter("WWW-Authenticate", "nonce");
    assert_ne!(nonce(&first), nonce(&second));
}

#[tokio::test]
async fn a_right_digest_is_accepted_in_every_form_that_clients_send() {
    let edge = Edge::with_config("[sip]\nalgorithms = [\"MD5\", \"SHA-256\"]\n").await;
    let prefixed = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("12#3")) });
    let trunk = edge.trunk(prefixed).await;
    let spoils: [(&str, Spoil); 10] = [
        ("as challenged", |_| {}),
        ("MD5-sess", |answer| answer.algorithm = Some("MD5-sess".to_owned())),
        ("SHA-256", |answer| answer.algorithm = Some("SHA-256".to_owned())),
        ("no algorithm", |answer| answer.algorithm = None),
        ("no qop, as RFC 2069 has it", |answer| answer.qop = None),
        ("nc over 255", |answer| answer.nc = "00000100".to_owned()),
        ("the highest nc", |answer| answer.nc = "ffffffff".to_owned()),
        ("a URI with %23", |answer| answer.uri = "sip:12%2339990200@127.0.0.1".to_owned()),
        ("a URI with #", |answer| answer.uri = "sip:12#39990200@127.0.0.1".to_owned()),
        ("a URI of another host", |answer| answer.uri = "sip:nyc.us.out.didww.com".to_owned()),
    ];
    for dialled in ["12%2339990200", "12#39990200"] {
        for (what, spoil) in spoils {
            let mut call = Call::new(&edge, dialled).await;
            let answer = call.attempt_as(&trunk, spoil).await;
            assert_eq!(answer.code(), 200, "{what} with {dialled}: {answer:?}");
            call.acknowledge().await;
            call.hang_up().await;
        }
    }
}

#[tokio::test]
async fn the_number_is_found_in_every_form_of_request_uri() {
    let edge = Edge::start().await;
    let prefixed = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("1#")) });
    let trunk = edge.trunk(prefixed).await;
    for uri in [
        "sip:1#9990200@127.0.0.1",
        "sip:1%239990200@127.0.0.1",
        "sip:%31%23%39990200@127.0.0.1",
        "sip:1%23+9990200@127.0.0.1:5060;user=phone",
        "sip:1%239990200;npdi@127.0.0.1;transport=udp",
        "sip:1%239990200:secret@127.0.0.1",
        "sips:1%239990200@out.didww.com",
        "tel:1%239990200",
        "tel:1#9990200;ext=7",
    ] {
        let mut call = Call::new(&edge, "").await;
        call.uri = Some(uri.to_owned());
        let answer = call.place(&trunk).await;
        assert_eq!(answer.code(), 200, "{uri}: {answer:?}");
        call.hang_up().await;
    }
    assert_eq!(edge.record(&trunk, 9).await["dst_number"], "1#9990200");
}

#[tokio::test]
async fn a_digest_that_is_wrong_in_one_place_is_challenged_anew_and_the_log_says_where() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let spoils: [(Spoil, &str); 12] = [
        (|answer| answer.password.push('x'), "the password is wrong"),
        (|answer| answer.password.clear(), "the password is wrong"),
        (|answer| answer.username = "nobody".to_owned(), "no trunk has this username"),
        (|answer| answer.realm = "127.0.0.1".to_owned(), "the realm is not the one"),
        (|answer| answer.nonce = "0".repeat(64), "the nonce is not one of this service"),
        (|answer| answer.nonce.replace_range(0..1, "f"), "the nonce is not one of this service"),
        (|answer| answer.nonce.clear(), "the nonce is not one of this service"),
        (|answer| answer.algorithm = Some("SHA-256".to_owned()), "the algorithm is not one"),
        (|answer| answer.algorithm = Some("token".to_owned()), "the algorithm is not one"),
        (|answer| answer.qop = Some("auth-int".to_owned()), "the qop is not one"),
        (|answer| answer.nc = "1".to_owned(), "nc is not eight"),
        (|answer| answer.method = "REGISTER".to_owned(), "the password is wrong"),
    ];
    let mut asked = Vec::new();
    for (at, (spoil, why)) in spoils.into_iter().enumerate() {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let answer = call.attempt_as(&trunk, spoil).await;
        assert_eq!(answer.code(), 401, "{at}: {why}");
        asked.push(answer.parameter("WWW-Authenticate", "nonce").unwrap());
        edge.logs(&["challenged again", &call.id, why]).await;
        let right = Answer::to(&answer, &trunk, &call.uri());
        call.invite(&[format!("Authorization: {}", right.value())]).await;
        assert_eq!(call.answer().await.code(), 200, "the fresh nonce is good after: {why}");
        call.acknowledge().await;
        call.hang_up().await;
    }
    let count = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), count, "every challenge has a fresh nonce");
}

#[tokio::test]
async fn headers_that_hold_no_digest_are_challenged() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let long = format!("Digest username=\"{}\"", "x".repeat(3_000));
    for value in [
        "",
        "Digest",
        "Basic dXNlcjpwYXNz",
        "Digest username",
        "Digest username=\"",
        "Digest username=\"a\", realm=\"out.didww.com\"",
        "Digest =, =, =",
        "Digest ,,,,",
        "Digest username=\"\\",
        "Digest nonce=\"\u{e9}\u{4e16}\", username=\"\u{0}\"",
        &long,
    ] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.invite(&[format!("Authorization: {value}")]).await;
        assert_eq!(call.answer().await.code(), 401, "{value}");
    }
    // Larger than the SIP library accepts in a datagram.
    let mut call = Call::over(super::uac::Uac::tcp(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    call.invite(&[format!("Authorization: Digest username=\"{}\"", "x".repeat(20_000))]).await;
    assert_eq!(call.answer().await.code(), 401);
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let challenge = call.attempt().await;
    let right = Answer::to(&challenge, &trunk, &call.uri()).value();
    call.invite(&[format!("Proxy-Authorization: {right}")]).await;
    assert_eq!(call.answer().await.code(), 401, "Proxy-Authorization is not looked at");
    let foreign = right.replace("out.didww.com", "another.example");
    call.invite(&[format!("Authorization: {foreign}"), format!("Authorization: {right}")]).await;
    assert_eq!(call.answer().await.code(), 200, "the digest for this realm is found among several");
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn a_trunk_that_goes_by_address_is_not_challenged_whatever_realm_a_header_names() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
    let foreign = "Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\"";
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[format!("Authorization: {foreign}")]).await;
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
    edge.ip_only(&trunk, &["192.0.2.1"]).await;
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.attempt().await.code(), 403);
}

#[tokio::test]
async fn a_twilio_trunk_is_found_by_its_account() {
    let edge = Edge::start().await;
    let sid = format!("AC{}", "0123456789abcdef".repeat(2));
    let method = json!({ "type": "twilio", "attributes": { "twilio_account_sid": sid } });
    let _trunk = edge.trunk(json!({ "authentication_method": method })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push(format!("X-Twilio-AccountSid: {sid}"));
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push(format!("X-Twilio-AccountSid: {}", sid.replace('0', "1")));
    assert_eq!(call.attempt().await.code(), 403);
}

#[tokio::test]
async fn a_nonce_may_be_used_again_by_another_call() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut first = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let challenge = first.attempt().await;
    for nc in ["00000001", "00000002", "00000002"] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let mut right = Answer::to(&challenge, &trunk, &call.uri());
        nc.clone_into(&mut right.nc);
        call.invite(&[format!("Authorization: {}", right.value())]).await;
        assert_eq!(call.answer().await.code(), 200, "counts are not enforced by default");
        call.acknowledge().await;
        call.hang_up().await;
    }
}
