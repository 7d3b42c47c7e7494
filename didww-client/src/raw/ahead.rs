//! The pages of a list that this crate does not declare, of which the next ones are requested before one is decoded.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use client_core::Instant;
use didww_types::{Document, ResourceObject};
use futures_core::Stream;
use futures_util::StreamExt as _;
use futures_util::stream::{iter, try_unfold};

use super::pages::NUMBER;
use super::{RawAnswer, RawRequest};
use crate::page::Progress;
use crate::{Endless, Error, Exchange};

/// Number of pages that are requested at the same time.
const REQUESTED: usize = 3;
/// Number of pages that are decoded at the same time.
const DECODED: usize = 2;
/// The part of the client's timeout after which a caller who still handles a page has no use of the next ones.
const PATIENCE: u32 = 4;

/// A page of a list.
type Page = Document<Vec<ResourceObject>>;
/// A page that is being decoded.
pub(super) type Decoded = Pin<Box<dyn Future<Output = Result<Page, Error>> + Send>>;
/// The caller's decoding.
pub(super) type Decode = Arc<dyn Fn(RawAnswer) -> Decoded + Send + Sync>;
/// Pages in their order, each with its request.
type Queue = Pin<Box<dyn Stream<Item = Result<(Exchange, Page), Error>> + Send>>;

/// The state of a stream of pages: the reader of the next one, an error to yield, or the end.
enum Pages {
    Next(Box<Reader>),
    Fail(Endless),
    End,
}

pub(super) fn stream(
    request: RawRequest,
    decode: Decode,
) -> impl Stream<Item = Result<Page, Error>> + Send + Unpin + use<> {
    let first = request.query_value(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1);
    let progress = Progress::at(first);
    let reader = Reader { request, decode, progress, is_first: true, queue: None, polled_at: None };
    Box::pin(try_unfold(Pages::Next(Box::new(reader)), Pages::step))
}

impl Pages {
    async fn step(self) -> Result<Option<(Page, Self)>, Error> {
        let mut reader = match self {
            Self::Next(reader) => reader,
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let (exchange, page) = reader.read().await?;
        let (records, total) = (page.data.len(), page.meta.total_records);
        let next = match reader.progress.after(records, total, &page.links) {
            Ok(Some(progress)) => {
                reader.advance(progress, records, total);
                Self::Next(reader)
            }
            Ok(None) => Self::End,
            Err(reason) => Self::Fail(Endless::new(exchange, reader.progress.number, reason)),
        };
        Ok(Some((page, next)))
    }
}

/// Reads one page after the other.
struct Reader {
    /// The request for the next page.
    request: RawRequest,
    decode: Decode,
    progress: Progress,
    is_first: bool,
    /// The pages from the next one on, up to the number that the total of the first page implies.
    queue: Option<Queue>,
    /// When a page of the queue was last read.
    polled_at: Option<Instant>,
}

impl Reader {
    async fn read(&mut self) -> Result<(Exchange, Page), Error> {
        let patience = self.request.client.timeout() / PATIENCE;
        let is_stale = |at: Instant| client_core::now().saturating_duration_since(at) > patience;
        if self.polled_at.is_some_and(is_stale) {
            // Nothing drove its requests meanwhile, and their time limits went on.
            self.queue = None;
        }
        if let Some(queue) = &mut self.queue
            && let Some(read) = queue.next().await
        {
            self.polled_at = Some(client_core::now());
            return read;
        }
        // Records that were created meanwhile may be on more pages than expected.
        self.queue = None;
        let answer = self.request.clone().send().await?;
        let exchange = answer.exchange().clone();
        let page = (self.decode)(answer).await?;
        Ok((exchange, page))
    }

    /// Prepares for the page that follows one with this number of records.
    fn advance(&mut self, progress: Progress, records: usize, total: Option<u64>) {
        let number = progress.number;
        let follows = number == self.progress.number.saturating_add(1);
        self.request.set_query(NUMBER, number.to_string());
        self.progress = progress;
        if !follows {
            // The service numbers its pages in another way.
            self.queue = None;
        } else if self.is_first {
            let pages = expected(records, total);
            // This page was one of them.
            let last = number.saturating_add(pages.saturating_sub(2));
            self.queue = (pages > 1).then(|| queue(&self.request, &self.decode, number..=last));
        }
        self.is_first = false;
    }
}

/// The number of pages, if each has as many records as the first one; 0 if that is not known.
fn expected(records: usize, total: Option<u64>) -> u64 {
    let size = u64::try_from(records).unwrap_or(u64::MAX);
    match total {
        Some(total) if size > 0 => total.div_ceil(size),
        _ => 0,
    }
}

/// Requests pages in their order, some at the same time. Nothing is requested until the stream is polled.
fn queue(request: &RawRequest, decode: &Decode, numbers: RangeInclusive<u64>) -> Queue {
    let (request, decode) = (request.clone(), Arc::clone(decode));
    let answers = iter(numbers).map(move |number| {
        let mut request = request.clone();
        request.set_query(NUMBER, number.to_string());
        request.send()
    });
    let pages = answers.buffered(REQUESTED).map(move |answer| {
        let decode = Arc::clone(&decode);
        async move {
            let answer = answer?;
            let exchange = answer.exchange().clone();
            let page = decode(answer).await?;
            Ok::<(Exchange, Page), Error>((exchange, page))
        }
    });
    Box::pin(pages.buffered(DECODED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pages_are_expected_as_the_total_fills() {
        assert_eq!(expected(1_000, Some(10_000)), 10);
        assert_eq!(expected(1_000, Some(10_001)), 11);
        assert_eq!(expected(2, Some(2)), 1);
        assert_eq!((expected(0, Some(2)), expected(2, None)), (0, 0));
    }
}
