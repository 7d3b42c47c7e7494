//! A simulated carrier: a SIP user agent server over UDP that a test controls call by call.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::sip::edge::DEADLINE;
use crate::sip::message::Message;

/// A carrier on loopback. After it is dropped, it does not answer.
pub struct Carrier {
    pub at: SocketAddr,
    line: Arc<Line>,
    came: UnboundedReceiver<Incoming>,
    asked: UnboundedReceiver<Message>,
    task: JoinHandle<()>,
}

/// State that the carrier and its calls share.
struct Line {
    socket: UdpSocket,
    at: SocketAddr,
    /// The response code to OPTIONS; zero means no answer.
    options: AtomicU16,
    legs: Mutex<HashMap<String, Leg>>,
}

/// The state of a call, by its `Call-ID`.
struct Leg {
    invite: Message,
    /// The last response to the INVITE, which answers its retransmissions.
    last_response: Option<String>,
    messages: UnboundedSender<Message>,
}

/// A call that the carrier received.
pub struct Incoming {
    pub invite: Message,
    from: SocketAddr,
    line: Arc<Line>,
    heard: UnboundedReceiver<Message>,
}

impl Carrier {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let line = Arc::new(Line { socket, at, options: AtomicU16::new(200), legs: Mutex::default() });
        let (calls, came) = unbounded_channel();
        let (questions, asked) = unbounded_channel();
        let task = tokio::spawn(listen(Arc::clone(&line), calls, questions));
        Self { at, line, came, asked, task }
    }

    /// The next call. Fails the test if none arrives in time.
    pub async fn call(&mut self) -> Incoming {
        tokio::time::timeout(DEADLINE, self.came.recv()).await.expect("no call came").unwrap()
    }

    /// Number of received calls that were not taken with `call` yet.
    pub fn untaken(&self) -> usize {
        self.came.len()
    }

    /// Sets the response code to OPTIONS; zero means no answer.
    pub fn options(&self, code: u16) {
        self.line.options.store(code, Ordering::SeqCst);
    }

    /// Number of received OPTIONS that were not taken with `asked` yet.
    pub fn unread_questions(&self) -> usize {
        self.asked.len()
    }

    /// The next OPTIONS.
    pub async fn asked(&mut self) -> Message {
        tokio::time::timeout(DEADLINE, self.asked.recv()).await.expect("no OPTIONS arrived").unwrap()
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(line: Arc<Line>, calls: UnboundedSender<Incoming>, questions: UnboundedSender<Message>) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = line.socket.recv_from(&mut buffer).await.unwrap();
        let message = Message::parse(&buffer[..length]);
        if message.code() != 0 {
            // A response to a BYE of the carrier.
            line.forward(&message);
            continue;
        }
        match message.method() {
            "INVITE" => line.invited(message, from, &calls).await,
            "OPTIONS" => {
                let code = line.options.load(Ordering::SeqCst);
                if code != 0 {
                    line.send(&response(&message, &format!("{code} As Told"), "", line.at), from).await;
                }
                // The test may have ended already.
                let _over = questions.send(message);
            }
            "CANCEL" => {
                line.send(&response(&message, "200 OK", "", line.at), from).await;
                let cancelled = line.say(&message, "487 Request Terminated", "");
                line.forward(&message);
                if let Some(text) = cancelled {
                    line.send(&text, from).await;
                }
            }
            "ACK" => line.forward(&message),
            _ => {
                line.send(&response(&message, "200 OK", "", line.at), from).await;
                line.forward(&message);
            }
        }
    }
}

