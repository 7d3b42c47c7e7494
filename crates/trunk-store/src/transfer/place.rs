//! Where a database is.

use std::fmt;
use std::path::PathBuf;

use super::error::TransferError;

/// Where a database is. It is printed without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The path of an embedded database.
    File(PathBuf),
    /// The URL of a database on a PostgreSQL server, or its parameters.
    Server(String),
}

impl Place {
    /// Reads a path, `sqlite:PATH`, a URL such as `postgres://trunk@db.example/trunk`, or parameters such as
    /// `host=/run/postgresql dbname=trunk`.
    ///
    /// # Errors
    /// [`TransferError::Place`] if it is a URL of another kind, or empty.
    pub fn parse(text: &str) -> Result<Self, TransferError> {
        let is_server = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let first = text.split_once('=').map(|(name, _)| name);
        if is_server || matches!(first, Some("host" | "hostaddr" | "port" | "user" | "dbname" | "password")) {
            return Ok(Self::Server(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = path.strip_prefix("//").filter(|_| path != text).unwrap_or(path);
        if path.is_empty() || path.contains("://") {
            return Err(TransferError::Place {
                given: text.split('@').next_back().unwrap_or_default().to_owned(),
                expected: "give the path of a file, or postgres://USER@HOST/DATABASE",
            });
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(text) => f.write_str(&without_password(text)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL without its password and its parameters, or parameters without the password.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        let words = text.split_whitespace().filter(|word| !word.starts_with("password="));
        return words.collect::<Vec<_>>().join(" ");
    };
    let rest = rest.split('?').next().unwrap_or_default();
    let Some((who, host)) = rest.rsplit_once('@') else { return format!("{scheme}://{rest}") };
    let user = who.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_server() {
        let file = |path: &str| Place::File(PathBuf::from(path));
        for (text, place) in [
            ("trunk-server.db", file("trunk-server.db")),
            ("sqlite:trunk.db", file("trunk.db")),
            ("sqlite:///var/lib/trunk.db", file("/var/lib/trunk.db")),
            ("postgres://db/trunk", Place::Server("postgres://db/trunk".to_owned())),
            ("host=/run/pg dbname=trunk", Place::Server("host=/run/pg dbname=trunk".to_owned())),
        ] {
            assert_eq!(Place::parse(text).unwrap(), place, "{text}");
        }
    }

    #[test]
    fn no_place_is_printed_with_its_password() {
        for (text, shown) in [
            ("postgres://me:se:cr@et@db:5432/trunk?password=secret", "postgres://me@db:5432/trunk"),
            ("host=db password=secret dbname=trunk", "host=db dbname=trunk"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), shown);
        }
        let error = Place::parse("mysql://me:secret@db/trunk").unwrap_err().to_string();
        assert_eq!(
            error,
            "`db/trunk` names no database: give the path of a file, or postgres://USER@HOST/DATABASE"
        );
    }
}
