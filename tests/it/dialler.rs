//! Tests of the dialler with this server's carrier edge as the carrier.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use didww_types::ApiVersion;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sip_dialler::{Dialler, DiallerConfig, Egress, Invitation, Leg, LegEnd, LegEvent, SipCredentials};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use trunk_server::config::{Config, Database, SipConfig};
use trunk_server::edge::CallRecord;
use trunk_server::{Clock, Control, Ids, Server, TestServer};

use crate::support::engine;

/// The host of the realm; the dialler's host map points it at the edge.
const HOST: &str = "out.didww.com";
/// Maximum time that a test waits for an event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

fn config() -> DiallerConfig {
    DiallerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

async fn start(config: DiallerConfig) -> Dialler {
    Dialler::start(config, Clock::system(), Ids::system()).await.unwrap()
}

fn invitation(uri: &str) -> Invitation {
    Invitation {
        uri: uri.to_owned(),
        from_display: "Alice".to_owned(),
        from_user: "+37061498222".to_owned(),
        headers: Vec::new(),
        codecs: Vec::new(),
        egress: Egress::Anywhere,
        credentials: None,
    }
}

async fn next(leg: &mut Leg) -> LegEvent {
    tokio::time::timeout(EVENT_TIMEOUT, leg.next())
        .await
        .expect("an event arrives in time")
        .expect("there is an event")
}

async fn ended(leg: &mut Leg) -> LegEnd {
    match next(leg).await {
        LegEvent::Ended(end) => end,
        other => panic!("{other:?} instead of the end"),
    }
}

struct Edge {
    server: TestServer,
    records: tokio::sync::broadcast::Receiver<Arc<CallRecord>>,
    credentials: SipCredentials,
}

impl Edge {
    /// Starts an edge with a trunk that requires the technical prefix `0011#`.
    async fn with_trunk() -> Self {
        let server = engine::builder().version(ApiVersion::V2026_04_16).sip().start().await;
        let body = r#"{"data":{"type":"voice_out_trunks","attributes":{"name":"Outbound",
            "on_cli_mismatch_action":"send_original_cli","authentication_method":{"type":"credentials_and_ip",
            "attributes":{"allowed_sip_ips":["127.0.0.1/32"],"tech_prefix":"0011#"}}}}}"#;
        let head = format!(
            "POST /v3/voice_out_trunks HTTP/1.1\r\nHost: localhost\r\nApi-Key: {}\r\nConnection: close\r\n\
             X-DIDWW-API-Version: 2026-04-16\r\nContent-Type: application/vnd.api+json\r\nContent-Length: {}\r\n\r\n",
            server.api_key(),
            body.len()
        );
        let mut stream = TcpStream::connect(server.server().address()).await.unwrap();
        stream.write_all((head + body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let document = answer.split_once("\r\n\r\n").unwrap().1;
        let trunk: serde_json::Value =
            serde_json::from_str(document).unwrap_or_else(|error| panic!("{error} in {answer}"));
        let text = |name: &str| {
            let path = format!("/data/attributes/authentication_method/attributes/{name}");
            trunk
                .pointer(&path)
                .and_then(|text| text.as_str())
                .unwrap_or_else(|| panic!("{answer}"))
                .to_owned()
        };
        let credentials =
            SipCredentials { username: text("username"), password: text("password").as_str().into() };
        let records = server.control().follow_calls().unwrap();
        Self { server, records, credentials }
    }

    async fn dialler(&self) -> Dialler {
        let at = self.server.server().sip_address().unwrap();
        start(DiallerConfig { hosts: [(HOST.to_owned(), at.to_string())].into(), ..config() }).await
    }

    fn call(&self, number: &str) -> Invitation {
        let uri = format!("sip:{number}@{HOST};transport=udp");
        Invitation { credentials: Some(self.credentials.clone()), ..invitation(&uri) }
    }

    async fn record(&mut self) -> Arc<CallRecord> {
        tokio::time::timeout(EVENT_TIMEOUT, self.records.recv()).await.expect("a record arrives").unwrap()
    }

    fn control(&self) -> Control {
        self.server.control()
    }
}

#[tokio::test]
async fn a_call_through_a_trunk_is_challenged_admitted_answered_and_hung_up() {
    let mut edge = Edge::with_trunk().await;
    let dialler = edge.dialler().await;
    for transport in ["udp", "tcp"] {
        let mut call = edge.call("0011#+442079460018");
        call.uri = call.uri.replace("udp", transport);
        let mut leg = dialler.call(call);
        assert_eq!(next(&mut leg).await, LegEvent::Ringing);
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        assert_eq!(edge.control().active_calls().unwrap().len(), 1);
        leg.hang_up();
        assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        let record = edge.record().await;
        assert_eq!((record.dst_number.as_str(), record.source_protocol), ("0011#+442079460018", transport));
        assert_eq!((record.original_src_number.as_str(), record.disconnect_code), ("+37061498222", 200));
        assert_eq!(record.user_agent.as_deref(), Some("trunk-server"));
    }
    dialler.stop().await;
}

