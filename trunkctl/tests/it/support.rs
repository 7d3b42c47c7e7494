//! A server, and the program with its environment.

use std::io::Write as _;
use std::process::{Command, Stdio};

use didww_client::ApiVersion;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trunk_server::control::NewDid;
use trunk_server::{TestServer, TestServerBuilder};

/// A server with three DIDs, and a folder for the files of a test.
pub(crate) struct Service {
    pub server: TestServer,
    pub folder: TempDir,
    pub runtime: Runtime,
    version: ApiVersion,
}

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The output of a run that succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The JSON of a run that succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// The standard error of a run that ended with this code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.err
    }
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(settings: impl FnOnce(TestServerBuilder) -> TestServerBuilder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let server = settings(TestServer::builder()).start().await;
            let numbers = ["12025550143", "442079460018", "37061498222"].map(NewDid::new);
            server.control().add_dids(server.account(), numbers).await.unwrap();
            server
        });
        Self { server, folder: TempDir::new().unwrap(), runtime, version: ApiVersion::NEWEST }
    }

    /// The same service, with requests for another version.
    pub(crate) fn at(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// The program, with the service in its environment and nothing else of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .env("TRUNKCTL_URL", self.server.base_url())
            .env("TRUNKCTL_API_KEY", self.server.api_key())
            .env("TRUNKCTL_API_VERSION", self.version.as_str())
            .env("TRUNKCTL_CONFIG", self.folder.path().join("config.toml"))
            .current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments), "")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        finish(self.command(arguments), input)
    }

    /// Writes a file into the folder of the test and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Creates a trunk and returns its id.
    pub(crate) fn trunk(&self, name: &str) -> String {
        let arguments =
            ["voice-out-trunks", "create", "--name", name, "--on-cli-mismatch-action", "reject_call"];
        let method =
            ["--authentication-method", "credentials_and_ip,allowed_sip_ips=203.0.113.7", "-o", "id"];
        self.run(&[&arguments[..], &method].concat()).ok().trim().to_owned()
    }
}

/// The program without any setting of the environment of the tests.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkctl"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRUNKCTL_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("NO_PROXY", "127.0.0.1").env_remove("XDG_CONFIG_HOME");
    command
}

/// Runs a command with this text as its standard input.
pub(crate) fn finish(mut command: Command, input: &str) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that does not read its input has closed it.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
