//! The address of a database: its URL, of which this module parses the settings that the client library does not
//! support.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::freshness::{Freshness, ISOLATED};
use super::tls::{Proof, Stream, Tls};

/// The longest time in which a connection is opened.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The longest time that a read or write waits for a connection of the pool.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// The longest time of a statement outside of a transaction. The server enforces it.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(3);
/// The time after which a keep-alive probe is sent to a silent server, and between two probes.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// A client, and its connection, which the caller must poll.
type Connected = (Client, Connection<Socket, Stream<Socket>>);
/// A connection of the pool that is being opened; it returns its task.
type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

/// A database, and the settings of connections to it.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    /// The settings for each of several hosts, in their order.
    hosts: Vec<Config>,
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
        let roots = setting("sslrootcert");
        let proof = match setting("sslmode") {
            None if roots == Some("system") => Proof::VerifyFull,
            None => Proof::Prefer,
            Some(name) => Proof::named(name).ok_or_else(|| {
                format!("sslmode is `{name}`, and not disable, prefer, require, verify-ca or verify-full")
            })?,
        };
        let tls = Tls::new(proof, roots)?;
        let unreadable = |error: Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            cause.unwrap_or_else(|| error.to_string())
        };
        let mut config: Config = rest.parse().map_err(unreadable)?;
        config.ssl_mode(proof.mode());
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limit_of_one(config.get_hosts().len()));
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
        Ok(Self { hosts: each_host(&config), config, tls })
    }

    /// Opens a connection, which the caller drives.
    pub(super) async fn connect_raw(&self) -> Result<Connected, Error> {
        self.connect_behind(0).await.map(|(connected, _)| connected)
    }

    /// Opens a connection to the first host after `tried` hosts that answers. Returns it with the number of hosts up to
    /// this one. A host that accepts a connection but sends nothing, such as a machine with suspended processes, is
    /// skipped after a time limit: the client library limits only the time until a connection is accepted.
    async fn connect_behind(&self, tried: usize) -> Result<(Connected, usize), Error> {
        let Some((last, others)) = self.hosts.split_last() else {
            return Ok((self.config.connect(self.tls.clone()).await?, 1));
        };
        let limit = self.limit_of_host();
        for (at, host) in others.iter().enumerate().skip(tried) {
            match tokio::time::timeout(limit, host.connect(self.tls.clone())).await {
                Ok(Ok(connected)) => return Ok((connected, at + 1)),
                Ok(Err(error)) => tracing::debug!(%error, "the next host is tried"),
                Err(_) => tracing::debug!("a host is silent, and the next one is tried"),
            }
        }
        Ok((last.connect(self.tls.clone()).await?, self.hosts.len()))
    }

    fn limit_of_host(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_LIMIT)
    }

    /// Opens a connection, whose task ends with the client.
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        self.connect_next(0).await.map(|(client, _)| client)
    }

    /// As [`connect`](Self::connect), to the first of the hosts after `tried` hosts that answers. Returns the client
    /// with the number of hosts that are tried when its server proves to be the wrong one: none after the last host.
    pub(super) async fn connect_next(&self, tried: usize) -> Result<(Client, usize), Error> {
        let ((client, connection), at) = self.connect_behind(tried).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok((client, if at < self.hosts.len() { at } else { 0 }))
    }

    /// Makes a pool, which opens its connections when they are needed, and refuses those to an old primary.
    pub(super) fn pool(&self, connections: usize, freshness: &Arc<Freshness>) -> Result<Pool, String> {
        // The task of a broken connection notices that, and the first use of a connection whose server is silent.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let fresh = Fresh { address: self.clone(), freshness: Arc::clone(freshness) };
        let manager = Manager::from_connect(self.config.clone(), fresh, recycling);
        let freshness = Arc::clone(freshness);
        Pool::builder(manager)
            .max_size(connections.max(2))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_LIMIT))
            .post_create(Hook::async_fn(move |client, _| {
                let freshness = Arc::clone(&freshness);
                Box::pin(async move {
                    // The pool limits only the time of connecting, and a pooler accepts connections while its server is
                    // silent.
                    let prepared = tokio::time::timeout(CONNECT_LIMIT, prepare(client, &freshness)).await;
                    prepared.unwrap_or_else(|_| Err(HookError::message("it is silent")))
                })
            }))
            .create_timeout(Some(CONNECT_LIMIT))
            .build()
            .map_err(|error| error.to_string())
    }
}

