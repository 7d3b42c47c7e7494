//! Writes single records, with their index, their links and their counts, inside the transaction of a write.

use didww_types::ResourceSpec;
use rusqlite::{
    Connection, OptionalExtension as _, ToSql, params, types::ToSqlOutput, types::Value as SqlValue,
};
use serde_json::Value;
use uuid::Uuid;

use super::claims;
use super::error::{failed, is_taken};
use super::facets;
use super::row::{find, record, uuid};
use super::sums;
use super::symbols::Symbols;
use crate::content::Content;
use crate::directory::SharedDirectory;
use crate::index::IndexEntry;
use crate::{IndexValue, NO_ACCOUNT, Record, Scope, StoreError};

impl ToSql for IndexValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => ToSqlOutput::from(*number),
            Self::Text(text) => ToSqlOutput::from(text.as_str()),
            // Blobs sort after texts, so null is last, as in the database of the original service.
            Self::Null => ToSqlOutput::Owned(SqlValue::Blob(Vec::new())),
        })
    }
}

/// The maximum numbers of records of each type in an account.
pub(super) struct Quotas {
    /// The accounts with their own quotas.
    pub(super) directory: SharedDirectory,
    /// The quota of the other accounts. `None` means no limit.
    pub(super) default: Option<u64>,
}

/// Writes records, their index and their links.
pub(super) struct RecordWriter<'a> {
    pub(super) connection: &'a Connection,
    pub(super) symbols: &'a Symbols,
}

/// A record after it was [replaced](RecordWriter::replace).
pub(super) fn replaced(before: &Record, content: &Content, meta: Option<&str>) -> Record {
    let Record { number, id, kind, revision, .. } = *before;
    let (attributes, meta) = (content.text.clone(), meta.or(before.meta.as_deref()).map(str::to_owned));
    Record { number, id, kind, revision: revision + 1, attributes, meta }
}

