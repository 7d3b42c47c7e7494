//! The rows of the change feed, as transactions write them and polls read them.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::Node;
use super::failure::Done;
use super::parameter::Parameter;
use super::seen::{ROW_MEMORY_MICROS, RowId};
use super::transaction::Announcement;
use crate::DocumentKind;

/// Maximum number of rows of a poll.
pub(super) const MAX_ROWS: usize = 200_000;

/// The kinds of change, which the column `what` contains.
pub(super) mod what {
    pub(in super::super) const RECORD: i16 = 0;
    pub(in super::super) const RECORD_DELETED: i16 = 1;
    pub(in super::super) const DOCUMENT: i16 = 2;
    pub(in super::super) const ACCOUNT: i16 = 3;
    pub(in super::super) const TOKEN_KEYS: i16 = 4;
    /// A reset of one account or all. The column `revision` is 1 if the accounts were deleted too.
    pub(in super::super) const RESET: i16 = 5;
    pub(in super::super) const RESET_OF_ALL: i16 = 6;
    /// A call was answered or acknowledged. The column `customer` has its trunk.
    pub(in super::super) const CALL_RUNNING: i16 = 7;
    pub(in super::super) const CALL_ENDED: i16 = 8;
    pub(in super::super) const HANG_UP: i16 = 9;
}

/// Every kind of document, in the order of the numbers that rows have.
pub(super) const DOCUMENT_KINDS: [DocumentKind; 16] = [
    DocumentKind::Platform,
    DocumentKind::Customer,
    DocumentKind::Agent,
    DocumentKind::AccessKey,
    DocumentKind::Number,
    DocumentKind::OutboundConfig,
    DocumentKind::Provider,
    DocumentKind::Route,
    DocumentKind::ProviderCall,
    DocumentKind::Call,
    DocumentKind::Flow,
    DocumentKind::FilePart,
    DocumentKind::AuditEntry,
    DocumentKind::InboundCall,
    DocumentKind::ExportPart,
    DocumentKind::PricePlan,
];

/// A row of the change feed.
#[derive(Debug, Clone)]
pub(super) struct ChangeRow {
    pub(super) what: i16,
    pub(super) account: i64,
    pub(super) kind: i64,
    pub(super) number: i64,
    pub(super) revision: i64,
    pub(super) subject: Uuid,
    pub(super) customer: Uuid,
}

/// Writes the announcements of a transaction. Returns the greatest position of the rows.
pub(super) async fn write_rows(
    client: &Client,
    node: &Node,
    rows: &[i64],
    announced: &[Announcement],
) -> Done<i64> {
    let rows_of_changes = announced.iter().map(|announcement| row_of(node, announcement)).collect::<Vec<_>>();
    let column = |value: fn(&ChangeRow) -> i64| rows_of_changes.iter().map(value).collect::<Vec<i64>>();
    let (what, account, kind) =
        (column(|row| row.what.into()), column(|row| row.account), column(|row| row.kind));
    let (number, revision) = (column(|row| row.number), column(|row| row.revision));
    let subject: Vec<Uuid> = rows_of_changes.iter().map(|row| row.subject).collect();
    let customer: Vec<Uuid> = rows_of_changes.iter().map(|row| row.customer).collect();
    let insert = "WITH new AS (INSERT INTO change \
                  (position, row_id, node, what, account, kind, number, revision, subject, customer) \
                  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, r, $1, w, a, k, n, v, s, c \
                  FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::uuid[], $9::uuid[]) \
                  AS given (r, w, a, k, n, v, s, c) RETURNING position) SELECT max(position) FROM new";
    let written = client
        .query_typed_one(
            insert,
            &[
                (&node.number, Type::INT8),
                (&rows, Type::INT8_ARRAY),
                (&what, Type::INT8_ARRAY),
                (&account, Type::INT8_ARRAY),
                (&kind, Type::INT8_ARRAY),
                (&number, Type::INT8_ARRAY),
                (&revision, Type::INT8_ARRAY),
                (&subject, Type::UUID_ARRAY),
                (&customer, Type::UUID_ARRAY),
            ],
        )
        .await?;
    Ok(written.try_get(0)?)
}

