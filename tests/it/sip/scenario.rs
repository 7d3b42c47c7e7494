//! Scenarios for sipp as a caller. Every response in a step is mandatory, so exit code 0 means that each of
//! them was received.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::Command;

use super::edge::{Edge, FOREIGN_NUMBER, Trunk, scratch, source};

/// A scenario under construction.
#[derive(Debug, Clone)]
pub struct Scenario {
    to: String,
    from: String,
    headers: String,
    body: Option<String>,
    credentials: String,
    steps: String,
    sequence: u32,
}

/// Parameters of a run: source address, transport and number of calls.
#[derive(Debug, Clone)]
pub struct Run {
    pub source: Ipv4Addr,
    pub tcp: bool,
    pub calls: u32,
}

impl Default for Run {
    fn default() -> Self {
        Self { source: source(), tcp: false, calls: 1 }
    }
}

const PLAIN: &str = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
                     m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000\n";

impl Scenario {
    /// A call to a number, with the default caller number and a plain offer.
    pub fn to(number: &str) -> Self {
        Self {
            to: number.to_owned(),
            from: format!("<sip:{FOREIGN_NUMBER}@[local_ip]:[local_port]>"),
            headers: String::new(),
            body: Some(PLAIN.to_owned()),
            credentials: String::new(),
            steps: String::new(),
            sequence: 0,
        }
    }

    /// Sets the caller number.
    pub fn from(self, number: &str) -> Self {
        self.with_from(&format!("<sip:{number}@[local_ip]:[local_port]>"))
    }

    /// Sets the value of `From`, without its tag.
    pub fn with_from(mut self, value: &str) -> Self {
        value.clone_into(&mut self.from);
        self
    }

    /// Adds a header line to every INVITE.
    pub fn header(mut self, line: &str) -> Self {
        self.headers.push_str(line);
        self.headers.push('\n');
        self
    }

    /// Replaces the offer from its `m=` line on.
    pub fn offering(mut self, media: &str) -> Self {
        let head = PLAIN.split("m=audio").next().unwrap();
        self.body = Some(format!("{head}{media}\n"));
        self
    }

    /// Sets the trunk whose credentials answer a challenge.
    pub fn for_trunk(self, trunk: &Trunk) -> Self {
        self.with_password(trunk, &trunk.password)
    }

    /// The same with a password that may be wrong.
    pub fn with_password(mut self, trunk: &Trunk, password: &str) -> Self {
        self.credentials = format!("[authentication username={} password={password}]\n", trunk.username);
        self
    }

    fn request(&mut self, method: &str, branch: &str, reliable: bool, further: &str, body: Option<&str>) {
        let repeated = if reliable { "" } else { " retrans=\"500\"" };
        let Self { from, sequence, .. } = &self;
        let uri = if branch.starts_with("in") {
            "[next_url]".to_owned()
        } else {
            format!("sip:{}@[remote_ip]:[remote_port]", self.to)
        };
        let to = if method == "INVITE" && !branch.starts_with("in") || method == "CANCEL" {
            format!("To: <sip:{}@[remote_ip]:[remote_port]>", self.to)
        } else {
            "[last_To:]".to_owned()
        };
        let kind = if body.is_some() { "Content-Type: application/sdp\n" } else { "" };
        let body = body.map(|body| format!("{body}\n")).unwrap_or_default();
        let step = format!(
            "<send{repeated}><![CDATA[\n{method} {uri} SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch}\n\
             From: {from};tag=[pid]-[call_number]\n{to}\nCall-ID: [call_id]\nCSeq: {sequence} {method}\n\
             Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n\
             {further}{kind}Content-Length: [len]\n\n{body}]]></send>\n"
        );
        self.steps.push_str(&step);
    }

    fn receive(&mut self, what: &str, further: &str) {
        let _infallible = writeln!(self.steps, "<recv {what}{further}/>");
    }

    fn invite(mut self, with_digest: bool) -> Self {
        self.sequence += 1;
        let further = format!("{}{}", if with_digest { self.credentials.as_str() } else { "" }, self.headers);
        let (branch, body) = (format!("{}", self.sequence), self.body.clone());
        self.request("INVITE", &branch, false, &further, body.as_deref());
        self.receive("response=\"100\"", " optional=\"true\"");
        self
    }

