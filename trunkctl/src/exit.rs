//! The result of the program: an exit code for scripts, and a message.

use std::fmt;
use std::process::ExitCode;

/// The exit codes, which `trunkctl --help` and `docs/trunkctl.md` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// A failure that none of the other codes describes.
    Failed,
    /// The command line, the file of contexts or a declaration is not valid.
    Usage,
    /// There are differences (`drift`, `plan --detailed-exitcode`), or `explain` found that the call is refused.
    Differs,
    /// There is no such record.
    NotFound,
    /// The API key or the token is not accepted, or the account may not do this.
    Denied,
    /// A value breaks a rule, found here or by the service.
    Invalid,
    /// The service cannot be reached, is overloaded or limits the rate: a retry may succeed.
    Unavailable,
    /// `apply` carried out only a part of the plan, which the report states.
    Partial,
    /// A safety limit stopped the plan: `--force`, `--prune` or `--yes` is needed.
    Unsafe,
}

impl Exit {
    /// All codes, each with what it means.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Success, "success"),
        (Self::Failed, "another failure"),
        (Self::Usage, "the command line, the contexts or the declaration are not valid"),
        (Self::Differs, "there are differences, or the explained call is not admitted"),
        (Self::NotFound, "there is no such record"),
        (Self::Denied, "the key is not accepted, or the account may not do this"),
        (Self::Invalid, "a value breaks a rule"),
        (Self::Unavailable, "the service cannot be reached or limits the rate: try again"),
        (Self::Partial, "a part of the plan was applied: the report states which"),
        (Self::Unsafe, "a safety limit was exceeded: --force or --yes is needed"),
    ];

    /// The code as a number.
    pub fn code(self) -> u8 {
        let position = Self::ALL.iter().position(|(exit, _)| *exit == self);
        position.and_then(|position| u8::try_from(position).ok()).unwrap_or(1)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The reason why the program failed. The text may have several lines, and never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The message; empty if everything was printed already.
    pub text: String,
}

impl Failure {
    /// A failure with its text.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// The command line, a file or the contexts are not valid.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A failure without a text, because its reason was printed already.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exit_has_a_code_of_its_own() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
