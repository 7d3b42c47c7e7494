//! The real binary with a low limit on open files: calls use up their share and leave the APIs theirs.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::api::Api;
use crate::support::binary::{self, Binary};

/// Maximum time for every step of these tests.
const DEADLINE: Duration = Duration::from_secs(20);
/// Number of calls that are placed with a limit of 1,024 files.
const CALLS: usize = 1_200;

/// Starts a binary with this soft and hard limit on open files.
fn limited(soft: u32, hard: u32, further: &[&str]) -> Binary {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={soft}:{hard}")).arg(binary::path());
    command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--ephemeral"]);
    command.args(["--api-key", "few"]).args(further).env("NO_COLOR", "1").stderr(Stdio::piped());
    Binary::launch(command)
}

/// The soft and the hard limit on open files of a process, as the kernel reports them.
fn limits(process: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_limit_on_open_files_is_raised_as_far_as_the_system_allows() {
    let binary = limited(300, 900, &["--sip-listen", "off"]);
    assert_eq!(limits(binary.id()), ["900", "900"]);
    let said = async {
        while !binary.log().contains("files that may be open") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, said).await.unwrap();
}

/// Creates a trunk that accepts calls from loopback without credentials.
async fn trunk(binary: &Binary) {
    let (api, control) = (Api::new(&binary.base, "few"), Api::new(binary.control.as_ref().unwrap(), ""));
    let method = json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["127.0.0.1"] } });
    let attributes = json!({ "name": "open", "on_cli_mismatch_action": "send_original_cli", "authentication_method": method });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
    let made = api.post("/voice_out_trunks", &body).await;
    let id = made.json()["data"]["id"].as_str().unwrap().to_owned();
    let accounts = control.get("/accounts").await.json();
    let account = accounts["accounts"][0]["id"].as_str().unwrap().to_owned();
    let networks = json!({ "allowed_sip_ips": ["127.0.0.1"] });
    let path = format!("/accounts/{account}/trunks/{id}/ip_only");
    assert_eq!(control.post(&path, &networks).await.status, 200);
}

/// Places one call and acknowledges its answer. Returns the response code.
async fn call(socket: &UdpSocket, number: usize) -> u16 {
    let local = socket.local_addr().unwrap();
    let (uri, from) = ("sip:9990200@127.0.0.1", format!("<sip:12025550143@{local}>;tag=t{number}"));
    let description = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                       m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    let head = |method: &str, branch: &str, to: &str| {
        let body = if method == "INVITE" { description } else { "" };
        let length = body.len();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch}{number}\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: files-{number}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:c@{local}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let invite = head("INVITE", "i", &format!("<{uri}>"));
    let answered = async {
        let mut packet = vec![0; 65_536];
        socket.send(invite.as_bytes()).await.unwrap();
        loop {
            let received = tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut packet)).await;
            let Ok(received) = received else {
                socket.send(invite.as_bytes()).await.unwrap();
                continue;
            };
            let text = String::from_utf8_lossy(&packet[..received.unwrap()]).into_owned();
            let code = text.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
            let Some(code @ 200..) = code.filter(|_| text.contains(&format!("files-{number}\r\n"))) else {
                continue;
            };
            let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().to_owned();
            let branch = if code == 200 { "a" } else { "i" };
            socket.send(head("ACK", branch, &to).as_bytes()).await.unwrap();
            return code;
        }
    };
    tokio::time::timeout(DEADLINE, answered).await.expect("a call is answered or refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_1024_files_may_be_open_1200_calls_leave_the_apis_theirs() {
    let config =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{}.toml", std::process::id()));
    std::fs::write(&config, "[sip]\ncalls_per_account = 100000\n").unwrap();
    let binary =
        limited(1_024, 1_024, &["--sip-listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
    std::fs::remove_file(config).unwrap();
    trunk(&binary).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(binary.sip.unwrap()).await.unwrap();
    let mut codes = Vec::new();
    for number in 0..CALLS {
        codes.push(call(&socket, number).await);
    }
    let up = codes.iter().filter(|code| **code == 200).count();
    assert!((300..700).contains(&up), "{up} of {CALLS} calls are up");
    assert!(codes.iter().all(|code| [200, 500].contains(code)), "others have no free port");

    // As many connections as the share allows; the next one is refused with a reason.
    let (api, control) = (Api::new(&binary.base, "few"), Api::new(binary.control.as_ref().unwrap(), ""));
    let address = binary.base.trim_start_matches("http://").trim_end_matches("/v3").to_owned();
    let mut half_open = Vec::new();
    for _ in 0..400 {
        half_open.push(TcpStream::connect(&address).await.unwrap());
    }
    for _ in 0..20 {
        assert_eq!(api.get("/voice_out_trunks").await.status, 200);
        let counts: Value = control.get("/calls/counts").await.json();
        assert!(counts["admitted"].as_u64().unwrap() >= u64::try_from(up).unwrap(), "{counts}");
    }
    drop(half_open);
    assert_eq!(binary.terminate(), Some(0));
}
