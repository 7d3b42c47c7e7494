//! baresip as a phone that calls or is called: it plays a tone, records the received audio, and is controlled through
//! its control port.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::sip::edge::{DEADLINE, source, until};

/// Its control port, at a separate address. Its calls come from 127.0.0.1, unless it listens elsewhere: the kernel
/// would send its media from there anyway, regardless of the announced address.
const CONTROL_PORT: u16 = 4444;
/// Bytes of recorded audio that prove reception: two tenths of a second.
const AUDIBLE_BYTES: u64 = 3_200;

/// The account of a baresip.
#[derive(Debug, Default)]
pub struct Account<'a> {
    /// The caller number.
    pub number: &'a str,
    /// The host and port of its domain.
    pub domain: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'a str,
    /// Username and password; `None` if it is not challenged.
    pub credentials: Option<(&'a str, &'a str)>,
    /// Further parameters of the account, such as `mediaenc=srtp-mand`.
    pub parameters: &'a str,
    /// The certificate authority that it trusts, for TLS.
    pub authority: Option<String>,
    /// Where it can be called, over UDP and TCP; `None` for a port of the system's choice.
    pub listens_at: Option<SocketAddr>,
}

/// A running baresip.
pub struct Baresip {
    child: Child,
    control: TcpStream,
    input: Vec<u8>,
    /// Messages since the last command that were not awaited yet: events may come before a command's answer.
    unheard: VecDeque<Value>,
    folder: tempfile::TempDir,
}

impl Baresip {
    pub async fn start(account: &Account<'_>) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), source());
        write_tone(&folder.path().join("tone.wav"));
        std::fs::write(folder.path().join("config"), config(folder.path(), address, account)).unwrap();
        std::fs::write(folder.path().join("accounts"), line(account)).unwrap();
        std::fs::write(folder.path().join("contacts"), "").unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip is installed: scripts/test does it");
        let at = SocketAddr::new(address.into(), CONTROL_PORT);
        let control = until("baresip's control port", async || TcpStream::connect(at).await.ok()).await;
        Self { child, control, input: Vec::new(), unheard: VecDeque::new(), folder }
    }

    /// Calls a URI and waits until the call is established.
    pub async fn call(&mut self, uri: &str) {
        self.command("dial", uri).await;
        self.event("CALL_ESTABLISHED").await;
    }

    /// Hangs up, or declines a call that rings.
    pub async fn hang_up(&mut self) {
        self.command("hangup", "").await;
        self.event("CALL_CLOSED").await;
    }

    /// Puts the call on hold or resumes it, and waits for the answer to the re-INVITE.
    async fn modify(&mut self, command: &str) {
        self.command(command, "").await;
        self.event("CALL_REMOTE_SDP").await;
    }

    /// Puts the call on hold, waits until no media arrives, resumes it, and waits until media arrives.
    pub async fn holds_and_resumes(&mut self) {
        // Its statistics of the past seconds must show media before they can show silence.
        self.receives(|bits| bits > 0).await;
        self.modify("hold").await;
        self.receives(|bits| bits == 0).await;
        self.modify("resume").await;
        self.receives(|bits| bits > 0).await;
    }

    /// Waits until it logs a new rate of received bits a second that satisfies `wanted`.
    async fn receives(&self, wanted: impl Fn(u32) -> bool) {
        let said = self.log().len();
        until("what baresip says of its media", async || {
            let log = self.log();
            // `audio=64000/64000 (bit/s)`: sent, received.
            let last = log.get(said..)?.rsplit("audio=").next()?.split_once('/')?.1.split(' ').next()?;
            last.parse().ok().filter(|bits| wanted(*bits)).map(drop)
        })
        .await;
    }

    /// Waits until it has recorded more audio. It records until the first hold.
    pub async fn hears(&self) {
        let before = self.heard();
        until(&format!("sound at baresip: {}", self.log()), async || {
            (self.heard() >= before + AUDIBLE_BYTES).then_some(())
        })
        .await;
    }