    /// Sends the INVITE without a digest.
    pub fn call(self) -> Self {
        self.invite(false)
    }

    /// Expects a challenge with 401, and sends the INVITE again with a digest.
    pub fn challenged(self) -> Self {
        self.challenged_by(401)
    }

    /// The same with another code, such as 407.
    pub fn challenged_by(mut self, code: u16) -> Self {
        self.receive(&format!("response=\"{code}\""), " auth=\"true\"");
        self.acknowledge_refusal();
        self.invite(true)
    }

    fn acknowledge_refusal(&mut self) {
        let branch = self.sequence.to_string();
        self.request("ACK", &branch, true, "", None);
    }

    /// Expects a provisional response.
    pub fn progress(mut self, code: u16) -> Self {
        self.receive(&format!("response=\"{code}\""), "");
        self
    }

    /// Expects a refusal with this code.
    pub fn refused(mut self, code: u16) -> Self {
        self.receive(&format!("response=\"{code}\""), "");
        self.acknowledge_refusal();
        self
    }

    /// Expects a refusal with a header that matches a pattern.
    pub fn refused_saying(mut self, code: u16, header: &str, pattern: &str) -> Self {
        let _infallible = writeln!(
            self.steps,
            "<recv response=\"{code}\"><action><ereg regexp=\"{pattern}\" search_in=\"hdr\" header=\"{header}:\" \
             check_it=\"true\" assign_to=\"said\"/></action></recv><Reference variables=\"said\"/>"
        );
        self.acknowledge_refusal();
        self
    }

    /// Expects an answer.
    pub fn answered(mut self) -> Self {
        self.receive("response=\"180\"", " optional=\"true\"");
        self.receive("response=\"200\"", " rrs=\"true\"");
        let branch = format!("in-ack-{}", self.sequence);
        self.request("ACK", &branch, true, "", None);
        self
    }

    /// Hangs up as the caller.
    pub fn hang_up(mut self) -> Self {
        self.sequence += 1;
        let branch = format!("in-{}", self.sequence);
        self.request("BYE", &branch, false, "", None);
        self.receive("response=\"200\"", "");
        self
    }

    /// Expects that the callee hangs up.
    pub fn hung_up(mut self) -> Self {
        self.receive("request=\"BYE\"", "");
        self.steps.push_str(
            "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
             Content-Length: 0\n\n]]></send>\n",
        );
        self
    }

    /// Cancels the call while it rings.
    pub fn cancel(mut self) -> Self {
        let branch = self.sequence.to_string();
        self.request("CANCEL", &branch, false, "", None);
        self.receive("response=\"200\"", "");
        self.refused(487)
    }

    /// Runs it once, over UDP from a separate address.
    pub async fn passes(self, edge: &Edge) {
        self.passes_as(edge, Run::default()).await;
    }

    /// Runs it; every call must follow the scenario.
    pub async fn passes_as(self, edge: &Edge, run: Run) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sipp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (file, errors) = (scratch(&format!("{name}.xml")), scratch(&format!("{name}.log")));
        let text = format!("<?xml version=\"1.0\"?>\n<scenario name=\"test\">\n{}</scenario>\n", self.steps);
        std::fs::write(&file, &text).unwrap();
        let output = Command::new("sipp")
            .arg(edge.sip.to_string())
            .arg("-sf")
            .arg(&file)
            .args(["-i", &run.source.to_string(), "-mi", &run.source.to_string(), "-nostdin"])
            .args(["-t", if run.tcp { "t1" } else { "u1" }, "-m", &run.calls.to_string(), "-r", "50"])
            .args(["-recv_timeout", "10000", "-timeout", "30", "-timeout_error", "-trace_err", "-error_file"])
            .arg(&errors)
            .kill_on_drop(true)
            .output()
            .await
            .expect("sipp runs; Debian has it in the package sip-tester");
        if !output.status.success() {
            let errors = std::fs::read_to_string(&errors).unwrap_or_default();
            let printed = String::from_utf8_lossy(&output.stderr);
            panic!("sipp ended with {}: {printed}{errors}\n{text}{}", output.status, edge.binary.log());
        }
        for file in [file, errors] {
            // If this fails, the file is deleted with the build.
            let _stays = std::fs::remove_file(file);
        }
    }
}
