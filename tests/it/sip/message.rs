//! SIP messages, parsed leniently: the tests check their contents.

use std::fmt::Write as _;

/// A request or a response.
#[derive(Debug, Clone)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    headers: Vec<(String, String)>,
    /// The text after the empty line.
    pub body: String,
}

impl Message {
    /// Parses a complete message.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Self { start, headers, body: body.to_owned() }
    }

    /// The length of the complete message at the beginning of these bytes; `None` if it is not complete.
    pub fn length(bytes: &[u8]) -> Option<usize> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let body: usize = Self::parse(&bytes[..head]).header("Content-Length")?.parse().ok()?;
        (bytes.len() >= head + body).then_some(head + body)
    }

    /// The response code; zero for a request.
    pub fn code(&self) -> u16 {
        self.start.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
    }

    /// The method of a request, or of the request that a response answers.
    pub fn method(&self) -> &str {
        let line = if self.code() == 0 { &self.start } else { self.header("CSeq").unwrap_or_default() };
        let mut words = line.split(' ');
        if self.code() == 0 { words.next().unwrap_or_default() } else { words.nth(1).unwrap_or_default() }
    }

    /// The number in `CSeq`.
    pub fn sequence(&self) -> u32 {
        self.header("CSeq").and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or(0)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// A parameter of a digest header, without its quotes.
    pub fn parameter(&self, header: &str, name: &str) -> Option<String> {
        let value = self.header(header)?.strip_prefix("Digest ")?;
        value.split(", ").find_map(|part| {
            let (known, value) = part.split_once('=')?;
            (known == name).then(|| value.trim_matches('"').to_owned())
        })
    }

    /// A response to this request.
    pub fn answered(&self, status: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in self.headers(name) {
                let _infallible = write!(text, "{name}: {value}\r\n");
            }
        }
        text + "Content-Length: 0\r\n\r\n"
    }

    /// The media address in the body's SDP, and the whole audio line.
    pub fn media(&self) -> (std::net::SocketAddr, String) {
        let line = |kind: &str| {
            let found = self.body.lines().find_map(|line| line.strip_prefix(kind));
            found.unwrap_or_else(|| panic!("no {kind} in {self:?}")).to_owned()
        };
        let audio = line("m=audio ");
        let port: u16 = audio.split(' ').next().unwrap().parse().unwrap();
        let connection = line("c=IN ");
        let (_, host) = connection.split_once(' ').expect("a family and an address");
        let host = host.trim().parse().unwrap();
        (std::net::SocketAddr::new(host, port), audio)
    }
}
