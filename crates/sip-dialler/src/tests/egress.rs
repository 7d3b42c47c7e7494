//! Tests of the addresses that a call may be sent to.

use std::net::IpAddr;

use service_base::net::Use;
use tokio::net::UdpSocket;

use super::carrier::{Carrier, description};
use super::transports::with_names;
use super::{
    DiallerConfig, Egress, Invitation, LegEnd, LegEvent, ROUND_TRIP, config, ended, invitation, mapped, next,
    start,
};
use crate::media::{Media, described};

/// A call to a URI that a customer has chosen.
fn public(uri: &str) -> Invitation {
    Invitation { egress: Egress::Public, ..invitation(uri) }
}

#[tokio::test]
async fn a_public_call_is_not_sent_to_this_machine_under_any_host_name() {
    let mut carrier = Carrier::udp().await;
    let port = carrier.address.port();
    // The name server returns the addresses, and the ports in SRV records.
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
    carrier.hears_nothing_for(ROUND_TRIP).await;
    // The same host, but configured by the operator.
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_setting_allows_private_addresses_for_public_calls_but_not_the_host_map() {
    let mut carrier = Carrier::udp().await;
    let hosts = [("carrier.example.com".to_owned(), carrier.address.to_string())].into();
    let dialler = start(DiallerConfig { allow_private: true, hosts, ..config() }).await;
    for host in ["carrier.example.com", "a.Carrier.example.com."] {
        let mut leg = dialler.call(public(&format!("sip:1@{host}")));
        assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "{host}");
    }
    carrier.hears_nothing_for(ROUND_TRIP).await;
    let mut leg = dialler.call(public(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_name_in_the_host_map_may_end_with_a_dot() {
    let mut carrier = Carrier::udp().await;
    let dialler = mapped(carrier.address).await;
    let mut leg = dialler.call(invitation("sip:1@carrier.example.com."));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn contacts_of_the_far_end_are_limited_like_the_call_itself() {
    let mut carrier = Carrier::udp().await;
    let victim = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = victim.local_addr().unwrap();
    // A public call must not use the host map, even where private addresses are allowed.
    let hosts = [("victim.example.com".to_owned(), at.to_string())].into();
    let dialler = start(DiallerConfig { allow_private: true, hosts, ..config() }).await;
    for (call, is_reached) in [(public(&carrier.uri("1")), false), (invitation(&carrier.uri("1")), true)] {
        let mut leg = dialler.call(call);
        let invite = carrier.expect("INVITE").await;
        let contact = "Contact: <sip:x@victim.example.com>\r\n";
        carrier.answer(&invite, "200 OK", contact, &description(4000)).await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        let mut ack = [0; 2048];
        if is_reached {
            let length =
                tokio::time::timeout(super::EVENT_TIMEOUT, victim.recv(&mut ack)).await.unwrap().unwrap();
            assert!(ack[..length].starts_with(b"ACK sip:x@victim.example.com "));
        } else {
            assert_eq!(carrier.expect("ACK").await.uri(), "sip:x@victim.example.com");
            assert!(victim.try_recv(&mut ack).is_err(), "nothing arrived");
            leg.hang_up();
            let bye = carrier.expect("BYE").await;
            carrier.answer(&bye, "200 OK", "", "").await;
            assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        }
    }
}

#[tokio::test]
async fn slow_names_that_customers_call_do_not_delay_the_calls_to_carriers() {
    let mut carrier = Carrier::udp().await;
    let dialler = with_names(Vec::new()).await;
    // Their name server does not answer: each takes seconds, and more of them wait than can run at the same time.
    let slow = |number: usize| format!("sip:1@silent{}.n{number}.example.com", number % 10);
    let _slow: Vec<_> = (0..128).map(|number| dialler.call(public(&slow(number)))).collect();
    let port = carrier.address.port();
    let mut leg = dialler.call(invitation(&format!("sip:1@plain.example.com:{port}")));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn media_of_a_public_call_are_not_sent_to_this_machine() {
    let dialler = with_names(Vec::new()).await;
    let shared = &dialler.shared;
    let local = [127, 0, 0, 1].into();
    let named = description(4000).replace("c=IN IP4 127.0.0.1", "c=IN IP4 plain.example.com");
    for (egress, is_sent) in [(Egress::Public, false), (Egress::Anywhere, true)] {
        for answer in [description(4000), named.clone()] {
            let mut media = Media::open(&shared.ports, local, local, 7).await.unwrap();
            media.apply(shared, egress, local, &described(answer.as_bytes()).unwrap().unwrap()).await;
            assert_eq!(media.next_packet().is_some(), is_sent, "{egress:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn media_are_not_sent_to_special_or_own_addresses_or_to_a_more_private_range_than_the_carriers() {
    let dialler = with_names(Vec::new()).await;
    let shared = &dialler.shared;
    let local: IpAddr = [127, 0, 0, 1].into();
    let far: IpAddr = [203, 0, 113, 1].into();
    let mut media = Media::open(&shared.ports, local, local, 7).await.unwrap();
    let ours = media.address().port();
    let edge_socket = shared.config.own.enter("127.0.0.1:4002".parse().unwrap(), Use::EdgeMedia);
    for (carrier, at, port, is_sent) in [
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
        // A call to our own edge.
        (local, "127.0.0.1", 4002, true),
        (far, "127.0.0.1", 4002, false),
    ] {
        let answer = description(port).replace("127.0.0.1", at);
        let described = described(answer.as_bytes()).unwrap().unwrap();
        media.apply(shared, Egress::Anywhere, carrier, &described).await;
        assert_eq!(media.next_packet().is_some(), is_sent, "{at}:{port} for {carrier}");
    }
    drop(edge_socket);
}

#[tokio::test]
async fn nothing_is_sent_while_the_carrier_holds_the_call_in_any_notation() {
    let dialler = with_names(Vec::new()).await;
    let shared = &dialler.shared;
    let local: IpAddr = [127, 0, 0, 1].into();
    let mut media = Media::open(&shared.ports, local, local, 7).await.unwrap();
    let plain = description(4000);
    for (offer, is_sent) in [
        (plain.clone(), true),
        (format!("{plain}a=sendonly\r\n"), false),
        (format!("{plain}a=recvonly\r\n"), true),
        (plain.replace("t=0 0", "t=0 0\r\na=inactive"), false),
        (plain.clone(), true),
        (plain.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"), false),
    ] {
        let described = described(offer.as_bytes()).unwrap().unwrap();
        media.apply(shared, Egress::Anywhere, local, &described).await;
        assert_eq!(media.next_packet().is_some(), is_sent, "{offer}");
    }
    let described = described(plain.as_bytes()).unwrap().unwrap();
    media.apply(shared, Egress::Anywhere, local, &described).await;
    media.disable();
    assert_eq!(media.next_packet(), None);
}

#[tokio::test]
async fn the_lookups_of_media_hosts_are_limited() {
    let dialler = with_names(Vec::new()).await;
    let shared = &dialler.shared;
    let local: IpAddr = [127, 0, 0, 1].into();
    let mut media = Media::open(&shared.ports, local, local, 7).await.unwrap();
    let answer = description(4000).replace("c=IN IP4 127.0.0.1", "c=IN IP4 plain.example.com");
    let described = described(answer.as_bytes()).unwrap().unwrap();
    let mut found = 0;
    for _ in 0..20 {
        media.apply(shared, Egress::Anywhere, local, &described).await;
        found += usize::from(media.next_packet().is_some());
    }
    assert_eq!(found, 4);
}
