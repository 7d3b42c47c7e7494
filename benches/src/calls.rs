//! Calls from sipp, and the `trunk-server` whose edge receives them.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::child::Running;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, VERSION, binary};

/// The callers' source address.
const SOURCE: &str = "127.0.77.1";

/// The SIP address of a callee, and the digest credentials for it.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) sip: String,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// A running server with its SIP edge and one trunk.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) callee: Callee,
    process: Running,
    control: String,
    runtime: Runtime,
    client: reqwest::Client,
}

/// The username and password of a trunk that is made.
type Made<'a> = Pin<Box<dyn Future<Output = Outcome<(String, String)>> + 'a>>;

/// The value after a label in a line of the start-up message, up to the next space.
pub(crate) fn greeting(line: &str, label: &str) -> Option<String> {
    Some(line.trim().strip_prefix(label)?.split_whitespace().next()?.to_owned())
}

impl Edge {
    /// Starts a server with these additional arguments, and creates a trunk for callers on loopback.
    pub(crate) fn start(further: &[&str]) -> Outcome<Self> {
        Self::of(&binary()?, further)
    }

    /// As [`start`](Self::start), with another binary.
    pub(crate) fn of(binary: &Path, further: &[&str]) -> Outcome<Self> {
        Self::with_trunk(binary, further, |client, base| Box::pin(make_trunk(client, base, Value::Null)))
    }

    /// Starts this build, and creates a trunk with this limit on simultaneous calls.
    pub(crate) fn limited(further: &[&str], capacity: u16) -> Outcome<Self> {
        Self::with_trunk(&binary()?, further, |client, base| {
            Box::pin(make_trunk(client, base, json!(capacity)))
        })
    }

    /// Starts this build as a further node of the database in which `first` created its trunk.
    pub(crate) fn beside(first: &Self, further: &[&str]) -> Outcome<Self> {
        let known = (first.callee.username.clone(), first.callee.password.clone());
        Self::with_trunk(&binary()?, further, move |_, _| Box::pin(async move { Ok(known) }))
    }

    fn with_trunk(
        binary: &Path,
        further: &[&str],
        trunk: impl for<'a> FnOnce(&'a reqwest::Client, &'a str) -> Made<'a>,
    ) -> Outcome<Self> {
        let mut command = Command::new(binary);
        command
            .args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"])
            .args(["--sip-listen", "127.0.0.1:0", "--log", "warn", "--api-key", KEY])
            .args(further)
            .env_clear();
        let (base, control) = (std::cell::OnceCell::new(), std::cell::OnceCell::new());
        let (process, sip) = Running::announced(&mut command, |line| {
            for (label, cell) in [("API:", &base), ("Control:", &control)] {
                if let Some(found) = greeting(line, label) {
                    // The first line with the label counts.
                    let _ignored = cell.set(found);
                }
            }
            greeting(line, "SIP:")
        })?;
        let (base, control) = (base.into_inner(), control.into_inner());
        let (base, control) =
            base.zip(control).ok_or("the server did not print the addresses of its two APIs")?;
        let (runtime, client) = (Builder::new_current_thread().enable_all().build()?, reqwest::Client::new());
        let (username, password) = runtime.block_on(trunk(&client, &base))?;
        let callee = Callee { sip, username, password };
        Ok(Self { callee, process, control, runtime, client })
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        crate::trunk::resident(&self.process)
    }

    /// The id of the server's process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Number of calls admitted since the start.
    pub(crate) fn admitted(&self) -> Outcome<u64> {
        let counts = self.asked("/calls/counts")?;
        Ok(counts.get("admitted").and_then(Value::as_u64).ok_or("the server returned no count of calls")?)
    }

    /// Number of answered calls that have not ended. Use it sparingly: the answer is large, so the request
    /// itself makes the server's memory grow.
    pub(crate) fn answered(&self) -> Outcome<usize> {
        let calls = self.asked("/calls/active")?;
        let calls =
            calls.get("calls").and_then(Value::as_array).ok_or("the server returned no list of calls")?;
        Ok(calls.iter().filter(|call| call.get("time_connect").is_some_and(|time| !time.is_null())).count())
    }

