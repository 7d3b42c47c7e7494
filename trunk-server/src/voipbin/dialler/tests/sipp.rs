//! sipp as the carrier: a peer that is written by others.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::process::{Child, Command};

use super::{LegEnd, LegEvent, PROMPT, dialler, ended, invitation, next};

const HEAD: &str = "[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]SIPp[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n\
                    Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n";
const INSIDE: &str =
    "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n";

fn send(status: &str, body: bool) -> String {
    let (kind, body) = if body {
        (
            "Content-Type: application/sdp\n",
            "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
          m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
        )
    } else {
        ("", "")
    };
    let repeated = if body.is_empty() { "" } else { " retrans=\"500\"" };
    format!(
        "<send{repeated}><![CDATA[\nSIP/2.0 {status}\n{HEAD}{kind}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

/// A sipp that answers calls as the steps say, on an address of its own: its port is free there until it takes it.
struct Sipp {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// The second number of the next sipp's address.
static NEXT: AtomicU8 = AtomicU8::new(64);

impl Sipp {
    fn start(steps: &str, tcp: bool, calls: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("carrier.xml");
        std::fs::write(
            &file,
            format!("<?xml version=\"1.0\"?>\n<scenario name=\"carrier\">\n{steps}</scenario>\n"),
        )
        .unwrap();
        let [.., high, low] = std::process::id().to_be_bytes();
        let own = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low.clamp(1, 254));
        let address = UdpSocket::bind((own, 0)).unwrap().local_addr().unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args([
                "-i",
                &own.to_string(),
                "-mi",
                &own.to_string(),
                "-p",
                &address.port().to_string(),
                "-nostdin",
            ])
            .args(["-t", if tcp { "t1" } else { "u1" }, "-m", &calls.to_string()])
            .args(["-timeout", "20", "-timeout_error"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sipp runs; Debian has it in the package sip-tester");
        Self { child, address, _folder: folder }
    }

    async fn went_as_written(self) {
        let output = tokio::time::timeout(PROMPT * 3, self.child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

const INVITED: &str = "<recv request=\"INVITE\" crlf=\"true\"/>\n";
const CONFIRMED: &str = "<recv request=\"ACK\"/>\n";

#[tokio::test]
async fn sipp_answers_and_is_hung_up() {
    let steps = format!(
        "{INVITED}{}{}{CONFIRMED}<recv request=\"BYE\"/>\n<send><![CDATA[\nSIP/2.0 200 OK\n{INSIDE}]]></send>\n",
        send("180 Ringing", false),
        send("200 OK", true)
    );
    let sipp = Sipp::start(&steps, false, 20);
    let dialler = dialler().await;
    let uri = format!("sip:0011+15551234#@{}", sipp.address);
    let mut legs: Vec<_> = (0..20).map(|_| dialler.call(invitation(&uri))).collect();
    for leg in &mut legs {
        assert_eq!(next(leg).await, LegEvent::Ringing);
        assert_eq!(next(leg).await, LegEvent::Answered);
        leg.hang_up();
        assert_eq!(ended(leg).await, LegEnd::HungUpByUs);
    }
    sipp.went_as_written().await;
}

#[tokio::test]
async fn sipp_refuses_with_every_code_that_means_something_else() {
    let dialler = dialler().await;
    for (status, code) in [
        ("404 Not Found", 404),
        ("480 Temporarily Unavailable", 480),
        ("486 Busy Here", 486),
        ("503 Service Unavailable", 503),
        ("603 Decline", 603),
    ] {
        let sipp = Sipp::start(&format!("{INVITED}{}{CONFIRMED}", send(status, false)), false, 1);
        let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.address)));
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(code));
        sipp.went_as_written().await;
    }
}

#[tokio::test]
async fn sipp_rings_until_it_is_cancelled() {
    let steps = format!(
        "{INVITED}{}<recv request=\"CANCEL\"/>\n<send><![CDATA[\nSIP/2.0 200 OK\n{INSIDE}]]></send>\n\
         <send><![CDATA[\nSIP/2.0 487 Request Terminated\n[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]SIPp[call_number]\n\
         [last_Call-ID:]\nCSeq: 1 INVITE\nContent-Length: 0\n\n]]></send>\n{CONFIRMED}",
        send("180 Ringing", false)
    );
    let sipp = Sipp::start(&steps, false, 1);
    let dialler = dialler().await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.address)));
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    sipp.went_as_written().await;
}

#[tokio::test]
async fn sipp_hangs_up() {
    let bye = "<send retrans=\"500\"><![CDATA[\nBYE [next_url] SIP/2.0\n\
               Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n[last_To:]\n[last_From:]\n\
               [last_Call-ID:]\nCSeq: 1 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n]]></send>\n\
               <recv response=\"200\"/>\n";
    // The far end's From is our To, and the other way round.
    let bye = bye.replace("[last_To:]", "From: [$to]").replace("[last_From:]", "To: [$from]");
    let invited = "<recv request=\"INVITE\" crlf=\"true\" rrs=\"true\"/>\n";
    let kept = "<recv request=\"ACK\" rrs=\"true\"><action>\n\
                <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"to\"/>\n\
                <ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"from\"/>\n</action></recv>\n";
    let steps = format!("{invited}{}{kept}{bye}", send("200 OK", true));
    let sipp = Sipp::start(&steps, false, 1);
    let dialler = dialler().await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.address)));
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
    sipp.went_as_written().await;
}