    /// Waits for its statistics of an ended call. Returns the numbers of RTP packets that it sent and received.
    pub async fn packets(&self) -> (u64, u64) {
        until("baresip's statistics of the call", async || {
            let log = self.log();
            let mut numbers = log.rsplit_once("packets:")?.1.lines().next()?.split_whitespace();
            Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
        })
        .await
    }

    /// Bytes of recorded audio.
    fn heard(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let heard = files.filter(|file: &PathBuf| file.to_string_lossy().ends_with("-dec.wav"));
        heard.map(|file| std::fs::metadata(file).map_or(0, |file| file.len())).sum()
    }

    /// Sends a command, as a netstring with JSON, and waits for its answer.
    pub async fn command(&mut self, command: &str, parameters: &str) {
        self.unheard.clear();
        let text = json!({ "command": command, "params": parameters, "token": command }).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes()).await.unwrap();
        let answer = self.next(|said| said["token"] == command).await;
        assert_eq!(answer["ok"], true, "{command}: {answer}\n{}", self.log());
    }

    /// Waits for an event of this kind.
    pub async fn event(&mut self, kind: &str) -> Value {
        let event = self.next(|said| said["type"] == kind || said["type"] == "CALL_CLOSED").await;
        assert_eq!(event["type"], kind, "{event}\n{}", self.log());
        event
    }

    async fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unheard.iter().position(&wanted) {
            return self.unheard.remove(at).unwrap();
        }
        let reading = async {
            loop {
                while let Some(said) = self.take() {
                    if wanted(&said) {
                        return said;
                    }
                    self.unheard.push_back(said);
                }
                let read = self.control.read_buf(&mut self.input).await.unwrap();
                assert!(read > 0, "baresip ended");
            }
        };
        let Ok(said) = tokio::time::timeout(DEADLINE, reading).await else {
            panic!("baresip says nothing more: {}", self.log());
        };
        said
    }

    /// The next complete netstring, `LENGTH:JSON,`.
    fn take(&mut self) -> Option<Value> {
        let colon = self.input.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&self.input[..colon]).unwrap().parse().unwrap();
        let end = colon + 1 + length;
        if self.input.len() <= end {
            return None;
        }
        let said = serde_json::from_slice(&self.input[colon + 1..end]).unwrap();
        self.input.drain(..=end);
        Some(said)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn config(folder: &Path, address: Ipv4Addr, account: &Account<'_>) -> String {
    let folder = folder.display();
    let listens_at = account.listens_at.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let mut text = format!(
        "poll_method epoll\nsip_listen {listens_at}\nrtp_stats yes\nnet_interface 127.0.0.1\nsip_verify_server yes\n\
         call_max_calls 2\naudio_source aufile,{folder}/tone.wav\nausrc_srate 8000\nauplay_srate 8000\n\
         ausrc_channels 1\nauplay_channels 1\naudio_buffer 20-160\nsnd_path {folder}\n\
         module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n\
         module srtp.so\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
         ctrl_tcp_listen {address}:{CONTROL_PORT}\n"
    );
    if let Some(authority) = &account.authority {
        let _infallible = writeln!(text, "sip_cafile {authority}");
    }
    text
}

fn line(account: &Account<'_>) -> String {
    let Account { number, domain, transport, credentials, parameters, .. } = account;
    let mut text = format!("<sip:{number}@{domain};transport={transport}>;regint=0;audio_codecs=PCMA/8000/1");
    if let Some((username, password)) = credentials {
        let _infallible = write!(text, ";auth_user={username};auth_pass={password}");
    }
    if !parameters.is_empty() {
        let _infallible = write!(text, ";{parameters}");
    }
    text + "\n"
}

/// Writes a minute of a square wave of 400 Hz, in 16 bits at 8 kHz. The call ends with the file.
fn write_tone(file: &Path) {
    const SAMPLES: u32 = 480_000;
    let size = SAMPLES * 2;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + size).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&8_000_u32.to_le_bytes());
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&size.to_le_bytes());
    for sample in 0..SAMPLES {
        let level: i16 = if sample / 10 % 2 == 0 { 8_000 } else { -8_000 };
        bytes.extend_from_slice(&level.to_le_bytes());
    }
    std::fs::write(file, bytes).unwrap();
}
