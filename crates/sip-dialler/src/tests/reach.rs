//! How far calls go whose host a customer named.

use std::net::IpAddr;

use tokio::net::UdpSocket;

use super::super::media::{Media, described};
use super::carrier::{Carrier, description};
use super::ways::with_names;
use super::{
    DiallerConfig, Invitation, LegEnd, LegEvent, Reach, SHORT, config, ended, invitation, mapped, next, start,
};
use service_base::net::Use;

/// A call to a URI that a customer named.
fn public(uri: &str) -> Invitation {
    Invitation { reach: Reach::Public, ..invitation(uri) }
}

#[tokio::test]
async fn a_call_to_a_uri_does_not_go_to_this_machine_whatever_its_host_is_called() {
    let mut carrier = Carrier::udp().await;
    let port = carrier.address.port();
    // Names have their addresses from a name server, and their ports from SRV records.
    let dialler = with_names(vec![(1, "a.example.com", port)]).await;
    for host in [
        format!("127.0.0.1:{port}"),
        format!("plain.example.com:{port}"),
        format!("plain.example.com.:{port}"),
        format!("localhost:{port}"),
        format!("127.1:{port}"),
        format!("0:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("127.0.0.1:{port};transport=tcp"),
        "voice.example.com".to_owned(),
        "169.254.169.254".to_owned(),
        "224.0.0.1".to_owned(),
    ] {
        let mut leg = dialler.call(public(&format!("sip:1@{host}")));
        assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "{host}");
    }
    carrier.hears_nothing_for(SHORT).await;
    // The same host, which a provider named.
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_setting_lets_calls_to_uris_go_to_private_addresses_and_still_not_by_the_host_map() {
    let mut carrier = Carrier::udp().await;
    let hosts = [("carrier.example.com".to_owned(), carrier.address.to_string())].into();
    let dialler = start(DiallerConfig { allow_private: true, hosts, ..config() }).await;
    for host in ["carrier.example.com", "a.Carrier.example.com."] {
        let mut leg = dialler.call(public(&format!("sip:1@{host}")));
        assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "{host}");
    }
    carrier.hears_nothing_for(SHORT).await;
    let mut leg = dialler.call(public(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_name_of_the_host_map_may_end_with_a_dot() {
    let mut carrier = Carrier::udp().await;
    let dialler = mapped(carrier.address).await;
    let mut leg = dialler.call(invitation("sip:1@carrier.example.com."));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn what_a_far_end_names_goes_no_further_than_the_call_itself() {
    let mut carrier = Carrier::udp().await;
    let victim = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = victim.local_addr().unwrap();
    // By the host map, which is closed to the call whatever the addresses are.
    let hosts = [("victim.example.com".to_owned(), at.to_string())].into();
    let dialler = start(DiallerConfig { allow_private: true, hosts, ..config() }).await;
    for (call, reached) in [(public(&carrier.uri("1")), false), (invitation(&carrier.uri("1")), true)] {
        let mut leg = dialler.call(call);
        let invite = carrier.expect("INVITE").await;
        let contact = "Contact: <sip:x@victim.example.com>\r\n";
        carrier.answer(&invite, "200 OK", contact, &description(4000)).await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        let mut ack = [0; 2048];
        if reached {
            let length = tokio::time::timeout(super::PROMPT, victim.recv(&mut ack)).await.unwrap().unwrap();
            assert!(ack[..length].starts_with(b"ACK sip:x@victim.example.com "));
        } else {
            assert_eq!(carrier.expect("ACK").await.uri(), "sip:x@victim.example.com");
            assert!(victim.try_recv(&mut ack).is_err(), "nothing came");
            leg.hang_up();
            let bye = carrier.expect("BYE").await;
            carrier.answer(&bye, "200 OK", "", "").await;
            assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        }
    }
}

#[tokio::test]
async fn media_of_a_call_to_a_uri_does_not_go_to_this_machine() {
    let dialler = with_names(Vec::new()).await;
    let inner = &dialler.inner;
    let local = [127, 0, 0, 1].into();
    let named = description(4000).replace("c=IN IP4 127.0.0.1", "c=IN IP4 plain.example.com");
    for (reach, goes) in [(Reach::Public, false), (Reach::Anywhere, true)] {
        for answer in [description(4000), named.clone()] {
            let mut media = Media::open(&inner.ports, local, local, 7).await.unwrap();
            media.follow(inner, reach, local, &described(answer.as_bytes()).unwrap().unwrap()).await;
            assert_eq!(media.next().is_some(), goes, "{reach:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn media_never_goes_to_special_addresses_to_our_own_sockets_or_nearer_than_the_carrier_is() {
    let dialler = with_names(Vec::new()).await;
    let inner = &dialler.inner;
    let local: IpAddr = [127, 0, 0, 1].into();
    let far: IpAddr = [203, 0, 113, 1].into();
    let mut media = Media::open(&inner.ports, local, local, 7).await.unwrap();
    let ours = media.address().port();
    let edges = inner.config.own.enter("127.0.0.1:4002".parse().unwrap(), Use::EdgeMedia);
    for (carrier, at, port, goes) in [
        (local, "127.0.0.1", 4000, true),
        (far, "198.51.100.7", 4000, true),
        (far, "127.0.0.1", 4000, false),
        (far, "10.0.0.1", 4000, false),
        (local, "169.254.169.254", 4000, false),
        (local, "224.0.0.1", 4000, false),
        (local, "255.255.255.255", 4000, false),
        (local, "127.0.0.1", 53, false),
        (local, "127.0.0.1", ours, false),
        (local, "127.0.0.1", dialler.address().port(), false),
        // A call that goes out through the own edge.
        (local, "127.0.0.1", 4002, true),
        (far, "127.0.0.1", 4002, false),
    ] {
        let answer = description(port).replace("127.0.0.1", at);
        let described = described(answer.as_bytes()).unwrap().unwrap();
        media.follow(inner, Reach::Anywhere, carrier, &described).await;
        assert_eq!(media.next().is_some(), goes, "{at}:{port} for {carrier}");
    }
    drop(edges);
}

#[tokio::test]
async fn nothing_is_sent_to_a_carrier_that_holds_the_call_in_any_of_the_ways_to_say_so() {
    let dialler = with_names(Vec::new()).await;
    let inner = &dialler.inner;
    let local: IpAddr = [127, 0, 0, 1].into();
    let mut media = Media::open(&inner.ports, local, local, 7).await.unwrap();
    let plain = description(4000);
    for (offer, goes) in [
        (plain.clone(), true),
        (format!("{plain}a=sendonly\r\n"), false),
        (format!("{plain}a=recvonly\r\n"), true),
        (plain.replace("t=0 0", "t=0 0\r\na=inactive"), false),
        (plain.clone(), true),
        (plain.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"), false),
    ] {
        let described = described(offer.as_bytes()).unwrap().unwrap();
        media.follow(inner, Reach::Anywhere, local, &described).await;
        assert_eq!(media.next().is_some(), goes, "{offer}");
    }
    let described = described(plain.as_bytes()).unwrap().unwrap();
    media.follow(inner, Reach::Anywhere, local, &described).await;
    media.taken_out();
    assert_eq!(media.next(), None);
}

#[tokio::test]
async fn a_carrier_that_names_hosts_for_its_media_without_end_has_few_looked_up() {
    let dialler = with_names(Vec::new()).await;
    let inner = &dialler.inner;
    let local: IpAddr = [127, 0, 0, 1].into();
    let mut media = Media::open(&inner.ports, local, local, 7).await.unwrap();
    let answer = description(4000).replace("c=IN IP4 127.0.0.1", "c=IN IP4 plain.example.com");
    let described = described(answer.as_bytes()).unwrap().unwrap();
    let mut found = 0;
    for _ in 0..20 {
        media.follow(inner, Reach::Anywhere, local, &described).await;
        found += usize::from(media.next().is_some());
    }
    assert_eq!(found, 4);
}
