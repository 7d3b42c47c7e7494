//! The errors of opening a database on a server.

use tokio_postgres::error::SqlState;

use super::failure::Failure;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresOpenError {
    /// The URL is not valid.
    #[error("the URL of the database cannot be used: {0}")]
    Url(String),
    /// The server cannot be reached, or refuses.
    #[error("the database cannot be opened: {0}")]
    Engine(String),
    /// A newer server wrote the database.
    #[error(
        "the database has schema {schema}, and this trunk-server knows schemas up to {known}; use the newer trunk-server \
         that wrote it"
    )]
    Newer {
        /// The version of its schema.
        schema: i64,
        /// The newest version that this server knows.
        known: i64,
    },
    /// Not all rows of a move or restore are in the database.
    #[error(
        "the database is the target of a move or restore that did not end; repeat that command, which goes on where it \
         stopped, or name another database"
    )]
    Unfinished,
    /// An attribute became unique, and stored records share a value. The records are unchanged.
    #[error(
        "the database has {records} records with a value of {attribute} that another record of their account has ({}), and \
         this trunk-server requires it to be unique; change them with the trunk-server that wrote it", values.join(", ")
    )]
    Duplicates {
        /// The type and the attribute, such as `voice_out_trunks/name`.
        attribute: String,
        /// The first of the values.
        values: Vec<String>,
        /// Number of records whose value another record has.
        records: usize,
    },
}

impl From<tokio_postgres::Error> for PostgresOpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Engine(reason(&error))
    }
}

/// Why a connection cannot be opened, as the server or the system says it, and what the operator can do.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let text = error.as_db_error().map(|error| error.message().to_owned()).or(cause);
    text.unwrap_or_else(|| error.to_string()) + advice(error)
}

/// A hint for the operator how to make the database accessible.
fn advice(error: &tokio_postgres::Error) -> &'static str {
    match error.code() {
        None => "; check that PostgreSQL runs there, and the host, port, password and sslmode of the URL",
        Some(&SqlState::INVALID_CATALOG_NAME) => "; create it with `createdb`",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "; make this user the owner of the database",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "; raise its max_connections",
        Some(&SqlState::INVALID_PASSWORD) => "; a changed password of the URL is read at the next start",
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            "; it accepts no writes: name the primary, or all hosts of the cluster"
        }
        Some(_) => "",
    }
}

impl From<Failure> for PostgresOpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error.into(),
            other => Self::Engine(other.into_store_error(true).to_string()),
        }
    }
}
