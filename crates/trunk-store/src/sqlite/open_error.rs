//! The errors of opening a database.

use std::path::PathBuf;

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
        /// What the file is instead.
        why: String,
    },
    /// The database is damaged.
    #[error("the database {} is damaged ({why}); restore a copy of it, or name another file with --database", file.display())]
    Damaged {
        /// The path of the database.
        file: PathBuf,
        /// What is damaged.
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
    /// The file or its directory cannot be read or written.
    #[error("the database {} cannot be opened for reading and writing: {error}", file.display())]
    Access {
        /// The path of the database.
        file: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// An attribute became unique, and stored records have the same value of it. The records are unchanged.
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
    /// The engine failed.
    #[error("the database {} cannot be used: {error}", file.display())]
    Engine {
        /// The path of the database.
        file: PathBuf,
        /// The error of the engine.
        error: rusqlite::Error,
    },
}
