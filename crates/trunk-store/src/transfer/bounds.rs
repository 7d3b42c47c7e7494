//! The format of a transfer, and the bounds of its pages.

/// The number of the format of backups, and of the digests.
pub const FORMAT: u64 = 1;
/// Maximum number of rows of a page.
pub(crate) const PAGE_ROWS: usize = 500;
/// Number of bytes after which a page ends.
pub(crate) const PAGE_BYTES: usize = 1 << 20;
/// Maximum number of pages that are read before they are written.
pub(crate) const PAGES_AHEAD: usize = 4;
