//! sipp as the carrier: an independent SIP implementation receives the calls, step by step. Every request of
//! a step is mandatory, so exit code 0 means that each of them was received.
//!
//! Shared by the tests of the dialler and those of the entire server.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};

/// The scenario of each call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps(String);

const HEAD: &str = "[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]-[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n\
                    Contact: <sip:carrier@[local_ip]:[local_port];transport=[transport]>\n";
const INSIDE: &str =
    "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n";
const SDP: &str = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0\n\
                   a=rtpmap:0 PCMU/8000\n";

impl Steps {
    /// Expects an INVITE.
    pub(crate) fn invited() -> Self {
        Self::default().step("<recv request=\"INVITE\" crlf=\"true\" rrs=\"true\"/>")
    }

    /// Adds one step, in sipp's format.
    pub(crate) fn step(mut self, text: &str) -> Self {
        let _infallible = writeln!(self.0, "{text}");
        self
    }

    fn send(self, text: &str, repeated: bool) -> Self {
        let repeated = if repeated { " retrans=\"500\"" } else { "" };
        self.step(&format!("<send{repeated}><![CDATA[\n{text}]]></send>"))
    }

    /// Sends a provisional response.
    pub(crate) fn progress(self, status: &str) -> Self {
        self.send(&format!("SIP/2.0 {status}\n{HEAD}Content-Length: 0\n\n"), false)
    }

    /// Sends a final response other than 200. The ACK is a separate step.
    pub(crate) fn answered_with(self, code: u16) -> Self {
        self.send(&format!("SIP/2.0 {code} Refused\n{HEAD}Content-Length: 0\n\n"), true)
    }

    /// Refuses the call, and expects the ACK.
    pub(crate) fn refused(self, code: u16) -> Self {
        self.answered_with(code).hears("ACK")
    }

    /// Answers the call, and expects the ACK.
    pub(crate) fn answered(self) -> Self {
        let text =
            format!("SIP/2.0 200 OK\n{HEAD}Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}");
        let kept = "<recv request=\"ACK\"><action>\
                    <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"us\"/>\
                    <ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"them\"/>\
                    </action></recv><Reference variables=\"us,them\"/>";
        self.send(&text, true).step(kept)
    }

    /// Expects a request of the caller.
    pub(crate) fn hears(self, method: &str) -> Self {
        self.step(&format!("<recv request=\"{method}\"/>"))
    }

    /// Expects that the caller hangs up.
    pub(crate) fn hung_up(self) -> Self {
        self.hears("BYE").send(&format!("SIP/2.0 200 OK\n{INSIDE}"), false)
    }

    /// Expects that the caller cancels the call, and answers the INVITE with 487.
    pub(crate) fn cancelled(self) -> Self {
        let ended = "SIP/2.0 487 Request Terminated\n[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]-[call_number]\n\
                     [last_Call-ID:]\nCSeq: 1 INVITE\nContent-Length: 0\n\n";
        self.hears("CANCEL").send(&format!("SIP/2.0 200 OK\n{INSIDE}"), false).send(ended, true).hears("ACK")
    }

    /// Hangs up as the callee.
    pub(crate) fn hangs_up(self) -> Self {
        let bye = "BYE [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
                   From: [$us]\nTo: [$them]\n[last_Call-ID:]\nCSeq: 1 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n";
        self.send(bye, true).step("<recv response=\"200\"/>")
    }
}

/// Maximum time for all calls of a sipp, in seconds.
const RUN_TIMEOUT_SECONDS: u64 = 60;

/// The second number of the next sipp's address.
static NEXT: AtomicU8 = AtomicU8::new(128);

/// A sipp that accepts this number of calls.
pub(crate) struct Sipp {
    child: Child,
    at: SocketAddr,
    folder: tempfile::TempDir,
}

impl Sipp {
    /// Starts a sipp that handles each call with these steps.
    pub(crate) fn start(steps: &Steps, calls: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("carrier.xml");
        let text = format!("<?xml version=\"1.0\"?>\n<scenario name=\"carrier\">\n{}</scenario>\n", steps.0);
        std::fs::write(&file, text).unwrap();
        // sipp needs a fixed port: the address is derived from this process and this sipp, so no other
        // process uses it.
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low.clamp(1, 254));
        let at = UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-i", &ip.to_string(), "-mi", &ip.to_string(), "-p", &at.port().to_string(), "-nostdin"])
            .args(["-m", &calls.to_string(), "-timeout", &RUN_TIMEOUT_SECONDS.to_string(), "-timeout_error"])
            .args(["-trace_err", "-error_file", "errors"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sipp runs; Debian has it in the package sip-tester");
        Self { child, at, folder }
    }

    /// The host to use as a provider's hostname.
    pub(crate) fn host(&self) -> String {
        self.at.to_string()
    }

    /// Waits until every call has followed the scenario.
    pub(crate) async fn went_as_written(self) {
        let output =
            tokio::time::timeout(Duration::from_secs(2 * RUN_TIMEOUT_SECONDS), self.child.wait_with_output());
        let output = output.await.expect("sipp ends").unwrap();
        let errors = std::fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "sipp ended with {}: {printed}{errors}", output.status);
    }
}
