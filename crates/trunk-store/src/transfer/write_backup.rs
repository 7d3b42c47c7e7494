//! Writes the file of a backup.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::backup::{BackupFile, end_line, head_line, row_line};
use super::error::{TransferError, difference};
use super::source::Source;
use super::step::{Phase, Report, Step};
use super::tally::{Tally, Total};

/// Writes all rows of a source to a new file, reads it back, and renames it. Returns the totals of each table.
///
/// # Errors
/// [`TransferError`]; no file has been created or changed then.
pub async fn write_backup(
    source: &Source,
    file: &Path,
    report: Report<'_>,
) -> Result<Vec<Total>, TransferError> {
    refuse_existing(file)?;
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Partial::create(PathBuf::from(partial), file)?;
    let written = partial.write(source, report).await?;
    let read = BackupFile::check(&partial.path, report).map_err(|error| match error {
        TransferError::File { what, error, .. } => TransferError::File { file: file.to_owned(), what, error },
        other => other,
    })?;
    if let Some((table, read, written)) = difference(&written, &read.totals) {
        return Err(TransferError::Differs { place: file.display().to_string(), table, read, written });
    }
    partial.rename()?;
    Ok(written)
}

fn refuse_existing(file: &Path) -> Result<(), TransferError> {
    if file.symlink_metadata().is_ok() {
        return Err(TransferError::Exists { file: file.to_owned() });
    }
    Ok(())
}

/// Removes the temporary file of a backup that was killed. It is not reused: if other users can write to the folder, it
/// may be a file of theirs, with another mode or open in their process.
fn remove_left(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => {}
        Ok(_) => {
            let why = format!("{} exists already, and is not a file; remove it", path.display());
            return Err(io::Error::other(why));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let file = File::open(path)?;
    lock(&file, path)?;
    fs::remove_file(path)
}

/// Locks the file at a path, so that two backups do not write one.
fn lock(file: &File, path: &Path) -> io::Result<()> {
    let is_locked = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    let own = file.metadata()?;
    // Another backup may have renamed or removed the file before it was locked here.
    let is_own = |found: fs::Metadata| (found.dev(), found.ino()) == (own.dev(), own.ino());
    if is_locked && path.symlink_metadata().is_ok_and(is_own) {
        return Ok(());
    }
    Err(io::Error::other(format!("another backup writes {}", path.display())))
}

/// A backup that is being written, which is deleted unless it is renamed.
struct Partial<'a> {
    path: PathBuf,
    /// Holds the lock, so that two backups do not write one file.
    file: File,
    /// The name that it gets.
    named: &'a Path,
    is_complete: bool,
}

impl<'a> Partial<'a> {
    fn create(path: PathBuf, named: &'a Path) -> Result<Self, TransferError> {
        let failed = |error| TransferError::File { file: named.to_owned(), what: "written", error };
        remove_left(&path).map_err(failed)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        lock(&file, &path).map_err(failed)?;
        Ok(Self { path, file, named, is_complete: false })
    }

    async fn write(&self, source: &Source, report: Report<'_>) -> Result<Vec<Total>, TransferError> {
        let failed = |error| TransferError::File { file: self.named.to_owned(), what: "written", error };
        let mut pages = source.pages().await?;
        let (of, mut done) = (pages.rows(), 0);
        let mut to = BufWriter::with_capacity(1 << 18, &self.file);
        to.write_all(head_line(&source.head()).as_bytes()).map_err(failed)?;
        let (mut tally, mut line) = (Tally::default(), Vec::new());
        report(Step { phase: Phase::Copy, done, of });
        while let Some(page) = pages.next().await? {
            for row in &page.rows {
                row_line(&mut tally, page.table, row, &mut line);
                to.write_all(&line).map_err(failed)?;
            }
            done += page.rows.len() as u64;
            report(Step { phase: Phase::Copy, done, of });
            tokio::task::yield_now().await;
        }
        let totals = tally.finish();
        to.write_all(end_line(&totals).as_bytes()).and_then(|()| to.flush()).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        Ok(totals)
    }

    fn rename(mut self) -> Result<(), TransferError> {
        // The file may have been created meanwhile.
        refuse_existing(self.named)?;
        let renamed = fs::rename(&self.path, self.named).and_then(|()| {
            let folder = self.named.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        self.is_complete = renamed.is_ok();
        renamed.map_err(|error| TransferError::File { file: self.named.to_owned(), what: "written", error })
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}