impl RecordWriter<'_> {
    fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(parameters)
    }

    /// Inserts a record. Returns its number.
    pub(super) fn insert(
        &self,
        scope: Scope,
        id: Uuid,
        created_at: i64,
        content: &Content,
        links: &[(&'static str, Vec<Uuid>)],
        meta: Option<&str>,
    ) -> Result<i64, StoreError> {
        let Content { text, gained: entries, .. } = content;
        // Checked before any change: a name that is taken is a frequent mistake, and this way it needs no rollback.
        for entry in entries.iter().filter(|entry| entry.unique) {
            self.check_free(scope, entry)?;
        }
        claims::check_free(self.connection, self.symbols, scope, entries)?;
        let kind = self.symbols.kind(scope.spec.name);
        let inserted = self.execute(
            "INSERT INTO record (account, kind, id, created_at, attributes, meta) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![scope.owner(), kind, id.as_bytes().as_slice(), created_at, text, meta],
        );
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Err(StoreError::Taken("id".to_owned())),
            Err(error) => return Err(failed(error)),
        }
        let number = self.connection.last_insert_rowid();
        facets::insert(self.connection, self.symbols, scope, number, entries)?;
        claims::insert(self.connection, self.symbols, scope, number, entries)?;
        self.count_change(scope, 1)?;
        for (relationship, targets) in links {
            let relationship = self.symbols.member(scope.spec.name, relationship);
            for target in targets {
                self.link(scope, number, relationship, *target)?;
            }
        }
        Ok(number)
    }

    pub(super) fn replace(
        &self,
        scope: Scope,
        before: &Record,
        content: &Content,
        links: &[(&'static str, Vec<Uuid>)],
        meta: Option<&str>,
    ) -> Result<(), StoreError> {
        let Content { text, gained, released } = content;
        let meta = meta.or(before.meta.as_deref());
        // Checked before anything is changed, as for a new record: otherwise its whole group runs a second time.
        if gained.iter().any(|entry| entry.unique || entry.everywhere) {
            self.check_unchanged(before)?;
            claims::check_free(self.connection, self.symbols, scope, gained)?;
            for entry in gained.iter().filter(|entry| entry.unique) {
                self.check_free(scope, entry)?;
            }
        }
        let changed = self
            .execute(
                "UPDATE record SET attributes = ?1, meta = ?5, revision = revision + 1 \
                 WHERE number = ?2 AND id = ?3 AND revision = ?4",
                params![text, before.number, before.id.as_bytes().as_slice(), before.revision, meta],
            )
            .map_err(failed)?;
        if changed == 0 {
            return Err(StoreError::Conflict);
        }
        self.count_change(scope, 0)?;
        claims::remove(self.connection, self.symbols, scope, before, released)?;
        claims::insert(self.connection, self.symbols, scope, before.number, gained)?;
        facets::delete(self.connection, self.symbols, scope, before.number, released)?;
        facets::insert(self.connection, self.symbols, scope, before.number, gained)?;
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
        Ok(())
    }

    /// Adds members to a relationship of a record, or removes them from it.
    pub(super) fn change_members(
        &self,
        scope: Scope,
        owner: i64,
        relationship: &'static str,
        add: bool,
        members: &[Uuid],
    ) -> Result<(), StoreError> {
        // Pages that show the members depend on them.
        self.count_change(scope, 0)?;
        let relationship = self.symbols.member(scope.spec.name, relationship);
        for member in members {
            if add {
                self.link(scope, owner, relationship, *member)?;
            } else {
                self.unlink(scope, owner, relationship, *member)?;
            }
        }
        Ok(())
    }

    /// Fails unless the revision of a record still matches.
    pub(super) fn check_unchanged(&self, record: &Record) -> Result<(), StoreError> {
        let same = self
            .connection
            .prepare_cached("SELECT 1 FROM record WHERE number = ?1 AND id = ?2 AND revision = ?3")
            .and_then(|mut select| {
                select.exists(params![record.number, record.id.as_bytes().as_slice(), record.revision])
            });
        if same.map_err(failed)? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Fails if the link exists.
    pub(super) fn check_unlinked(
        &self,
        owners: Scope,
        relationship: &'static str,
        target: Uuid,
    ) -> Result<(), StoreError> {
        let is_shared = owners.leads_to_shared(relationship);
        let relationship = self.symbols.member(owners.spec.name, relationship);
        let linked = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM link l JOIN record t ON t.number = l.target JOIN record o ON o.number = l.owner \
                 WHERE t.id = ?1 AND (?4 OR o.account = ?2) AND l.relationship = ?3",
            )
            .and_then(|mut select| {
                select.exists(params![target.as_bytes().as_slice(), owners.owner(), relationship, is_shared])
            });
        if linked.map_err(failed)? { Err(StoreError::Conflict) } else { Ok(()) }
    }

    /// Changes a sum in a record. Returns `None` if the record was deleted by the same write.
    pub(super) fn change_sum(
        &self,
        number: i64,
        spec: &'static ResourceSpec,
        sum: &'static str,
        difference: i64,
    ) -> Result<Option<(Scope, Record)>, StoreError> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT number, id, revision, attributes, meta, account FROM record WHERE number = ?1",
            )
            .map_err(failed)?
            .query_row([number], |row| Ok((record(row, spec.name)?, row.get(5)?)))
            .optional()
            .map_err(failed)?;
        let Some((before, account)) = found else { return Ok(None) };
        let mut attributes = before.attributes()?;
        let referred = spec.attribute(sum).filter(|attribute| attribute.is_referred());
        let value = if let Some(attribute) = referred {
            let is_referred = sums::is_referred(self.connection, self.symbols, attribute, number);
            Value::from(is_referred.map_err(failed)?)
        } else {
            let value = attributes.get(sum).and_then(Value::as_i64).unwrap_or_default();
            Value::from(value.saturating_add(difference))
        };
        if attributes.insert(sum.to_owned(), value.clone()) == Some(value) {
            return Ok(None);
        }
        let scope = Scope { account, spec };
        let content = Content::of_changed(self.symbols, spec, &before, &attributes)?;
        self.replace(scope, &before, &content, &[], None)?;
        Ok(Some((scope, replaced(&before, &content, None))))
    }

    /// Increments the revision of a record, if it still matches.
    pub(super) fn increment_revision(&self, record: &Record) -> Result<(), StoreError> {
        let changed = self
            .execute(
                "UPDATE record SET revision = revision + 1 WHERE number = ?1 AND id = ?2 AND revision = ?3",
                params![record.number, record.id.as_bytes().as_slice(), record.revision],
            )
            .map_err(failed)?;
        if changed == 0 { Err(StoreError::Conflict) } else { Ok(()) }
    }

    pub(super) fn delete(&self, scope: Scope, id: Uuid) -> Result<(), StoreError> {
        let Some(record) = find(self.connection, self.symbols, scope, id)? else {
            return Err(StoreError::Conflict);
        };
        let entries = self.symbols.index_of(scope.spec, &record.attributes()?);
        facets::delete(self.connection, self.symbols, scope, record.number, &entries)?;
        claims::remove(self.connection, self.symbols, scope, &record, &entries)?;
        for sql in [
            "DELETE FROM link WHERE owner = ?1",
            "DELETE FROM link WHERE target = ?1",
            "DELETE FROM record WHERE number = ?1",
        ] {
            self.execute(sql, params![record.number]).map_err(failed)?;
        }
        self.count_change(scope, -1)
    }

    /// Refuses a further record if the account has reached its quota. It is checked before anything is changed:
    /// refusals can be frequent, and this way they need no rollback.
    pub(super) fn check_quota(&self, scope: Scope, quotas: &Quotas) -> Result<(), StoreError> {
        // Records that belong to no account are not created by customers.
        if scope.spec.global {
            return Ok(());
        }
        let quota = scope.quota(quotas.directory.read().quota(scope.account, quotas.default));
        let Some(max) = quota else { return Ok(()) };
        let records: Option<i64> = self
            .connection
            .prepare_cached("SELECT records FROM record_count WHERE account = ?1 AND kind = ?2")
            .map_err(failed)?
            .query_row(params![scope.owner(), self.symbols.kind(scope.spec.name)], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        if u64::try_from(records.unwrap_or_default()).unwrap_or_default() < max {
            return Ok(());
        }
        Err(StoreError::Quota { kind: scope.spec.name, most: max })
    }

    /// Fails if another record of the account has the value of a unique attribute.
    fn check_free(&self, scope: Scope, entry: &IndexEntry) -> Result<(), StoreError> {
        let field = self.symbols.member(scope.spec.name, entry.path);
        let taken = self
            .connection
            .prepare_cached("SELECT 1 FROM unique_facet WHERE account = ?1 AND field = ?2 AND value = ?3")
            .and_then(|mut select| select.exists(params![scope.owner(), field, entry.value]));
        if taken.map_err(failed)? { Err(entry.taken()) } else { Ok(()) }
    }

    /// Counts a change among the records of a type, and adds `by` to their number.
    fn count_change(&self, scope: Scope, by: i64) -> Result<(), StoreError> {
        let kind = self.symbols.kind(scope.spec.name);
        // All but the first change of an account find the row; `INSERT … ON CONFLICT` would look it up twice.
        let counted = self
            .execute(
                "UPDATE record_count SET records = records + ?3, changes = changes + 1 \
                 WHERE account = ?1 AND kind = ?2",
                params![scope.owner(), kind, by],
            )
            .map_err(failed)?;
        if counted == 0 {
            self.execute(
                "INSERT INTO record_count (account, kind, records, changes) VALUES (?1, ?2, ?3, 1)",
                params![scope.owner(), kind, by],
            )
            .map_err(failed)?;
        }
        Ok(())
    }

    /// Returns the members of each relationship of a record, in the order in which they were linked.
    pub(super) fn links(
        &self,
        spec: &'static ResourceSpec,
        owner: i64,
    ) -> Result<Vec<(&'static str, Vec<Uuid>)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT l.relationship, r.id FROM link l JOIN record r ON r.number = l.target \
                 WHERE l.owner = ?1 ORDER BY l.number",
            )
            .map_err(failed)?;
        let rows = statement
            .query_map(params![owner], |row| Ok((row.get::<_, i64>(0)?, uuid(row, 1)?)))
            .map_err(failed)?;
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let of = |name: &'static str| {
            let number = self.symbols.member(spec.name, name);
            rows.iter().filter(|(relationship, _)| *relationship == number).map(|(_, id)| *id).collect()
        };
        Ok(spec.relationships.iter().map(|rel| (rel.name, of(rel.name))).collect())
    }

    /// Returns the number of a record to which a record of this scope can link: one of the same owner, or of none.
    fn number_of(&self, scope: Scope, id: Uuid) -> Result<Option<i64>, StoreError> {
        self.connection
            .prepare_cached("SELECT number FROM record WHERE id = ?1 AND account IN (?2, ?3)")
            .map_err(failed)?
            .query_row(params![id.as_bytes().as_slice(), scope.owner(), NO_ACCOUNT], |row| row.get(0))
            .optional()
            .map_err(failed)
    }

    fn link(&self, scope: Scope, owner: i64, relationship: i64, target: Uuid) -> Result<(), StoreError> {
        let linked = self
            .execute(
                "INSERT OR IGNORE INTO link (owner, relationship, target) \
                 SELECT ?1, ?2, number FROM record WHERE id = ?3 AND account IN (?4, ?5)",
                params![owner, relationship, target.as_bytes().as_slice(), scope.owner(), NO_ACCOUNT],
            )
            .map_err(failed)?;
        // Nothing is inserted if the link exists already. A missing target existed when the caller applied the rules,
        // and was deleted since: the caller must apply them again.
        if linked == 0 && self.number_of(scope, target)?.is_none() {
            return Err(StoreError::Conflict);
        }
        Ok(())
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
