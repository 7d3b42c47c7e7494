//! Where records are stored.

use std::path::{Path, PathBuf};

use didww_types::Secret;
use trunk_store::transfer::{NoPlace, Place, without_password};

use super::ConfigError;

/// The default maximum number of connections to PostgreSQL.
const DEFAULT_CONNECTIONS: usize = 16;
/// The permitted range of the maximum number of connections.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 2..=500;

/// Where records are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// Records are in this file. Acknowledged writes survive a crash.
    File(PathBuf),
    /// Records are in memory until the server stops.
    Ephemeral,
    /// Records are in a PostgreSQL database, which several servers can share.
    Postgres(PostgresDatabase),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresDatabase {
    /// Its URL, such as `postgres://trunk:PASSWORD@db.example/trunk?sslmode=verify-full`. A pooler in transaction mode
    /// may be between.
    pub url: Secret,
    /// The URL of a connection that bypasses any pooler, for notifications of other servers. Without it, this server
    /// polls the changes of other servers five times a second.
    pub listen: Option<Secret>,
    /// Maximum number of connections, 2 to 500. One additional connection reads the changes of other servers, and at
    /// most two more are for the heartbeat and for the cleanup after dead servers.
    pub connections: usize,
}

impl PostgresDatabase {
    /// A database with a URL, 16 connections, and no notifications.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self { url: url.into(), listen: None, connections: DEFAULT_CONNECTIONS }
    }

    /// The URL without the password, for messages.
    pub fn shown(&self) -> String {
        without_password(self.url.expose())
    }
}

/// The settings of the database from one source.
#[derive(Debug, Default)]
pub(super) struct DatabaseSettings {
    pub(super) database: Option<PathBuf>,
    pub(super) ephemeral: bool,
    pub(super) listen: Option<Secret>,
    pub(super) connections: Option<usize>,
}

impl DatabaseSettings {
    /// # Errors
    /// If two settings contradict each other, or one does not apply to the kind of database.
    pub(super) fn finish(self, default: Database) -> Result<Database, ConfigError> {
        let Self { database, ephemeral, listen, connections } = self;
        let shown = |file: &Path| without_password(&file.display().to_string());
        let database = match (database, ephemeral) {
            (Some(file), true) => {
                let expected = "give either `database` or `ephemeral`, not both";
                return Err(ConfigError::Value { name: "database", given: shown(&file), expected });
            }
            (_, true) => Database::Ephemeral,
            (Some(file), false) => place(file)?,
            (None, false) => default,
        };
        let of_postgres = "leave it out, or give a `database` that begins with postgres://";
        match database {
            Database::Postgres(mut postgres) => {
                if let Some(url) = listen.as_ref().filter(|url| !is_server(url.expose())) {
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

/// The database that a setting names. A path that is not valid UTF-8 names a file.
fn place(file: PathBuf) -> Result<Database, ConfigError> {
    let Some(text) = file.to_str() else { return Ok(Database::File(file)) };
    match Place::parse(text) {
        Ok(Place::File(file)) => Ok(Database::File(file)),
        Ok(Place::Server(url)) => Ok(Database::Postgres(PostgresDatabase::new(url))),
        Err(NoPlace { given, expected }) => Err(ConfigError::Value { name: "database", given, expected }),
    }
}

/// The setting that names a file, so that parsing it results in the same path.
pub(super) fn setting(file: &Path) -> String {
    let text = file.display().to_string();
    match Place::parse(&text) {
        Ok(Place::File(read)) if read == file => text,
        _ => format!("sqlite:{text}"),
    }
}

/// Whether a setting names a database on PostgreSQL.
pub(super) fn is_server(text: &str) -> bool {
    matches!(Place::parse(text), Ok(Place::Server(_)))
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
    fn a_database_is_named_as_in_a_backup_or_a_move() {
        assert_eq!(finish("sqlite:trunk.db").unwrap(), Database::File("trunk.db".into()));
        for text in ["trunk.db", "//trunk.db", "sqlite:sqlite:trunk.db", "sqlite:host=db"] {
            let Database::File(file) = finish(text).unwrap() else { panic!("{text}") };
            assert_eq!(finish(&setting(&file)).unwrap(), Database::File(file), "{text}");
        }
        let Database::Postgres(database) = finish("host=db password=sesame").unwrap() else { panic!() };
        assert_eq!(database.shown(), "host=db");
        let refused = finish("mysql://u:sesame@h/d").unwrap_err().to_string();
        assert!(refused.starts_with("database is `mysql://u@h/d`; give the path of a file"), "{refused}");
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let Database::Postgres(database) = finish("postgres://u:sesame@h/d?x=y").unwrap() else { panic!() };
        assert_eq!(database.shown(), "postgres://u@h/d?x=y");
        assert!(!format!("{database:?}").contains("sesame"));
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
