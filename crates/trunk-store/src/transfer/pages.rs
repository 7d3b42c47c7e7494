//! Passes pages from a source, which reads them on a thread or in a task of its own, to the consumer.

use tokio::sync::mpsc;

use super::bounds::{PAGE_BYTES, PAGE_ROWS, PAGES_AHEAD};
use super::error::TransferError;
use super::row::{Page, Row};
use super::table::Table;
use crate::StoreError;

/// A message of a source. If its last message is not an end, it failed.
enum Message {
    Begin(u64),
    Page(Page),
    End,
}

/// The pages of a source, in the order of the tables and of their rows.
#[derive(Debug)]
pub(crate) struct Pages {
    messages: mpsc::Receiver<Result<Message, TransferError>>,
    rows: u64,
    place: String,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Begin(_) => "Begin",
            Self::Page(_) => "Page",
            Self::End => "End",
        })
    }
}

impl Pages {
    /// Waits until the source has begun to read.
    pub(crate) async fn begin(mut self) -> Result<Self, TransferError> {
        match self.messages.recv().await {
            Some(Ok(Message::Begin(rows))) => Ok(Self { rows, ..self }),
            Some(Err(error)) => Err(error),
            _ => Err(self.stopped()),
        }
    }

    /// The number of rows of all pages.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the next page; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, TransferError> {
        match self.messages.recv().await {
            Some(Ok(Message::Page(page))) => Ok(Some(page)),
            Some(Ok(Message::End)) => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(Message::Begin(_))) | None => Err(self.stopped()),
        }
    }

    fn stopped(&self) -> TransferError {
        let error = StoreError::Failed("reading stopped before its end".to_owned());
        TransferError::Store { place: self.place.clone(), error }
    }
}

/// The sending end, for the rows of a source. It returns [`Unread`] once the consumer has ended.
pub(crate) struct PageSender {
    messages: mpsc::Sender<Result<Message, TransferError>>,
    table: Option<Table>,
    rows: Vec<Row>,
    bytes: usize,
}

/// The consumer of the pages has ended.
pub(crate) struct Unread;

/// Creates the two ends for a source with this name.
pub(crate) fn pages(place: impl Into<String>) -> (PageSender, Pages) {
    let (sender, messages) = mpsc::channel(PAGES_AHEAD);
    let sender = PageSender { messages: sender, table: None, rows: Vec::new(), bytes: 0 };
    (sender, Pages { messages, rows: 0, place: place.into() })
}

impl PageSender {
    /// Sends the number of rows of the source.
    pub(crate) async fn begin(&self, rows: u64) -> Result<(), Unread> {
        self.messages.send(Ok(Message::Begin(rows))).await.map_err(|_| Unread)
    }

    /// Adds a row, and sends the page that it completes.
    pub(crate) async fn add(&mut self, table: Table, row: Row) -> Result<(), Unread> {
        if self.table != Some(table) {
            self.send().await?;
            self.table = Some(table);
        }
        let row = row.without_nul(table);
        self.bytes += row.bytes();
        self.rows.push(row);
        if self.rows.len() >= PAGE_ROWS || self.bytes >= PAGE_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Unread> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        match self.table {
            Some(table) if !rows.is_empty() => {
                self.messages.send(Ok(Message::Page(Page { table, rows }))).await.map_err(|_| Unread)
            }
            _ => Ok(()),
        }
    }

    /// Sends the last page, and the outcome.
    pub(crate) async fn end(mut self, outcome: Result<(), TransferError>) -> Result<(), Unread> {
        match outcome {
            Ok(()) => {
                self.send().await?;
                self.messages.send(Ok(Message::End)).await.map_err(|_| Unread)
            }
            Err(error) => self.messages.send(Err(error)).await.map_err(|_| Unread),
        }
    }
}
