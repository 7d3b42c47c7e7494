//! The file of a backup: lines of JSON. The first is the head, the last has the totals, and each between them is a row:
//!
//! ```json
//! {"format":"trunk-server backup","version":1,"server":"0.2.0","engine":"sqlite","schema":19,"at":"2026-11-29T00:00:00.000Z"}
//! {"table":"account","row":{"number":1},"check":"0123456789abcdef"}
//! {"end":[{"table":"account","rows":1,"digest":"..."}]}
//! ```
//!
//! The check is the beginning of a digest over all rows up to and including this one, so that a changed row is found at
//! its line, and a removed row at the next one. Every byte of a row's line is determined by the row and those before
//! it: other forms of the same row are refused too. Checks and digests detect damage and mistakes, not a forger, who
//! can compute them.
//!
//! The file holds secrets. It is created with the mode 0600 under a temporary name, flushed, read back, and renamed.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use service_base::clock::Clock;

use super::bounds::FORMAT;
use super::error::TransferError;
use super::pages::{Pages, pages};
use super::row::Row;
use super::step::{Phase, Report, Step};
use super::table::Table;
use super::tally::{Tally, Total};

/// The member `format` of the head of a backup.
const FORMAT_NAME: &str = "trunk-server backup";
/// Maximum size of a line in bytes: far more than a row with the largest response or record.
const MAX_LINE: u64 = 512 << 20;
/// Number of rows between two reports.
const REPORT_EVERY: u64 = 1_000;

/// The server that wrote a backup, and the database that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupHead {
    /// The engine of the database: `sqlite` or `postgresql`.
    pub engine: String,
    /// The version of its schema.
    pub schema: i64,
    /// The version of the server.
    pub server: String,
    /// When the backup was written, as an RFC 3339 timestamp in UTC.
    pub at: String,
}

