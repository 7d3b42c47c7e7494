//! Tests of TCP connections and of name resolution.

use std::net::SocketAddr;

use tokio::net::{TcpListener, UdpSocket};

use super::carrier::Carrier;
use super::{DiallerConfig, Egress, LegEnd, LegEvent, config, dialler, ended, idle, invitation, next, start};

#[tokio::test]
async fn calls_over_tcp_share_a_connection() {
    let dialler = dialler().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1#@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    for _ in 0..2 {
        let invite = carrier.expect("INVITE").await;
        assert_eq!(invite.uri(), uri);
        assert!(invite.header("Via").starts_with("SIP/2.0/TCP "), "{invite:?}");
        assert_eq!(invite.header("Contact"), format!("<sip:{};transport=tcp>", dialler.address()));
        // The existing connection is used: a contact behind address translation could not be connected to.
        let contact = "Contact: <sip:far@192.0.2.1;transport=tcp>\r\n";
        carrier.answer(&invite, "200 OK", contact, &super::carrier::description(4000)).await;
        carrier.expect("ACK").await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        leg.hang_up();
        let bye = carrier.expect("BYE").await;
        assert_eq!(bye.uri(), "sip:far@192.0.2.1;transport=tcp");
        carrier.answer(&bye, "200 OK", "", "").await;
        assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        leg = dialler.call(invitation(&uri));
    }
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "603 Decline", "", "").await;
    carrier.expect("ACK").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(603));
}

#[tokio::test]
async fn a_connection_that_is_closed_before_a_response_is_no_response() {
    let dialler = dialler().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    carrier.expect("INVITE").await;
    drop(carrier);
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse);
    // The next call opens a new connection.
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

/// A name server with SRV records for `voice.example.com`. The address of other names is 127.0.0.1, except
/// for those that begin with `nowhere`. Those that begin with `silent` are never answered.
struct Names {
    socket: UdpSocket,
    services: Vec<(u16, &'static str, u16)>,
}

impl Names {
    async fn serve(self) {
        let mut question = [0; 512];
        loop {
            let (length, from) = self.socket.recv_from(&mut question).await.unwrap();
            if question[12..].starts_with(b"\x07silent") {
                continue;
            }
            let answer = self.answer(&question[..length]);
            self.socket.send_to(&answer, from).await.unwrap();
        }
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let (name, kind) = (&question[12..end], u16::from_be_bytes([question[end], question[end + 1]]));
        let question_section = &question[12..end + 4];
        let records: Vec<Vec<u8>> = match kind {
            1 if !name.starts_with(b"\x07nowhere") => vec![vec![127, 0, 0, 1]],
            33 if name.starts_with(b"\x04_sip\x04_udp\x05voice") => {
                self.services.iter().map(|(priority, host, port)| service(*priority, host, *port)).collect()
            }
            _ => Vec::new(),
        };
        let code = if records.is_empty() { 3 } else { 0 };
        let count = u8::try_from(records.len()).unwrap();
        let mut answer = vec![question[0], question[1], 0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
        answer.extend(question_section);
        for record in records {
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60]);
            answer.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
            answer.extend(record);
        }
        answer
    }
}

fn service(priority: u16, host: &str, port: u16) -> Vec<u8> {
    let mut record = [priority.to_be_bytes(), 1_u16.to_be_bytes(), port.to_be_bytes()].concat();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        record.push(u8::try_from(label.len()).unwrap());
        record.extend(label.as_bytes());
    }
    record.push(0);
    record
}

pub(super) async fn with_names(services: Vec<(u16, &'static str, u16)>) -> super::Dialler {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let name_servers = vec![socket.local_addr().unwrap()];
    tokio::spawn(Names { socket, services }.serve());
    start(DiallerConfig { name_servers, ..config() }).await
}

#[tokio::test]
async fn a_name_without_a_port_is_resolved_by_srv_records() {
    let mut carrier = Carrier::udp().await;
    let dialler =
        with_names(vec![(20, "b.example.com", 9), (10, "a.example.com", carrier.address.port())]).await;
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let invite = carrier.expect("INVITE").await;
    assert_eq!(invite.uri(), "sip:1@voice.example.com");
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_503_is_followed_by_an_invite_to_the_next_host() {
    let (mut full, mut free) = (Carrier::udp().await, Carrier::udp().await);
    let services = vec![(1, "a.example.com", full.address.port()), (2, "b.example.com", free.address.port())];
    let dialler = with_names(services).await;
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let first = full.expect("INVITE").await;
    full.answer(&first, "503 Service Unavailable", "", "").await;
    full.expect("ACK").await;
    let second = free.expect("INVITE").await;
    assert_ne!(second.branch(), first.branch());
    assert_eq!((second.header("Call-ID"), second.header("CSeq")), (first.header("Call-ID"), "2 INVITE"));
    free.answer(&second, "503 Service Unavailable", "", "").await;
    free.expect("ACK").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(503));
    idle(&dialler).await;
}

#[tokio::test]
async fn a_host_of_the_srv_records_that_does_not_resolve_in_time_does_not_hide_the_others() {
    let mut carrier = Carrier::udp().await;
    let dialler = with_names(vec![
        (1, "a.example.com", carrier.address.port()),
        (2, "silent1.example.com", 9),
        (3, "silent2.example.com", 9),
        (4, "silent3.example.com", 9),
    ])
    .await;
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn of_the_addresses_of_a_host_the_first_four_are_tried() {
    let services = (1..=6).map(|number| (number, "a.example.com", 5_000 + number)).collect();
    let dialler = with_names(services).await;
    let target = crate::uri::Target::parse("sip:1@voice.example.com", Egress::Anywhere).unwrap();
    let network = &dialler.shared.network;
    let found = network.resolver.targets(&target, &network.ids).await.unwrap();
    let ports: Vec<u16> = found.iter().map(SocketAddr::port).collect();
    assert_eq!(ports, [5_001, 5_002, 5_003, 5_004]);
}

#[tokio::test]
async fn a_name_with_a_port_or_without_srv_records_is_resolved_by_its_address() {
    let mut carrier = Carrier::udp().await;
    let dialler = with_names(vec![(1, "a.example.com", 9)]).await;
    let port = carrier.address.port();
    for host in ["voice.example.com", "plain.example.com"] {
        let mut leg = dialler.call(invitation(&format!("sip:1@{host}:{port}")));
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "486 Busy Here", "", "").await;
        carrier.expect("ACK").await;
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
    }
    let target = crate::uri::Target::parse("sip:1@plain.example.com", Egress::Anywhere).unwrap();
    let network = &dialler.shared.network;
    let found = network.resolver.targets(&target, &network.ids).await;
    assert_eq!(found.unwrap(), ["127.0.0.1:5060".parse::<SocketAddr>().unwrap()]);
    let mut leg = dialler.call(invitation("sip:1@nowhere.example.com"));
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse);
}

#[tokio::test]
async fn an_srv_target_of_the_root_means_that_there_is_no_service() {
    let dialler = with_names(vec![(0, "", 0)]).await;
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse);
}
