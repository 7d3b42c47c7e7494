//! Reads a database while its nodes serve: in one transaction, which sees one state.

use didww_types::Timestamp;
use service_base::clock::Clock;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row as SqlRow};
use uuid::Uuid;

use super::super::failure::{Done, Failure};
use super::super::migrate::MIGRATIONS;
use super::statements::select;
use super::{connect, failed};
use crate::transfer::bounds::PAGE_ROWS;
use crate::transfer::error::TransferError;
use crate::transfer::pages::{PageSender, Pages, pages};
use crate::transfer::place::Place;
use crate::transfer::row::{Cell, Row};
use crate::transfer::table::{Column, Kind, Table};

/// The time within which a node that runs has a heartbeat.
const HEARTBEAT_SECONDS: u64 = 30;

/// A database on a server.
#[derive(Debug)]
pub(crate) struct ServerSource {
    place: Place,
    is_target: bool,
}

/// Why reading ended.
enum Stop {
    /// The reader of the pages has ended.
    Unread,
    Failed(Failure),
    Refused(TransferError),
}

impl<T: Into<Failure>> From<T> for Stop {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

impl ServerSource {
    /// The version of the schema.
    #[expect(clippy::unused_self, reason = "a server without this engine has no source, and so no schema")]
    pub(crate) fn schema(&self) -> i64 {
        i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::unnecessary_wraps, reason = "a server without this engine refuses")]
    pub(crate) fn open(place: &Place) -> Result<Self, TransferError> {
        Ok(Self { place: place.clone(), is_target: false })
    }

    /// The target of a transfer, which is read back.
    pub(super) fn of_target(place: &Place) -> Self {
        Self { place: place.clone(), is_target: true }
    }

    /// Fails if a node of the database had a heartbeat lately.
    pub(crate) async fn refuse_running_nodes(&self) -> Result<(), TransferError> {
        let client = connect(&self.place).await?;
        self.identify(&client).await.map_err(|stop| self.error(stop))?;
        let seconds = i64::try_from(HEARTBEAT_SECONDS).unwrap_or_default();
        let since = Clock::system().now().as_unix_millis() - seconds * 1_000;
        let nodes = running_nodes(&client, Timestamp::from_unix_millis(since)).await;
        let nodes = nodes.map_err(|failure| failed(&self.place, failure))?;
        if nodes.is_empty() {
            return Ok(());
        }
        Err(TransferError::InUse { place: self.place.to_string(), nodes, seconds: HEARTBEAT_SECONDS })
    }

    /// Reads the rows, in a task of their own.
    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        let (mut sender, pages) = pages(self.place.to_string());
        let client = connect(&self.place).await?;
        let source = Self { place: self.place.clone(), is_target: self.is_target };
        tokio::spawn(async move {
            let outcome = match source.read(&client, &mut sender).await {
                Ok(()) => Ok(()),
                Err(Stop::Unread) => return,
                Err(stop) => Err(source.error(stop)),
            };
            let _unread = sender.end(outcome).await;
        });
        pages.begin().await
    }

    async fn read(&self, client: &Client, sender: &mut PageSender) -> Result<(), Stop> {
        client
            .batch_execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                 SET LOCAL idle_in_transaction_session_timeout = 0",
            )
            .await?;
        self.identify(client).await?;
        let mut rows: u64 = 0;
        for table in Table::ALL {
            let count = format!("SELECT count(*) FROM ({}) given", select(table));
            let count: i64 = client.query_typed_one(&count, &[]).await?.try_get(0)?;
            rows += u64::try_from(count).unwrap_or_default();
        }
        sender.begin(rows).await.map_err(|_| Stop::Unread)?;
        let fetch = format!("FETCH {PAGE_ROWS} FROM page");
        for table in Table::ALL {
            let declare = format!("DECLARE page NO SCROLL CURSOR FOR {}", select(table));
            client.batch_execute(&declare).await?;
            loop {
                let rows = client.query_typed(&fetch, &[]).await?;
                for row in &rows {
                    sender.add(table, self::row(table, row)?).await.map_err(|_| Stop::Unread)?;
                }
                if rows.len() < PAGE_ROWS {
                    break;
                }
            }
            client.batch_execute("CLOSE page").await?;
        }
        client.batch_execute("COMMIT").await?;
        Ok(())
    }

    /// Refuses a database of another schema, and the target of a transfer.
    async fn identify(&self, client: &Client) -> Result<(), Stop> {
        let place = || self.place.to_string();
        let known = self.schema();
        let exists = "SELECT to_regclass('schema_version') IS NOT NULL";
        let schema: i64 = if client.query_typed_one(exists, &[]).await?.try_get(0)? {
            let select = "SELECT version FROM schema_version WHERE only_row";
            client.query_typed_one(select, &[]).await?.try_get(0)?
        } else {
            0
        };
        if schema != known {
            return Err(Stop::Refused(TransferError::Schema { place: place(), schema, known }));
        }
        if !self.is_target && client.query_typed_opt("SELECT 1 FROM transfer", &[]).await?.is_some() {
            return Err(Stop::Refused(TransferError::Unfinished { place: place() }));
        }
        Ok(())
    }

    fn error(&self, stop: Stop) -> TransferError {
        match stop {
            Stop::Refused(error) => error,
            Stop::Failed(failure) => failed(&self.place, failure),
            Stop::Unread => failed(&self.place, super::super::run::closed().into()),
        }
    }
}

async fn running_nodes(client: &Client, since: Timestamp) -> Done<Vec<i64>> {
    let select =
        "SELECT number FROM node WHERE NOT removed AND heir IS NULL AND beat_at > $1 ORDER BY number";
    let rows = client.query_typed(select, &[(&since.as_unix_millis(), Type::INT8)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn row(table: Table, row: &SqlRow) -> Done<Row> {
    let cell = |(index, column): (usize, &Column)| {
        let cell = match column.kind {
            Kind::Integer => row.try_get::<_, Option<i64>>(index)?.map(Cell::Integer),
            Kind::Flag => row.try_get::<_, Option<bool>>(index)?.map(Cell::Flag),
            Kind::Text => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
            Kind::Id => row.try_get::<_, Option<Uuid>>(index)?.map(Cell::Id),
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Cell::Bytes),
        };
        Ok(cell.unwrap_or(Cell::Null))
    };
    table.columns().iter().enumerate().map(cell).collect::<Done<_>>().map(Row)
}
