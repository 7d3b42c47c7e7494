//! The statements that read and write the rows of a transfer. Reads return the types of the columns' kinds: `bigint`,
//! `boolean`, `text`, `uuid`, `bytea`. Writes read a table `given` with the columns, those of [`derived`], and `place`,
//! the position of the row in its table from 1, which becomes the number of rows whose own number is not part of a
//! transfer.

use crate::transfer::table::{Kind, Table};

/// Selects the rows of a table in their order.
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
             FROM record r JOIN symbol s ON s.number = r.kind ORDER BY r.number"
        }
        Table::Link => {
            "SELECT l.owner, s.name, l.target FROM link l JOIN symbol s ON s.number = l.relationship ORDER BY l.number"
        }
        Table::Document => {
            "SELECT kind::bigint, id, customer, created_at, deleted, live, revision, body FROM document \
             ORDER BY number, kind, id"
        }
        Table::DocumentKey => {
            "SELECT kind::bigint, id, name, value, created_at FROM document_key ORDER BY number, kind, id, name, value"
        }
        Table::DocumentUnique => {
            "SELECT u.kind::bigint, u.id, u.name, u.value FROM document_unique u \
             JOIN document d ON d.kind = u.kind AND d.id = u.id ORDER BY d.number, u.kind, u.id, u.name, u.value"
        }
        Table::Event => {
            "SELECT account, nullif(customer, '00000000-0000-0000-0000-000000000000'), subject, url, method, signature, \
             body, created_at, attempts, due_at FROM outbox ORDER BY number, subject"
        }
        Table::Dropped => {
            "SELECT account, nullif(customer, '00000000-0000-0000-0000-000000000000'), sum(dropped)::bigint \
             FROM outbox_lane GROUP BY account, customer HAVING sum(dropped) > 0 ORDER BY account, customer"
        }
        Table::Delivery => {
            "SELECT account, nullif(customer, '00000000-0000-0000-0000-000000000000'), subject, url, events, attempt, at, \
             status::bigint, error FROM delivery ORDER BY number"
        }
        Table::Call => {
            "SELECT id, account, trunk, ended_at, cause::bigint, code::bigint, source, destination, price, call_id, \
             attributes FROM call ORDER BY number"
        }
        Table::RunningCall => {
            "SELECT id, account, trunk, answered_at, acknowledged, attributes FROM running_call r \
             WHERE NOT EXISTS (SELECT 1 FROM call c WHERE c.id = r.id) ORDER BY number, id"
        }
        // Of several nodes with calls, the earliest: a call is charged until it is known to have been running.
        Table::CallStep => {
            "SELECT at FROM (SELECT coalesce(\
                 (SELECT min(s.at) FROM call_step s WHERE EXISTS (SELECT 1 FROM running_call r WHERE r.node = s.node)), \
                 (SELECT max(s.at) FROM call_step s)) AS at) step WHERE at IS NOT NULL"
        }
        Table::Job => {
            "SELECT kind, subject, account, due_at, payload, attempts, revision FROM job ORDER BY number"
        }
        Table::IdempotencyKey => {
            "SELECT scope, digest, fingerprint, request, used_at, status::bigint, content_type, body FROM idempotency_key \
             ORDER BY number, scope, digest"
        }
        Table::Counter => {
            "SELECT name, max(value) FROM (\
                 SELECT name, value FROM counter WHERE name IN ('account', 'record') UNION ALL \
                 SELECT 'account', max(number) FROM account UNION ALL \
                 SELECT 'record', max(number) FROM record) given \
             WHERE value > 0 GROUP BY name ORDER BY name COLLATE \"C\""
        }
    }
}

/// The columns beside those of the table that the engine stores with a row, computed by this process.
pub(super) const fn derived(table: Table) -> &'static [(&'static str, Kind)] {
    match table {
        Table::Event => &[("lane", Kind::Integer)],
        Table::Call => &[("source_ip", Kind::Text), ("check_name", Kind::Text)],
        _ => &[],
    }
}

/// Inserts the rows of `given`.
pub(super) const fn insert(table: Table) -> &'static str {
    match table {
        Table::Account => {
            "INSERT INTO account (number, id, name, version, features, rate_limit, record_quota, created_at) \
             SELECT number, id, name, version, features, rate_limit, record_quota, created_at FROM given"
        }
        Table::ApiKey => {
            "INSERT INTO api_key (digest, id, account, created_at, addresses, environment) \
             SELECT digest, id, account, created_at, addresses, environment FROM given"
        }
        Table::CallbackSecret => {
            "INSERT INTO callback_secret (id, account, secret, enabled, created_at) \
             SELECT id, account, secret, enabled, created_at FROM given"
        }
        Table::TokenKey => {
            "INSERT INTO token_key (id, secret, created_at) SELECT id, secret, created_at FROM given"
        }
        Table::Record => INSERT_RECORD,
        Table::Link => {
            "INSERT INTO link (number, owner, relationship, target) \
             SELECT g.place, g.owner, s.number, g.target FROM given g JOIN symbol s ON s.name = g.relationship"
        }
        Table::Document => INSERT_DOCUMENT,
        Table::DocumentKey => INSERT_DOCUMENT_KEY,
        Table::DocumentUnique => {
            "INSERT INTO document_unique (kind, name, value, id) \
             SELECT kind::smallint, name, value, document FROM given"
        }
        Table::Event => INSERT_EVENT,
        Table::Dropped => INSERT_DROPPED,
        Table::Delivery => INSERT_DELIVERY,
        Table::Call => INSERT_CALL,
        Table::RunningCall => INSERT_RUNNING_CALL,
        Table::CallStep => "INSERT INTO call_step (node, at) SELECT 0, at FROM given",
        Table::Job => INSERT_JOB,
        Table::IdempotencyKey => INSERT_IDEMPOTENCY_KEY,
        Table::Counter => {
            "INSERT INTO counter (name, value) SELECT name, value FROM given \
             ON CONFLICT (name) DO UPDATE SET value = greatest(counter.value, excluded.value)"
        }
    }
}

