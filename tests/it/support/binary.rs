//! The real binary as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::engine;

/// A running `trunk-server`, killed when it is dropped.
pub struct Binary {
    child: Child,
    /// The API's base URL.
    pub base: String,
    /// The control API's base URL, if it is enabled.
    pub control: Option<String>,
    /// The SIP address over UDP and TCP, if it is enabled.
    pub sip: Option<SocketAddr>,
    /// The SIP address over TLS, if it is enabled.
    pub sip_tls: Option<SocketAddr>,
    /// Everything that it printed until it was ready.
    pub greeting: String,
    log: Arc<Mutex<String>>,
}

/// The path of the binary, which the build puts beside the folder of this test.
pub fn path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let binary = target.join("trunk-server");
    assert!(binary.exists(), "{} is missing: run `cargo build -p trunk-server` first", binary.display());
    binary
}

/// The binary's command, without settings from the environment of the tests.
pub fn command() -> Command {
    let mut command = Command::new(path());
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("TRUNK_SERVER_")) {
        command.env_remove(name);
    }
    command
}

impl Binary {
    /// Starts it on random ports of loopback with these additional arguments, and waits until it is ready.
    /// SIP is off unless the arguments enable it. `--ephemeral` is an empty database on the engine of the tests.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]);
        if !arguments.contains(&"--sip-listen") {
            command.args(["--sip-listen", "off"]);
        }
        for argument in arguments {
            match *argument {
                "--ephemeral" if engine::is_postgres() => {
                    command.arg("--database").arg(engine::new_database());
                }
                argument => {
                    command.arg(argument);
                }
            }
        }
        // Colours would split the words of the log.
        command.env("NO_COLOR", "1").stderr(Stdio::piped());
        Self::launch(command)
    }

    /// Starts a command, and waits until the server is ready. Its log is kept if its standard error is piped.
    pub fn launch(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = child.stderr.take().map(keep).unwrap_or_default();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        let found =
            |label: &str, line: &str| line.trim().strip_prefix(label).map(|rest| rest.trim().to_owned());
        let (mut base, mut control, mut sip) = (None, None, None);
        for line in lines.by_ref() {
            let line = line.unwrap();
            base = base.or_else(|| found("API:", &line));
            control = control.or_else(|| found("Control:", &line));
            sip = sip.or_else(|| found("SIP:", &line));
            greeting.push_str(&line);
            greeting.push('\n');
            if let Ok(members) = serde_json::from_str::<serde_json::Value>(&line) {
                let said = |name: &str| members[name].as_str().map(str::to_owned);
                (base, control, sip) = (said("api"), said("control"), said("sip"));
                break;
            }
            if line.contains("curl") {
                break;
            }
        }
        // Keep reading, so that the child never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let base = base.unwrap_or_else(|| {
            let _ = child.wait();
            panic!("the server does not say where its API is: {greeting}\n{}", log.lock().unwrap())
        });
        // `127.0.0.1:1 (UDP, TCP), 127.0.0.1:2 (TLS)`
        let sip = sip.unwrap_or_default();
        let mut listens = sip.split("), ").map(|listen| listen.split(' ').next()?.parse().ok());
        let (sip, sip_tls) = (listens.next().flatten(), listens.next().flatten());
        Self { child, base, control, sip, sip_tls, greeting, log }
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL: like a power cut, but the kernel still writes its data.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop. Returns its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.signal("TERM");
        self.exit_code()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process is there");
    }

    /// Waits for its end. Returns its exit code; `None` if a signal ended it.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// Collects the output of a pipe in a thread, so that the child never blocks on it.
fn keep(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&String::from_utf8_lossy(&line));
            kept.push('\n');
        }
    });
    log
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