/// Connects to the first of several hosts that accepts writes and has all writes that were confirmed to this node.
struct Fresh {
    address: Address,
    freshness: Arc<Freshness>,
}

impl Connect for Fresh {
    fn connect(&self, _: &Config) -> Connecting<'_> {
        Box::pin(async move {
            let mut tried = 0;
            loop {
                let ((client, connection), at) = self.address.connect_behind(tried).await?;
                let driven = tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection of the pool ended");
                    }
                });
                // The pool refuses the last one if it is an old primary.
                if at >= self.address.hosts.len() {
                    return Ok((client, driven));
                }
                let kept = self.freshness.is_kept_by(&client);
                let kept = tokio::time::timeout(self.address.limit_of_host(), kept).await;
                if matches!(kept, Ok(Ok(true))) {
                    return Ok((client, driven));
                }
                tracing::debug!("a host was the primary, and the next one is tried");
                tried = at;
            }
        })
    }
}

/// The settings for each of several hosts; none if there is one.
fn each_host(config: &Config) -> Vec<Config> {
    let hosts = config.get_hosts();
    if hosts.len() < 2 {
        return Vec::new();
    }
    hosts.iter().enumerate().map(|(at, host)| of_host(config, at, host)).collect()
}

/// The settings for the host at this place.
fn of_host(config: &Config, at: usize, host: &Host) -> Config {
    let mut one = Config::new();
    match host {
        Host::Tcp(name) => one.host(name),
        Host::Unix(path) => one.host_path(path),
    };
    let (addresses, ports) = (config.get_hostaddrs(), config.get_ports());
    if let Some(address) = addresses.get(at) {
        one.hostaddr(*address);
    }
    if let Some(port) = ports.get(at).or(ports.first()) {
        one.port(*port);
    }
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    one.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
    one.channel_binding(config.get_channel_binding());
    one.target_session_attrs(config.get_target_session_attrs());
    one
}

/// The longest time of connecting to one of several hosts, so that the limit suffices for the last one if the others
/// are silent.
fn limit_of_one(hosts: usize) -> Duration {
    if hosts < 2 { CONNECT_LIMIT } else { CONNECT_LIMIT / u32::try_from(hosts + 1).unwrap_or(u32::MAX) }
}

/// Prepares a new connection of a pool, and refuses one that leads to an old primary.
async fn prepare(client: &Client, freshness: &Freshness) -> Result<(), HookError> {
    limit_statements(client).await.map_err(HookError::Backend)?;
    if freshness.is_kept_by(client).await.map_err(HookError::Backend)? {
        Ok(())
    } else {
        Err(HookError::message("it was a primary, and lacks what is committed since"))
    }
}

/// Sets the time limit and the isolation of statements outside of transactions; each transaction sets its own. A pooler
/// may pass the settings on to other connections of the same user and database, which have them anyway; nothing depends
/// on them, since the client has a limit too, and such statements only read, or delete old rows and are repeated.
async fn limit_statements(client: &Client) -> Result<(), Error> {
    let settings = format!("{ISOLATED}; SET statement_timeout = {}", STATEMENT_LIMIT.as_millis());
    client.batch_execute(&settings).await
}

/// Splits off the settings that the client library does not support, or not in all forms. The rest stays unchanged.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        split_url(text)
    } else {
        split_parameters(text)
    }
}

fn is_ours(name: &str) -> bool {
    matches!(name, "sslmode" | "sslrootcert")
}

fn split_url(text: &str) -> (String, Vec<(String, String)>) {
    // The client library takes all text before the first `@` for user and password, whatever its characters.
    let place = text.find('@').unwrap_or_default();
    let query = text.match_indices('?').map(|(at, _)| at).find(|at| *at > place);
    let Some((base, query)) = query.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) else {
        return (text.to_owned(), Vec::new());
    };
    let (mut rest, mut ours) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        // In these URLs, unlike in forms, a plus does not mean a space.
        let decoded = url::form_urlencoded::parse(pair.replace('+', "%2B").as_bytes()).into_owned().next();
        match decoded.filter(|(name, _)| is_ours(name)) {
            Some(setting) => ours.push(setting),
            None => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (rest, ours)
}

