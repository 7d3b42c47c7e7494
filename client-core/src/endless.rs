//! A list that does not come to its end.

use crate::Exchange;

/// A list that was left because it would not come to its end. The pages read so far were handed out.
///
/// How that showed is for each SDK to say: services name their pages in different ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the list does not end: page {page} {reason}")]
#[non_exhaustive]
pub struct Endless<R> {
    /// The last request.
    pub exchange: Exchange,
    /// The page that was read last: its number, or, where pages have none, which page of the walk it was, from 1.
    pub page: u64,
    /// How it showed.
    pub reason: R,
}

impl<R> Endless<R> {
    /// One that was left after this page.
    pub fn new(exchange: Exchange, page: u64, reason: R) -> Self {
        Self { exchange, page, reason }
    }
}
