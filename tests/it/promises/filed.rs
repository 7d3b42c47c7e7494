//! A server at a frozen time whose database is in a file, so that a test can see what is stored.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use didww_types::{ApiVersion, ResourceSpec};
use rusqlite::Connection;
use trunk_server::config::{Config, Database};
use trunk_server::control::{AccountPatch, NewDid, RecordMembers};
use trunk_server::{Clock, Server};

use crate::support::api::{Api, TOKENS};
use crate::support::dump::{assert_same, dump};
use crate::support::engine;
use crate::support::world::{DIDS, TRUNKS, UNKNOWN, credentials, dids, linking};

const KEY: &str = "promises";

/// The rows of a database that a server has open.
pub struct Rows {
    database: PathBuf,
    /// A connection that only asks whether another one wrote.
    observer: Connection,
    last: RefCell<(i64, Vec<String>)>,
}

impl Rows {
    /// The rows of this database as they are now.
    pub fn of(database: &Path) -> Self {
        let observer = Connection::open(database).unwrap();
        let rows = Self { database: database.to_owned(), observer, last: RefCell::default() };
        rows.note();
        rows
    }

    /// A number that changes when another connection commits something.
    fn version(&self) -> i64 {
        self.observer.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap()
    }

    /// Every row but the count of commits: a write that is taken back inside its group is counted too.
    fn all(&self) -> Vec<String> {
        let mut rows = dump(&self.database);
        rows.retain(|row| !row.starts_with("commits "));
        rows
    }

    /// Records the stored data, which must not change from now on.
    pub fn note(&self) {
        // In this order: a commit between the two is looked at again.
        let version = self.version();
        *self.last.borrow_mut() = (version, self.all());
    }

    /// Checks that every row is as it was at the last [`note`](Self::note).
    #[track_caller]
    pub fn is_unchanged(&self, why: &str) {
        let version = self.version();
        let mut last = self.last.borrow_mut();
        if last.0 != version {
            let now = self.all();
            if now != last.1 {
                println!("{why}");
            }
            assert_same(&last.1, &now);
            last.0 = version;
        }
    }
}

/// A server, and a record of each type that an account can change. The account has every feature, and is at the first
/// version, so that a request can name any.
pub struct Filed {
    pub api: Api,
    pub trunk: String,
    pub did: String,
    pool: String,
    pub rows: Rows,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Filed {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("promises.db");
        let mut config = Config::default();
        "127.0.0.1:0".clone_into(&mut config.listen);
        config.control_listen = None;
        config.sip = None;
        config.voipbin.platform.probe_interval = Duration::ZERO;
        config.database = Database::File(database.clone());
        config.api_key = Some(KEY.to_owned().into());
        let clock = Clock::system();
        clock.freeze(None);
        let server = Server::builder(config).clock(clock).start().await.unwrap();
        let control = server.control();
        let account = control.accounts().await.unwrap()[0].id;
        let mut all = AccountPatch::default();
        all.version = Some(ApiVersion::ALL[0]);
        all.features = Some(engine::granted().collect());
        control.update_account(account, all).await.unwrap();
        let did = control.add_did(account, NewDid::new("37061498222").emergency()).await.unwrap().to_string();
        let pool = RecordMembers::default().attribute("name", "Standard");
        let pool = control.put_record(Some(account), "capacity_pools", None, pool).await.unwrap().to_string();
        let api = Api::new(server.base_url(), KEY);
        let created = api.post(TRUNKS, &linking(credentials("A"), "dids", dids(&[&did]))).await;
        assert_eq!(created.status, 201, "{}", created.text);
        assert_eq!(api.post(TRUNKS, &credentials("B")).await.status, 201);
        // The first token is stored with its key.
        assert_eq!(api.at(Some(TOKENS)).get(DIDS).await.status, 200);
        let rows = Rows::of(&database);
        Self { api, trunk: created.id(), did, pool, rows, server, _folder: folder }
    }

    /// The id of the account's record of a type; an unknown one if it has none.
    pub fn own(&self, spec: &ResourceSpec) -> &str {
        match spec.name {
            "voice_out_trunks" => &self.trunk,
            "dids" => &self.did,
            "capacity_pools" => &self.pool,
            _ => UNKNOWN,
        }
    }

    pub async fn stop(self) {
        self.server.stop().await.unwrap();
    }
}
