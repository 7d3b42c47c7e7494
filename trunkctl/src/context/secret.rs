//! The sources of secrets.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use didww_client::Secret;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::system_keyring;
use crate::terminal::note;

/// The source of a secret in a context: `{ file = "…" }`, `{ env = "…" }`, `{ command = "…" }` or `{ keyring = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretSource {
    /// The first line of this file.
    File(PathBuf),
    /// The value of this environment variable.
    Env(String),
    /// The first line that this command prints, run by `sh -c`.
    Command(String),
    /// The entry of this name in the system's keyring.
    Keyring(String),
}

impl SecretSource {
    /// Reads the secret. `what` names it in errors.
    ///
    /// # Errors
    /// When it cannot be read or is empty. The text never contains the secret.
    pub(crate) fn read(&self, what: &str) -> Result<Secret, Failure> {
        let text = match self {
            Self::File(path) => of_file(path, what)?,
            Self::Env(name) => std::env::var(name)
                .map_err(|_| Failure::usage(format!("the {what} should be in {name}, which is not set")))?,
            Self::Command(command) => of_command(command, what)?,
            Self::Keyring(entry) => system_keyring::read(entry, what)?,
        };
        // Editors of Windows mark UTF-8 at its beginning.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => Ok(Secret::new(line)),
            None => Err(Failure::usage(format!("the {what} from {self} is empty"))),
        }
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the variable {name}"),
            Self::Command(command) => write!(f, "the command `{command}`"),
            Self::Keyring(entry) => write!(f, "the entry `{entry}` of the keyring"),
        }
    }
}

fn of_file(path: &Path, what: &str) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("the {what} cannot be read from {}: {error}", path.display()))
    })?;
    if is_open(path) {
        note(&format!(
            "warning: other users can read {}, which holds the {what}: chmod 600 it",
            path.display()
        ));
    }
    Ok(text)
}

/// Whether users other than the owner may read a file.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // A pipe, as of `<(pass show didww)`, belongs to the process alone.
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> bool {
    false
}

fn of_command(command: &str, what: &str) -> Result<String, Failure> {
    // The command can prompt, for a passphrase for example, on standard error and on the terminal.
    let output = Command::new("sh").args(["-c", command]).stderr(Stdio::inherit()).output();
    let output = output
        .map_err(|error| Failure::usage(format!("the command for the {what} cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::usage(format!(
            "the command for the {what} failed: `{command}`, {}",
            output.status
        )));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Failure::usage(format!("the {what} that the command printed is not valid UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_what_a_command_prints() {
        let read = SecretSource::Command("printf 'k-1\\nmore\\n'".to_owned()).read("key").unwrap();
        assert_eq!(read.expose(), "k-1");
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_part_of_a_secret() {
        let read = SecretSource::Command("printf '\\357\\273\\277k-1\\r\\n'".to_owned()).read("key").unwrap();
        assert_eq!(read.expose(), "k-1");
    }

    #[test]
    fn an_error_says_where_the_secret_should_be_and_not_what_was_there() {
        let error = SecretSource::Command("echo s3cret; exit 3".to_owned()).read("API key").unwrap_err();
        assert!(error.text.contains("API key") && error.text.contains('3'), "{error}");
        assert!(!error.text.replace("echo s3cret", "").contains("s3cret"), "{error}");
        let error = SecretSource::Env("TRUNKCTL_NO_SUCH".to_owned()).read("API key").unwrap_err();
        assert!(error.text.contains("TRUNKCTL_NO_SUCH"), "{error}");
        assert!(SecretSource::Command("true".to_owned()).read("API key").unwrap_err().text.contains("empty"));
    }
}
