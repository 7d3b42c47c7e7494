//! A value that is made of a file, and made again when the file has changed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Maximum number of bytes of the file that are compared.
const MAX_BYTES: u64 = 64 << 10;

/// A value that is made of a file.
pub(crate) struct OfFile<T> {
    file: PathBuf,
    make: Box<dyn Fn() -> Option<T> + Send + Sync>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    /// The bytes of the file when the value was made; `None` if it could not be read.
    bytes: Option<Vec<u8>>,
    value: Option<T>,
}

impl<T: Clone> OfFile<T> {
    /// Makes the value. `make` returns `None` if the file has none.
    pub(crate) fn new(file: &Path, make: impl Fn() -> Option<T> + Send + Sync + 'static) -> Self {
        // Read before, so that a change meanwhile is noticed later.
        let bytes = read(file);
        let value = make();
        Self { file: file.to_owned(), make: Box::new(make), current: Mutex::new(Current { bytes, value }) }
    }

    /// The value of the file as it is now.
    pub(crate) fn current(&self) -> Option<T> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = read(&self.file);
        if bytes != current.bytes {
            tracing::info!(file = %self.file.display(), "the file has changed and is used from now on");
            *current = Current { bytes, value: (self.make)() };
        }
        current.value.clone()
    }
}

fn read(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_value_is_made_again_when_its_file_has_changed_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("resolv.conf");
        let source = file.clone();
        let made = Mutex::new(0);
        let value = OfFile::new(&file, move || {
            let mut made = made.lock().unwrap();
            *made += 1;
            Some((*made, fs::read_to_string(&source).ok()?))
        });
        assert_eq!(value.current(), None, "there is no file yet");
        fs::write(&file, "one").unwrap();
        for _ in 0..2 {
            assert_eq!(value.current(), Some((2, "one".to_owned())));
        }
        fs::write(&file, "two").unwrap();
        assert_eq!(value.current(), Some((3, "two".to_owned())));
        fs::remove_file(&file).unwrap();
        assert_eq!(value.current(), None);
    }
}
