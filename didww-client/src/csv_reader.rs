//! A strict reader of CSV (RFC 4180): cells in quotes can have commas, quotes and line ends. Invalid CSV is an error
//! with its line number, never a guess. Lines end with LF or CRLF.

use std::io::{self, BufRead};

/// Maximum number of bytes of a record.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// The error of a text that is not valid CSV.
#[derive(Debug)]
pub(crate) enum CsvError {
    /// The source failed, for example because it is not valid gzip.
    Read(io::Error),
    /// The text breaks a rule of CSV.
    Form(&'static str),
}

/// Reads records, one at a time.
#[derive(Debug)]
pub(crate) struct CsvReader<R> {
    source: R,
    /// The number of the line that is read, from 1.
    line: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// After an opening quote.
    Quoted,
    /// After a quote in a quoted cell: a closing one, or the first of two.
    Quote,
    /// After a CR outside of quotes.
    Return,
}

impl<R: BufRead> CsvReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, line: 1 }
    }

    /// The number of the line that is read, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next record; `None` at the end.
    pub(crate) fn record(&mut self) -> Result<Option<Vec<String>>, CsvError> {
        let (mut cells, mut cell, mut state) = (Vec::new(), Vec::new(), State::Start);
        let mut size = 0_usize;
        loop {
            let Some(byte) = self.byte()? else {
                return match state {
                    State::Quoted => Err(CsvError::Form("a quote is not closed")),
                    State::Start if cells.is_empty() => Ok(None),
                    _ => {
                        end(&mut cells, &mut cell)?;
                        Ok(Some(cells))
                    }
                };
            };
            size += 1;
            if size > MAX_RECORD_BYTES {
                return Err(CsvError::Form("a record is longer than a mebibyte"));
            }
            state = match (state, byte) {
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, byte) => {
                    self.line += u64::from(byte == b'\n');
                    cell.push(byte);
                    State::Quoted
                }
                (_, b'\n') => {
                    self.line += 1;
                    end(&mut cells, &mut cell)?;
                    return Ok(Some(cells));
                }
                (State::Return, _) => return Err(CsvError::Form("a CR is not followed by LF")),
                (_, b',') => {
                    end(&mut cells, &mut cell)?;
                    State::Start
                }
                (_, b'\r') => State::Return,
                (State::Start, b'"') => State::Quoted,
                (State::Quote, b'"') => {
                    cell.push(byte);
                    State::Quoted
                }
                (State::Quote, _) => return Err(CsvError::Form("text follows a closing quote")),
                (State::Plain, b'"') => return Err(CsvError::Form("a quote is in a cell without quotes")),
                (State::Start | State::Plain, byte) => {
                    cell.push(byte);
                    State::Plain
                }
            };
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, CsvError> {
        let byte = loop {
            match self.source.fill_buf() {
                Ok(buffer) => break buffer.first().copied(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CsvError::Read(error)),
            }
        };
        if byte.is_some() {
            self.source.consume(1);
        }
        Ok(byte)
    }
}

/// Adds a completed cell to the record.
fn end(cells: &mut Vec<String>, cell: &mut Vec<u8>) -> Result<(), CsvError> {
    let text = String::from_utf8(std::mem::take(cell));
    cells.push(text.map_err(|_| CsvError::Form("a cell is not UTF-8"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Result<Vec<Vec<String>>, String> {
        let mut reader = CsvReader::new(text);
        let mut records = Vec::new();
        loop {
            match reader.record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return Ok(records),
                Err(CsvError::Form(why)) => return Err(format!("{}: {why}", reader.line())),
                Err(CsvError::Read(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn cells_with_and_without_quotes_are_read() {
        let read = records(b"a,b\n\"c,\"\"d\"\"\r\n\",\r\n,\n\"\",last").unwrap();
        let expected: [&[&str]; 4] = [&["a", "b"], &["c,\"d\"\r\n", ""], &["", ""], &["", "last"]];
        assert_eq!(read, expected);
        assert_eq!(records(b"").unwrap(), Vec::<Vec<String>>::new());
        assert_eq!(records(b"\n").unwrap(), [[""]]);
        assert_eq!(records(b"a,\n").unwrap(), [["a", ""]]);
    }

    #[test]
    fn what_is_no_csv_is_refused_with_its_line() {
        for (text, why) in [
            (b"a\n\"b".as_slice(), "2: a quote is not closed"),
            (b"a\n\"b\nc\"d".as_slice(), "3: text follows a closing quote"),
            (b"a\"b".as_slice(), "1: a quote is in a cell without quotes"),
            (b"a\rb".as_slice(), "1: a CR is not followed by LF"),
            (b"a,\xff\n".as_slice(), "2: a cell is not UTF-8"),
        ] {
            assert_eq!(records(text).unwrap_err(), why);
        }
        let long = vec![b'a'; MAX_RECORD_BYTES + 1];
        assert_eq!(records(&long).unwrap_err(), "1: a record is longer than a mebibyte");
    }
}