impl Line {
    async fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    async fn invited(self: &Arc<Self>, invite: Message, from: SocketAddr, calls: &UnboundedSender<Incoming>) {
        let id = invite.header("Call-ID").unwrap().to_owned();
        // An INVITE with another `CSeq` is not a retransmission: it answers a challenge.
        let same = |leg: &&Leg| leg.invite.sequence() == invite.sequence();
        let again = self.legs.lock().unwrap().get(&id).filter(same).map(|leg| leg.last_response.clone());
        if let Some(last_response) = again {
            if let Some(text) = last_response {
                self.send(&text, from).await;
            }
            return;
        }
        let (messages, heard) = unbounded_channel();
        self.legs.lock().unwrap().insert(id, Leg { invite: invite.clone(), last_response: None, messages });
        let _over = calls.send(Incoming { invite, from, line: Arc::clone(self), heard });
    }

    /// Builds the response to the INVITE of a message's call, and keeps it for retransmissions.
    fn say(&self, message: &Message, status: &str, body: &str) -> Option<String> {
        let mut legs = self.legs.lock().unwrap();
        let leg = legs.get_mut(message.header("Call-ID")?)?;
        let text = response(&leg.invite, status, body, self.at);
        leg.last_response = Some(text.clone());
        Some(text)
    }

    /// Forwards a message to its call's test.
    fn forward(&self, message: &Message) {
        let legs = self.legs.lock().unwrap();
        if let Some(leg) = message.header("Call-ID").and_then(|id| legs.get(id)) {
            let _over = leg.messages.send(message.clone());
        }
    }
}

/// A response with a tag and a contact.
fn response(request: &Message, status: &str, body: &str, at: SocketAddr) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        for value in request.headers(name) {
            let tag = if name == "To" && !value.contains(";tag=") { ";tag=carrier" } else { "" };
            let _infallible = write!(text, "{name}: {value}{tag}\r\n");
        }
    }
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{text}Contact: <sip:carrier@{at}>\r\n{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

impl Incoming {
    /// The Request-URI of the INVITE.
    pub fn uri(&self) -> &str {
        self.invite.start.split(' ').nth(1).unwrap()
    }

    /// Answers the INVITE with a status such as `180 Ringing`.
    pub async fn respond(&self, status: &str) {
        self.say(status, "").await;
    }

    async fn say(&self, status: &str, body: &str) {
        let text = self.line.say(&self.invite, status, body).unwrap();
        self.line.send(&text, self.from).await;
    }

    /// Answers the INVITE with 200 and any body, or none, without waiting for the ACK.
    pub async fn answer_with(&mut self, body: &str) {
        self.say("200 OK", body).await;
    }

    /// Answers the call with an SDP whose media goes nowhere, and waits for the ACK.
    pub async fn answer(&mut self) {
        let ip = self.line.at.ip();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        );
        self.say("200 OK", &body).await;
        self.hears("ACK").await;
    }

    /// Refuses the call, and waits for the ACK.
    pub async fn refuse(&mut self, code: u16) {
        self.respond(&format!("{code} As Told")).await;
        self.hears("ACK").await;
    }

    /// Waits for a request of the call.
    pub async fn hears(&mut self, method: &str) -> Message {
        let waiting = async {
            loop {
                let message = self.heard.recv().await.unwrap();
                if message.code() == 0 && message.method() == method {
                    return message;
                }
            }
        };
        let heard = tokio::time::timeout(DEADLINE, waiting).await;
        heard.unwrap_or_else(|_elapsed| panic!("no {method} came"))
    }

    /// Ends an answered call with BYE.
    pub async fn hang_up(&mut self) {
        let header = |name| self.invite.header(name).unwrap().to_owned();
        let contact = header("Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or(&contact);
        let at = self.line.at;
        let text = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-bye-{}\r\nFrom: {};tag=carrier\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            header("Call-ID").len(),
            header("To"),
            header("From"),
            header("Call-ID"),
        );
        self.line.send(&text, self.from).await;
        let waiting = async {
            loop {
                let message = self.heard.recv().await.unwrap();
                if message.code() != 0 {
                    return message.code();
                }
            }
        };
        let code = tokio::time::timeout(DEADLINE, waiting).await.expect("the BYE was never answered");
        assert_eq!(code, 200);
    }
}
