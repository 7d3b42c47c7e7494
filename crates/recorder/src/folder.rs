//! The folder of a recording: a file for each exchange, in the order of the requests' ends.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::RecorderError;
use crate::exchange::Exchange;

/// Maximum number of bytes of all files of a recording.
const MAX_TOTAL_BYTES: u64 = 256 << 20;
/// Maximum number of files that are read.
const MAX_FILES: usize = 100_000;
/// Maximum number of bytes of a file that is read.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Maximum number of characters of the part of a file's name that is made of the path.
const MAX_NAME: usize = 60;

/// Writes the files of a recording.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    max: usize,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    files: usize,
    bytes: u64,
}

impl Writer {
    /// Creates the folder, unless it exists and is empty. At most `max` exchanges are written to it, and at most
    /// 99,999: the names of more would not sort by their numbers.
    ///
    /// # Errors
    /// If it has files, or cannot be created.
    pub fn create(folder: &Path, max: usize) -> Result<Self, RecorderError> {
        let unusable = |error: io::Error| RecorderError::Folder(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(unusable)?;
        if fs::read_dir(folder).map_err(unusable)?.next().is_some() {
            return Err(RecorderError::NotEmpty(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned(), max: max.min(MAX_FILES - 1), written: Mutex::default() })
    }

    /// Writes an exchange. Returns false if the recording is full.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, exchange: &Exchange) -> io::Result<bool> {
        let mut text = serde_json::to_string_pretty(exchange).map_err(io::Error::other)?;
        if text.len() as u64 >= MAX_FILE_BYTES {
            // The indentation of deep values would exceed the limit of a file.
            text = serde_json::to_string(exchange).map_err(io::Error::other)?;
        }
        text.push('\n');
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = written.bytes.saturating_add(text.len() as u64);
        if written.files >= self.max || bytes > MAX_TOTAL_BYTES {
            return Ok(false);
        }
        let path = self.folder.join(name(written.files + 1, exchange));
        create_whole(&path, |file| file.write_all(text.as_bytes()))?;
        (written.files, written.bytes) = (written.files + 1, bytes);
        Ok(true)
    }
}

/// Creates a file that only its owner can read: recordings contain names, addresses and telephone numbers. A file that
/// cannot be written completely is removed: an incomplete exchange would make the whole folder unreadable, and the next
/// exchange could not use the number of the file.
fn create_whole(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    write(&mut file).inspect_err(|_| {
        // A failure to remove the file is not reported; its cause is.
        let _removed = fs::remove_file(path);
    })
}

/// The name of a file: its number, the method and the path.
fn name(number: usize, exchange: &Exchange) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let method: String = exchange.request.method.chars().take(10).map(plain).collect();
    let path: String = exchange.request.path.trim_matches('/').chars().take(MAX_NAME).map(plain).collect();
    format!("{number:05}-{method}-{path}.json")
}

/// Reads the exchanges of a folder in the order of the names of their files, each with that name.
///
/// # Errors
/// If the folder cannot be read or has no exchanges, or a file is not an exchange.
pub fn read(folder: &Path) -> Result<Vec<(String, Exchange)>, RecorderError> {
    read_files(folder, MAX_FILES)
}