#[tokio::test]
async fn a_refusal_of_the_edge_ends_the_call_with_its_code() {
    let edge = Edge::with_trunk().await;
    let dialler = edge.dialler().await;
    for (number, code) in [("0011#9990486", 486), ("0011#9990603", 603), ("9990486", 403), ("0011#123a", 484)]
    {
        let mut leg = dialler.call(edge.call(number));
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(code), "{number}");
    }
    let mut unknown = edge.call("0011#9990200");
    unknown.credentials = None;
    assert_eq!(ended(&mut dialler.call(unknown)).await, LegEnd::Refused(401));
    let mut wrong = edge.call("0011#9990200");
    wrong.credentials =
        Some(SipCredentials { username: edge.credentials.username.clone(), password: "wrong".into() });
    assert_eq!(ended(&mut dialler.call(wrong)).await, LegEnd::Refused(401));
    dialler.stop().await;
}

#[tokio::test]
async fn calls_are_cancelled_and_hung_up_by_the_far_end() {
    let mut edge = Edge::with_trunk().await;
    let dialler = edge.dialler().await;
    let mut leg = dialler.call(edge.call("0011#9990180"));
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    assert_eq!(edge.record().await.disconnect_code, 487);
    let mut leg = dialler.call(edge.call("0011#9990201"));
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
    assert_eq!(edge.record().await.disconnect_code, 200);
    let mut leg = dialler.call(edge.call("0011#9990183"));
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    drop(leg);
    assert_eq!(edge.record().await.disconnect_code, 200);
    dialler.stop().await;
}

#[tokio::test]
async fn silence_keeps_a_call_from_its_rtp_timeout() {
    let mut edge = Edge::with_trunk().await;
    let dialler = edge.dialler().await;
    let mut leg = dialler.call(edge.call("0011#9990200"));
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    // The edge's clock advances by 25 seconds for each packet of silence, of which there is one a second.
    for _ in 0..3 {
        edge.control().clock().advance(Duration::from_secs(25));
        let event = tokio::time::timeout(Duration::from_millis(1200), leg.next()).await;
        assert!(event.is_err(), "{event:?}");
    }
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
    assert_eq!(edge.record().await.disconnect_reason, "Bye");
}

#[tokio::test]
async fn a_probe_of_the_edge_succeeds() {
    let edge = Edge::with_trunk().await;
    assert_eq!(edge.dialler().await.probe(HOST).await, Ok(200));
}

/// A certificate authority and a certificate for the host, created with OpenSSL.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("san"), format!("subjectAltName=DNS:{HOST}\n")).unwrap();
        let run = |arguments: &str| {
            let output =
                Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output();
            let output = output.expect("openssl runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        run(&format!("req -x509 {new} -days 2 -subj /CN=CA -keyout ca.key -out ca.pem"));
        run(&format!("req {new} -subj /CN=edge -keyout key.pem -out edge.csr"));
        run(
            "x509 -req -in edge.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out cert.pem",
        );
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[tokio::test]
async fn over_tls_the_certificate_must_be_for_the_host() {
    let certificates = Certificates::make();
    let app = edge_config(&certificates);
    let server = Server::builder(app).start().await.unwrap();
    let at = server.sip_tls_address().unwrap();
    let hosts = [(HOST.to_owned(), at.to_string()), ("other.example.com".to_owned(), at.to_string())];
    let roots = Some(certificates.path("ca.pem"));
    let trusting = start(DiallerConfig { hosts: hosts.clone().into(), tls_roots: roots, ..config() }).await;
    // There is no trunk: the refusal by the edge shows that it was reached.
    for uri in [format!("sip:1@{HOST};transport=tls"), format!("sips:1@{HOST}"), format!("sips:1@{HOST}")] {
        let mut leg = trusting.call(invitation(&uri));
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(403), "{uri}");
    }
    let mut leg = trusting.call(invitation("sips:1@other.example.com"));
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "the certificate is for another name");
    let doubting = start(DiallerConfig { hosts: hosts.into(), ..config() }).await;
    let mut leg = doubting.call(invitation(&format!("sips:1@{HOST}")));
    assert_eq!(
        ended(&mut leg).await,
        LegEnd::NoResponse,
        "the system does not trust the certificate authority"
    );
    server.stop().await.unwrap();
}

