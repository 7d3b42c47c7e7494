//! The statements that read and write the rows of a transfer. The parameters are the columns in their order, and then
//! the position of the row in its table, from 1, which becomes the number of rows whose own number is not part of a
//! transfer.

use crate::transfer::table::Table;

/// Selects the rows of a table in their order. A `CROSS JOIN` is executed in the order in which it is written, which is
/// the order of the rows, so nothing is sorted.
pub(super) const fn select(table: Table) -> &'static str {
    match table {
        Table::Account => {
            "SELECT number, id, name, version, features, rate_limit, record_quota, created_at FROM account ORDER BY number"
        }
        Table::ApiKey => {
            "SELECT digest, id, account, created_at, addresses, environment FROM api_key ORDER BY digest"
        }
        Table::CallbackSecret => {
            "SELECT id, account, secret, enabled, created_at FROM callback_secret ORDER BY id"
        }
        Table::TokenKey => "SELECT id, secret, created_at FROM token_key ORDER BY id",
        Table::Record => {
            "SELECT r.number, r.account, s.name, r.id, r.revision, r.created_at, r.attributes, r.meta \
             FROM record r CROSS JOIN symbol s ON s.number = r.kind ORDER BY r.number"
        }
        Table::Link => {
            "SELECT l.owner, s.name, l.target FROM link l CROSS JOIN symbol s ON s.number = l.relationship ORDER BY l.number"
        }
        Table::Document => {
            "SELECT kind, id, customer, created_at, deleted, live, revision, body FROM document ORDER BY number"
        }
        Table::DocumentKey => {
            "SELECT k.kind, d.id, k.name, k.value, k.created_at FROM document_key k \
             CROSS JOIN document d ON d.number = k.document ORDER BY k.document, k.kind, k.name, k.value"
        }
        Table::DocumentUnique => {
            "SELECT u.kind, d.id, u.name, u.value FROM document_unique u \
             CROSS JOIN document d ON d.number = u.document ORDER BY u.document, u.kind, u.name, u.value"
        }
        Table::Event => {
            "SELECT account, customer, subject, url, method, signature, body, created_at, attempts, due_at FROM outbox \
             WHERE outcome IS NULL ORDER BY number"
        }
        Table::Dropped => {
            "SELECT account, nullif(customer, x''), dropped FROM backlog WHERE dropped > 0 ORDER BY account, customer"
        }
        Table::Delivery => {
            "SELECT account, customer, subject, url, events, attempt, at, status, error FROM delivery ORDER BY number"
        }
        // An older release stored these texts as callers had sent them. They are cut to the length of those of this
        // release, and before a NUL character, where the function ends in any case: PostgreSQL refuses what is longer.
        Table::Call => {
            "SELECT id, account, trunk, ended_at, cause, code, substr(source, 1, 256), substr(destination, 1, 256), price, \
             substr(call_id, 1, 256), attributes FROM call ORDER BY number"
        }
        Table::RunningCall => {
            "SELECT id, account, trunk, answered_at, acknowledged, attributes FROM running_call WHERE node = 0 \
             ORDER BY number"
        }
        Table::CallStep => "SELECT at FROM call_step WHERE node = 0",
        Table::Job => {
            "SELECT kind, subject, account, due_at, payload, attempts, revision FROM job ORDER BY number"
        }
        Table::IdempotencyKey => {
            "SELECT scope, digest, fingerprint, request, used_at, status, content_type, body FROM idempotency_key \
             ORDER BY number"
        }
        Table::Counter => {
            "SELECT name, seq FROM sqlite_sequence WHERE name IN ('account', 'record') AND seq > 0 ORDER BY name"
        }
    }
}