/// Reads the exchanges of a folder that has at most `max` files of them.
fn read_files(folder: &Path, max: usize) -> Result<Vec<(String, Exchange)>, RecorderError> {
    let unusable = |error: io::Error| RecorderError::Folder(folder.to_owned(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name().to_string_lossy().into_owned();
        let is_json = Path::new(&name).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        if is_json {
            names.push(name);
        }
        if names.len() > max {
            let error = io::Error::other(format!("it has more than {max} files"));
            return Err(RecorderError::Folder(folder.to_owned(), error));
        }
    }
    if names.is_empty() {
        return Err(RecorderError::Empty(folder.to_owned()));
    }
    names.sort();
    let mut exchanges = Vec::with_capacity(names.len());
    for name in names {
        let path = folder.join(&name);
        let mut text = String::new();
        let file = fs::File::open(&path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
        file.map_err(|error| RecorderError::File(path.clone(), error.to_string()))?;
        let exchange: Result<Exchange, serde_json::Error> = serde_json::from_str(&text);
        exchanges.push((name, exchange.map_err(|error| RecorderError::File(path, error.to_string()))?));
    }
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use http::HeaderMap;

    use super::*;
    use crate::exchange::{RecordedRequest, RecordedResponse};

    fn exchange(path: &str) -> Exchange {
        let request = RecordedRequest::new("GET", path, None, &HeaderMap::new(), b"");
        Exchange::new(request, RecordedResponse::new(200, &HeaderMap::new(), b"{}"))
    }

    #[test]
    fn what_is_written_is_read_in_its_order_and_no_more_than_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("recording");
        let writer = Writer::create(&folder, 2).unwrap();
        assert!(writer.write(&exchange("/v3/b")).unwrap());
        assert!(writer.write(&exchange("/v3/a/../%2f")).unwrap());
        assert!(!writer.write(&exchange("/v3/c")).unwrap());
        let read = read(&folder).unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["00001-GET-v3-b.json", "00002-GET-v3-a-----2f.json"]);
        assert_eq!(read[0].1, exchange("/v3/b"));
        assert_eq!(read_files(&folder, 2).unwrap().len(), 2);
        let refused = read_files(&folder, 1).unwrap_err().to_string();
        assert!(refused.contains("more than 1 files"), "{refused}");
        assert!(matches!(Writer::create(&folder, 2), Err(RecorderError::NotEmpty(_))));
    }

    #[test]
    fn no_more_is_written_than_is_read_in_the_same_order() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path(), usize::MAX).unwrap();
        assert_eq!(writer.max, 99_999);
        assert!(name(10_000, &exchange("/v3/b")) < name(writer.max, &exchange("/v3/a")));
        assert!(name(MAX_FILES, &exchange("/v3/a")) < name(writer.max, &exchange("/v3/a")), "out of order");
    }

    #[test]
    fn a_file_that_cannot_be_written_whole_is_removed_and_one_that_exists_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00001-GET-v3-a.json");
        let full = create_whole(&path, |file| {
            file.write_all(b"{")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(full.unwrap_err().to_string().contains("full") && !path.exists());
        create_whole(&path, |file| file.write_all(b"{}")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "others cannot read it");
        assert!(create_whole(&path, |_| Ok(())).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
    }

    #[test]
    fn an_exchange_whose_indentation_would_be_too_long_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let body = format!("{}1{}{}", "[".repeat(100), ",1".repeat(100_000), "]".repeat(100));
        let request = RecordedRequest::new("GET", "/v3/a", None, &HeaderMap::new(), b"");
        let deep = Exchange::new(request, RecordedResponse::new(200, &HeaderMap::new(), body.as_bytes()));
        let writer = Writer::create(folder.path(), 1).unwrap();
        assert!(writer.write(&deep).unwrap());
        assert_eq!(read(folder.path()).unwrap()[0].1, deep);
    }

    #[test]
    fn a_recording_is_full_before_a_file_that_would_make_it_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path(), 3).unwrap();
        assert!(writer.write(&exchange("/v3/a")).unwrap());
        let bytes = writer.written.lock().unwrap().bytes;
        assert!(bytes > 0);
        // The second file has the length of the first one.
        writer.written.lock().unwrap().bytes = MAX_TOTAL_BYTES - bytes + 1;
        assert!(!writer.write(&exchange("/v3/b")).unwrap());
        writer.written.lock().unwrap().bytes = MAX_TOTAL_BYTES - bytes;
        assert!(writer.write(&exchange("/v3/b")).unwrap());
        assert_eq!(writer.written.lock().unwrap().bytes, MAX_TOTAL_BYTES);
        assert!(!writer.write(&exchange("/v3/c")).unwrap());
        assert_eq!(read(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_file_is_read_up_to_its_longest_length_and_its_name_has_the_start_of_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path(), 1).unwrap();
        let long = exchange(&format!("/{}", "a".repeat(MAX_NAME + 1)));
        assert!(writer.write(&long).unwrap());
        let (name, written) = read(folder.path()).unwrap().remove(0);
        assert_eq!(name, format!("00001-GET-{}.json", "a".repeat(MAX_NAME)));
        assert_eq!(written, long);
        let file = folder.path().join(name);
        let text = fs::read_to_string(&file).unwrap();
        let room = usize::try_from(MAX_FILE_BYTES).unwrap() - text.len();
        fs::write(&file, format!("{}{text}", " ".repeat(room))).unwrap();
        assert_eq!(read(folder.path()).unwrap()[0].1, long);
        // The line end of the last line is left out, and then its brace.
        fs::write(&file, format!("{}{text}", " ".repeat(room + 2))).unwrap();
        assert!(matches!(read(folder.path()), Err(RecorderError::File(..))));
    }

    #[test]
    fn a_file_that_is_no_exchange_is_named_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(RecorderError::Empty(_))));
        fs::write(folder.path().join("1.json"), "{\n \"reqest\": {}\n}").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("1.json") && error.contains("reqest") && error.contains("line 2"), "{error}");
    }
}
