//! A minimal HTTP client, so that tests see bytes, header lines and status unchanged, and can send what no
//! other client would.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Maximum wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of the API, with or without a credential.
#[derive(Debug, Clone)]
pub struct Caller {
    at: SocketAddr,
    base: &'static str,
    query: Vec<String>,
    headers: Vec<String>,
}

impl Caller {
    /// A client without a credential, with the base path `/v1.0`.
    pub fn anonymous(at: SocketAddr) -> Self {
        Self { at, base: "/v1.0", query: Vec::new(), headers: Vec::new() }
    }

    /// The same client with another base path.
    pub fn below(&self, base: &'static str) -> Self {
        Self { base, ..self.clone() }
    }

    /// The same client with an additional part of the query, such as `token=…`.
    pub fn query(&self, part: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.query.push(part.into());
        other
    }

    /// The same client with an additional header line, such as `Cookie: token=…`.
    pub fn header(&self, line: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.headers.push(line.into());
        other
    }

    /// The same client with a token in the query.
    pub fn token(&self, token: &str) -> Self {
        self.query(format!("token={token}"))
    }

    /// The same client with an access key in the query.
    pub fn key(&self, key: &str) -> Self {
        self.query(format!("accesskey={key}"))
    }

    /// The URL of a path, with the query of every request.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{}", self.at, self.target(path))
    }

    fn target(&self, path: &str) -> String {
        let mut target = format!("{}{path}", self.base);
        for part in &self.query {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(part);
        }
        target
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "").await
    }

    /// Sends any method with any text as the body; an empty text means no body.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.attempt(method, path, body).await;
        answer.unwrap_or_else(|| panic!("{method} {path} was not answered"))
    }

    /// `None` if the connection ends without a complete answer.
    async fn attempt(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let target = self.target(path);
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.at);
        for line in &self.headers {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if !body.is_empty() {
            text.push_str("Content-Type: application/json\r\n");
        }
        let text = format!("{text}Content-Length: {}\r\n\r\n{body}", body.len());
        let asking = async {
            let mut stream = TcpStream::connect(self.at).await?;
            stream.write_all(text.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            Ok::<_, std::io::Error>(bytes)
        };
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
        Answer::parse(&asked.unwrap_or_else(|_elapsed| panic!("{method} {target} takes too long")).ok()?)
    }
}

/// An answer as it was received.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = (std::str::from_utf8(&bytes[..end]).unwrap(), &bytes[end + 4..]);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let answer = Self {
            status,
            headers: lines.map(pair).collect(),
            text: String::from_utf8_lossy(body).into_owned(),
        };
        assert_eq!(answer.header("transfer-encoding"), None, "the length of a whole body is known");
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        // An answer to HEAD has no body.
        (body.is_empty() || body.len() == length).then_some(answer)
    }

    /// The value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// A value of the body by its JSON pointer; null if it is absent.
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The body of a request that must have succeeded.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        self.json()
    }

    /// The id of the record.
    #[track_caller]
    pub fn id(&self) -> String {
        self.ok()["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    /// The rows of a page.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        self.ok()["result"].as_array().unwrap_or_else(|| panic!("no rows in {}", self.text)).clone()
    }

    /// One member of every row of a page.
    #[track_caller]
    pub fn column(&self, name: &str) -> Vec<String> {
        self.rows().iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
    }
}
