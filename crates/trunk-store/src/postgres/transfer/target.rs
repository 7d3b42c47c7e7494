//! Writes the rows of a transfer into an empty database. While the table `transfer` has its row, no node serves the
//! database.

use std::collections::HashSet;
use std::fmt::Write as _;

use didww_types::REGISTRY;
use serde_json::Value;
use service_base::ids::Ids;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::super::failure::{Done, Failure};
use super::super::indexing;
use super::super::migrate::{BEGIN, Lease};
use super::super::open_error::PostgresOpenError;
use super::super::outbox::lane_of;
use super::super::symbols::Symbols;
use super::source::ServerSource;
use super::statements::{DERIVE, derived, insert, select};
use super::{connect, failed, refused};
use crate::StoreError;
use crate::storable::{check_characters, check_indexed};
use crate::transfer::error::TransferError;
use crate::transfer::pages::Pages;
use crate::transfer::place::Place;
use crate::transfer::row::{Cell, Page, Row};
use crate::transfer::table::{Kind, Table};
use crate::transfer::tally::{Mark, Total};

/// An empty database on a server.
pub(crate) struct ServerTarget {
    client: Client,
    place: Place,
    symbols: Symbols,
    /// The names of types and relationships that have a symbol.
    known: HashSet<String>,
    /// The position at which the last page ended.
    mark: Mark,
}

impl std::fmt::Debug for ServerTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTarget").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The name and the rows in the table `transfer` for a mark.
fn columns(mark: Option<&Total>) -> (&'static str, i64) {
    mark.map_or(("", 0), |mark| (mark.table.name(), i64::try_from(mark.rows).unwrap_or(i64::MAX)))
}

/// Waits for a node that creates an account, which locks this row until the account can be seen, and makes later ones
/// wait. The row is removed if it is new, since an empty database has none.
const LOCK_ACCOUNTS: &str = "INSERT INTO counter (name, value) VALUES ('account', 0) \
     ON CONFLICT (name) DO UPDATE SET value = counter.value; \
     DELETE FROM counter WHERE name = 'account' AND value = 0";

impl ServerTarget {
    /// Opens an empty database, or one to which a transfer was interrupted. Returns its progress.
    pub(crate) async fn open(place: &Place) -> Result<(Self, Mark), TransferError> {
        let client = connect(place).await?;
        if is_filled(&client).await.map_err(|failure| failed(place, failure))? {
            return Err(TransferError::NotEmpty { place: place.to_string(), table: Table::Account });
        }
        let refused = |error| refused(place, &error);
        let symbols = declare(&client).await.map_err(refused)?;
        let mut target = Self { client, place: place.clone(), symbols, known: HashSet::new(), mark: None };
        target.mark = match target.begin().await {
            Ok(Ok(mark)) => mark,
            Ok(Err(table)) => {
                return Err(TransferError::NotEmpty { place: target.place.to_string(), table });
            }
            Err(failure) => return Err(failed(&target.place, failure)),
        };
        let mark = target.mark.clone();
        Ok((target, mark))
    }

