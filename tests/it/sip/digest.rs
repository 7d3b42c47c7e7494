//! An independent digest computation, so that the edge is not tested with its own hash.

use std::fmt::Write as _;

use md5::Md5;
use sha2::Sha256;

use super::edge::Trunk;
use super::message::Message;

/// The members of an `Authorization` header. Each can be set to a wrong value.
#[derive(Debug, Clone)]
pub struct Answer {
    pub username: String,
    pub password: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub method: String,
    /// `MD5`, `MD5-sess`, `SHA-256`, or another name, which is hashed as MD5; `None` omits the member.
    pub algorithm: Option<String>,
    /// `None` selects the calculation of RFC 2069.
    pub qop: Option<String>,
    pub nc: String,
    pub cnonce: String,
}

impl Answer {
    /// The right answer to a challenge.
    pub fn to(challenge: &Message, trunk: &Trunk, uri: &str) -> Self {
        let header = if challenge.code() == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let said = |name: &str| challenge.parameter(header, name);
        Self {
            username: trunk.username.clone(),
            password: trunk.password.clone(),
            realm: said("realm").expect("a challenge has a realm"),
            nonce: said("nonce").expect("a challenge has a nonce"),
            uri: uri.to_owned(),
            method: "INVITE".to_owned(),
            algorithm: said("algorithm"),
            qop: said("qop"),
            nc: "00000001".to_owned(),
            cnonce: "4b8d1f20".to_owned(),
        }
    }

    /// The header's value.
    pub fn value(&self) -> String {
        let response = self.response();
        let Self { username, realm, nonce, uri, nc, cnonce, .. } = self;
        let mut text = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        if let Some(algorithm) = &self.algorithm {
            let _infallible = write!(text, ", algorithm={algorithm}");
        }
        if let Some(qop) = &self.qop {
            let _infallible = write!(text, ", qop={qop}, nc={nc}, cnonce=\"{cnonce}\"");
        }
        text
    }

    fn response(&self) -> String {
        let Self { username, password, realm, nonce, uri, method, nc, cnonce, .. } = self;
        let algorithm = self.algorithm.as_deref().unwrap_or("MD5");
        let hash = if algorithm.starts_with("SHA-256") { hex::<Sha256> } else { hex::<Md5> };
        let mut secret = hash(&format!("{username}:{realm}:{password}"));
        if algorithm.ends_with("-sess") {
            secret = hash(&format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = hash(&format!("{method}:{uri}"));
        match &self.qop {
            None => hash(&format!("{secret}:{nonce}:{request}")),
            Some(qop) => hash(&format!("{secret}:{nonce}:{nc}:{cnonce}:{qop}:{request}")),
        }
    }
}

fn hex<H: sha2::Digest>(text: &str) -> String {
    H::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}
