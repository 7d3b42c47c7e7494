//! The real binary as a child process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running `trunk-server`, killed when it is dropped.
pub struct Binary {
    child: Child,
    /// The API's base URL.
    pub base: String,
    /// The control API's base URL, when there is one.
    pub control: Option<String>,
    /// Everything it printed until it was ready.
    pub greeting: String,
}

/// Where the build put the binary: beside the folder of this test.
pub fn path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let binary = target.join("trunk-server");
    assert!(binary.exists(), "{} is missing: run `cargo build -p trunk-server` first", binary.display());
    binary
}

/// The binary without anything that the environment of the tests says to it.
pub fn command() -> Command {
    let mut command = Command::new(path());
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| name.to_string_lossy().starts_with("TRUNK_SERVER_")) {
        command.env_remove(name);
    }
    command
}

impl Binary {
    /// Starts it on random ports of loopback with these further arguments, and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]).args(arguments);
        command.stderr(Stdio::null());
        Self::launch(command)
    }

    /// Starts what a command says, and waits until it is ready.
    pub fn launch(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        let found =
            |label: &str, line: &str| line.trim().strip_prefix(label).map(|rest| rest.trim().to_owned());
        let (mut base, mut control) = (None, None);
        for line in lines.by_ref() {
            let line = line.unwrap();
            base = base.or_else(|| found("API:", &line));
            control = control.or_else(|| found("Control:", &line));
            greeting.push_str(&line);
            greeting.push('\n');
            if line.contains("curl") {
                break;
            }
        }
        // Read on, so that the child never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let base = base.unwrap_or_else(|| panic!("the server does not say where its API is: {greeting}"));
        Self { child, base, control, greeting }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would, as far as a process can tell.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and gives its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.signal("TERM");
        self.exit_code()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process is there");
    }

    /// Waits for its end, and gives its exit code; none when a signal ended it.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
