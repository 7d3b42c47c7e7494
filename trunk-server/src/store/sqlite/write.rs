//! The changes of a write, inside its transaction.

use rusqlite::{
    Connection, OptionalExtension as _, ToSql, params, types::ToSqlOutput, types::Value as SqlValue,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::{failed, is_taken};
use super::find;
use super::symbols::Symbols;
use crate::store::{Change, IndexEntry, IndexValue, Record, Scope, StoreError, canonical_text, index_of};

impl ToSql for IndexValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => ToSqlOutput::from(*number),
            Self::Text(text) => ToSqlOutput::from(text.as_str()),
            // Blobs sort after texts, so null is last, as in the service's own database.
            Self::Null => ToSqlOutput::Owned(SqlValue::Blob(Vec::new())),
        })
    }
}

/// Does all the changes; the first that cannot be done ends it, and the caller undoes the others.
pub(super) fn apply(
    connection: &Connection,
    symbols: &Symbols,
    changes: &[Change],
) -> Result<Vec<Record>, StoreError> {
    let write = Write { connection, symbols };
    let mut records = Vec::new();
    for change in changes {
        match change {
            Change::Insert { scope, id, created_at, attributes, links } => {
                records.push(write.insert(*scope, *id, created_at.as_unix_millis(), attributes, links)?);
            }
            Change::Replace { scope, before, attributes, links } => {
                records.push(write.replace(*scope, before, attributes, links)?);
            }
            Change::Members { scope, owner, relationship, add, members } => {
                write.touch(owner)?;
                let relationship = symbols.member(scope.spec.name, relationship);
                for member in members {
                    if *add {
                        write.link(*scope, owner.number, relationship, *member)?;
                    } else {
                        write.unlink(*scope, owner.number, relationship, *member)?;
                    }
                }
            }
            Change::Delete { scope, id } => write.delete(*scope, *id)?,
        }
    }
    Ok(records)
}

struct Write<'a> {
    connection: &'a Connection,
    symbols: &'a Symbols,
}