/// The configuration of a carrier over TLS with the certificate for the host.
fn tls_carrier(certificates: &Certificates) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificates.path("cert.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(certificates.path("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A carrier on a connection over TLS.
struct TlsCarrier(tokio_rustls::server::TlsStream<TcpStream>);

impl TlsCarrier {
    async fn accept(listener: &TcpListener, certificates: &Certificates) -> Self {
        let accepted = tokio::time::timeout(EVENT_TIMEOUT, listener.accept()).await.expect("it is called");
        let (stream, _) = accepted.unwrap();
        Self(tls_carrier(certificates).accept(stream).await.unwrap())
    }

    /// The head of the next message, whose first word must be this.
    async fn expect(&mut self, method: &str) -> String {
        let mut read: Vec<u8> = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(EVENT_TIMEOUT, self.0.read_u8()).await;
            read.push(byte.expect("a message arrives in time").expect("the connection is open"));
        }
        let head = String::from_utf8(read).unwrap();
        assert!(head.starts_with(&format!("{method} ")), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        self.0.read_exact(&mut vec![0_u8; length.parse().unwrap()]).await.unwrap();
        head
    }

    /// Responds to a request. Each further header line must end with CR LF.
    async fn respond(&mut self, request: &str, status: &str, further: &str, body: &str) {
        let copied: Vec<String> = request
            .split("\r\n")
            .filter(|line| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
            })
            .map(|line| {
                let lacks_tag = line.starts_with("To:") && !line.contains(";tag=");
                format!("{line}{}\r\n", if lacks_tag { ";tag=far" } else { "" })
            })
            .collect();
        let (copied, length) = (copied.concat(), body.len());
        let text = format!("SIP/2.0 {status}\r\n{copied}{further}Content-Length: {length}\r\n\r\n{body}");
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }
}

/// A dialler that trusts the certificates, with the clock, and the carrier's socket for [`HOST`].
async fn over_tls(certificates: &Certificates, clock: Clock) -> (Dialler, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = [(HOST.to_owned(), listener.local_addr().unwrap().to_string())].into();
    let tls_roots = Some(certificates.path("ca.pem"));
    let config = DiallerConfig { hosts, tls_roots, ..config() };
    (Dialler::start(config, clock, Ids::system()).await.unwrap(), listener)
}

#[tokio::test]
async fn a_call_over_tls_whose_connection_closes_while_it_rings_ends_at_once() {
    let certificates = Certificates::make();
    let (dialler, listener) = over_tls(&certificates, Clock::system()).await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{HOST};transport=tls")));
    let mut carrier = TlsCarrier::accept(&listener, &certificates).await;
    let invite = carrier.expect("INVITE").await;
    carrier.respond(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    drop(carrier);
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse);
    let outcome = leg.tries()[0].outcome.clone();
    let closed = "the connection was closed before the answer, which no other one can bring over TLS";
    assert_eq!(outcome.as_deref(), Some(closed));
}

#[tokio::test]
async fn a_refresh_over_tls_whose_connection_closes_is_sent_again_over_a_new_one() {
    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                          m=audio 40000 RTP/AVP 8\r\n";
    let certificates = Certificates::make();
    let clock = Clock::system();
    clock.freeze(None);
    let (dialler, listener) = over_tls(&certificates, clock.clone()).await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{HOST};transport=tls")));
    let mut carrier = TlsCarrier::accept(&listener, &certificates).await;
    // Its UPDATE is not allowed, so that the session is refreshed by re-INVITE.
    let timer = "Session-Expires: 1800;refresher=uac\r\nContent-Type: application/sdp\r\n";
    let invite = carrier.expect("INVITE").await;
    carrier.respond(&invite, "200 OK", timer, ANSWER).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    clock.advance(Duration::from_mins(15));
    let refresh = carrier.expect("INVITE").await;
    assert!(refresh.contains("\r\nCSeq: 2 INVITE\r\n"), "{refresh}");
    drop(carrier);
    // The end of the connection has to be noticed first: the delay of the next refresh begins with it.
    let passing = async {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(Duration::from_millis(500));
        }
    };
    let mut carrier = tokio::select! {
        carrier = TlsCarrier::accept(&listener, &certificates) => carrier,
        () = passing => panic!("no other connection was opened"),
    };
    let refresh = carrier.expect("INVITE").await;
    assert!(refresh.contains("\r\nCSeq: 3 INVITE\r\n"), "{refresh}");
    carrier.respond(&refresh, "200 OK", timer, ANSWER).await;
    let ack = carrier.expect("ACK").await;
    assert!(ack.contains("\r\nCSeq: 3 ACK\r\n"), "{ack}");
    // What the carrier sends from now on is answered with the address of this connection.
    let line = |name: &str| refresh.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let (from, to, call_id) = (line("To: "), line("From: "), line("Call-ID: "));
    let update = format!(
        "UPDATE sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKfar\r\nFrom: {from}\r\nTo: {to}\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 UPDATE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    carrier.0.write_all(update.as_bytes()).await.unwrap();
    carrier.0.flush().await.unwrap();
    let answer = carrier.expect("SIP/2.0").await;
    let contact = format!("\r\nContact: {}\r\n", line("Contact: "));
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains(&contact), "{answer}\n{refresh}");
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    carrier.respond(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

fn edge_config(certificates: &Certificates) -> Config {
    let mut sip = SipConfig::at("127.0.0.1:0");
    sip.tls_listen = Some("127.0.0.1:0".to_owned());
    sip.tls_cert = Some(certificates.path("cert.pem"));
    sip.tls_key = Some(certificates.path("key.pem"));
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.control_listen = None;
    config.database = Database::Ephemeral;
    config.sip = Some(sip);
    config
}