    /// Reads the progress of a transfer, or begins one if the database is empty. Otherwise returns a table that has
    /// rows.
    ///
    /// The row of the transfer is written first, in the transaction that finds the tables empty: of two transfers that
    /// begin at once one waits here for the other, and no node creates an account in between.
    async fn begin(&mut self) -> Done<Result<Mark, Table>> {
        let names = self.client.query_typed("SELECT name FROM symbol", &[]).await?;
        self.known = names.iter().map(|row| Ok(row.try_get(0)?)).collect::<Done<_>>()?;
        self.client.batch_execute(BEGIN).await?;
        let insert = "INSERT INTO transfer (only_row, name, rows, digest, derived) VALUES (true, '', 0, '', false) \
                     ON CONFLICT (only_row) DO NOTHING";
        let begun = if self.client.execute_typed(insert, &[]).await? > 0 {
            self.client.batch_execute(LOCK_ACCOUNTS).await?;
            self.filled_table().await?.map_or(Ok(None), Err)
        } else {
            self.begun().await?
        };
        self.client.batch_execute(if begun.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        Ok(begun)
    }

    /// Reads the progress of a transfer that was begun before.
    async fn begun(&self) -> Done<Result<Mark, Table>> {
        let read = "SELECT name, rows, digest FROM transfer";
        let Some(row) = self.client.query_typed_opt(read, &[]).await? else {
            // It has ended meanwhile, and left an account at least.
            return Ok(Err(Table::Account));
        };
        let (name, rows, digest): (&str, i64, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let rows = u64::try_from(rows).unwrap_or_default();
        Ok(Ok(Table::named(name).map(|table| Total { table, rows, digest })))
    }

    /// A table that has rows.
    async fn filled_table(&self) -> Done<Option<Table>> {
        for table in Table::ALL {
            let is_filled = format!("SELECT EXISTS ({})", select(table));
            if self.client.query_typed_one(&is_filled, &[]).await?.try_get(0)? {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    /// Writes a page whose first row has this position, and where it ends, in one transaction.
    pub(crate) async fn write(
        &mut self,
        page: &Page,
        position: u64,
        mark: &Total,
    ) -> Result<(), TransferError> {
        let is_written = self.try_write(page, position, mark).await;
        if !is_written.map_err(|failure| unwritten(&self.place, page, position, failure))? {
            return Err(TransferError::Overtaken { place: self.place.to_string() });
        }
        self.mark = Some(mark.clone());
        Ok(())
    }

    /// Returns false if the transfer is not where this one left it.
    async fn try_write(&mut self, page: &Page, position: u64, mark: &Total) -> Done<bool> {
        let Self { client, known, .. } = self;
        client.batch_execute(BEGIN).await?;
        // The first statement: another transfer waits here for this one, and then finds the position changed.
        let (before, (name, rows)) = (columns(self.mark.as_ref()), columns(Some(mark)));
        let note = "UPDATE transfer SET name = $1, rows = $2, digest = $3 WHERE name = $4 AND rows = $5";
        let noted = client
            .execute_typed(
                note,
                &[
                    (&name, Type::TEXT),
                    (&rows, Type::INT8),
                    (&mark.digest, Type::TEXT),
                    (&before.0, Type::TEXT),
                    (&before.1, Type::INT8),
                ],
            )
            .await?;
        if noted == 0 {
            client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        intern(client, known, page).await?;
        insert_page(client, page, position).await?;
        client.batch_execute("COMMIT").await?;
        Ok(true)
    }

    /// Computes all rows that are derived from others. The index is built in batches, each of which records its
    /// progress.
    pub(crate) async fn derive(&mut self) -> Result<(), TransferError> {
        let refused = |error| refused(&self.place, &error);
        let is_derived = self.client.query_typed_opt("SELECT 1 FROM transfer WHERE derived", &[]).await;
        let is_derived = is_derived.map_err(|error| failed(&self.place, error.into()))?.is_some();
        if !is_derived {
            let derive = format!("{BEGIN}; {DERIVE}; COMMIT");
            let derived = self.client.batch_execute(&derive).await;
            derived.map_err(|error| failed(&self.place, error.into()))?;
        }
        let lease = Lease::take(&self.client, &Ids::system()).await.map_err(refused)?;
        let built = indexing::build(&self.client, &lease, &self.symbols).await;
        lease.end(&self.client, built).await.map_err(refused)
    }

    /// Reads the rows back, to compare them with the source.
    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        ServerSource::of_target(&self.place).pages().await
    }

    /// Marks the transfer as complete, so that nodes can serve the database.
    pub(crate) async fn finish(self) -> Result<(), TransferError> {
        let ended = self.client.batch_execute("DELETE FROM transfer").await;
        ended.map_err(|error| failed(&self.place, error.into()))
    }
}

/// Whether this is a database with an account, and not the target of a transfer. Checked before it is changed, because
/// its nodes may be of another release.
async fn is_filled(client: &Client) -> Done<bool> {
    let exist = "SELECT to_regclass('account') IS NOT NULL AND to_regclass('transfer') IS NOT NULL";
    let exist: bool = client.query_typed_one(exist, &[]).await?.try_get(0)?;
    if !exist {
        return Ok(false);
    }
    let select = "SELECT EXISTS (SELECT 1 FROM account) AND NOT EXISTS (SELECT 1 FROM transfer)";
    Ok(client.query_typed_one(select, &[]).await?.try_get(0)?)
}

/// Brings the tables, the symbols and the index in line with this server's, under a lease.
async fn declare(client: &Client) -> Result<Symbols, PostgresOpenError> {
    let lease = Lease::take(client, &Ids::system()).await?;
    let declared = declare_with(&lease, client).await;
    lease.end(client, declared).await
}

async fn declare_with(lease: &Lease, client: &Client) -> Result<Symbols, PostgresOpenError> {
    lease.migrate(client).await?;
    let symbols = Symbols::intern(client, REGISTRY).await?;
    indexing::build(client, lease, &symbols).await?;
    Ok(symbols)
}

/// Adds the symbols of names that this server does not declare: types and relationships of another release.
async fn intern(client: &Client, known: &mut HashSet<String>, page: &Page) -> Done<()> {
    for name in page.rows.iter().filter_map(|row| row.symbol(page.table)) {
        if !known.contains(name) {
            let insert = "INSERT INTO symbol (number, name) SELECT coalesce(max(number), 0) + 1, $1 FROM symbol \
                          ON CONFLICT (name) DO NOTHING";
            client.execute_typed(insert, &[(&name, Type::TEXT)]).await?;
            known.insert(name.to_owned());
        }
    }
    Ok(())
}

/// The values of a column.
enum Values {
    Integers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Ids(Vec<Option<Uuid>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    fn of(kind: Kind, cells: impl Iterator<Item = Cell>) -> Self {
        match kind {
            Kind::Integer => Self::Integers(
                cells
                    .map(|cell| if let Cell::Integer(number) = cell { Some(number) } else { None })
                    .collect(),
            ),
            Kind::Flag => Self::Flags(
                cells.map(|cell| if let Cell::Flag(flag) = cell { Some(flag) } else { None }).collect(),
            ),
            Kind::Text => Self::Texts(
                cells.map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None }).collect(),
            ),
            Kind::Id => {
                Self::Ids(cells.map(|cell| if let Cell::Id(id) = cell { Some(id) } else { None }).collect())
            }
            Kind::Bytes => Self::Bytes(
                cells.map(|cell| if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }).collect(),
            ),
        }
    }

    fn parameter(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Integers(values) => (values, Type::INT8_ARRAY),
            Self::Flags(values) => (values, Type::BOOL_ARRAY),
            Self::Texts(values) => (values, Type::TEXT_ARRAY),
            Self::Ids(values) => (values, Type::UUID_ARRAY),
            Self::Bytes(values) => (values, Type::BYTEA_ARRAY),
        }
    }
}

const fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "int8",
        Kind::Flag => "bool",
        Kind::Text => "text",
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
    }
}

