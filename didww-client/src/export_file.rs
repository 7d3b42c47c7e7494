//! The file of an export: kept as it was downloaded, and read one row at a time.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use flate2::read::MultiGzDecoder;

use crate::ExportRow;
use crate::csv_reader::{CsvError, CsvReader};

/// A downloaded file, in memory as it was downloaded. `Debug` does not print its contents.
#[derive(Clone)]
pub struct ExportFile {
    content: Bytes,
    is_compressed: bool,
}

impl ExportFile {
    /// Creates a file from its gzip bytes, such as those of a stored file.
    pub fn new(compressed: impl Into<Bytes>) -> Self {
        Self { content: compressed.into(), is_compressed: true }
    }

    /// Creates a file from its text, as exports of versions up to 2021-04-19 have it.
    pub fn plain(text: impl Into<Bytes>) -> Self {
        Self { content: text.into(), is_compressed: false }
    }

    /// The file as it was downloaded: CSV, compressed with gzip unless it is [plain](Self::plain).
    pub fn compressed(&self) -> &Bytes {
        &self.content
    }

    /// Whether the file is compressed with gzip.
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Reads the file as CSV, decompressed as it is read. Reading fails where the content of a compressed file is not
    /// compressed with gzip.
    pub fn csv(&self) -> impl Read + Send + use<> {
        self.source()
    }

    fn source(&self) -> Source {
        let content = self.content.clone().reader();
        if self.is_compressed {
            Source::Gzip(Box::new(MultiGzDecoder::new(content)))
        } else {
            Source::Plain(content)
        }
    }

    /// Reads the rows, one at a time. `T` is [`OutboundCallRow`](crate::OutboundCallRow) or
    /// [`InboundCallRow`](crate::InboundCallRow), or for any file a `BTreeMap<String, String>` of cells by their
    /// columns.
    pub fn rows<T: ExportRow>(&self) -> ExportRows<T> {
        let reader = CsvReader::new(BufReader::new(self.source()));
        ExportRows { reader, header: None, is_over: false, row: PhantomData }
    }
}

/// The text of a file, as it is read.
enum Source {
    Gzip(Box<MultiGzDecoder<Reader<Bytes>>>),
    Plain(Reader<Bytes>),
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(into),
            Self::Plain(content) => content.read(into),
        }
    }
}

impl fmt::Debug for ExportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportFile").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// Why a row cannot be read. After an error there are no further rows. Cells are not quoted.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the file cannot be read: {why}")]
#[non_exhaustive]
pub struct RowError {
    /// The number of the line where reading ended, from 1.
    pub line: u64,
    /// The problem, with the name of the column if it is in a cell.
    pub why: String,
}

/// The rows of a file, in its order. An empty file has none.
pub struct ExportRows<T> {
    reader: CsvReader<BufReader<Source>>,
    /// The names of the columns, once they are read.
    header: Option<Vec<String>>,
    is_over: bool,
    row: PhantomData<fn() -> T>,
}

impl<T: ExportRow> ExportRows<T> {
    fn read(&mut self) -> Result<Option<T>, RowError> {
        if self.header.is_none() {
            let Some(header) = self.record()? else { return Ok(None) };
            self.header = Some(header);
        }
        let Some(cells) = self.record()? else { return Ok(None) };
        // The record ended at the end of the line before.
        let line = self.reader.line().saturating_sub(1);
        let header = self.header.as_deref().unwrap_or_default();
        if cells.len() != header.len() {
            let why = format!("it has {} cells, and the header {}", cells.len(), header.len());
            return Err(RowError { line, why });
        }
        let mut row = T::default();
        for (column, cell) in header.iter().zip(cells) {
            row.set(column, cell)
                .map_err(|wrong| RowError { line, why: format!("`{column}` is {wrong}") })?;
        }
        Ok(Some(row))
    }

    fn record(&mut self) -> Result<Option<Vec<String>>, RowError> {
        self.reader.record().map_err(|error| RowError {
            line: self.reader.line(),
            why: match error {
                CsvError::Read(error) => error.to_string(),
                CsvError::Form(why) => why.to_owned(),
            },
        })
    }
}

impl<T: ExportRow> Iterator for ExportRows<T> {
    type Item = Result<T, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.read().transpose();
        self.is_over = !matches!(row, Some(Ok(_)));
        row
    }
}

