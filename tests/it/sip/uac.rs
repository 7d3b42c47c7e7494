//! A caller over UDP, TCP or TLS that can also send invalid messages.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, UdpSocket};

use super::digest::Answer;
use super::edge::{DEADLINE, Edge, FOREIGN_NUMBER, Trunk, source};
use super::message::Message;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

enum Wire {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>, Vec<u8>),
}

/// One end of a signalling path.
pub struct Uac {
    wire: Wire,
    /// `UDP`, `TCP` or `TLS`.
    transport: &'static str,
    pub local: SocketAddr,
    waiting: VecDeque<Message>,
}

impl Uac {
    /// Over UDP, from a unique address.
    pub async fn udp(edge: &Edge) -> Self {
        Self::udp_from(edge, source()).await
    }

    /// Over UDP, from this address.
    pub async fn udp_from(edge: &Edge, source: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((source, 0)).await.unwrap();
        socket.connect(edge.sip).await.unwrap();
        let local = socket.local_addr().unwrap();
        Self { wire: Wire::Datagrams(socket), transport: "UDP", local, waiting: VecDeque::new() }
    }

    /// Over UDP and IPv6, from a port chosen by the kernel.
    pub async fn udp_over_ipv6(edge: &Edge) -> Self {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(edge.sip).await.unwrap();
        let local = socket.local_addr().unwrap();
        Self { wire: Wire::Datagrams(socket), transport: "UDP", local, waiting: VecDeque::new() }
    }

    /// Over TCP and IPv6, from a port chosen by the kernel.
    pub async fn tcp_over_ipv6(edge: &Edge) -> Self {
        let stream = tokio::net::TcpStream::connect(edge.sip).await.unwrap();
        let local = stream.local_addr().unwrap();
        let wire = Wire::Stream(Box::new(stream), Vec::new());
        Self { wire, transport: "TCP", local, waiting: VecDeque::new() }
    }

    /// Over TCP, from a unique address.
    pub async fn tcp(edge: &Edge) -> Self {
        let (stream, local) = connect(edge.sip).await;
        let wire = Wire::Stream(Box::new(stream), Vec::new());
        Self { wire, transport: "TCP", local, waiting: VecDeque::new() }
    }

    /// Over a connection that the server opens to this listener.
    pub async fn accepted(listener: &tokio::net::TcpListener) -> Self {
        let accepting = tokio::time::timeout(DEADLINE, listener.accept()).await;
        let (stream, _) = accepting.expect("a connection is opened").unwrap();
        let local = stream.local_addr().unwrap();
        let wire = Wire::Stream(Box::new(stream), Vec::new());
        Self { wire, transport: "TCP", local, waiting: VecDeque::new() }
    }

    /// Over TLS, from a unique address; the server must prove that it is 127.0.0.1.
    pub async fn tls(edge: &Edge, config: Arc<rustls::ClientConfig>) -> std::io::Result<Self> {
        let (stream, local) = connect(edge.binary.sip_tls.expect("TLS is listened on")).await;
        let name = rustls::pki_types::ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
        let wire = Wire::Stream(Box::new(stream), Vec::new());
        Ok(Self { wire, transport: "TLS", local, waiting: VecDeque::new() })
    }

