//! The errors of opening a database.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why a database cannot be opened. An existing file is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store of this process, has the database open.
    #[error("the database {} is in use by another trunk-server; stop that one, or name another file with --database", file.display())]
    InUse {
        /// The path of the database.
        file: PathBuf,
    },
    /// The file is not a database of this server.
    #[error("the file {} is not a database of trunk-server ({why}); name another file with --database", file.display())]
    Foreign {
        /// The path of the file.
        file: PathBuf,
        /// A description of the file, such as its kind or size.
        why: String,
    },
    /// The file is a damaged or truncated database, which this server does not repair.
    #[error("the database {} is damaged ({why}); restore a copy of it, or name another file with --database", file.display())]
    Damaged {
        /// The path of the database.
        file: PathBuf,
        /// The damage, as found by this server or reported by the engine.
        why: String,
    },
    /// A newer server wrote the database.
    #[error(
        "the database {} has schema {schema}, and this trunk-server knows schemas up to {known}; \
         use the newer trunk-server that wrote it", file.display()
    )]
    Newer {
        /// The path of the database.
        file: PathBuf,
        /// The version of its schema.
        schema: usize,
        /// The newest version that this server knows.
        known: usize,
    },
    /// Not all rows of a move or restore are in the database.
    #[error(
        "the database {} is the target of a move or restore that did not end; repeat that command, which goes on where it \
         stopped, or delete the file and its -wal", file.display()
    )]
    Unfinished {
        /// The path of the database.
        file: PathBuf,
    },
    /// The file or its directory cannot be read or written.
    #[error("the database {} cannot be opened for reading and writing: {error}; {}", file.display(), advice(file, error))]
    Access {
        /// The path of the database.
        file: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// An attribute became unique, and stored records share a value. The records are unchanged.
    #[error(
        "the database {} has {records} records with a value of {attribute} that another record of their account has \
         ({}), and this trunk-server requires it to be unique; change them with the trunk-server that wrote it",
        file.display(), values.join(", ")
    )]
    Duplicates {
        /// The path of the database.
        file: PathBuf,
        /// The type and the attribute, such as `voice_out_trunks/name`.
        attribute: String,
        /// The first of the values.
        values: Vec<String>,
        /// Number of records whose value another record has.
        records: usize,
    },
    /// The database engine failed in a way that no other variant names.
    #[error("the database {} cannot be used: {error}", file.display())]
    Engine {
        /// The path of the database.
        file: PathBuf,
        /// The error of the engine.
        error: rusqlite::Error,
    },
}

/// A hint for the operator how to make the file accessible.
fn advice(file: &Path, error: &std::io::Error) -> String {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match error.kind() {
        ErrorKind::NotFound => format!("create its folder with `mkdir -p {}`", folder.display()),
        ErrorKind::IsADirectory => "name a file in this folder with --database".to_owned(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
            "let this user write the file and its folder {}, or name another file with --database",
            folder.display()
        ),
        _ => "name another file with --database".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::SqliteStore;

    #[test]
    fn a_database_in_a_missing_folder_names_the_command_that_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not/yet");
        let text = SqliteStore::open(&missing.join("new.db")).unwrap_err().to_string();
        assert!(
            text.ends_with(&format!("; create its folder with `mkdir -p {}`", missing.display())),
            "{text}"
        );
        assert!(!missing.exists(), "a misspelt path makes no folder");
        let text = SqliteStore::open(folder.path()).unwrap_err().to_string();
        assert!(text.ends_with("; name a file in this folder with --database"), "{text}");
    }
}
