//! The files of a database: locked by one process, not accessible to other users, and checked to stay at their paths.
//!
//! The lock is an `flock` on the database itself, held by a descriptor that lives as long as the store. So it cannot be
//! bypassed by another name of the file or by deleting a lock file. If a file is deleted, moved or replaced while it is
//! open, writes would go to a file that no later start finds. Therefore the paths are checked after every commit, and
//! while the writer is idle.
//!
//! Closing any descriptor of a file releases all POSIX locks of the process on it, including those of the engine. So
//! the database is opened here once, and a second store of this process is refused before it opens the file.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::open_error::OpenError;

/// The device and inode of a file.
type FileId = (u64, u64);

/// The databases that are open in this process.
static OPEN_DATABASES: Mutex<BTreeSet<FileId>> = Mutex::new(BTreeSet::new());

/// The permissions of the group and of other users, which the files must not have.
const GROUP_AND_OTHERS: u32 = 0o077;

/// The locked files of a database.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Holds the lock. Declared, and so closed, before the entry in [`OPEN_DATABASES`] is removed.
    database: File,
    /// The lock file of an older server, if it exists. It is locked too, so that an older server cannot open the
    /// database meanwhile.
    older_lock: Option<File>,
    /// Whether the database existed before it was opened.
    existed: bool,
    watched: Watched,
    _registration: Registration,
}

/// The paths of a database, with the file that each must lead to.
#[derive(Debug, Clone)]
pub(super) struct Watched(Vec<(PathBuf, FileId)>);

/// The entry of a database in [`OPEN_DATABASES`], which is removed on drop.
#[derive(Debug)]
struct Registration(FileId);

impl Drop for Registration {
    fn drop(&mut self) {
        OPEN_DATABASES.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // A child process that was forked meanwhile has the descriptors until it runs its program, so closing them here
        // would not release the locks.
        for locked in [Some(&self.database), self.older_lock.as_ref()].into_iter().flatten() {
            if let Err(error) = locked.unlock() {
                tracing::debug!(database = %self.path.display(), %error, "the lock ends with its descriptor");
            }
        }
    }
}

impl Files {
    /// Opens and locks a database, or creates an empty file.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Access`]; an existing file is unchanged then.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let access = |error| OpenError::Access { file: path.to_owned(), error };
        let in_use = || OpenError::InUse { file: path.to_owned() };
        let mut open_databases = OPEN_DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fs::metadata(path).ok();
        if before.as_ref().is_some_and(|found| open_databases.contains(&file_id(found))) {
            return Err(in_use());
        }
        // The file is created here and not by the engine, so that other users can never read the keys in it.
        let database =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let database = database.map_err(access)?;
        if !lock(&database).map_err(access)? {
            return Err(in_use());
        }
        let path = path.canonicalize().map_err(access)?;
        let found = database.metadata().map_err(access)?;
        if fs::metadata(&path).map_err(access)?.ino() != found.ino() {
            return Err(access(io::Error::other("it was replaced while it was opened")));
        }
        let older_lock = OpenOptions::new().write(true).open(with_suffix(&path, ".lock")).ok();
        if let Some(older_lock) = &older_lock
            && !lock(older_lock).map_err(access)?
        {
            return Err(in_use());
        }
        if found.len() == 0 {
            database.set_permissions(Permissions::from_mode(0o600)).map_err(access)?;
        }
        if found.nlink() > 1 {
            tracing::warn!(
                database = %path.display(), names = found.nlink(),
                "the database has several hard links: its write-ahead log is only beside this one"
            );
        }
        let id = file_id(&found);
        open_databases.insert(id);
        Ok(Self {
            watched: Watched(vec![(path.clone(), id)]),
            path,
            database,
            older_lock,
            existed: before.is_some(),
            _registration: Registration(id),
        })
    }

    /// The canonical path of the database.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file of the database, which must not be opened a second time.
    pub(super) fn database(&self) -> &File {
        &self.database
    }

    /// The length of the database in bytes.
    pub(super) fn length(&self) -> io::Result<u64> {
        self.database.metadata().map(|found| found.len())
    }

    /// Whether the database existed before it was opened.
    pub(super) fn existed(&self) -> bool {
        self.existed
    }

    /// Removes the permissions of other users on the files, and logs a warning if it had to or could not.
    pub(super) fn make_private(&self) {
        for path in [self.path.clone(), with_suffix(&self.path, "-wal"), with_suffix(&self.path, "-shm")] {
            let Ok(found) = fs::metadata(&path) else { continue };
            let mode = found.permissions().mode() & 0o7777;
            if mode & GROUP_AND_OTHERS == 0 {
                continue;
            }
            let (file, old_mode) = (path.display(), format!("{mode:04o}"));
            match fs::set_permissions(&path, Permissions::from_mode(mode & !GROUP_AND_OTHERS)) {
                Ok(()) => {
                    tracing::warn!(%file, old_mode, "other users had access to this file, which contains keys; their access was removed");
                }
                Err(error) => {
                    tracing::warn!(%file, old_mode, %error, "other users have access to this file, which contains keys: remove their access");
                }
            }
        }
    }

    /// Adds the log and the shared memory, which the engine creates beside the database, to the files that are checked.
    /// Returns the log, open for writing.
    pub(super) fn watch_companions(&mut self) -> io::Result<File> {
        for suffix in ["-wal", "-shm"] {
            let path = with_suffix(&self.path, suffix);
            let found = fs::metadata(&path)?;
            self.watched.0.push((path, file_id(&found)));
        }
        // The engine takes no locks on its log, so closing a descriptor of it releases none.
        OpenOptions::new().read(true).write(true).open(with_suffix(&self.path, "-wal"))
    }

    /// The paths that are checked, with the file that each must lead to.
    pub(super) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// As [`Watched::check`].
    pub(super) fn check(&self) -> Result<(), String> {
        self.watched.check()
    }
}

impl Watched {
    /// Checks that each path still leads to the open file.
    ///
    /// # Errors
    /// The text states which file was deleted, moved or replaced.
    pub(super) fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(|(path, open)| match fs::metadata(path) {
            Ok(found) if file_id(&found) == *open => Ok(()),
            Ok(_) => Err(format!("{} was replaced by another file", path.display())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(format!("{} was deleted or moved", path.display()))
            }
            Err(error) => Err(format!("{} cannot be checked any more: {error}", path.display())),
        })
    }
}

/// Appends a suffix to the name of a file.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn file_id(found: &Metadata) -> FileId {
    (found.dev(), found.ino())
}

/// Locks a file. Returns false if another descriptor has the lock.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_a_forked_child_still_has_does_not_keep_a_closed_database_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.db");
        let files = Files::open(&path).unwrap();
        // A duplicate shares the open file, and so the lock, as the copy in a forked child does.
        let of_child = files.database().try_clone().unwrap();
        drop(files);
        drop(Files::open(&path).unwrap());
        drop(of_child);
    }
}
