//! Tests of digest challenges.

use std::time::Duration;

use trunk_rules::carrier::{Algorithm, NonceState, PasswordHash, Settings, SignedRequest, verify_digest};

use super::carrier::{Carrier, Message, description};
use super::transports::with_names;
use super::{
    Clock, Dialler, Ids, Invitation, LegEnd, LegEvent, SipCredentials, config, dialler, ended, hang_up,
    invitation, next,
};

const USER: &str = "kqz1t8";
const PASSWORD: &str = "s3cret-passw0rd";

fn with_credentials(uri: &str) -> Invitation {
    let credentials = SipCredentials { username: USER.to_owned(), password: PASSWORD.into() };
    Invitation { credentials: Some(credentials), ..invitation(uri) }
}

fn has_valid_digest(request: &Message, header: &str) -> bool {
    let settings = Settings { algorithms: vec![Algorithm::Md5, Algorithm::Sha256], ..Settings::default() };
    let hash = PasswordHash::new(USER, &settings.realm, &PASSWORD.into());
    let signed = SignedRequest { method: request.method().as_bytes(), body: b"" };
    let values: Vec<&[u8]> = request.all(header).into_iter().map(str::as_bytes).collect();
    let find = |name: &[u8]| (name == USER.as_bytes()).then_some(((), &hash));
    values
        .iter()
        .any(|value| verify_digest(&[value], signed, &settings, &|_: &[u8]| NonceState::Fresh, find).is_ok())
}

fn challenge(name: &str, further: &str) -> String {
    format!("{name}: Digest realm=\"out.didww.com\", nonce=\"n1\"{further}\r\n")
}

#[tokio::test]
async fn a_challenge_is_answered_with_a_digest_over_the_uri_that_is_sent() {
    let dialler = dialler().await;
    for (status, asks, answers, further) in [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization", ", qop=\"auth\", algorithm=MD5"),
        ("401 Unauthorized", "WWW-Authenticate", "Authorization", ""),
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            ", algorithm=SHA-256, qop=\"auth,auth-int\"",
        ),
    ] {
        let mut carrier = Carrier::udp().await;
        let mut leg = dialler.call(with_credentials(&carrier.uri("0011+1%23#")));
        let first = carrier.expect("INVITE").await;
        assert!(first.all(answers).is_empty());
        carrier.answer(&first, status, &challenge(asks, further), "").await;
        assert_eq!(carrier.expect("ACK").await.branch(), first.branch());
        let second = carrier.expect("INVITE").await;
        assert!(has_valid_digest(&second, answers), "{second:?}");
        assert!(second.header(answers).contains(&format!("uri=\"{}\"", first.uri())), "{second:?}");
        assert_eq!(second.header("CSeq"), "2 INVITE");
        assert_eq!(
            (second.header("Call-ID"), second.header("From")),
            (first.header("Call-ID"), first.header("From"))
        );
        assert_ne!(second.branch(), first.branch());
        carrier.pick_up(&second, "", 4000).await;
        let ack = carrier.expect("ACK").await;
        assert_eq!((ack.header(answers), ack.header("CSeq")), (second.header(answers), "2 ACK"));
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        // A retransmission of the first refusal, whose ACK was lost.
        carrier.answer(&first, status, &challenge(asks, further), "").await;
        assert_eq!(carrier.expect("ACK").await.branch(), first.branch());
        leg.hang_up();
        let bye = carrier.expect("BYE").await;
        carrier.answer(&bye, status, &challenge(asks, further), "").await;
        let bye = carrier.expect("BYE").await;
        assert!(has_valid_digest(&bye, answers), "{bye:?}");
        assert_eq!(bye.header("CSeq"), "4 BYE");
        carrier.answer(&bye, "200 OK", "", "").await;
        assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
    }
}