    /// Sends bytes unchanged.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match &mut self.wire {
            Wire::Datagrams(socket) => {
                socket.send(bytes.as_ref()).await.unwrap();
            }
            Wire::Stream(stream, _) => {
                stream.write_all(bytes.as_ref()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    }

    /// The next message of any kind; `None` if none arrives in this time.
    pub async fn receive(&mut self, patience: Duration) -> Option<Message> {
        if let Some(message) = self.waiting.pop_front() {
            return Some(message);
        }
        tokio::time::timeout(patience, self.wire.read()).await.ok()
    }

    /// The next message that matches; others are discarded. Over UDP the request is retransmitted until a
    /// message arrives.
    pub async fn expect(
        &mut self,
        what: &str,
        request: Option<&str>,
        meant: impl Fn(&Message) -> bool,
    ) -> Message {
        const RETRANSMISSION_INTERVAL: Duration = Duration::from_millis(1500);
        let waiting = async {
            loop {
                match self.receive(RETRANSMISSION_INTERVAL).await {
                    Some(message) if meant(&message) => return message,
                    Some(_) => {}
                    None => {
                        if let (Some(request), "UDP") = (request, self.transport) {
                            self.send(request).await;
                        }
                    }
                }
            }
        };
        let heard = tokio::time::timeout(3 * DEADLINE, waiting).await;
        heard.unwrap_or_else(|_elapsed| panic!("{what} never came"))
    }

    /// Sends OPTIONS. Returns the next message, which may be another than the answer.
    pub async fn options_or_anything(&mut self) -> Message {
        let request = self.options_request(&unique());
        self.send(&request).await;
        self.expect("anything", Some(&request), |_| true).await
    }

    fn options_request(&self, call: &str) -> String {
        let Self { transport, local, .. } = &self;
        format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-{call}\r\n\
             From: <sip:probe@{local}>;tag={call}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// Sends OPTIONS, which a working server always answers. Returns the answer.
    pub async fn options(&mut self) -> Message {
        let call = unique();
        let text = self.options_request(&call);
        self.send(&text).await;
        self.expect("an answer to OPTIONS", Some(&text), |message| {
            message.header("Call-ID") == Some(call.as_str())
        })
        .await
    }
}

impl Wire {
    async fn read(&mut self) -> Message {
        match self {
            Self::Datagrams(socket) => {
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).await.unwrap();
                Message::parse(&buffer[..length])
            }
            Self::Stream(stream, bytes) => loop {
                if let Some(length) = Message::length(bytes) {
                    let rest = bytes.split_off(length);
                    return Message::parse(&std::mem::replace(bytes, rest));
                }
                if stream.read_buf(bytes).await.unwrap_or(0) == 0 {
                    // The connection is closed: nothing will ever arrive.
                    return std::future::pending().await;
                }
            },
        }
    }
}

async fn connect(edge: SocketAddr) -> (tokio::net::TcpStream, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source(), 0).into()).unwrap();
    let stream = socket.connect(edge).await.unwrap();
    let local = stream.local_addr().unwrap();
    (stream, local)
}

/// A text that is unique in this run.
pub fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A call, or an attempt at one.
pub struct Call {
    pub uac: Uac,
    /// The socket for media.
    pub media: UdpSocket,
    /// The user part of the Request-URI.
    pub to: String,
    /// The whole Request-URI, if it is not the default one.
    pub uri: Option<String>,
    /// The value of `From`, without its tag.
    pub from: String,
    /// Further header lines of the INVITE.
    pub headers: Vec<String>,
    /// The offer; an empty text means none.
    pub offer: String,
    /// The header lines that describe a body.
    pub content: Vec<String>,
    /// The header lines with the address for requests in the dialog.
    pub contact: Vec<String>,
    /// The body of the ACK.
    pub acknowledgement: String,
    /// Provisional responses to the last INVITE.
    pub provisional: Vec<Message>,
    /// The value of `Call-ID`.
    pub id: String,
    tag: String,
    remote: String,
    target: String,
    pub sequence: u32,
    /// The text of the last INVITE.
    pub sent: String,
}

impl Call {
    /// A call over UDP from a unique address, with the default caller number and offer.
    pub async fn new(edge: &Edge, to: &str) -> Self {
        Self::over(Uac::udp(edge).await, edge, to).await
    }

    /// The same over this path.
    pub async fn over(uac: Uac, edge: &Edge, to: &str) -> Self {
        let media = UdpSocket::bind((uac.local.ip(), 0)).await.unwrap();
        let (local, own) = (uac.local, unique());
        Self {
            offer: offer(media.local_addr().unwrap()),
            media,
            to: to.to_owned(),
            uri: None,
            from: format!("<sip:{FOREIGN_NUMBER}@{local}>"),
            headers: Vec::new(),
            content: vec!["Content-Type: application/sdp".to_owned()],
            contact: vec![format!(
                "Contact: <sip:caller@{local};transport={}>",
                uac.transport.to_ascii_lowercase()
            )],
            acknowledgement: String::new(),
            provisional: Vec::new(),
            id: format!("{own}@{}", local.ip()),
            tag: format!("caller-{own}"),
            remote: format!("<sip:{to}@{}>", edge.sip),
            target: String::new(),
            sequence: 0,
            sent: String::new(),
            uac,
        }
    }

    /// Removes the tag of `From`, as callers of RFC 2543 send it.
    pub fn untagged(&mut self) {
        self.tag.clear();
    }

    /// The Request-URI of the INVITE.
    pub fn uri(&self) -> String {
        let host = if self.uac.local.is_ipv6() { "[::1]" } else { "127.0.0.1" };
        self.uri.clone().unwrap_or_else(|| format!("sip:{}@{host}", self.to))
    }

    fn message(&self, method: &str, uri: &str, branch: &str, further: &[String], body: &str) -> String {
        self.message_of(&self.uac, method, uri, branch, further, body)
    }

