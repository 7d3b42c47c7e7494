//! The address of a database: a path, or the URL of a PostgreSQL server.

use std::fmt;
use std::path::PathBuf;

/// The address of a database. It is printed without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The path of an embedded database.
    File(PathBuf),
    /// The URL of a database on a PostgreSQL server, or its parameters.
    Server(String),
}

/// The error for a text that is not the address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` names no database: {expected}")]
pub struct NoPlace {
    /// The text, without a password.
    pub given: String,
    /// An imperative sentence that states the valid addresses.
    pub expected: &'static str,
}

impl Place {
    /// Reads a path, `sqlite:PATH`, a URL such as `postgres://trunk@db.example/trunk`, or parameters such as
    /// `host=/run/postgresql dbname=trunk`.
    ///
    /// # Errors
    /// If it is a URL of another kind, or empty.
    pub fn parse(text: &str) -> Result<Self, NoPlace> {
        let is_server = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if is_server || is_parameters(text) {
            return Ok(Self::Server(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = path.strip_prefix("//").filter(|_| path != text).unwrap_or(path);
        if path.is_empty() || path.contains("://") {
            return Err(NoPlace {
                given: without_password(text),
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

fn is_parameters(text: &str) -> bool {
    let first = text.split_once('=').map(|(name, _)| name.trim());
    matches!(first, Some("host" | "hostaddr" | "port" | "user" | "dbname" | "password"))
}

/// The parameters of a server that are shown if its address is not a URL.
const SHOWN: [&str; 5] = ["host", "hostaddr", "port", "user", "dbname"];

/// The text of an address without its password, for messages. It is an address of the same kind. A path is unchanged.
pub fn without_password(text: &str) -> String {
    if !is_parameters(text) {
        let url = text.split_once("://");
        return url.map_or_else(|| text.to_owned(), |(scheme, rest)| url_without_password(scheme, rest));
    }
    let is_shown = |word: &&str| {
        word.split_once('=').is_some_and(|(name, value)| SHOWN.contains(&name) && !value.is_empty())
    };
    let shown = text.split_whitespace().filter(is_shown).collect::<Vec<_>>().join(" ");
    // A quoted value can have spaces, so a part of it can look like a parameter.
    if shown.is_empty() || text.contains(['\'', '\\']) { "dbname=…".to_owned() } else { shown }
}

fn url_without_password(scheme: &str, rest: &str) -> String {
    // A password may contain `@`, `/` and `?`, unescaped against the rules.
    let (user, place) = match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split([':', '/', '?', '@']).next().unwrap_or_default();
            if who.contains('?') {
                // The part after the `@` is a host, or the end of a password among the parameters.
                return format!("{scheme}://{user}@…");
            }
            (format!("{user}@"), place)
        }
        None => (String::new(), rest),
    };
    let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
    let is_shown = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !name.is_empty() && !name.contains("pass") && !name.contains('%')
    };
    let parameters = parameters.split('&').filter(is_shown).collect::<Vec<_>>().join("&");
    let separator = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{place}{separator}{parameters}")
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
            ("postgres://u:p@h:5/d?sslmode=require", "postgres://u@h:5/d?sslmode=require"),
            ("postgres://u:p:q@r@h/d", "postgres://u@h/d"),
            ("postgres://u:p/q@h/d", "postgres://u@h/d"),
            ("postgres://u:secret?more@h/d", "postgres://u@…"),
            ("postgres://h/d?password=p", "postgres://h/d"),
            ("postgres://h/d?password=p@secret", "postgres://h@…"),
            ("postgres://h/d?user=u&password=p&x=y", "postgres://h/d?user=u&x=y"),
            ("postgres://h/d?p%61ssword=p&PASSWORD=p&x=y", "postgres://h/d?x=y"),
            ("host=db password=secret dbname=trunk", "host=db dbname=trunk"),
            ("host=db password = secret dbname=trunk", "host=db dbname=trunk"),
            ("host=db password='a secret' dbname=trunk", "dbname=…"),
            ("password=secret", "dbname=…"),
            ("host=db password=secret application_name=a://b", "host=db"),
            ("file@host:name.db", "file@host:name.db"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), shown, "{text}");
            assert_eq!(without_password(shown), shown);
        }
        let error = Place::parse("mysql://me:secret@db/trunk").unwrap_err().to_string();
        assert_eq!(
            error,
            "`mysql://me@db/trunk` names no database: give the path of a file, or postgres://USER@HOST/DATABASE"
        );
    }
}