    /// Waits until `admitted` calls were admitted since the start. Fails if the callers end before, or after
    /// `longest`.
    pub(crate) fn wait_for(&self, admitted: u64, callers: &mut Callers, longest: Duration) -> Outcome<()> {
        let watch = Stopwatch::start();
        while self.admitted()? < admitted {
            if watch.elapsed() > longest {
                return Err(format!("{admitted} calls took longer than {longest:?}").into());
            }
            if callers.process.has_ended()?.is_some() {
                return Err(callers.failure().into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn asked(&self, path: &str) -> Outcome<Value> {
        let url = format!("{}{path}", self.control);
        self.runtime.block_on(async {
            let answer = self.client.get(url).send().await?.error_for_status()?;
            Ok(serde_json::from_slice(&answer.bytes().await?)?)
        })
    }
}

/// Creates a trunk that accepts every caller on loopback with its credentials. Returns the username and
/// password.
async fn make_trunk(client: &reqwest::Client, base: &str, capacity: Value) -> Outcome<(String, String)> {
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": {
        "name": "calls", "rtp_timeout": 600, "capacity_limit": capacity,
        "threshold_amount": "100000.0", "on_cli_mismatch_action": "send_original_cli",
        "authentication_method": {
            "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["127.0.0.0/8"] }
        }
    } } });
    let request = client
        .post(format!("{base}/voice_out_trunks"))
        .header("Api-Key", KEY)
        .header("X-DIDWW-API-Version", VERSION)
        .header("Content-Type", didww_types::MEDIA_TYPE)
        .body(body.to_string());
    let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
    let text = |name: &str| {
        let pointer = format!("/data/attributes/authentication_method/attributes/{name}");
        answer.pointer(&pointer).and_then(Value::as_str).map(str::to_owned)
    };
    let credentials = text("username").zip(text("password"));
    Ok(credentials.ok_or_else(|| format!("no trunk was made: {answer}"))?)
}

/// Simultaneous calls while a rate is measured. sipp begins this many about every 4 ms, however soon they end, so fewer
/// would measure that; and of more, [`RECEIVE_BUFFER_BYTES`] might not hold the messages where the system grants less.
pub(crate) const CALLS_IN_FLIGHT: u32 = 128;
/// The receive buffer that sipp and what is measured ask for. With sipp's usual 64 KiB some of the responses to a burst of
/// its requests are lost, and each loss is a wait of 500 ms.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// The number and rate of calls that sipp places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Total number of calls.
    pub(crate) calls: u32,
    /// Maximum number of new calls a second.
    pub(crate) rate: u32,
    /// Maximum number of simultaneous calls.
    pub(crate) at_once: u32,
    /// Duration of each call.
    pub(crate) up: Duration,
}

/// A running sipp process.
#[derive(Debug)]
pub(crate) struct Callers {
    process: Running,
    errors: PathBuf,
}

impl Callers {
    /// Starts to place calls that are challenged, answered and hung up.
    pub(crate) fn start(work: &Path, callee: &Callee, pace: Pace) -> Outcome<Self> {
        Self::play(include_str!("calls.xml"), work, callee, pace)
    }

    /// Starts to place calls that end when they are challenged.
    pub(crate) fn only_challenged(work: &Path, callee: &Callee, pace: Pace) -> Outcome<Self> {
        Self::play(include_str!("challenges.xml"), work, callee, pace)
    }

    fn play(scenario: &str, work: &Path, callee: &Callee, pace: Pace) -> Outcome<Self> {
        let text = scenario
            .replace("{username}", &callee.username)
            .replace("{password}", &callee.password)
            .replace("{up}", &pace.up.as_millis().to_string());
        let (scenario, errors) = (work.join("calls.xml"), work.join("calls.log"));
        std::fs::write(&scenario, text)?;
        let mut command = Command::new("sipp");
        command
            .arg(&callee.sip)
            .arg("-sf")
            .arg(&scenario)
            .args(["-i", SOURCE, "-mi", SOURCE, "-t", "u1", "-nostdin", "-timer_resol", "1"])
            .args(["-m", &pace.calls.to_string(), "-r", &pace.rate.to_string()])
            .args(["-buff_size", &RECEIVE_BUFFER_BYTES.to_string()])
            .args(["-l", &pace.at_once.to_string(), "-recv_timeout", "10000"])
            .args(["-trace_err", "-error_file"])
            .arg(&errors);
        Ok(Self { process: Running::silent(command.stdin(Stdio::null()))?, errors })
    }

    /// Waits until every call has ended. Returns an error if one of them did not follow the scenario.
    pub(crate) fn finish(mut self) -> Outcome<()> {
        if self.process.ended()? { Ok(()) } else { Err(self.failure().into()) }
    }

    fn failure(&self) -> String {
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let first: Vec<&str> = errors.lines().take(20).collect();
        format!("sipp ended with calls that went wrong:\n{}", first.join("\n"))
    }
}