    /// The same as it is sent over this path.
    fn message_of(
        &self,
        uac: &Uac,
        method: &str,
        uri: &str,
        branch: &str,
        further: &[String],
        body: &str,
    ) -> String {
        let Self { from, tag, remote, id, sequence, .. } = self;
        let (transport, local) = (uac.transport, uac.local);
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-{branch}\r\n\
             From: {from}{tag}\r\nTo: {remote}\r\nCall-ID: {id}\r\nCSeq: {sequence} {method}\r\n\
             Max-Forwards: 70\r\n"
        );
        let content = if body.is_empty() { &[][..] } else { &self.content };
        for line in self.contact.iter().chain(further).chain(content) {
            text.push_str(line);
            text.push_str("\r\n");
        }
        format!("{text}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// A request as it would be sent, with the offer if it is an INVITE.
    pub fn text(&mut self, method: &str) -> String {
        self.sequence += 1;
        let body = if method == "INVITE" { self.offer.clone() } else { String::new() };
        self.message(method, &self.uri(), &self.branch(), &self.headers, &body)
    }

    fn branch(&self) -> String {
        format!("{}-{}", self.tag, self.sequence)
    }

    /// Sends a new INVITE, with these additional header lines.
    pub async fn invite(&mut self, further: &[String]) {
        self.sequence += 1;
        let lines: Vec<String> = self.headers.iter().chain(further).cloned().collect();
        self.sent = self.message("INVITE", &self.uri(), &self.branch(), &lines, &self.offer);
        let text = self.sent.clone();
        self.uac.send(&text).await;
    }

    /// Waits for the final response to the INVITE. A refusal is acknowledged here.
    pub async fn answer(&mut self) -> Message {
        let answer = loop {
            let (call_id, sequence) = (self.id.clone(), self.sequence);
            let sent = self.sent.clone();
            let message = self
                .uac
                .expect("an answer to the INVITE", Some(&sent), |message| {
                    message.header("Call-ID") == Some(call_id.as_str())
                        && message.code() != 0
                        && message.method() == "INVITE"
                        && message.sequence() == sequence
                })
                .await;
            if message.code() >= 200 {
                break message;
            }
            self.provisional.push(message);
        };
        if answer.code() < 300 {
            self.enter(&answer);
        } else {
            let kept = std::mem::replace(&mut self.remote, answer.header("To").unwrap().to_owned());
            let ack = self.message("ACK", &self.uri(), &self.branch(), &[], "");
            self.remote = kept;
            self.uac.send(&ack).await;
        }
        answer
    }

    /// Waits for a provisional response with this code.
    pub async fn ringing(&mut self, code: u16) -> Message {
        let call_id = self.id.clone();
        let meant =
            |message: &Message| message.header("Call-ID") == Some(call_id.as_str()) && message.code() == code;
        let progress = self.uac.expect(&format!("a {code}"), None, meant).await;
        self.enter(&progress);
        progress
    }

    /// Takes the remote tag and the target of the dialog from a response.
    fn enter(&mut self, response: &Message) {
        response.header("To").unwrap().clone_into(&mut self.remote);
        let contact = response.header("Contact").expect("a response that makes a dialog has a Contact");
        contact.trim_matches(['<', '>']).clone_into(&mut self.target);
    }

    /// Acknowledges an answered call.
    pub async fn acknowledge(&mut self) {
        let branch = format!("{}-ack", self.branch());
        let ack = self.message("ACK", &self.target.clone(), &branch, &[], &self.acknowledgement);
        self.uac.send(&ack).await;
    }

    /// The same over another path.
    pub async fn acknowledge_from(&self, other: &mut Uac) {
        let branch = format!("{}-ack", self.branch());
        let ack = self.message_of(other, "ACK", &self.target, &branch, &[], &self.acknowledgement);
        other.send(&ack).await;
    }

    /// Sends an INVITE without a digest. Returns its final response.
    pub async fn attempt(&mut self) -> Message {
        self.invite(&[]).await;
        self.answer().await
    }

    /// Sends an INVITE, answers the challenge after `spoil` has changed the right answer, and returns the
    /// final response.
    pub async fn attempt_as(&mut self, trunk: &Trunk, spoil: impl FnOnce(&mut Answer)) -> Message {
        let challenge = self.attempt().await;
        assert!(matches!(challenge.code(), 401 | 407), "{challenge:?}");
        let mut answer = Answer::to(&challenge, trunk, &self.uri());
        spoil(&mut answer);
        let name = if challenge.code() == 407 { "Proxy-Authorization" } else { "Authorization" };
        self.invite(&[format!("{name}: {}", answer.value())]).await;
        self.answer().await
    }

    /// Places a correct call: digest, answer, acknowledgement.
    pub async fn place(&mut self, trunk: &Trunk) -> Message {
        let answer = self.attempt_as(trunk, |_| {}).await;
        if answer.code() == 200 {
            self.acknowledge().await;
        }
        answer
    }

    /// Places a call that must be answered.
    pub async fn up(edge: &Edge, trunk: &Trunk, to: &str) -> Self {
        let mut call = Self::new(edge, to).await;
        let answer = call.place(trunk).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        call
    }

    /// The CANCEL of the INVITE as it would be sent.
    pub fn cancellation(&self) -> String {
        self.message("CANCEL", &self.uri(), &self.branch(), &[], "")
    }

    /// Cancels an INVITE without a final answer. Returns the response to the CANCEL.
    pub async fn cancel(&mut self) -> Message {
        let cancel = self.cancellation();
        self.uac.send(&cancel).await;
        let call_id = self.id.clone();
        let answers = |message: &Message| {
            message.header("Call-ID") == Some(call_id.as_str()) && message.method() == "CANCEL"
        };
        // The final response to the INVITE may arrive first.
        let mut others = VecDeque::new();
        let response = loop {
            let message = self.uac.expect("an answer to the CANCEL", Some(&cancel), |_| true).await;
            if answers(&message) {
                break message;
            }
            others.push_back(message);
        };
        others.append(&mut self.uac.waiting);
        self.uac.waiting = others;
        response
    }

    /// Sends a request in the dialog. Returns its final response.
    pub async fn request(&mut self, method: &str, further: &[&str], body: &str) -> Message {
        self.sequence += 1;
        let further: Vec<String> = further.iter().map(|line| (*line).to_owned()).collect();
        let target = self.target.clone();
        let text = self.message(method, &target, &format!("{}-in", self.branch()), &further, body);
        self.uac.send(&text).await;
        let (call_id, sequence) = (self.id.clone(), self.sequence);
        let answer = self
            .uac
            .expect(&format!("an answer to the {method}"), Some(&text), |message| {
                message.header("Call-ID") == Some(call_id.as_str())
                    && message.code() >= 200
                    && message.method() == method
                    && message.sequence() == sequence
            })
            .await;
        if method == "INVITE" {
            self.acknowledge().await;
        }
        answer
    }

    /// Sends a request in the dialog over another path. Returns its final response.
    pub async fn request_from(
        &mut self,
        other: &mut Uac,
        method: &str,
        further: &[&str],
        body: &str,
    ) -> Message {
        self.sequence += 1;
        let further: Vec<String> = further.iter().map(|line| (*line).to_owned()).collect();
        let branch = format!("{}-other", self.branch());
        let text = self.message_of(other, method, &self.target, &branch, &further, body);
        other.send(&text).await;
        let (call_id, sequence) = (self.id.clone(), self.sequence);
        let answers = |message: &Message| {
            message.header("Call-ID") == Some(call_id.as_str())
                && message.code() >= 200
                && message.sequence() == sequence
        };
        let answer = other.expect(&format!("an answer to the {method}"), Some(&text), answers).await;
        if method == "INVITE" {
            let ack = self.message_of(other, "ACK", &self.target, &branch, &[], "");
            other.send(&ack).await;
        }
        answer
    }

    /// The Request-URI of requests in the dialog.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Waits for a request of the other side, and answers it with this status and these lines.
    pub async fn asked(&mut self, method: &str, status: &str, further: &[&str], body: &str) -> Message {
        let call_id = self.id.clone();
        let meant = |message: &Message| {
            message.code() == 0
                && message.method() == method
                && message.header("Call-ID") == Some(call_id.as_str())
        };
        let request = self.uac.expect(&format!("a {method}"), None, meant).await;
        let mut lines: String = further.iter().flat_map(|line| [*line, "\r\n"]).collect();
        if !body.is_empty() {
            lines.push_str("Content-Type: application/sdp\r\n");
        }
        let whole = format!("{lines}Content-Length: {}\r\n\r\n{body}", body.len());
        let text = request.answered(status).replace("Content-Length: 0\r\n\r\n", &whole);
        self.uac.send(text).await;
        request
    }

    /// Hangs up.
    pub async fn hang_up(&mut self) {
        let answer = self.request("BYE", &[], "").await;
        assert_eq!(answer.code(), 200, "{answer:?}");
    }

    /// Waits until the other side hangs up, and answers its BYE.
    pub async fn hung_up(&mut self) -> Message {
        let call_id = self.id.clone();
        let bye = self
            .uac
            .expect("a BYE", None, |message| {
                message.code() == 0
                    && message.method() == "BYE"
                    && message.header("Call-ID") == Some(call_id.as_str())
            })
            .await;
        self.uac.send(bye.answered("200 OK")).await;
        bye
    }
}

/// An offer of G.711 at an address.
pub fn offer(at: SocketAddr) -> String {
    let family = if at.is_ipv6() { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n",
        ip = at.ip(),
        port = at.port()
    )
}
