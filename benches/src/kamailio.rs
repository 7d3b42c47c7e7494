//! Kamailio, a widely used SIP server, with a configuration that only challenges every INVITE.

#![expect(clippy::disallowed_methods, reason = "what is read is sent by this program's own children")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::calls::Callee;
use crate::stopwatch::Stopwatch;

/// A running Kamailio. It consists of several processes, so it receives SIGTERM rather than SIGKILL.
#[derive(Debug)]
pub(crate) struct Kamailio(Child);

impl Drop for Kamailio {
    fn drop(&mut self) {
        // This fails if it has already ended, which is fine.
        let _asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _reaped = self.0.wait();
    }
}

/// Starts Kamailio with two workers, and waits until it answers an INVITE with a challenge.
pub(crate) fn start(work: &Path) -> Outcome<(Kamailio, Callee)> {
    let address = free_port()?;
    let config = work.join("kamailio.cfg");
    std::fs::write(&config, format!("{HEAD}listen=udp:{address}\n{ROUTE}"))?;
    let mut command = Command::new("kamailio");
    // In the foreground, with its runtime files in a folder that is deleted afterwards.
    command.arg("-DD").arg("-f").arg(&config).arg("-Y").arg(work).args(["-m", "256"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().map_err(|error| format!("kamailio did not start: {error}"))?;
    let process = Kamailio(process);
    wait_for_challenge(address)?;
    let callee = Callee { sip: address.to_string(), username: String::new(), password: String::new() };
    Ok((process, callee))
}

// Its receive buffer is as large as the server's.
const HEAD: &str = "#!KAMAILIO
debug=0
log_stderror=yes
children=2
maxbuffer=8388608
auto_aliases=no
disable_tcp=yes
";

const ROUTE: &str = "
loadmodule \"sl.so\"
loadmodule \"pv.so\"
loadmodule \"textops.so\"
loadmodule \"auth.so\"
request_route {
    if (is_method(\"ACK\")) { exit; }
    www_challenge(\"out.didww.com\", \"1\");
    exit;
}
";

/// A port that is free now. Another process may take it before Kamailio does; the row then fails with an
/// error.
fn free_port() -> Outcome<SocketAddr> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn wait_for_challenge(address: SocketAddr) -> Outcome<()> {
    const START_TIMEOUT: Duration = Duration::from_secs(10);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let local = socket.local_addr()?;
    let probe = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-probe\r\n\
         From: <sip:probe@{local}>;tag=probe\r\nTo: <sip:{address}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let (watch, mut answer) = (Stopwatch::start(), [0; 2048]);
    while watch.elapsed() < START_TIMEOUT {
        // Until Kamailio listens, the kernel may report that the port is closed.
        let _refused = socket.send_to(probe.as_bytes(), address);
        if socket.recv(&mut answer).is_ok() && answer.starts_with(b"SIP/2.0 401") {
            return Ok(());
        }
    }
    Err("kamailio does not challenge".into())
}
