//! The error of a list whose pages never end.

use crate::Exchange;

/// The client stopped reading a list because its pages would never end. The caller has received the pages
/// read so far.
///
/// `R` is the SDK's own reason: services link their pages in different ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the list does not end: page {page} {reason}")]
#[non_exhaustive]
pub struct Endless<R> {
    /// The request for the last page.
    pub exchange: Exchange,
    /// The number of the page that was read last. Where a service does not number its pages, they are counted
    /// from 1 in the order of reading.
    pub page: u64,
    /// How the client detected that the list does not end.
    pub reason: R,
}

impl<R> Endless<R> {
    /// Creates the error for a list whose last read page is `page`.
    pub fn new(exchange: Exchange, page: u64, reason: R) -> Self {
        Self { exchange, page, reason }
    }
}
