//! The pages of a list that this crate does not declare.

use didww_types::{Document, ResourceObject};
use futures_core::Stream;
use futures_util::stream::try_unfold;

use super::RawRequest;
use crate::page::Progress;
use crate::{Endless, Error};

/// The parameter with the number of a page.
pub(super) const NUMBER: &str = "page[number]";

/// The state of a stream of pages: the next request, an error to yield, or the end.
enum Pages {
    Next(Box<RawRequest>, Progress),
    Fail(Endless),
    End,
}

pub(super) fn stream(
    request: RawRequest,
) -> impl Stream<Item = Result<Document<Vec<ResourceObject>>, Error>> + Send + Unpin + use<> {
    let first = request.query_value(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1);
    Box::pin(try_unfold(Pages::Next(Box::new(request), Progress::at(first)), Pages::step))
}

impl Pages {
    async fn step(self) -> Result<Option<(Document<Vec<ResourceObject>>, Self)>, Error> {
        let (mut request, progress) = match self {
            Self::Next(request, progress) => (request, progress),
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let answer = request.clone().send().await?;
        let page = answer.document::<Vec<ResourceObject>>()?;
        let next = match progress.after(page.data.len(), page.meta.total_records, &page.links) {
            Ok(Some(progress)) => {
                request.set_query(NUMBER, progress.number.to_string());
                Self::Next(request, progress)
            }
            Ok(None) => Self::End,
            Err(reason) => Self::Fail(Endless::new(answer.exchange().clone(), progress.number, reason)),
        };
        Ok(Some((page, next)))
    }
}