impl<T> fmt::Debug for ExportRows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportRows").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::{InboundCallRow, OutboundCallRow};

    fn file(text: &str) -> ExportFile {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        ExportFile::new(encoder.finish().unwrap())
    }

    #[test]
    fn a_row_has_what_its_columns_say_in_any_order() {
        let text = "Call ID,Date/Time Start (UTC),Date/Time Connect (UTC),Call Duration (sec),Charged (USD),New\n\
                    \"c,1\",2026-11-29 12:00:00,,7,0.25,x\n";
        let rows: Vec<OutboundCallRow> = file(text).rows().collect::<Result<_, _>>().unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.call_id.as_str(), row.duration, row.connected_at), ("c,1", Some(7), None));
        assert_eq!(row.started_at.unwrap().to_string(), "2026-11-29T12:00:00.000Z");
        assert_eq!(row.charged.unwrap().to_string(), "0.25");
        assert_eq!(row.extra, BTreeMap::from([("New".to_owned(), "x".to_owned())]));
    }

    #[test]
    fn a_file_of_several_members_is_one_and_an_empty_one_has_no_rows() {
        let parts = [file("Attempt\n1\n"), file("2\n")];
        let both: Vec<u8> = parts.iter().flat_map(|part| part.compressed().to_vec()).collect();
        let rows: Vec<InboundCallRow> = ExportFile::new(both).rows().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.iter().map(|row| row.attempt).collect::<Vec<_>>(), [Some(1), Some(2)]);
        for text in ["", "Status,Call ID\n"] {
            assert_eq!(file(text).rows::<InboundCallRow>().count(), 0);
        }
    }

    #[test]
    fn the_text_of_a_file_is_read_as_it_was_written() {
        let mut text = String::new();
        file("Prefix,Rate\n44,0.01\n").csv().read_to_string(&mut text).unwrap();
        assert_eq!(text, "Prefix,Rate\n44,0.01\n");
        assert!(ExportFile::new(b"no gzip".to_vec()).csv().read_to_string(&mut text).is_err());
    }

    #[test]
    fn a_plain_file_has_the_rows_of_its_text() {
        let text = "Date/Time (UTC),Source,DID,Destination,Duration (secs),Disconnect Initiator,Disconnect Code,Response,\
                    TollFree Amount (USD),Termination Amount (USD),Metered Channels Amount (USD),Customer ID,\
                    Sell Amount (Points)\n\
                    2017-06-17 08:50:47,\"\",97286259413,iax:324@34234234,54,Origination,200,Bye,0.000,0.000,0.003,,0.000\n";
        let file = ExportFile::plain(text);
        assert!(!file.is_compressed() && ExportFile::new(text).is_compressed());
        let rows: Vec<InboundCallRow> = file.rows().collect::<Result<_, _>>().unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(row.started_at.unwrap().to_string(), "2017-06-17T08:50:47.000Z");
        assert_eq!(
            (row.destination_did.as_str(), row.destination.as_str()),
            ("97286259413", "iax:324@34234234")
        );
        assert_eq!((row.duration, row.disconnect_code, row.response.as_str()), (Some(54), Some(200), "Bye"));
        assert_eq!(row.disconnect_initiator, "Origination");
        let amounts = [row.toll_free, row.metered].map(|amount| amount.unwrap().to_string());
        assert_eq!(amounts, ["0.0", "0.003"]);
        let further: Vec<&str> = row.extra.keys().map(String::as_str).collect();
        assert_eq!(further, ["Customer ID", "Sell Amount (Points)", "Termination Amount (USD)"]);
        let mut read = String::new();
        file.csv().read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_line_and_the_last_item() {
        for (text, why) in [
            ("Attempt\n1\nx\n2\n", "line 3 of the file cannot be read: `Attempt` is no whole number"),
            ("Status\na,b\n", "line 2 of the file cannot be read: it has 2 cells, and the header 1"),
            ("Status\na\"\n", "line 2 of the file cannot be read: a quote is in a cell without quotes"),
        ] {
            let mut rows = file(text).rows::<InboundCallRow>().skip_while(Result::is_ok);
            assert_eq!(rows.next().unwrap().unwrap_err().to_string(), why);
            assert!(rows.next().is_none());
        }
        let mut broken = ExportFile::new(b"no gzip".to_vec()).rows::<BTreeMap<String, String>>();
        assert!(broken.next().unwrap().is_err() && broken.next().is_none());
    }
}