impl Write<'_> {
    fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(parameters)
    }

    fn insert(
        &self,
        scope: Scope,
        id: Uuid,
        created_at: i64,
        attributes: &Map<String, Value>,
        links: &[(&'static str, Vec<Uuid>)],
    ) -> Result<Record, StoreError> {
        let entries = index_of(scope.spec, attributes);
        // Looked up before anything is changed: then a name that is taken, which is no rare mistake, leaves
        // nothing to undo.
        for entry in entries.iter().filter(|entry| entry.unique) {
            self.check_free(scope, entry)?;
        }
        let text = canonical_text(scope.spec, attributes);
        let kind = self.symbols.kind(scope.spec.name);
        let inserted = self.execute(
            "INSERT INTO record (account, kind, id, created_at, attributes) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![scope.account, kind, id.as_bytes().as_slice(), created_at, text],
        );
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Err(StoreError::Taken("id".to_owned())),
            Err(error) => return Err(failed(error)),
        }
        let number = self.connection.last_insert_rowid();
        for entry in &entries {
            self.index(scope, number, entry)?;
        }
        self.count(scope, 1)?;
        for (relationship, targets) in links {
            let relationship = self.symbols.member(scope.spec.name, relationship);
            for target in targets {
                self.link(scope, number, relationship, *target)?;
            }
        }
        Ok(Record { number, id, kind: scope.spec.name, revision: 0, attributes: text, meta: None })
    }

    fn replace(
        &self,
        scope: Scope,
        before: &Record,
        attributes: &Map<String, Value>,
        links: &[(&'static str, Vec<Uuid>)],
    ) -> Result<Record, StoreError> {
        let text = canonical_text(scope.spec, attributes);
        let changed = self
            .execute(
                "UPDATE record SET attributes = ?1, revision = revision + 1 \
                 WHERE number = ?2 AND id = ?3 AND revision = ?4",
                params![text, before.number, before.id.as_bytes().as_slice(), before.revision],
            )
            .map_err(failed)?;
        if changed == 0 {
            return Err(StoreError::Conflict);
        }
        let old = index_of(scope.spec, &before.attributes()?);
        let new = index_of(scope.spec, attributes);
        for entry in old.iter().filter(|entry| !new.contains(entry)) {
            self.unindex(scope, before.number, entry)?;
        }
        for entry in new.iter().filter(|entry| !old.contains(entry)) {
            self.index(scope, before.number, entry)?;
        }
        for (relationship, targets) in links {
            let relationship = self.symbols.member(scope.spec.name, relationship);
            self.execute(
                "DELETE FROM link WHERE owner = ?1 AND relationship = ?2",
                params![before.number, relationship],
            )
            .map_err(failed)?;
            for target in targets {
                self.link(scope, before.number, relationship, *target)?;
            }
        }
        Ok(Record { attributes: text, revision: before.revision + 1, ..before.clone() })
    }

    /// Marks a record as changed, if it is still as it was read.
    fn touch(&self, record: &Record) -> Result<(), StoreError> {
        let changed = self
            .execute(
                "UPDATE record SET revision = revision + 1 WHERE number = ?1 AND id = ?2 AND revision = ?3",
                params![record.number, record.id.as_bytes().as_slice(), record.revision],
            )
            .map_err(failed)?;
        if changed == 0 { Err(StoreError::Conflict) } else { Ok(()) }
    }

    fn delete(&self, scope: Scope, id: Uuid) -> Result<(), StoreError> {
        let Some(record) = find(self.connection, self.symbols, scope, id)? else {
            return Err(StoreError::Conflict);
        };
        for entry in index_of(scope.spec, &record.attributes()?) {
            self.unindex(scope, record.number, &entry)?;
        }
        for sql in [
            "DELETE FROM link WHERE owner = ?1",
            "DELETE FROM link WHERE target = ?1",
            "DELETE FROM record WHERE number = ?1",
        ] {
            self.execute(sql, params![record.number]).map_err(failed)?;
        }
        self.count(scope, -1)
    }

    fn check_free(&self, scope: Scope, entry: &IndexEntry) -> Result<(), StoreError> {
        let field = self.symbols.member(scope.spec.name, entry.path);
        let taken = self
            .connection
            .prepare_cached("SELECT 1 FROM unique_facet WHERE account = ?1 AND field = ?2 AND value = ?3")
            .and_then(|mut select| select.exists(params![scope.account, field, entry.value]));
        if taken.map_err(failed)? { Err(StoreError::Taken(entry.path.to_owned())) } else { Ok(()) }
    }

    fn index(&self, scope: Scope, record: i64, entry: &IndexEntry) -> Result<(), StoreError> {
        let sql = if entry.unique {
            "INSERT INTO unique_facet (account, field, value, record) VALUES (?1, ?2, ?3, ?4)"
        } else {
            "INSERT INTO facet (account, field, value, record) VALUES (?1, ?2, ?3, ?4)"
        };
        let field = self.symbols.member(scope.spec.name, entry.path);
        match self.execute(sql, params![scope.account, field, entry.value, record]) {
            Ok(_) => Ok(()),
            Err(error) if is_taken(&error) => Err(StoreError::Taken(entry.path.to_owned())),
            Err(error) => Err(failed(error)),
        }
    }

    fn unindex(&self, scope: Scope, record: i64, entry: &IndexEntry) -> Result<(), StoreError> {
        let sql = if entry.unique {
            "DELETE FROM unique_facet WHERE account = ?1 AND field = ?2 AND value = ?3 AND record = ?4"
        } else {
            "DELETE FROM facet WHERE account = ?1 AND field = ?2 AND value = ?3 AND record = ?4"
        };
        let field = self.symbols.member(scope.spec.name, entry.path);
        self.execute(sql, params![scope.account, field, entry.value, record]).map(|_| ()).map_err(failed)
    }

    fn count(&self, scope: Scope, by: i64) -> Result<(), StoreError> {
        let kind = self.symbols.kind(scope.spec.name);
        self.execute(
            "INSERT INTO record_count (account, kind, records) VALUES (?1, ?2, ?3) \
             ON CONFLICT (account, kind) DO UPDATE SET records = records + excluded.records",
            params![scope.account, kind, by],
        )
        .map(|_| ())
        .map_err(failed)
    }

    fn number_of(&self, scope: Scope, id: Uuid) -> Result<Option<i64>, StoreError> {
        self.connection
            .prepare_cached("SELECT number FROM record WHERE id = ?1 AND account = ?2")
            .map_err(failed)?
            .query_row(params![id.as_bytes().as_slice(), scope.account], |row| row.get(0))
            .optional()
            .map_err(failed)
    }

    fn link(&self, scope: Scope, owner: i64, relationship: i64, target: Uuid) -> Result<(), StoreError> {
        // It was there when the rules were asked; if it is gone, they must be asked again.
        let Some(target) = self.number_of(scope, target)? else { return Err(StoreError::Conflict) };
        self.execute(
            "INSERT INTO link (owner, relationship, target) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![owner, relationship, target],
        )
        .map(|_| ())
        .map_err(failed)
    }

    fn unlink(&self, scope: Scope, owner: i64, relationship: i64, target: Uuid) -> Result<(), StoreError> {
        let Some(target) = self.number_of(scope, target)? else { return Ok(()) };
        self.execute(
            "DELETE FROM link WHERE owner = ?1 AND relationship = ?2 AND target = ?3",
            params![owner, relationship, target],
        )
        .map(|_| ())
        .map_err(failed)
    }
}

/// Deletes all records, of one account or of all, and with `accounts` the accounts and keys too.
pub(super) fn reset(connection: &Connection, account: Option<i64>, accounts: bool) -> Result<(), StoreError> {
    let of_records = [
        "DELETE FROM link WHERE owner IN (SELECT number FROM record WHERE ?1 IS NULL OR account = ?1)",
        "DELETE FROM facet WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM unique_facet WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM record_count WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM record WHERE ?1 IS NULL OR account = ?1",
    ];
    let of_accounts =
        if accounts { Some("DELETE FROM account WHERE ?1 IS NULL OR number = ?1") } else { None };
    for sql in of_records.into_iter().chain(of_accounts) {
        connection.execute(sql, params![account]).map_err(failed)?;
    }
    Ok(())
}
