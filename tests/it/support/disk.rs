//! The real binary on a disk that fails on demand: `tests/faults/faults.c`, whose head says what it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::binary::{self, Binary};

/// The account's key.
pub const KEY: &str = "faults";

/// A folder for a database, and what happens to the files in it.
pub struct Disk {
    root: TempDir,
}

/// The shim, built once.
fn shim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/faults.c");
        let (built, own) = (
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.so"),
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id())),
        );
        let arguments = ["-shared", "-fPIC", "-O1", "-o"];
        let made = Command::new("cc").args(arguments).args([&own, &source]).status();
        assert!(made.is_ok_and(|status| status.success()), "cc builds {}", source.display());
        fs::rename(own, &built).unwrap();
        built
    })
}

/// A database with an account, closed; made once, for a start that makes one writes a good deal.
fn prepared() -> &'static TempDir {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults.db");
        let binary = Binary::start(&["--database", file.to_str().unwrap(), "--api-key", KEY, "--demo"]);
        assert_eq!(binary.terminate(), Some(0));
        folder
    })
}

impl Disk {
    /// A folder with a database in it, on which nothing fails yet.
    pub fn new() -> Self {
        let disk = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["data", "image"] {
            fs::create_dir(disk.path(folder)).unwrap();
        }
        for file in fs::read_dir(prepared().path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), disk.path("data").join(file.file_name())).unwrap();
        }
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        // The shim compares with what the system says, where there are no links.
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path("data").join("faults.db")
    }

    /// The database as a power cut left it.
    pub fn image(&self) -> PathBuf {
        self.path("image").join("faults.db")
    }

    /// Says what happens from here on, in the words of the shim.
    pub fn set(&self, control: &str) {
        let new = self.path("control.new");
        fs::write(&new, control).unwrap();
        fs::rename(new, self.path("control")).unwrap();
    }

    /// The faults that there were, a line each.
    pub fn faults(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The command that serves the database on this disk.
    pub fn command(&self) -> Command {
        let mut command = binary::command();
        command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--sip-listen", "off"]);
        command.arg("--database").arg(self.database()).args(["--api-key", KEY]);
        command.env("NO_COLOR", "1").stderr(Stdio::piped());
        command.env("LD_PRELOAD", shim()).env("FAULTS_FOLDER", self.path("data"));
        command.env("FAULTS_CONTROL", self.path("control")).env("FAULTS_LOG", self.path("log"));
        command.env("FAULTS_IMAGE", self.path("image"));
        command
    }

    /// Starts the server on this disk.
    pub fn start(&self) -> Binary {
        Binary::launch(self.command())
    }
}