const INSERT_EVENT: &str = "INSERT INTO outbox (subject, number, account, customer, lane, url, method, signature, body, created_at, \
    attempts, due_at) \
    SELECT subject, place, account, coalesce(customer, '00000000-0000-0000-0000-000000000000'), \
    lane::smallint, url, method, signature, body, created_at, attempts, due_at FROM given";
const INSERT_CALL: &str = "INSERT INTO call (number, id, account, trunk, ended_at, cause, code, source, destination, price, call_id, \
    source_ip, check_name, attributes) \
    SELECT place, id, account, trunk, ended_at, cause::integer, code::integer, source, destination, price, \
    call_id, source_ip, check_name, attributes FROM given";
const INSERT_DELIVERY: &str = "INSERT INTO delivery (number, account, customer, subject, url, events, attempt, at, status, error) \
    SELECT place, account, coalesce(customer, '00000000-0000-0000-0000-000000000000'), subject, url, events, \
    attempt, at, status::integer, error FROM given";
/// The calls are assigned to a node that does not exist, until a live node finds it dead.
const INSERT_RUNNING_CALL: &str = "INSERT INTO running_call (id, number, node, account, trunk, answered_at, acknowledged, attributes) \
    SELECT id, place, 0, account, trunk, answered_at, acknowledged, attributes FROM given";
const INSERT_IDEMPOTENCY_KEY: &str = "INSERT INTO idempotency_key (scope, digest, number, fingerprint, request, used_at, status, content_type, \
    body) SELECT scope, digest, place, fingerprint, request, used_at, status::integer, content_type, body \
    FROM given";
const INSERT_DOCUMENT_KEY: &str = "INSERT INTO document_key (kind, name, value, created_at, number, id) \
    SELECT d.kind, g.name, g.value, g.created_at, d.number, d.id \
    FROM given g JOIN document d ON d.kind = g.kind::smallint AND d.id = g.document";
const INSERT_RECORD: &str = "INSERT INTO record (number, account, kind, id, revision, created_at, attributes, meta) \
    SELECT g.number, g.account, s.number, g.id, g.revision, g.created_at, g.attributes, g.meta \
    FROM given g JOIN symbol s ON s.name = g.kind";
const INSERT_DOCUMENT: &str = "INSERT INTO document (number, kind, id, customer, created_at, deleted, live, revision, body) \
    SELECT place, kind::smallint, id, customer, created_at, deleted, live, revision, body FROM given";
const INSERT_JOB: &str = "INSERT INTO job (number, kind, subject, account, due_at, payload, attempts, revision) \
    SELECT place, kind, subject, account, due_at, payload, attempts, revision FROM given";
const INSERT_DROPPED: &str = "INSERT INTO outbox_lane (account, customer, lane, waiting, dropped, last) \
    SELECT account, coalesce(customer, '00000000-0000-0000-0000-000000000000'), 0, 0, dropped, 0 FROM given";

/// The statements that compute all derived rows except the index, and record that this was done.
pub(super) const DERIVE: &str = "\
    DELETE FROM record_count; \
    INSERT INTO record_count (account, kind, shard, records, changes) \
        SELECT account, kind, 0, count(*), count(*) FROM record GROUP BY account, kind; \
    INSERT INTO outbox_queue (subject, account, customer, lane, first, due_at) \
        SELECT DISTINCT ON (subject) subject, account, customer, lane, number, due_at FROM outbox \
        ORDER BY subject, number; \
    INSERT INTO outbox_lane (account, customer, lane, waiting, dropped, last, due_at) \
        SELECT o.account, o.customer, o.lane, count(*), 0, max(o.number), (SELECT min(q.due_at) FROM outbox_queue q \
            WHERE q.account = o.account AND q.customer = o.customer AND q.lane = o.lane) \
        FROM outbox o GROUP BY o.account, o.customer, o.lane \
        ON CONFLICT (account, customer, lane) DO UPDATE SET waiting = excluded.waiting, last = excluded.last, \
            due_at = excluded.due_at; \
    INSERT INTO idempotency_scope (scope, keys, bytes) \
        SELECT scope, count(*), coalesce(sum(octet_length(body)), 0)::bigint FROM idempotency_key GROUP BY scope; \
    UPDATE indexed SET after = 0; \
    UPDATE transfer SET derived = true";