/// Splits parameters such as `host=db.example password='two words'`: spaces may be around `=`, and values may be in
/// quotes.
fn split_parameters(text: &str) -> (String, Vec<(String, String)>) {
    let (mut rest, mut ours) = (Vec::new(), Vec::new());
    let mut left = text.trim_start();
    // The client library refuses text that is not a parameter.
    while let Some((name, after)) = left.split_once('=') {
        let after = after.trim_start();
        let (value, length) = value(after);
        let (raw, behind) = after.split_at_checked(length).unwrap_or((after, ""));
        if is_ours(name.trim_end()) {
            ours.push((name.trim_end().to_owned(), value));
        } else {
            rest.push(format!("{}={raw}", name.trim_end()));
        }
        left = behind.trim_start();
    }
    rest.push(left.to_owned());
    (rest.join(" "), ours)
}

/// Reads the value at the beginning of a text. Returns it with the number of bytes that it occupies in the text.
fn value(text: &str) -> (String, usize) {
    let is_quoted = text.starts_with('\'');
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, character) in text.char_indices().skip(usize::from(is_quoted)) {
        if is_escaped {
            value.push(character);
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if is_quoted && character == '\'' {
            return (value, at + 1);
        } else if !is_quoted && character.is_whitespace() {
            return (value, at);
        } else {
            value.push(character);
        }
    }
    (value, text.len())
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
            " host = db.example port=6432 user='me' dbname=trunk application_name=x sslmode = 'require' ",
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
    fn what_is_beside_the_settings_of_tls_stays_as_it_is_written() {
        let url = "postgres://me:p%20w@a.example:1,b.example:2/trunk?sslmode=require&options=-c%20x%3D1%2B1";
        let Address { config, .. } = Address::parse(url).unwrap();
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, &[1, 2][..]));
        assert_eq!((config.get_password(), config.get_options()), (Some(&b"p w"[..]), Some("-c x=1+1")));
        let marked = "postgres://me:what?now@db.example/trunk?sslmode=require";
        let Address { config, .. } = Address::parse(marked).unwrap();
        assert_eq!(config.get_password(), Some(&b"what?now"[..]));
        assert_eq!(config.get_ssl_mode(), Proof::Require.mode());
        let text = r"host=db.example password='two  words sslmode=disable \' it' sslmode=require";
        let Address { config, .. } = Address::parse(text).unwrap();
        assert_eq!(config.get_password(), Some(&b"two  words sslmode=disable ' it"[..]));
        assert_eq!(config.get_ssl_mode(), Proof::Require.mode());
        let file = split(r"host=db.example sslrootcert='/a b/c++.pem'").1;
        assert_eq!(file, [("sslrootcert".to_owned(), "/a b/c++.pem".to_owned())]);
        assert_eq!(split("postgres://db.example/trunk?sslrootcert=/a%20b/c++.pem").1, file);
    }

    #[test]
    fn the_certificates_of_the_system_prove_nothing_without_the_name() {
        for weak in ["disable", "prefer", "require"] {
            let text = format!("postgres://db.example/trunk?sslmode={weak}&sslrootcert=system");
            let Err(why) = Address::parse(&text) else { panic!("{text} was read") };
            assert!(why.contains("verify-full"), "{why}");
        }
        let strict = Address::parse("postgres://db.example/trunk?sslrootcert=system").unwrap();
        assert_eq!(strict.config.get_ssl_mode(), Proof::VerifyFull.mode());
    }

    #[test]
    fn the_last_of_several_hosts_is_reached_in_time_if_the_others_are_silent() {
        let limit = |text: &str| *Address::parse(text).unwrap().config.get_connect_timeout().unwrap();
        assert_eq!(limit("postgres://a.example/trunk"), CONNECT_LIMIT);
        for hosts in 2..=5_u32 {
            let names = vec!["a.example"; hosts as usize].join(",");
            assert!(limit(&format!("postgres://{names}/trunk")) * hosts < CONNECT_LIMIT, "{hosts}");
        }
        assert_eq!(limit("postgres://a.example,b.example/trunk?connect_timeout=9"), Duration::from_secs(9));
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
