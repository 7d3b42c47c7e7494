//! The real binary on a disk that fails on demand, with `tests/faults/faults.c`, whose head describes the
//! faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::binary::{self, Binary};

/// The account's key.
pub const KEY: &str = "faults";

/// A folder for a database, and the faults of its files.
pub struct Disk {
    root: TempDir,
}

/// The path of the fault shim, compiled once.
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

/// A folder with a closed database and an account; made once, because the start that creates a database
/// writes a lot.
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
    /// A folder without a database, and without faults so far.
    pub fn empty() -> Self {
        let disk = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["data", "image"] {
            fs::create_dir(disk.path(folder)).unwrap();
        }
        disk
    }

    /// A folder with a database, without faults so far.
    pub fn new() -> Self {
        let disk = Self::empty();
        for file in fs::read_dir(prepared().path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), disk.path("data").join(file.file_name())).unwrap();
        }
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        // The shim compares with the kernel's path, which contains no links.
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// The path of the database.
    pub fn database(&self) -> PathBuf {
        self.path("data").join("faults.db")
    }

    /// The path of the database as a power cut left it.
    pub fn image(&self) -> PathBuf {
        self.path("image").join("faults.db")
    }

    /// Sets the faults from now on, in the shim's syntax.
    pub fn set(&self, control: &str) {
        let new = self.path("control.new");
        fs::write(&new, control).unwrap();
        fs::rename(new, self.path("control")).unwrap();
    }

    /// The faults so far, one a line.
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
