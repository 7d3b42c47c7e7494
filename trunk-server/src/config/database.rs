//! Where records are stored.

use std::path::{Path, PathBuf};

use didww_types::Secret;

use super::ConfigError;

/// The number of connections to PostgreSQL without a configured one.
const DEFAULT_CONNECTIONS: usize = 16;
/// The limits of that number.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 2..=500;

/// Where records are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In this file. Acknowledged writes survive a crash.
    File(PathBuf),
    /// In memory, until the server stops.
    Ephemeral,
    /// In a PostgreSQL database, which several servers can share.
    Postgres(PostgresDatabase),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresDatabase {
    /// Its URL, such as `postgres://trunk:PASSWORD@db.example/trunk?sslmode=verify-full`. A pooler in transaction mode may be
    /// between.
    pub url: Secret,
    /// The URL of a connection that no pooler shares, for notifications of other servers. Without it, this server learns of
    /// what others wrote by asking five times a second.
    pub listen: Option<Secret>,
    /// Maximum number of connections, 2 to 500. One more reads what other servers write, and at most two are for
    /// the heartbeat and what becomes of dead servers.
    pub connections: usize,
}

impl PostgresDatabase {
    /// A database with a URL, 16 connections, and no notifications.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self { url: url.into(), listen: None, connections: DEFAULT_CONNECTIONS }
    }

    /// The URL without the password, for people.
    pub fn shown(&self) -> String {
        without_password(self.url.expose())
    }
}

/// The settings of the database, as a source has them.
#[derive(Debug, Default)]
pub(super) struct DatabaseSettings {
    pub(super) database: Option<PathBuf>,
    pub(super) ephemeral: bool,
    pub(super) listen: Option<Secret>,
    pub(super) connections: Option<usize>,
}

impl DatabaseSettings {
    /// # Errors
    /// If two of them contradict each other, or one is of another kind of database.
    pub(super) fn finish(self, default: Database) -> Result<Database, ConfigError> {
        let Self { database, ephemeral, listen, connections } = self;
        let shown = |file: &Path| without_password(&file.display().to_string());
        let database = match (database, ephemeral) {
            (Some(file), true) => {
                let expected = "give either `database` or `ephemeral`, not both";
                return Err(ConfigError::Value { name: "database", given: shown(&file), expected });
            }
            (_, true) => Database::Ephemeral,
            (Some(file), false) => match file.to_str().filter(|text| is_url(text)) {
                Some(url) => Database::Postgres(PostgresDatabase::new(url)),
                None => Database::File(file),
            },
            (None, false) => default,
        };
        let of_postgres = "leave it out, or give a `database` that begins with postgres://";
        match database {
            Database::Postgres(mut postgres) => {
                if let Some(url) = listen.as_ref().filter(|url| !is_url(url.expose())) {
                    let expected = "give a URL that begins with postgres://";
                    let given = without_password(url.expose());
                    return Err(ConfigError::Value { name: "database-listen", given, expected });
                }
                postgres.listen = listen;
                postgres.connections = connections.unwrap_or(DEFAULT_CONNECTIONS);
                if !CONNECTIONS.contains(&postgres.connections) {
                    let given = postgres.connections.to_string();
                    let expected = "give a number from 2 to 500";
                    return Err(ConfigError::Value { name: "database-connections", given, expected });
                }
                Ok(Database::Postgres(postgres))
            }
            _ if listen.is_some() => {
                let given = "given for a database that is not on PostgreSQL".to_owned();
                Err(ConfigError::Value { name: "database-listen", given, expected: of_postgres })
            }
            other => match connections {
                Some(connections) => {
                    let given = connections.to_string();
                    Err(ConfigError::Value { name: "database-connections", given, expected: of_postgres })
                }
                None => Ok(other),
            },
        }
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// The URL without the password in its user part and in its parameters. A text that is no URL stays as it is.
fn without_password(text: &str) -> String {
    if !is_url(text) {
        return text.to_owned();
    }
    let (url, parameters) = text.split_once('?').unwrap_or((text, ""));
    // The password may contain `@`, unescaped against the rules.
    let url = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((before, host))) => {
            let user = before.get(scheme.len() + 3..).unwrap_or_default();
            format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default())
        }
        _ => url.to_owned(),
    };
    let kept: Vec<&str> =
        parameters.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("password")).collect();
    if kept.is_empty() { url } else { format!("{url}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(text: &str) -> Result<Database, ConfigError> {
        let settings = DatabaseSettings { database: Some(text.into()), ..DatabaseSettings::default() };
        settings.finish(Database::Ephemeral)
    }

    #[test]
    fn a_url_is_a_database_on_a_server_and_everything_else_a_file() {
        let Database::Postgres(database) = finish("postgresql://u:p@h/d").unwrap() else { panic!() };
        assert_eq!((database.url.expose(), database.connections), ("postgresql://u:p@h/d", 16));
        assert_eq!(finish("postgres.db").unwrap(), Database::File("postgres.db".into()));
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://u:p@h:5/d?sslmode=require", "postgres://u@h:5/d?sslmode=require"),
            ("postgres://u:p:q@r@h/d", "postgres://u@h/d"),
            ("postgres://h/d?password=p", "postgres://h/d"),
            ("postgres://h/d?user=u&password=p&x=y", "postgres://h/d?user=u&x=y"),
            ("file@host:name.db", "file@host:name.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert!(!format!("{:?}", finish("postgres://u:sesame@h/d")).contains("sesame"));
    }

    #[test]
    fn settings_of_connections_are_refused_where_they_mean_nothing() {
        let settings = |text: &str, listen: Option<&str>, connections| DatabaseSettings {
            database: Some(text.into()),
            ephemeral: false,
            listen: listen.map(Secret::from),
            connections,
        };
        let error =
            |settings: DatabaseSettings| settings.finish(Database::Ephemeral).unwrap_err().to_string();
        assert!(error(settings("a.db", Some("postgres://h/d"), None)).contains("database-listen"));
        assert!(error(settings("a.db", None, Some(4))).contains("database-connections"));
        assert!(error(settings("postgres://h/d", None, Some(1))).contains("from 2 to 500"));
        assert!(error(settings("postgres://h/d", Some("h"), None)).contains("postgres://"));
    }
}
