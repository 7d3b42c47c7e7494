//! The files of a database: one process has them, nobody else reads them, and they are where their names say.
//!
//! The lock is `flock` on the database itself, held by a descriptor that lives as long as the store. So neither another
//! name of the file nor a lock file that somebody deletes leads past it. A file that is deleted, moved or replaced while
//! it is open would take writes that no later start finds: it is looked at by name again and again.
//!
//! Closing any descriptor of a file drops all of a process's POSIX locks on it, also those of the engine. So the
//! database is opened here once, and a second store of this process is refused before it opens anything.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::open::OpenError;

/// Device and inode.
type Identity = (u64, u64);

/// The databases that this process has open.
static CLAIMED: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

/// Everything that no other user may do with the files.
const OTHERS: u32 = 0o077;

/// A claimed database.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Holds the lock; closed before the claim is given back.
    database: File,
    /// What an older server locked, if it left one: it must not run beside this one.
    _older: Option<File>,
    /// Whether there was a file before.
    existed: bool,
    /// The names that must stay, and what they stand for.
    places: Vec<(PathBuf, Identity)>,
    _claim: Claim,
}

#[derive(Debug)]
struct Claim(Identity);

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Files {
    /// Opens and locks a database, or makes an empty one.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Access`]; an existing file is as it was.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let access = |error| OpenError::Access { file: path.to_owned(), error };
        let in_use = || OpenError::InUse { file: path.to_owned() };
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fs::metadata(path).ok();
        if before.as_ref().is_some_and(|found| claimed.contains(&identity(found))) {
            return Err(in_use());
        }
        // Made by hand so that nobody else can read the keys, not even for a moment.
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
        let older = OpenOptions::new().write(true).open(beside(&path, ".lock")).ok();
        if let Some(older) = &older
            && !lock(older).map_err(access)?
        {
            return Err(in_use());
        }
        if found.len() == 0 {
            database.set_permissions(Permissions::from_mode(0o600)).map_err(access)?;
        }
        if found.nlink() > 1 {
            tracing::warn!(
                database = %path.display(), names = found.nlink(),
                "the database has more than one name: its write-ahead log stands beside this one alone"
            );
        }
        claimed.insert(identity(&found));
        let places = vec![(path.clone(), identity(&found))];
        let claim = Claim(identity(&found));
        Ok(Self { path, database, _older: older, existed: before.is_some(), places, _claim: claim })
    }

    /// Where the database is, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The database. It must not be opened a second time.
    pub(super) fn database(&self) -> &File {
        &self.database
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> io::Result<u64> {
        self.database.metadata().map(|found| found.len())
    }

    /// Whether there was a file before this process made one.
    pub(super) fn existed(&self) -> bool {
        self.existed
    }

    /// Takes from others what they may do with the files, or says that it cannot.
    pub(super) fn make_private(&self) {
        for path in [self.path.clone(), beside(&self.path, "-wal"), beside(&self.path, "-shm")] {
            let Ok(found) = fs::metadata(&path) else { continue };
            let mode = found.permissions().mode() & 0o7777;
            if mode & OTHERS == 0 {
                continue;
            }
            let (file, was) = (path.display(), format!("{mode:04o}"));
            match fs::set_permissions(&path, Permissions::from_mode(mode & !OTHERS)) {
                Ok(()) => {
                    tracing::warn!(%file, was, "others could use this file, which holds keys; now they cannot");
                }
                Err(error) => {
                    tracing::warn!(%file, was, %error, "others can use this file, which holds keys: take that from them");
                }
            }
        }
    }

    /// Remembers the files that the engine keeps beside the database. Returns its log, open for writing.
    pub(super) fn settle(&mut self) -> io::Result<File> {
        for ending in ["-wal", "-shm"] {
            let path = beside(&self.path, ending);
            let found = fs::metadata(&path)?;
            self.places.push((path, identity(&found)));
        }
        // The engine locks nothing in its log, so that closing a descriptor of it is harmless.
        OpenOptions::new().read(true).write(true).open(beside(&self.path, "-wal"))
    }

    /// Whether each name still stands for the file that is open.
    ///
    /// # Errors
    /// What happened to which.
    pub(super) fn check(&self) -> Result<(), String> {
        self.places.iter().try_for_each(|(path, open)| match fs::metadata(path) {
            Ok(found) if identity(&found) == *open => Ok(()),
            Ok(_) => Err(format!("{} was replaced by another file", path.display())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(format!("{} was deleted or moved", path.display()))
            }
            Err(error) => Err(format!("{} cannot be looked at any more: {error}", path.display())),
        })
    }
}

/// The file beside another one that has this ending more.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

/// Whether nobody else has the lock.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