impl BackupHead {
    pub(super) fn of(engine: &str, schema: i64) -> Self {
        let (engine, server) = (engine.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { engine, schema, server, at: Clock::system().now().to_string() }
    }
}

pub(super) fn head_line(head: &BackupHead) -> String {
    let BackupHead { engine, schema, server, at } = head;
    let [engine, server, at, name] =
        [engine.as_str(), server.as_str(), at.as_str(), FORMAT_NAME].map(|text| json!(text));
    format!(
        r#"{{"format":{name},"version":{FORMAT},"server":{server},"engine":{engine},"schema":{schema},"at":{at}}}"#
    ) + "\n"
}

pub(super) fn row_line(tally: &mut Tally, table: Table, row: &Row, line: &mut Vec<u8>) {
    line.clear();
    line.extend_from_slice(format!(r#"{{"table":"{}","row":"#, table.name()).as_bytes());
    line.extend_from_slice(tally.add(table, row));
    line.extend_from_slice(format!(",\"check\":\"{}\"}}\n", tally.check()).as_bytes());
}

pub(super) fn end_line(totals: &[Total]) -> String {
    let total = |total: &Total| {
        format!(r#"{{"table":"{}","rows":{},"digest":"{}"}}"#, total.table.name(), total.rows, total.digest)
    };
    format!("{{\"end\":[{}]}}\n", totals.iter().map(total).collect::<Vec<_>>().join(","))
}

/// A backup that was read completely, and found to be intact.
#[derive(Debug)]
pub(super) struct BackupFile {
    path: PathBuf,
    head: BackupHead,
    pub(super) totals: Vec<Total>,
}

impl BackupFile {
    /// Reads a whole backup, and checks that it is intact.
    pub(super) fn check(path: &Path, report: Report<'_>) -> Result<Self, TransferError> {
        let mut reader = Reader::open(path)?;
        let mut done: u64 = 0;
        while reader.next()?.is_some() {
            done += 1;
            if done.is_multiple_of(REPORT_EVERY) {
                report(Step { phase: Phase::Check, done, of: 0 });
            }
        }
        report(Step { phase: Phase::Check, done, of: done });
        Ok(Self { path: path.to_owned(), head: reader.head, totals: reader.totals })
    }

    pub(super) fn head(&self) -> &BackupHead {
        &self.head
    }

    /// Reads the rows, on a thread of their own.
    pub(super) async fn pages(&self) -> Result<Pages, TransferError> {
        let (mut sender, pages) = pages(self.path.display().to_string());
        let (path, rows) = (self.path.clone(), self.totals.iter().map(|total| total.rows).sum());
        let read = async move {
            let outcome = match Reader::open(&path) {
                Ok(mut reader) => {
                    if sender.begin(rows).await.is_err() {
                        return;
                    }
                    loop {
                        match reader.next() {
                            Ok(Some((table, row))) => {
                                if sender.add(table, row).await.is_err() {
                                    return;
                                }
                            }
                            Ok(None) => break Ok(()),
                            Err(error) => break Err(error),
                        }
                    }
                }
                Err(error) => Err(error),
            };
            let _unread = sender.end(outcome).await;
        };
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(read));
        pages.begin().await
    }
}

/// Reads the lines of a backup, and verifies the check of each.
struct Reader {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
    text: Vec<u8>,
    expected: Vec<u8>,
    head: BackupHead,
    tally: Tally,
    totals: Vec<Total>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, TransferError> {
        let failed = |error| TransferError::File { file: path.to_owned(), what: "read", error };
        let file = File::open(path).map_err(failed)?;
        let mut reader = Self {
            path: path.to_owned(),
            lines: BufReader::with_capacity(1 << 18, file),
            line: 0,
            text: Vec::new(),
            expected: Vec::new(),
            head: BackupHead::of("", 0),
            tally: Tally::default(),
            totals: Vec::new(),
        };
        let head = reader.read_line()?;
        if head.get("format").and_then(Value::as_str) != Some(FORMAT_NAME) {
            return Err(reader.damaged("it is not a backup of trunk-server"));
        }
        match head.get("version").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(format) if format > FORMAT => {
                return Err(TransferError::Format { file: path.to_owned(), format, known: FORMAT });
            }
            _ => return Err(reader.damaged("its head has no version")),
        }
        let text = |name: &str| head.get(name).and_then(Value::as_str).map(str::to_owned);
        let read = text("engine").zip(text("server")).zip(text("at"));
        let schema = head.get("schema").and_then(Value::as_i64);
        let Some((((engine, server), at), schema)) = read.zip(schema) else {
            return Err(reader.damaged("its head is not complete"));
        };
        reader.head = BackupHead { engine, schema, server, at };
        if head_line(&reader.head).as_bytes() != reader.text {
            return Err(reader.damaged("its head was altered"));
        }
        Ok(reader)
    }

    /// Returns the next row; `None` after the last one, if the totals agree and nothing follows them.
    fn next(&mut self) -> Result<Option<(Table, Row)>, TransferError> {
        let mut value = self.read_line()?;
        if value.contains_key("end") {
            self.totals = std::mem::take(&mut self.tally).finish();
            if end_line(&self.totals).as_bytes() != self.text {
                return Err(self.damaged("its totals are not those of the rows before them"));
            }
            let is_followed = self.lines.fill_buf().map(|rest| !rest.is_empty());
            if is_followed.map_err(|error| self.failed(error))? {
                self.line += 1;
                return Err(self.damaged("something follows the last line of the backup"));
            }
            return Ok(None);
        }
        let table = value.get("table").and_then(Value::as_str).and_then(Table::named);
        let Some(table) = table else { return Err(self.damaged("it names no table")) };
        if self.tally.place().is_some_and(|(last, _)| last > table) {
            return Err(self.damaged("its table has ended before"));
        }
        let row = value.remove("row").unwrap_or_default();
        let row = Row::decode(table, &row).map_err(|why| self.damaged_row(table, &why))?;
        let mut expected = std::mem::take(&mut self.expected);
        row_line(&mut self.tally, table, &row, &mut expected);
        let is_intact = expected == self.text;
        self.expected = expected;
        if !is_intact {
            let rows = self.tally.place().map_or(0, |(_, rows)| rows.saturating_sub(1));
            return Err(self.damaged_at(
                table,
                rows,
                "it was altered, or a row before it was removed or added",
            ));
        }
        Ok(Some((table, row)))
    }

    fn read_line(&mut self) -> Result<Map<String, Value>, TransferError> {
        self.text.clear();
        self.line += 1;
        let read = std::io::Read::take(&mut self.lines, MAX_LINE).read_until(b'\n', &mut self.text);
        read.map_err(|error| self.failed(error))?;
        if self.text.is_empty() {
            return Err(self.damaged("the file is truncated: it ends before this line"));
        }
        if self.text.last() != Some(&b'\n') {
            return Err(self.damaged("the file is truncated: it ends in this line"));
        }
        match serde_json::from_slice(&self.text) {
            Ok(Value::Object(members)) => Ok(members),
            _ if self.line == 1 => Err(self.damaged("it is not a backup of trunk-server")),
            _ => Err(self.damaged("it cannot be read")),
        }
    }

    fn failed(&self, error: std::io::Error) -> TransferError {
        TransferError::File { file: self.path.clone(), what: "read", error }
    }

    /// The error for damage at the present line, which it names with the row before it.
    fn damaged(&self, why: &str) -> TransferError {
        let at = match self.tally.place() {
            Some((table, rows)) => {
                format!("line {}, after row {rows} of the table {}", self.line, table.name())
            }
            None => format!("line {}", self.line),
        };
        TransferError::Damaged { file: self.path.clone(), at, why: why.to_owned() }
    }

    fn damaged_row(&self, table: Table, why: &str) -> TransferError {
        let rows = self.tally.place().filter(|(last, _)| *last == table).map_or(0, |(_, rows)| rows);
        self.damaged_at(table, rows, why)
    }

    fn damaged_at(&self, table: Table, rows_before: u64, why: &str) -> TransferError {
        let at = format!("line {}, row {} of the table {}", self.line, rows_before + 1, table.name());
        TransferError::Damaged { file: self.path.clone(), at, why: why.to_owned() }
    }
}
