//! Kamailio as the carrier behind a provider: it challenges with 401 or 407, and relays authenticated calls
//! to sipp.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::free_address;
use super::kamailio::Kamailio;
use crate::outbound::stage::{Stage, hangup, open, short_call};

const CONFIG: &str = include_str!("carrier.cfg");

/// A sipp that accepts calls with its built-in scenario.
struct Callee {
    child: Child,
    at: SocketAddr,
}

impl Callee {
    fn start() -> Self {
        let at = free_address();
        let address = at.ip().to_string();
        let child = Command::new("sipp")
            .args(["-sn", "uas", "-nostdin", "-timeout", "60"])
            .args(["-i", &address, "-mi", &address, "-p", &at.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed: scripts/test does it");
        Self { child, at }
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts a Kamailio at an address that challenges calls for these credentials, with 407 if it acts as a proxy, and
/// relays them to a callee.
pub async fn challenging(
    at: SocketAddr,
    callee: SocketAddr,
    (username, password): (&str, &str),
    proxy: bool,
) -> Kamailio {
    Kamailio::start_at(at, |at| {
        let config = CONFIG
            .replace("!127.0.0.1:5060!", &format!("!{at}!"))
            .replace("!sip:127.0.0.1:5070!", &format!("!sip:{callee}!"))
            .replace("!username!", &format!("!{username}!"))
            .replace("!password!", &format!("!{password}!"));
        if proxy { config.replacen('\n', "\n#!define PROXY\n", 1) } else { config }
    })
    .await
}

#[tokio::test]
async fn a_provider_call_goes_out_through_a_kamailio_that_challenges() {
    for (proxy, right) in [(false, true), (true, true), (true, false)] {
        let callee = Callee::start();
        // Kamailio's address must be known before the server starts, and the credentials only after it.
        let at = free_address();
        let hosts = BTreeMap::from([("out.didww.com".to_owned(), at.to_string())]);
        let stage = Stage::with(|config| config.hosts = hosts).await;
        let trunk = stage.trunk(open("Challenged")).await;
        let provider = stage.provider_on(&trunk).await;
        let (username, password) = trunk.credentials().unwrap();
        let password = if right { password.expose() } else { "another" };
        let kamailio = challenging(at, callee.at, (username, password), proxy).await;
        let id = stage.call(short_call(&provider)).await;
        let expected = if right { hangup("normal", "local") } else { hangup("failed", "remote") };
        assert_eq!(stage.hangup_of(id).await, expected, "{}", kamailio.log());
    }
}
