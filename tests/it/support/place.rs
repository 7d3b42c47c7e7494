//! The storage of a server, so that tests of durability can run on each engine.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::postgres::{Database, Server};

/// A database of one of the engines, which outlives the servers that use it. It is deleted when this is dropped.
pub struct Place {
    /// With a database on a server, it has only the other files that outlive the servers.
    folder: tempfile::TempDir,
    database: Option<Database>,
}

impl Place {
    /// An empty file of `SQLite`.
    pub fn file() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: None }
    }

    /// An empty database of PostgreSQL.
    pub fn postgres() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: Some(Server::shared().database()) }
    }

    /// Whether a server that is started again finds its predecessor's work at once. On PostgreSQL it waits until that
    /// one is found dead, and for its leases.
    pub fn is_file(&self) -> bool {
        self.database.is_none()
    }

    /// A folder for other files that outlive the servers.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The value of `--database`.
    pub fn url(&self) -> String {
        self.database.as_ref().map_or_else(|| self.path().to_str().unwrap().to_owned(), Database::url)
    }

    /// Runs a query that both engines understand. Returns the first column of its rows.
    pub fn ask(&self, sql: &str) -> Vec<String> {
        if let Some(database) = &self.database {
            return database.ask(sql).lines().map(str::to_owned).collect();
        }
        let file = Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        let text = |value| match value {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        rows.map(|row| text(row.unwrap())).collect()
    }

    /// Checks that the stored data is consistent; a failure names `when`.
    pub fn check(&self, when: &str) {
        match &self.database {
            Some(database) => check_database(database, when),
            None => crate::crash::check_file(&self.path(), when),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("outlives.db")
    }
}

/// Every index, count and link of a database of PostgreSQL matches the records.
fn check_database(database: &Database, when: &str) {
    let without_record = |table: &str| {
        format!(
            "SELECT count(*) FROM {table} f WHERE NOT EXISTS \
             (SELECT 1 FROM record r WHERE r.number = f.record AND r.account = f.account)"
        )
    };
    let claim_without_record =
        "SELECT count(*) FROM claim c WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.number = c.record)";
    // Only lists may have several.
    let entries_differ = "SELECT count(*) FROM (SELECT r.kind, f.field FROM record r \
         JOIN (SELECT DISTINCT kind, field FROM facet JOIN record ON record.number = facet.record) f ON f.kind = r.kind \
         LEFT JOIN facet e ON e.record = r.number AND e.field = f.field \
         WHERE e.record IS NULL GROUP BY r.kind, f.field) missing";
    let trunks_without_name = "SELECT count(*) FROM record r JOIN symbol s ON s.number = r.kind \
         JOIN symbol m ON m.name = 'voice_out_trunks/name' \
         WHERE s.name = 'voice_out_trunks' AND NOT EXISTS (SELECT 1 FROM unique_facet f \
            WHERE f.account = r.account AND f.field = m.number AND f.record = r.number \
            AND position(convert_to(r.attributes::json ->> 'name', 'UTF8') IN f.value) > 0)";
    let wrong_counts = "SELECT count(*) FROM (SELECT account, kind, sum(records) AS n FROM record_count GROUP BY 1, 2) c \
         FULL JOIN (SELECT account, kind, count(*) AS n FROM record GROUP BY 1, 2) r USING (account, kind) \
         WHERE coalesce(c.n, 0) <> coalesce(r.n, 0)";
    let loose_links = "SELECT count(*) FROM link l LEFT JOIN record o ON o.number = l.owner \
         LEFT JOIN record t ON t.number = l.target WHERE o.number IS NULL OR t.number IS NULL";
    for (what, sql) in [
        ("entries of an index without their record", without_record("facet").as_str()),
        ("entries of a unique index without their record", &without_record("unique_facet")),
        ("claimed values without their record", claim_without_record),
        ("records without an entry that others of their type have", entries_differ),
        ("trunks whose name is in no unique index", trunks_without_name),
        ("wrong counts", wrong_counts),
        ("links without an end", loose_links),
    ] {
        assert_eq!(database.ask(sql), "0", "{when}: {what}");
    }
}
