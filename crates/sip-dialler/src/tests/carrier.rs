//! A carrier whose messages are written by the tests.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::EVENT_TIMEOUT;

/// A received message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) start: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Message {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { start, headers, body: body.to_owned() }
    }

    pub(super) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap()
    }

    pub(super) fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }

    /// The status code; panics for a request.
    pub(super) fn code(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap_or_else(|_| panic!("{self:?} is no response"))
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_else(|| panic!("{name} is missing in {self:?}"))
    }

    pub(super) fn branch(&self) -> &str {
        self.header("Via").split("branch=").nth(1).unwrap().split(';').next().unwrap()
    }

    /// The audio port of its session description.
    pub(super) fn media(&self) -> u16 {
        let line = self.body.lines().find(|line| line.starts_with("m=audio")).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// A carrier on a UDP socket or on one TCP connection.
pub(super) struct Carrier {
    wire: Wire,
    pub(super) address: SocketAddr,
    caller: Option<SocketAddr>,
    /// The `To` tag of its responses.
    pub(super) tag: String,
}

impl Carrier {
    pub(super) async fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { wire: Wire::Udp(socket), address, caller: None, tag: "far".to_owned() }
    }

    pub(super) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) =
            tokio::time::timeout(EVENT_TIMEOUT, listener.accept()).await.expect("a connection").unwrap();
        let address = listener.local_addr().unwrap();
        Self { wire: Wire::Tcp(stream, Vec::new()), address, caller: None, tag: "far".to_owned() }
    }

    /// A carrier on a connection that it opens itself.
    pub(super) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        let address = stream.local_addr().unwrap();
        Self { wire: Wire::Tcp(stream, Vec::new()), address, caller: None, tag: "far".to_owned() }
    }

    pub(super) fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.address)
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Message {
        tokio::time::timeout(EVENT_TIMEOUT, self.receive()).await.expect("a message arrives in time")
    }

    async fn receive(&mut self) -> Message {
        match &mut self.wire {
            Wire::Udp(socket) => {
                let mut buffer = [0; 8192];
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                self.caller = Some(from);
                Message::parse(std::str::from_utf8(&buffer[..length]).unwrap())
            }
            Wire::Tcp(stream, read) => loop {
                // A ping is no message.
                while read.starts_with(b"\r\n") {
                    read.drain(..2);
                }
                let text = String::from_utf8(read.clone()).unwrap();
                if let Some(end) = text.find("\r\n\r\n") {
                    let mut message = Message::parse(&text);
                    let length: usize = message.header("Content-Length").parse().unwrap();
                    if text.len() >= end + 4 + length {
                        message.body.truncate(length);
                        read.drain(..end + 4 + length);
                        return message;
                    }
                }
                assert_ne!(stream.read_buf(read).await.unwrap(), 0, "the connection ended");
            },
        }
    }

    /// The next message, which must be a request of this method.
    pub(super) async fn expect(&mut self, method: &str) -> Message {
        let message = self.next().await;
        assert_eq!(message.method(), method, "{message:?}");
        message
    }

    /// The next request of a method. Other messages are skipped, because retransmissions may arrive at any
    /// time.
    pub(super) async fn await_next(&mut self, method: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.method() == method {
                return message;
            }
        }
    }

    /// The next response to the request with this `CSeq`. Others are skipped, because they may be repeated at any time.
    pub(super) async fn response_to(&mut self, sequence: &str) -> Message {
        loop {
            let message = self.await_next("SIP/2.0").await;
            if message.header("CSeq") == sequence {
                return message;
            }
        }
    }

    /// Asserts that no message arrives for this time.
    pub(super) async fn hears_nothing_for(&mut self, duration: std::time::Duration) {
        if let Ok(message) = tokio::time::timeout(duration, self.receive()).await {
            panic!("{message:?} arrived");
        }
    }

    /// Waits for a ping, which must be the next that arrives.
    pub(super) async fn pinged(&mut self) {
        let Wire::Tcp(stream, read) = &mut self.wire else { panic!("UDP has no connections") };
        let mut ping = [0; 4];
        assert!(read.is_empty(), "a message came before");
        let arrives = tokio::time::timeout(EVENT_TIMEOUT, stream.read_exact(&mut ping)).await;
        arrives.expect("it arrives in time").unwrap();
        assert_eq!(&ping, b"\r\n\r\n");
    }

    /// Waits until the dialler closes the connection. Nothing else than pings may arrive before.
    pub(super) async fn is_closed(&mut self) {
        let Wire::Tcp(stream, _) = &mut self.wire else { panic!("UDP has no connections") };
        let mut read = Vec::new();
        let closed = tokio::time::timeout(EVENT_TIMEOUT, stream.read_to_end(&mut read)).await;
        // A reset closes it too.
        let _end = closed.expect("it is closed in time");
        assert!(read.iter().all(|byte| b"\r\n".contains(byte)), "{}", String::from_utf8_lossy(&read));
    }

    pub(super) async fn send(&mut self, text: &str) {
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.send_to(text.as_bytes(), self.caller.unwrap()).await.unwrap();
            }
            Wire::Tcp(stream, _) => stream.write_all(text.as_bytes()).await.unwrap(),
        }
    }

    /// Responds to a request. Each further header line must end with CR LF.
    pub(super) async fn answer(&mut self, request: &Message, status: &str, further: &str, body: &str) {
        let text = self.response(request, status, further, body);
        self.send(&text).await;
    }

    pub(super) fn response(&self, request: &Message, status: &str, further: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in request.all(name) {
                let tag = if name == "To" && !value.contains(";tag=") && !status.starts_with("100") {
                    format!(";tag={}", self.tag)
                } else {
                    String::new()
                };
                let _infallible = write!(text, "{name}: {value}{tag}\r\n");
            }
        }
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        format!("{text}{further}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    pub(super) fn contact(&self) -> String {
        format!("Contact: <{}>\r\n", self.contact_uri())
    }

    /// The URI of its contact.
    pub(super) fn contact_uri(&self) -> String {
        let transport = if matches!(self.wire, Wire::Udp(_)) { "udp" } else { "tcp" };
        format!("sip:far#1%23@{};transport={transport}", self.address)
    }

    /// Answers a call, with media on a port.
    pub(super) async fn pick_up(&mut self, invite: &Message, further: &str, media: u16) {
        let further = format!("{}{further}", self.contact());
        self.answer(invite, "200 OK", &further, &description(media)).await;
    }

    /// Sends a request in the dialog of an INVITE.
    pub(super) async fn request(
        &mut self,
        invite: &Message,
        method: &str,
        number: u32,
        further: &str,
        body: &str,
    ) {
        let tag = self.tag.clone();
        self.request_as(&tag, invite, method, number, further, body).await;
    }

    pub(super) async fn request_as(
        &mut self,
        tag: &str,
        invite: &Message,
        method: &str,
        number: u32,
        further: &str,
        body: &str,
    ) {
        let text = self.request_text(tag, invite, method, number, further, body);
        self.send(&text).await;
    }

    /// The text of a request in the dialog of an INVITE.
    pub(super) fn request_text(
        &self,
        tag: &str,
        invite: &Message,
        method: &str,
        number: u32,
        further: &str,
        body: &str,
    ) -> String {
        let contact = invite.header("Contact").trim_start_matches('<').split('>').next().unwrap();
        let transport = if matches!(self.wire, Wire::Udp(_)) { "UDP" } else { "TCP" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/{transport} {};branch=z9hG4bKfar-{method}-{number}-{tag};rport\r\n\
             From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             {kind}{further}Content-Length: {}\r\n\r\n{body}",
            self.address,
            invite.header("To"),
            invite.header("From"),
            invite.header("Call-ID"),
            body.len()
        )
    }
}

/// A session description with PCMA on a port.
pub(super) fn description(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}