async fn insert_page(client: &Client, page: &Page, position: u64) -> Done<()> {
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    let columns: Vec<(&str, Kind)> =
        page.table.columns().iter().map(|column| (column.name, column.kind)).collect();
    let (mut names, mut arrays, mut values) = (String::new(), String::new(), Vec::new());
    let further = derived(page.table).iter().copied().chain([("place", Kind::Integer)]);
    for (index, (name, kind)) in columns.iter().copied().chain(further).enumerate() {
        let separator = if index > 0 { ", " } else { "" };
        let _infallible = write!(names, "{separator}{name}");
        let _infallible = write!(arrays, "{separator}${}::{}[]", index + 1, sql_type(kind));
        let cell = |(place, row): (i64, &Row)| match row.0.get(index) {
            Some(cell) => cell.clone(),
            None => match index - columns.len() {
                further if further == derived(page.table).len() => Cell::Integer(place),
                further => derive(page.table, row, further),
            },
        };
        values.push(Values::of(kind, (position..).zip(&page.rows).map(cell)));
    }
    let statement =
        format!("WITH given AS (SELECT * FROM unnest({arrays}) AS g ({names})) {}", insert(page.table));
    let parameters: Vec<_> = values.iter().map(Values::parameter).collect();
    client.execute_typed(&statement, &parameters).await?;
    Ok(())
}

/// The error of a page that was not written: it names the text that the server refused, if one of the page can be that.
fn unwritten(place: &Place, page: &Page, position: u64, failure: Failure) -> TransferError {
    let unstorable = (position..).zip(&page.rows).find_map(|(position, row)| {
        let refused = refused_text(page.table, row)?;
        Some((position, row, refused))
    });
    let Some((position, row, (what, flaw))) = unstorable.filter(|_| !failure.is_broken()) else {
        return failed(place, failure);
    };
    let row = format!("{position} ({})", identity(page.table, row));
    TransferError::Unstorable { place: place.to_string(), table: page.table, row, what, flaw }
}

/// The first text of a row that the server may refuse: its column, and what is wrong with it.
fn refused_text(table: Table, row: &Row) -> Option<(&'static str, &'static str)> {
    table.columns().iter().zip(&row.0).find_map(|(column, cell)| {
        let Cell::Text(text) = cell else { return None };
        let is_indexed = matches!(
            (table, column.name),
            (Table::Account, "name")
                | (Table::DocumentKey | Table::DocumentUnique, "value")
                | (Table::Call, "call_id")
        );
        let check = if is_indexed { check_indexed } else { check_characters };
        match check(column.name, text) {
            Err(StoreError::Unstorable { what, flaw }) => Some((what, flaw)),
            _ => None,
        }
    })
}

/// The ids and numbers by which an operator finds a row.
fn identity(table: Table, row: &Row) -> String {
    let named = table.columns().iter().zip(&row.0).filter_map(|(column, cell)| match cell {
        Cell::Id(id) => Some(format!("{} {id}", column.name)),
        Cell::Integer(number) if ["number", "account", "kind"].contains(&column.name) => {
            Some(format!("{} {number}", column.name))
        }
        _ => None,
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The value of a derived column.
fn derive(table: Table, row: &Row, column: usize) -> Cell {
    match (table, row.0.as_slice()) {
        (Table::Event, [_, _, Cell::Id(subject), ..]) => Cell::Integer(i64::from(lane_of(*subject))),
        (Table::Call, [.., Cell::Text(attributes)]) => {
            let attributes: Value = serde_json::from_str(attributes).unwrap_or_default();
            let name = if column == 0 { "source_ip" } else { "check" };
            let member = attributes.get(name).and_then(Value::as_str);
            member.map_or(Cell::Null, |member| Cell::Text(member.to_owned()))
        }
        _ => Cell::Null,
    }
}