fn row_of(node: &Node, announcement: &Announcement) -> ChangeRow {
    let nothing = ChangeRow {
        what: 0,
        account: 0,
        kind: 0,
        number: 0,
        revision: 0,
        subject: Uuid::nil(),
        customer: Uuid::nil(),
    };
    match announcement {
        Announcement::Record { account, record, .. } => ChangeRow {
            what: what::RECORD,
            account: *account,
            kind: node.symbols.kind(record.kind),
            number: record.number,
            revision: record.revision,
            subject: record.id,
            ..nothing
        },
        Announcement::RecordDeleted { account, kind, id, number } => ChangeRow {
            what: what::RECORD_DELETED,
            account: *account,
            kind: node.symbols.kind(kind),
            number: *number,
            subject: *id,
            ..nothing
        },
        Announcement::Document { kind, id, customer, revision } => ChangeRow {
            what: what::DOCUMENT,
            kind: *kind as i64,
            revision: *revision,
            subject: *id,
            customer: *customer,
            ..nothing
        },
        Announcement::Account { number } => ChangeRow { what: what::ACCOUNT, account: *number, ..nothing },
        Announcement::CallRunning { account, trunk, call } => ChangeRow {
            what: what::CALL_RUNNING,
            account: *account,
            subject: *call,
            customer: *trunk,
            ..nothing
        },
        Announcement::CallEnded { account, trunk, call } => ChangeRow {
            what: what::CALL_ENDED,
            account: *account,
            subject: *call,
            customer: *trunk,
            ..nothing
        },
        Announcement::HangUp { call } => ChangeRow { what: what::HANG_UP, subject: *call, ..nothing },
        Announcement::TokenKeys => ChangeRow { what: what::TOKEN_KEYS, ..nothing },
        Announcement::Reset { account: Some(account), accounts } => {
            ChangeRow { what: what::RESET, account: *account, revision: (*accounts).into(), ..nothing }
        }
        Announcement::Reset { account: None, accounts } => {
            ChangeRow { what: what::RESET_OF_ALL, revision: (*accounts).into(), ..nothing }
        }
    }
}

/// Reads the calls that a node wanted to end, from a position on.
pub(super) async fn read_hang_ups(client: &Client, from: i64) -> Done<Vec<Uuid>> {
    let select =
        "SELECT subject FROM change WHERE position > $1 AND what = $2 ORDER BY position, row_id LIMIT $3";
    let most = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    let parameters: [Parameter<'_>; 3] =
        [(&from, Type::INT8), (&what::HANG_UP, Type::INT2), (&most, Type::INT8)];
    client.query_typed(select, &parameters).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The result of a poll.
pub(super) struct Polled {
    /// The database's time in microseconds.
    pub(super) now: i64,
    /// When the oldest transaction in progress began, at most [`ROW_MEMORY_MICROS`] ago.
    pub(super) oldest: i64,
    /// The rows with their positions.
    pub(super) rows: Vec<(i64, RowId, ChangeRow)>,
}

/// Reads the rows after a position, in the order of the positions.
pub(super) async fn read_rows(client: &Client, from: i64) -> Done<Polled> {
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
               (SELECT (extract(epoch FROM min(xact_start)) * 1000000)::bigint FROM pg_stat_activity \
               WHERE datname = current_database() AND backend_xid IS NOT NULL)";
    let rows = "SELECT position, row_id, what, account, kind, number, revision, subject, customer, node FROM change \
                WHERE position > $1 ORDER BY position, row_id LIMIT $2";
    let most = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    // The first statement is executed first, so that it finds every transaction whose rows the second one may miss.
    let parameters: [Parameter<'_>; 2] = [(&from, Type::INT8), (&most, Type::INT8)];
    let (times, rows) =
        tokio::try_join!(biased; client.query_typed_one(now, &[]), client.query_typed(rows, &parameters))?;
    let now: i64 = times.try_get(0)?;
    // A session of an operator may stay in its transaction. Positions before the rows that are kept are not read again.
    let oldest = times.try_get::<_, Option<i64>>(1)?.unwrap_or(now).max(now - ROW_MEMORY_MICROS);
    let row = |row: &Row| -> Done<(i64, RowId, ChangeRow)> {
        let of = ChangeRow {
            what: row.try_get(2)?,
            account: row.try_get(3)?,
            kind: row.try_get(4)?,
            number: row.try_get(5)?,
            revision: row.try_get(6)?,
            subject: row.try_get(7)?,
            customer: row.try_get(8)?,
        };
        Ok((row.try_get(0)?, (row.try_get(9)?, row.try_get(1)?), of))
    };
    Ok(Polled { now, oldest, rows: rows.iter().map(row).collect::<Done<_>>()? })
}
