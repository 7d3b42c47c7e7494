//! The error of an invalid configuration.

use std::path::{Path, PathBuf};

use super::location::line_of;

/// The error of an invalid configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("the configuration file {} cannot be read: {error}", file.display())]
    Unreadable {
        /// The path of the file.
        file: PathBuf,
        /// The error of the file system.
        error: std::io::Error,
    },
    /// The file is not valid TOML, or has an unknown key or a value of the wrong type.
    #[error("the configuration file {} is wrong: {why}", file.display())]
    Wrong {
        /// The path of the file.
        file: PathBuf,
        /// The line number and the problem. Never contains a value of the file.
        why: String,
    },
    /// A value is not valid.
    #[error("{name} is `{given}`; {expected}")]
    Value {
        /// The setting: the name of the flag, or `table.key` in the file.
        name: &'static str,
        /// The value; `(hidden)` or empty for a secret.
        given: String,
        /// An imperative sentence that states which values are valid.
        expected: &'static str,
    },
    /// A value of the file is not valid.
    #[error("the configuration file {} is wrong: line {line}: {error}", file.display())]
    InFile {
        /// The path of the file.
        file: PathBuf,
        /// The number of the line.
        line: usize,
        /// The problem with the value.
        error: Box<ConfigError>,
    },
}

impl ConfigError {
    /// Adds the file and the line from which a refused value came.
    pub(super) fn located(self, file: &Path, text: &str) -> Self {
        let Self::Value { name, given, .. } = &self else { return self };
        match line_of(text, name, given) {
            Some(line) => Self::InFile { file: file.to_owned(), line, error: Box::new(self) },
            None => self,
        }
    }

    pub(super) fn value(name: &'static str, given: impl Into<String>, expected: &'static str) -> Self {
        Self::Value { name, given: given.into(), expected }
    }
}
