//! Counts and digests, by which both ends of a transfer are compared.

use sha2::{Digest as _, Sha256};

use super::row::{Page, Row, hex};
use super::table::Table;

/// Number of bytes of the digest that a line of a backup file has.
const CHECK_BYTES: usize = 8;

/// The number of rows of a table, and their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The table.
    pub table: Table,
    /// Number of rows.
    pub rows: u64,
    /// The SHA-256 digest over the canonical rows, each with a line end, in hexadecimal digits.
    pub digest: String,
}

/// The progress of a target: the table of the last row, the number of its rows, and a digest of all rows so far.
pub(crate) type Mark = Option<Total>;

/// Counts and digests the rows of one table after the other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    totals: Vec<Total>,
    /// The digest over the names and digests of the tables that have ended.
    ended: Sha256,
    current: Option<(Table, u64, Sha256)>,
    text: Vec<u8>,
}

impl Tally {
    /// Adds a row. Returns its canonical form.
    pub(crate) fn add(&mut self, table: Table, row: &Row) -> &[u8] {
        self.text.clear();
        row.encode(table, &mut self.text);
        if self.current.as_ref().is_none_or(|(current, ..)| *current != table) {
            self.end_table();
        }
        let (_, rows, hash) = self.current.get_or_insert_with(|| (table, 0, Sha256::new()));
        *rows += 1;
        hash.update(&self.text);
        hash.update(b"\n");
        &self.text
    }

    /// Adds the rows of a page.
    pub(crate) fn add_page(&mut self, page: &Page) {
        for row in &page.rows {
            self.add(page.table, row);
        }
    }

    /// The table of the last row, the number of its rows so far, and a digest over the digests of all tables so far.
    pub(crate) fn mark(&self) -> Option<Total> {
        self.current.as_ref().map(|(table, rows, hash)| total(*table, *rows, &self.with(*table, hash)))
    }

    /// The digest over the tables that have ended and this one.
    fn with(&self, table: Table, hash: &Sha256) -> Sha256 {
        let mut all = self.ended.clone();
        all.update(table.name());
        all.update(hash.clone().finalize());
        all
    }

    /// The table of the last row, and the number of its rows so far.
    pub(crate) fn place(&self) -> Option<(Table, u64)> {
        self.current.as_ref().map(|(table, rows, _)| (*table, *rows))
    }

    /// The beginning of the digest of a mark.
    pub(crate) fn check(&self) -> String {
        let digest = self.current.as_ref().map(|(table, _, hash)| self.with(*table, hash).finalize());
        hex(digest.as_deref().and_then(|digest| digest.get(..CHECK_BYTES)).unwrap_or_default())
    }

    fn end_table(&mut self) {
        if let Some((table, rows, hash)) = self.current.take() {
            self.ended = self.with(table, &hash);
            self.totals.push(total(table, rows, &hash));
        }
    }

    /// The totals of every table that has rows.
    pub(crate) fn finish(mut self) -> Vec<Total> {
        self.end_table();
        self.totals
    }
}

fn total(table: Table, rows: u64, hash: &Sha256) -> Total {
    Total { table, rows, digest: hex(&hash.clone().finalize()) }
}