/// The statements that insert a row.
pub(super) const fn inserts(table: Table) -> &'static [&'static str] {
    match table {
        Table::Account => &[
            "INSERT INTO account (number, id, name, version, features, rate_limit, record_quota, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        ],
        Table::ApiKey => &["INSERT INTO api_key (digest, id, account, created_at, addresses, environment) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"],
        Table::CallbackSecret => &[
            "INSERT INTO callback_secret (id, account, secret, enabled, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        ],
        Table::TokenKey => &["INSERT INTO token_key (id, secret, created_at) VALUES (?1, ?2, ?3)"],
        Table::Record => {
            &["INSERT INTO record (number, account, kind, id, revision, created_at, attributes, meta) \
             VALUES (?1, ?2, (SELECT number FROM symbol WHERE name = ?3), ?4, ?5, ?6, ?7, ?8)"]
        }
        Table::Link => &["INSERT INTO link (number, owner, relationship, target) \
             VALUES (?4, ?1, (SELECT number FROM symbol WHERE name = ?2), ?3)"],
        Table::Document => {
            &["INSERT INTO document (number, kind, id, customer, created_at, deleted, live, revision, body) \
             VALUES (?9, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"]
        }
        Table::DocumentKey => &["INSERT INTO document_key (kind, name, value, created_at, document) \
             VALUES (?1, ?3, ?4, ?5, (SELECT number FROM document WHERE kind = ?1 AND id = ?2))"],
        Table::DocumentUnique => &["INSERT INTO document_unique (kind, name, value, document) \
             VALUES (?1, ?3, ?4, (SELECT number FROM document WHERE kind = ?1 AND id = ?2))"],
        Table::Event => &[
            "INSERT INTO outbox (number, account, customer, subject, url, method, signature, body, created_at, attempts, \
             due_at) VALUES (?11, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        ],
        Table::Dropped => &["INSERT INTO backlog (account, customer, waiting, dropped) \
             VALUES (?1, coalesce(?2, x''), 0, ?3)"],
        Table::Delivery => &[
            "INSERT INTO delivery (number, account, customer, subject, url, events, attempt, at, status, error) \
             VALUES (?10, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        ],
        Table::Call => &[
            "INSERT INTO call (number, id, account, trunk, ended_at, cause, code, source, destination, price, call_id, \
             attributes) VALUES (?12, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        ],
        Table::RunningCall => &[
            "INSERT INTO running_call (number, id, node, account, trunk, answered_at, acknowledged, attributes) \
             VALUES (?7, ?1, 0, ?2, ?3, ?4, ?5, ?6)",
        ],
        Table::CallStep => &["INSERT INTO call_step (node, at) VALUES (0, ?1)"],
        Table::Job => {
            &["INSERT INTO job (number, kind, subject, account, due_at, payload, attempts, revision) \
             VALUES (?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"]
        }
        Table::IdempotencyKey => &[
            "INSERT INTO idempotency_key (number, scope, digest, fingerprint, request, used_at, status, content_type, \
             body) VALUES (?9, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        ],
        Table::Counter => &[
            "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        ],
    }
}

/// The statements that compute all derived rows except the index, and record that this was done.
pub(super) const DERIVE: &[&str] = &[
    "DELETE FROM record_count",
    "INSERT INTO record_count (account, kind, records, changes) \
     SELECT account, kind, count(*), count(*) FROM record GROUP BY account, kind",
    "UPDATE outbox SET first = 1 WHERE number IN (SELECT min(number) FROM outbox GROUP BY subject)",
    "INSERT INTO backlog (account, customer, waiting, due_at) \
     SELECT account, coalesce(customer, x''), count(*), min(due_at) FILTER (WHERE first = 1) FROM outbox \
     WHERE true GROUP BY account, customer \
     ON CONFLICT (account, customer) DO UPDATE SET waiting = excluded.waiting, due_at = excluded.due_at",
    "INSERT INTO idempotency_scope (scope, keys, bytes) \
     SELECT scope, count(*), coalesce(sum(length(body)), 0) FROM idempotency_key GROUP BY scope",
    // The index of every attribute is built from the first record on.
    "UPDATE indexed SET after = 0",
    "UPDATE transfer SET derived = 1",
];

/// The tables of the schema that are not part of a transfer: those with derived rows, and those that belong to one
/// file.
#[cfg(test)]
pub(super) const UNTRANSFERRED_TABLES: [&str; 12] = [
    "backlog",
    "claim",
    "commits",
    "facet",
    "idempotency_scope",
    "indexed",
    "outbox",
    "record_count",
    "sqlite_sequence",
    "symbol",
    "unclaimed",
    "unique_facet",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;
    use crate::sqlite::error::failed;

    #[test]
    fn every_table_of_the_schema_is_transferred_or_known_not_to_be() {
        let store = SqliteStore::in_memory().unwrap();
        let tables = store.connections.read(|connection| {
            let mut select = connection
                .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
                .map_err(failed)?;
            let names = select.query_map([], |row| row.get(0)).map_err(failed)?;
            names.collect::<Result<Vec<String>, _>>().map_err(failed)
        });
        for table in tables.unwrap() {
            let is_known = Table::named(&table).is_some() || UNTRANSFERRED_TABLES.contains(&table.as_str());
            assert!(
                is_known,
                "{table} is new: add it to the tables of a transfer, or to those that have no part in it"
            );
        }
    }

    #[test]
    fn every_statement_has_the_columns_of_its_table() {
        let store = SqliteStore::in_memory().unwrap();
        let checked = store.connections.read(|connection| {
            for table in Table::ALL {
                let columns = table.columns().len();
                let select = connection.prepare(select(table)).map_err(failed)?;
                assert_eq!(select.column_count(), columns, "{table:?}");
                for insert in inserts(table) {
                    let parameters = connection.prepare(insert).map_err(failed)?.parameter_count();
                    assert!([columns, columns + 1].contains(&parameters), "{table:?}");
                }
            }
            connection.execute_batch("CREATE TABLE transfer (derived INTEGER)").map_err(failed)?;
            DERIVE.iter().try_for_each(|sql| connection.prepare(sql).map(|_| ()).map_err(failed))
        });
        checked.unwrap();
    }
}
