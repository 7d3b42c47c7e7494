//! The documents of the communication platform, and their index keys.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};
use uuid::Uuid;

use super::error::{failed, is_taken};
use super::row::uuid;
use super::wide_insert::WideInsert;
use crate::{Aged, Document, DocumentKind, DocumentQuery, KeyedPage, NewDocument, StoreError};

/// The columns that [`read`] reads.
const COLUMNS: &str = "d.number, d.id, d.customer, d.created_at, d.deleted, d.revision, d.body";

/// Returns a function that reads a document from [`COLUMNS`].
fn read(kind: DocumentKind) -> impl Fn(&Row<'_>) -> rusqlite::Result<Document> {
    move |row| {
        Ok(Document {
            kind,
            number: row.get(0)?,
            id: uuid(row, 1)?,
            customer: uuid(row, 2)?,
            created_at: row.get(3)?,
            deleted: row.get(4)?,
            revision: row.get(5)?,
            body: row.get(6)?,
        })
    }
}

pub(super) fn find(
    connection: &Connection,
    kind: DocumentKind,
    id: Uuid,
) -> Result<Option<Document>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM document d WHERE d.kind = ?1 AND d.id = ?2"))
        .map_err(failed)?
        .query_row(params![kind as i64, id.as_bytes().as_slice()], read(kind))
        .optional()
        .map_err(failed)
}

pub(super) fn find_unique(
    connection: &Connection,
    kind: DocumentKind,
    name: &str,
    value: &str,
) -> Result<Option<Document>, StoreError> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM document_unique u JOIN document d ON d.number = u.document \
             WHERE u.kind = ?1 AND u.name = ?2 AND u.value = ?3"
        ))
        .map_err(failed)?
        .query_row(params![kind as i64, name, value], read(kind))
        .optional()
        .map_err(failed)
}

pub(super) fn list(connection: &Connection, query: &DocumentQuery) -> Result<Vec<Document>, StoreError> {
    let kind = query.kind;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows = match &query.key {
        None if query.live => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM document d WHERE d.kind = ?1 AND d.live = 1 AND d.created_at < ?2 \
                 ORDER BY d.created_at DESC LIMIT ?3"
            ))
            .map_err(failed)?
            .query_map(params![kind as i64, query.before, limit], read(kind))
            .map_err(failed)?
            .collect::<Result<_, _>>(),
        None => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM document d WHERE d.kind = ?1 AND d.deleted = 0 AND d.created_at < ?2 \
                 ORDER BY d.created_at DESC LIMIT ?3"
            ))
            .map_err(failed)?
            .query_map(params![kind as i64, query.before, limit], read(kind))
            .map_err(failed)?
            .collect::<Result<_, _>>(),
        Some((name, value)) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM document_key k JOIN document d ON d.number = k.document \
                 WHERE k.kind = ?1 AND k.name = ?2 AND k.value = ?3 AND k.created_at < ?4 \
                 ORDER BY k.created_at DESC LIMIT ?5"
            ))
            .map_err(failed)?
            .query_map(params![kind as i64, name, value, query.before, limit], read(kind))
            .map_err(failed)?
            .collect::<Result<_, _>>(),
    };
    rows.map_err(failed)
}

/// Selects the documents with a key, the oldest first, after a position.
const PAGE: &str = "SELECT d.number, d.id, d.customer, d.created_at, d.deleted, d.revision, d.body \
    FROM document_key k JOIN document d ON d.number = k.document \
    WHERE k.kind = ?1 AND k.name = ?2 AND k.value = ?3 AND (k.created_at, k.document) > (?4, ?5) \
    AND k.created_at < ?6 ORDER BY k.created_at, k.document LIMIT ?7";

