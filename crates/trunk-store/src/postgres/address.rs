//! Where a database is: its URL, of which this project reads what the client library does not know.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::tls::{Proof, Stream, Tls};

/// The longest time in which a connection is opened.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The longest time that a read or write waits for a connection of the pool.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// The longest time of a statement that is no part of a transaction. The server enforces it.
const STATEMENT_LIMIT: Duration = Duration::from_secs(3);
/// The time after which a silent server is asked whether it is there, and between two of these questions.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// A database, with all that a connection to it needs.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
}

impl Address {
    /// Reads a URL such as `postgres://trunk@db.example/trunk?sslmode=verify-full`, or parameters such as
    /// `host=/run/postgresql user=trunk`.
    ///
    /// # Errors
    /// A sentence for the operator, which contains no password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (rest, settings) = split(text);
        let setting =
            |name: &str| settings.iter().rfind(|(of, _)| of == name).map(|(_, value)| value.as_str());
        let proof = match setting("sslmode") {
            None => Proof::Prefer,
            Some(name) => Proof::named(name).ok_or_else(|| {
                format!("sslmode is `{name}`, and not disable, prefer, require, verify-ca or verify-full")
            })?,
        };
        let tls = Tls::new(proof, setting("sslrootcert"))?;
        let unreadable = |error: Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            cause.unwrap_or_else(|| error.to_string())
        };
        let mut config: Config = rest.parse().map_err(unreadable)?;
        config.ssl_mode(proof.mode());
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_LIMIT);
        }
        if config.get_application_name().is_none() {
            config.application_name("trunk-server");
        }
        if config.get_hosts().len() > 1 {
            // Of a cluster, the one that takes writes.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE).keepalives_retries(2);
        config.tcp_user_timeout(3 * KEEPALIVE);
        Ok(Self { config, tls })
    }

    /// Opens a connection, which the caller drives.
    pub(super) async fn connect_raw(&self) -> Result<(Client, Connection<Socket, Stream<Socket>>), Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// Opens a connection, whose task ends with the client.
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        let (client, connection) = self.connect_raw().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(client)
    }

    /// Makes a pool, which opens its connections when they are needed.
    pub(super) fn pool(&self, connections: usize) -> Result<Pool, String> {
        // A connection that broke is found out by its task, and one whose server is silent by its first use.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        Pool::builder(manager)
            .max_size(connections.max(2))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_LIMIT))
            .post_create(Hook::async_fn(|client, _| Box::pin(limit_statements(client))))
            .create_timeout(Some(CONNECT_LIMIT))
            .build()
            .map_err(|error| error.to_string())
    }
}

/// Sets the time limit of statements that are no part of a transaction with its own. A pooler may pass the setting on to
/// other connections of the same user and database, which have it anyway; nothing depends on it, since the client has a limit too.
async fn limit_statements(client: &Client) -> Result<(), HookError> {
    let set = format!("SET statement_timeout = {}", STATEMENT_LIMIT.as_millis());
    client.batch_execute(&set).await.map_err(HookError::Backend)
}

/// Splits off the settings that the client library does not know in all of their forms.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let is_ours = |name: &str| matches!(name, "sslmode" | "sslrootcert");
    if let Ok(mut url) = text.parse::<url::Url>()
        && matches!(url.scheme(), "postgres" | "postgresql")
    {
        let all: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let (ours, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| is_ours(name));
        if ours.is_empty() {
            return (text.to_owned(), ours);
        }
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        return (url.to_string(), ours);
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        // A host that is a folder, in which only the client library reads a URL.
        let Some((base, query)) = text.split_once('?') else { return (text.to_owned(), Vec::new()) };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (ours, others): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| is_ours(name));
        let others: Vec<String> = others.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        return (format!("{base}?{}", others.join("&")), ours);
    }
    let (mut rest, mut ours) = (Vec::new(), Vec::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some((name, value)) if is_ours(name) => ours.push((name.to_owned(), value.to_owned())),
            _ => rest.push(word),
        }
    }
    (rest.join(" "), ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_parameters_are_read_with_the_names_of_libpq() {
        for text in [
            "postgres://me@db.example:6432/trunk?sslmode=require&application_name=x",
            "postgresql://me@db.example:6432/trunk?application_name=x&sslmode=require",
            "host=db.example port=6432 user=me dbname=trunk application_name=x sslmode=require",
        ] {
            let Address { config, .. } = Address::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            let names = (config.get_user(), config.get_dbname(), config.get_application_name());
            assert_eq!(names, (Some("me"), Some("trunk"), Some("x")), "{text}");
            assert_eq!((config.get_ports(), config.get_ssl_mode()), (&[6432][..], Proof::Require.mode()));
        }
        let socket = Address::parse("postgres://me@%2Frun%2Fpostgresql/trunk").unwrap();
        assert_eq!(socket.config.get_dbname(), Some("trunk"));
        assert_eq!(socket.config.get_ssl_mode(), Proof::Prefer.mode());
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_its_password() {
        for text in [
            "postgres://me:secret@db.example/trunk?sslmode=sometimes",
            "postgres://me:secret@db.example/trunk?sslmode=verify-full&sslrootcert=/nowhere",
            "postgres://me:secret@db.example:port/trunk",
            "host=db.example password=secret sslmode=verify",
        ] {
            let Err(why) = Address::parse(text) else { panic!("{text} was read") };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
