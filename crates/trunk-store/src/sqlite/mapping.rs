//! Limits the part of a file that the engine maps into memory.

use rusqlite::Connection;

/// Makes a connection read a file through memory that maps it, up to 256 MB of it.
pub(super) fn map(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA mmap_size = 268435456;")
}

/// Makes a connection map its file again. Otherwise all pages that the engine has read stay mapped, and the memory of a
/// process that reads a whole database once would include the database.
pub(super) fn forget_read_pages(connection: &Connection) {
    // If it fails, more memory is in use, or reads copy more.
    let _mapped = connection.execute_batch("PRAGMA mmap_size = 0;").and_then(|()| map(connection));
}