pub(super) fn page(connection: &Connection, page: &KeyedPage) -> Result<Vec<Document>, StoreError> {
    let KeyedPage { kind, key: (name, value), after: (created_at, number), before, limit } = page;
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(PAGE).map_err(failed)?;
    let rows = select
        .query_map(params![*kind as i64, name, value, created_at, number, before, limit], read(*kind))
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn count(
    connection: &Connection,
    kind: DocumentKind,
    name: &str,
    value: &str,
) -> Result<u64, StoreError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM document_key WHERE kind = ?1 AND name = ?2 AND value = ?3")
        .map_err(failed)?
        .query_row(params![kind as i64, name, value], |row| row.get::<_, i64>(0))
        .map_err(failed)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Selects documents by kind and deletion mark from the oldest on.
const AGED: &str = "SELECT d.number, d.id, d.customer, d.created_at, d.deleted, d.revision, d.body FROM document d \
    WHERE d.kind = ?1 AND d.deleted = ?2 AND d.live = 0 AND d.created_at >= ?3 AND d.created_at < ?4 \
    ORDER BY d.created_at LIMIT ?5";

pub(super) fn aged(connection: &Connection, query: Aged) -> Result<Vec<Document>, StoreError> {
    let Aged { kind, deleted, from, before, limit } = query;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(AGED).map_err(failed)?;
    let rows =
        select.query_map(params![kind as i64, deleted, from, before, limit], read(kind)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Deletes a document and its keys, if its revision still matches.
pub(super) fn delete(
    connection: &Connection,
    kind: DocumentKind,
    id: Uuid,
    revision: i64,
) -> Result<(), StoreError> {
    let number: Option<i64> = connection
        .prepare_cached("DELETE FROM document WHERE kind = ?1 AND id = ?2 AND revision = ?3 RETURNING number")
        .map_err(failed)?
        .query_row(params![kind as i64, id.as_bytes().as_slice(), revision], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let Some(number) = number else { return Ok(()) };
    for table in ["document_key", "document_unique"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE document = ?1"))
            .and_then(|mut delete| delete.execute([number]))
            .map_err(failed)?;
    }
    Ok(())
}

/// Writes a document: inserts it if `revision` is `None`, else replaces it if its revision still matches.
pub(super) fn put(
    connection: &Connection,
    revision: Option<i64>,
    document: &NewDocument,
) -> Result<(), StoreError> {
    let (kind, id) = (document.kind as i64, document.id.as_bytes().as_slice());
    let number = match revision {
        None => {
            if document.keyed {
                check_free(connection, document)?;
            }
            let inserted = connection
                .prepare_cached(
                    "INSERT INTO document (kind, id, customer, created_at, deleted, live, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )
                .and_then(|mut insert| {
                    insert.execute(params![
                        kind,
                        id,
                        document.customer.as_bytes().as_slice(),
                        document.created_at,
                        document.deleted,
                        document.live,
                        document.body,
                    ])
                });
            match inserted {
                Ok(_) => connection.last_insert_rowid(),
                Err(error) if is_taken(&error) => return Err(StoreError::Taken("id".to_owned())),
                Err(error) => return Err(failed(error)),
            }
        }
        Some(revision) => {
            replace(connection, revision, document)?;
            if !document.keyed {
                return Ok(());
            }
            connection
                .prepare_cached("SELECT number FROM document WHERE kind = ?1 AND id = ?2")
                .and_then(|mut select| select.query_row(params![kind, id], |row| row.get(0)))
                .map_err(failed)?
        }
    };
    if document.keyed { write_keys(connection, number, revision.is_none(), document) } else { Ok(()) }
}

/// Fails if another document has a unique key of a new one. It is checked before anything is changed: this way it needs
/// no rollback.
fn check_free(connection: &Connection, document: &NewDocument) -> Result<(), StoreError> {
    let NewDocument { kind, id, unique, .. } = document;
    for (name, value) in unique {
        let taken = connection
            .prepare_cached("SELECT 1 FROM document_unique WHERE kind = ?1 AND name = ?2 AND value = ?3")
            .and_then(|mut select| select.exists(params![*kind as i64, name, value]));
        if taken.map_err(failed)? {
            let is_stored = find(connection, *kind, *id)?.is_some();
            return Err(StoreError::Taken(if is_stored { "id" } else { *name }.to_owned()));
        }
    }
    Ok(())
}

/// Replaces a document if its revision still matches. The engine rewrites every index with a column that the statement
/// names, so columns that cannot change are left out: a document never becomes undeleted or live again.
fn replace(connection: &Connection, revision: i64, document: &NewDocument) -> Result<(), StoreError> {
    let flags = match (document.deleted, document.live) {
        (false, true) => "",
        (false, false) => "live = 0, ",
        (true, false) => "deleted = 1, live = 0, ",
        (true, true) => "deleted = 1, ",
    };
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE document SET {flags}body = ?4, revision = revision + 1 \
             WHERE kind = ?1 AND id = ?2 AND revision = ?3"
        ))
        .and_then(|mut update| {
            let id = document.id.as_bytes().as_slice();
            update.execute(params![document.kind as i64, id, revision, document.body])
        })
        .map_err(failed)?;
    if changed == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

static INSERT_KEYS: LazyLock<WideInsert> = LazyLock::new(|| {
    WideInsert::new("document_key (kind, document, created_at, name, value)", 3, |own| {
        format!("(?1, ?2, ?3, ?{own}, ?{})", own + 1)
    })
});
static INSERT_UNIQUE: LazyLock<WideInsert> = LazyLock::new(|| {
    WideInsert::new("document_unique (kind, document, name, value)", 2, |own| {
        format!("(?1, ?2, ?{own}, ?{})", own + 1)
    })
});

/// Inserts and deletes index keys, so that the tables contain exactly the keys of the document.
fn write_keys(
    connection: &Connection,
    number: i64,
    new: bool,
    document: &NewDocument,
) -> Result<(), StoreError> {
    let kind = document.kind as i64;
    let keys: &[(&'static str, String)] = if document.deleted { &[] } else { &document.keys };
    let rows = missing_keys(connection, "document_key", number, new, keys)?;
    INSERT_KEYS
        .execute(connection, &[kind, number, document.created_at], &rows)
        .map_err(|error| if is_taken(&error) { repeated(&rows) } else { failed(error) })?;
    // One by one, because an error names the key that another document has.
    for row in missing_keys(connection, "document_unique", number, new, &document.unique)? {
        let taken = || StoreError::Taken(row.0.to_owned());
        INSERT_UNIQUE
            .execute(connection, &[kind, number], &[row])
            .map_err(|error| if is_taken(&error) { taken() } else { failed(error) })?;
    }
    Ok(())
}

/// Deletes the keys in a table that a document must no longer have. Returns those that it does not have yet.
fn missing_keys<'a>(
    connection: &Connection,
    table: &str,
    number: i64,
    new: bool,
    wanted: &'a [(&'static str, String)],
) -> Result<Vec<(&'a str, &'a str)>, StoreError> {
    if new {
        return Ok(wanted.iter().map(|(name, value)| (*name, value.as_str())).collect());
    }
    let stored: Vec<(String, String)> = connection
        .prepare_cached(&format!("SELECT name, value FROM {table} WHERE document = ?1"))
        .map_err(failed)?
        .query_map(params![number], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let same = |(name, value): &(String, String), other: &(&'static str, String)| {
        name == other.0 && *value == other.1
    };
    for removed in stored.iter().filter(|stored| !wanted.iter().any(|wanted| same(stored, wanted))) {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE document = ?1 AND name = ?2 AND value = ?3"))
            .map_err(failed)?
            .execute(params![number, removed.0, removed.1])
            .map_err(failed)?;
    }
    let added = wanted.iter().filter(|wanted| !stored.iter().any(|stored| same(stored, wanted)));
    Ok(added.map(|(name, value)| (*name, value.as_str())).collect())
}

/// The error for a document that names one of its keys twice.
fn repeated(keys: &[(&str, &str)]) -> StoreError {
    let again =
        keys.iter().enumerate().find(|(at, key)| keys.iter().take(*at).any(|earlier| earlier == *key));
    StoreError::Taken(again.map(|(_, key)| key.0.to_owned()).unwrap_or_default())
}

/// Selects the next kind with documents.
const NEXT_KIND: &str = "SELECT min(kind) FROM document WHERE kind > ?1";

/// Selects the time of creation of the newest document of a kind, of the deleted ones or of the others.
const NEWEST: &str = "SELECT max(created_at) FROM document WHERE kind = ?1 AND deleted = ?2";

/// Returns when the newest document of any kind was created; zero if there is none. It searches each kind separately:
/// nothing else needs an index of all documents by time.
pub(super) fn newest(connection: &Connection) -> Result<i64, StoreError> {
    let one = |sql: &str, parameters: &[&dyn ToSql]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut select| select.query_row(parameters, |row| row.get::<_, Option<i64>>(0)))
            .map_err(failed)
    };
    let (mut newest, mut before) = (0, -1);
    while let Some(kind) = one(NEXT_KIND, params![before])? {
        for deleted in [false, true] {
            newest = newest.max(one(NEWEST, params![kind, deleted])?.unwrap_or_default());
        }
        before = kind;
    }
    Ok(newest)
}

/// Deletes all documents except the state of the platform, customers, and their credentials and configuration. A reset
/// keeps those, like accounts and keys, and the price plans of accounts unless the accounts are deleted too.
pub(super) fn reset(connection: &Connection, accounts: bool) -> Result<(), StoreError> {
    use DocumentKind::{AccessKey, Agent, Customer, Number, OutboundConfig, Platform, PricePlan};
    let of_accounts = (!accounts).then_some(PricePlan);
    let kept: Vec<String> = [Platform, Customer, Agent, AccessKey, Number, OutboundConfig]
        .into_iter()
        .chain(of_accounts)
        .map(|kind| (kind as i64).to_string())
        .collect();
    for table in ["document_key", "document_unique", "document"] {
        connection
            .execute(&format!("DELETE FROM {table} WHERE kind NOT IN ({})", kept.join(", ")), [])
            .map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
