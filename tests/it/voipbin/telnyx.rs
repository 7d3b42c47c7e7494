//! A simulated Telnyx with the endpoints that setting up a provider needs: it keeps the requests, and answers
//! as a test configures it.
//!
//! By itself it refuses what Telnyx refuses according to the platform's public source.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The API key that it accepts.
pub const KEY: &str = "KEY0123_telnyx";

/// The paths of the objects that it creates; they are deleted in the reverse order.
pub const PROFILES: &str = "/outbound_voice_profiles";
pub const CONNECTIONS: &str = "/fqdn_connections";
pub const FQDNS: &str = "/fqdns";

/// The ids of the objects; one of them is a number on the wire.
pub const PROFILE: &str = "1293384261075731499";
pub const CONNECTION: &str = "12933842610757314990";
pub const FQDN: &str = "c3947e93-4a3b-4080-b9d3-cbcc633ab808";

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status and a text.
    Text(u16, String),
    /// A redirect to a URL.
    Redirect(String),
    /// No answer, on a connection that stays open.
    Hang,
}

impl Answer {
    /// A status and a JSON document.
    pub fn json(status: u16, body: Value) -> Self {
        Self::Text(status, body.to_string())
    }

    /// An error in Telnyx's format.
    pub fn error(status: u16, detail: &str) -> Self {
        Self::json(
            status,
            json!({ "errors": [{ "code": "10015", "title": "Bad Request", "detail": detail }] }),
        )
    }
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path below the base URL, such as `POST /fqdns`.
    pub line: String,
    pub body: Value,
}

#[derive(Default)]
struct State {
    configured: HashMap<String, Answer>,
    asked: Vec<Asked>,
}

/// A Telnyx on loopback. Dropping it closes its port and its connections.
pub struct Telnyx {
    pub at: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Telnyx {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let task = tokio::spawn(listen(listener, Arc::clone(&state)));
        Self { at, state, task }
    }

    /// The base URL.
    pub fn base(&self) -> String {
        format!("http://{}/v2", self.at)
    }

    /// Sets the answer to a request such as `POST /fqdns` from now on.
    pub fn answers(&self, line: impl Into<String>, answer: Answer) {
        self.state.lock().unwrap().configured.insert(line.into(), answer);
    }

    /// Restores the default answers, and forgets the requests.
    pub fn forget(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The methods and paths of the requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// The username and password in the last request that set them.
    pub fn sip(&self) -> (String, String) {
        let request = self.asked().into_iter().rfind(|asked| asked.line == format!("POST {CONNECTIONS}"));
        let body = request.expect("no request set them").body;
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("user_name"), text("password"))
    }
}

impl Drop for Telnyx {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, Arc::clone(&state)));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(request) = parse(&bytes) {
            break request;
        }
    };
    let answer = state.lock().unwrap().answer(&head, &body);
    let (head, text) = match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Text(status, text) => (format!("{status} As Told"), text),
        Answer::Redirect(url) => (format!("302 Found\r\nLocation: {url}"), String::new()),
    };
    let text = format!(
        "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let _gone = stream.write_all(text.as_bytes()).await;
}

/// Head and body of a complete request.
fn parse(bytes: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then(|| (head.to_owned(), body.to_owned()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

impl State {
    fn answer(&mut self, head: &str, body: &str) -> Answer {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.strip_prefix("/v2").unwrap_or_else(|| panic!("{target} is not below the base URL"));
        let line = format!("{method} {path}");
        let json_body = if body.is_empty() {
            Value::Null
        } else {
            assert_eq!(header(head, "content-type"), Some("application/json"), "{line}");
            serde_json::from_str(body).unwrap()
        };
        self.asked.push(Asked { line: line.clone(), body: json_body.clone() });
        let bearer = format!("Bearer {KEY}");
        if header(head, "authorization") != Some(&bearer) {
            return Answer::error(401, "The required authentication headers were invalid.");
        }
        if let Some(answer) = self.configured.get(&line) {
            return answer.clone();
        }
        self.usual(&line, &json_body)
    }

    fn usual(&self, line: &str, body: &Value) -> Answer {
        let made = |id: Value| Answer::json(201, json!({ "data": { "id": id, "record_type": "r" } }));
        let there = |path: &str| self.asked.iter().any(|asked| asked.line == format!("POST {path}"));
        match line {
            "GET /whoami" => Answer::json(200, json!({ "data": { "user_email": "a@example.com" } })),
            "POST /outbound_voice_profiles" => made(json!(PROFILE)),
            "POST /fqdn_connections" => {
                let well_formed = |name: &str, most: usize| {
                    let text = body[name].as_str().unwrap_or_default();
                    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
                };
                if !well_formed("user_name", 32) || !well_formed("password", 128) {
                    return Answer::error(422, "Must contain only letters and numbers");
                }
                made(json!(CONNECTION.parse::<u64>().unwrap()))
            }
            "POST /fqdns" => made(json!(FQDN)),
            _ => {
                let taken = [(PROFILES, PROFILE), (CONNECTIONS, CONNECTION), (FQDNS, FQDN)]
                    .into_iter()
                    .any(|(path, id)| line == format!("DELETE {path}/{id}") && there(path));
                // Telnyx answers deletions with either status.
                let status = if line.contains(FQDNS) { 204 } else { 200 };
                if taken { Answer::Text(status, String::new()) } else { Answer::error(404, "Not found") }
            }
        }
    }
}