#[tokio::test]
async fn a_refresh_by_invite_is_repeated_with_a_digest_if_it_is_challenged() {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    carrier.pick_up(&invite, timer, 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    for number in [2, 4] {
        clock.advance(Duration::from_secs(45));
        let refresh = carrier.expect("INVITE").await;
        assert_eq!(refresh.header("CSeq"), format!("{number} INVITE"));
        let asks = challenge("WWW-Authenticate", ", qop=\"auth\"");
        carrier.answer(&refresh, "401 Unauthorized", &asks, "").await;
        carrier.expect("ACK").await;
        let refresh = carrier.expect("INVITE").await;
        assert_eq!(refresh.header("CSeq"), format!("{} INVITE", number + 1));
        assert!(
            refresh.header("Authorization").contains(&format!("uri=\"{}\"", refresh.uri())),
            "{refresh:?}"
        );
        assert_eq!(refresh.header("Session-Expires"), "90;refresher=uac");
        carrier.pick_up(&refresh, timer, 4000).await;
        carrier.expect("ACK").await;
        // Requests are handled in order, so its answer shows that the refresh is complete.
        carrier.request(&invite, "OPTIONS", number, "", "").await;
        assert_eq!(carrier.next().await.code(), 200);
    }
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn a_refresh_by_invite_answers_a_proxy_and_the_carrier_behind_it() {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    carrier.pick_up(&invite, timer, 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    clock.advance(Duration::from_secs(45));
    for (status, asks) in [
        ("407 Proxy Authentication Required", challenge("Proxy-Authenticate", "")),
        ("401 Unauthorized", challenge("WWW-Authenticate", "")),
    ] {
        let refresh = carrier.expect("INVITE").await;
        carrier.answer(&refresh, status, &asks, "").await;
        carrier.expect("ACK").await;
    }
    let refresh = carrier.expect("INVITE").await;
    assert_eq!(refresh.header("CSeq"), "4 INVITE");
    carrier.pick_up(&refresh, timer, 4000).await;
    let ack = carrier.expect("ACK").await;
    for header in ["Authorization", "Proxy-Authorization"] {
        assert_eq!(refresh.all(header).len(), 1, "{refresh:?}");
        assert_eq!(ack.all(header), refresh.all(header));
    }
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn a_prack_is_repeated_with_a_digest_if_it_is_challenged() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    let reliable = format!("{}Require: 100rel\r\nRSeq: 1\r\n", carrier.contact());
    carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    let prack = carrier.expect("PRACK").await;
    carrier.answer(&prack, "401 Unauthorized", &challenge("WWW-Authenticate", ""), "").await;
    let again = carrier.expect("PRACK").await;
    assert!(has_valid_digest(&again, "Authorization"), "{again:?}");
    assert_eq!((again.header("RAck"), again.header("CSeq")), (prack.header("RAck"), "3 PRACK"));
    carrier.answer(&again, "200 OK", "", "").await;
    carrier.pick_up(&invite, "", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn a_refused_password_is_not_sent_again() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    for _ in 0..2 {
        let invite = carrier.expect("INVITE").await;
        carrier
            .answer(&invite, "401 Unauthorized", &challenge("WWW-Authenticate", ", qop=\"auth\""), "")
            .await;
        carrier.expect("ACK").await;
    }
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(401));
}

#[tokio::test]
async fn every_server_of_a_host_may_challenge_with_its_own_nonce() {
    let (mut full, mut free) = (Carrier::udp().await, Carrier::udp().await);
    let services = vec![(1, "a.example.com", full.address.port()), (2, "b.example.com", free.address.port())];
    let dialler = with_names(services).await;
    let mut leg = dialler.call(with_credentials("sip:1@voice.example.com"));
    let asks = challenge("WWW-Authenticate", ", qop=\"auth\"");
    let invite = full.expect("INVITE").await;
    full.answer(&invite, "401 Unauthorized", &asks, "").await;
    full.expect("ACK").await;
    let invite = full.expect("INVITE").await;
    assert!(has_valid_digest(&invite, "Authorization"), "{invite:?}");
    full.answer(&invite, "503 Service Unavailable", "", "").await;
    full.expect("ACK").await;
    let invite = free.expect("INVITE").await;
    assert!(invite.all("Authorization").is_empty(), "{invite:?}");
    free.answer(&invite, "401 Unauthorized", &asks.replace("n1", "n2"), "").await;
    free.expect("ACK").await;
    let invite = free.expect("INVITE").await;
    assert!(invite.header("Authorization").contains("nonce=\"n2\""), "{invite:?}");
    free.pick_up(&invite, "", 4000).await;
    free.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    hang_up(&mut leg, &mut free).await;
}

#[tokio::test]
async fn a_stale_nonce_is_replaced_once() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    for _ in 0..3 {
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "401 Unauthorized", &challenge("WWW-Authenticate", ", stale=true"), "").await;
        carrier.expect("ACK").await;
    }
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(401));
}

#[tokio::test]
async fn a_proxy_and_the_carrier_behind_it_are_both_answered() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier
        .answer(&invite, "407 Proxy Authentication Required", &challenge("Proxy-Authenticate", ""), "")
        .await;
    carrier.expect("ACK").await;
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "401 Unauthorized", &challenge("WWW-Authenticate", ""), "").await;
    carrier.expect("ACK").await;
    let invite = carrier.expect("INVITE").await;
    assert!(
        has_valid_digest(&invite, "Authorization") && has_valid_digest(&invite, "Proxy-Authorization"),
        "{invite:?}"
    );
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_bye_is_repeated_until_each_challenge_is_answered_without_gaps_in_the_numbers() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    let contact = carrier.contact();
    for number in [1, 2] {
        let reliable = format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
        carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
        let prack = carrier.expect("PRACK").await;
        assert_eq!(prack.header("CSeq"), format!("{} PRACK", number + 1));
        carrier.answer(&prack, "200 OK", "", "").await;
    }
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    carrier.pick_up(&invite, "", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    leg.hang_up();
    for (number, status, asks) in [
        (4, "407 Proxy Authentication Required", challenge("Proxy-Authenticate", "")),
        (5, "401 Unauthorized", challenge("WWW-Authenticate", "")),
        (6, "401 Unauthorized", challenge("WWW-Authenticate", ", stale=true")),
    ] {
        let bye = carrier.expect("BYE").await;
        assert_eq!(bye.header("CSeq"), format!("{number} BYE"));
        carrier.answer(&bye, status, &asks, "").await;
    }
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.header("CSeq"), "7 BYE");
    assert!(
        has_valid_digest(&bye, "Authorization") && has_valid_digest(&bye, "Proxy-Authorization"),
        "{bye:?}"
    );
    assert_eq!((bye.all("Authorization").len(), bye.all("Proxy-Authorization").len()), (1, 1));
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn a_challenge_that_cannot_be_answered_ends_the_call() {
    let dialler = dialler().await;
    for header in ["WWW-Authenticate: Basic realm=\"x\"\r\n", ""] {
        let mut carrier = Carrier::udp().await;
        let mut leg = dialler.call(with_credentials(&carrier.uri("1")));
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "401 Unauthorized", header, "").await;
        carrier.expect("ACK").await;
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(401));
    }
}

#[test]
fn passwords_are_not_printed() {
    let printed = format!("{:?}", with_credentials("sip:1@h"));
    assert!(printed.contains(USER) && !printed.contains(PASSWORD), "{printed}");
}
