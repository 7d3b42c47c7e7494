//! A request for records, page by page.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use didww_types::{Filter as _, Parameters, Partial, Resource};
use futures_core::Stream;
use futures_util::TryStreamExt as _;
use futures_util::stream::{iter, try_unfold};
use serde::de::DeserializeOwned;

use super::version_check;
use crate::answer::Decode;
use crate::page::Progress;
use crate::request::Request;
use crate::{Client, Endless, Error, Exchange, Page};

/// A request for records. Await it for one page, or [`stream`](Self::stream) it for the records of all pages.
///
/// ```
/// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
/// use didww_client::TryStreamExt as _;
/// use didww_client::resources::{VoiceOutTrunkFilter, VoiceOutTrunkSort, VoiceOutTrunkStatus};
///
/// let blocked = client
///     .voice_out_trunks()
///     .list()
///     .filter(VoiceOutTrunkFilter::status(VoiceOutTrunkStatus::Blocked))
///     .sort(VoiceOutTrunkSort::Name);
/// let mut trunks = blocked.stream();
/// while let Some(trunk) = trunks.try_next().await? {
///     println!("{} spent {}", trunk.name, trunk.meta.spent_amount);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until it is awaited"]
pub struct ListRequest<R: Resource, T = R> {
    client: Client,
    request: Request,
    parameters: Parameters,
    decode: Decode<T>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> ListRequest<R> {
    pub(super) fn new(client: Client, request: Request) -> Self {
        Self {
            client,
            request,
            parameters: Parameters::default(),
            decode: R::decode_at,
            resource: PhantomData,
        }
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> ListRequest<R, T> {
    /// Leaves out the records that the filter does not fit. Several filters must all fit.
    #[expect(clippy::needless_pass_by_value, reason = "it is built in the call")]
    pub fn filter(mut self, filter: R::Filter) -> Self {
        self.parameters.filters.push((filter.name().to_owned(), filter.value().to_owned()));
        self
    }

    /// Sorts by this, smallest first, after what was given before.
    pub fn sort(mut self, by: R::Sort) -> Self {
        self.parameters.sort.push(by.into().to_owned());
        self
    }

    /// Sorts by this, largest first, after what was given before.
    pub fn sort_descending(mut self, by: R::Sort) -> Self {
        self.parameters.sort.push(format!("-{}", by.into()));
        self
    }

    /// Includes the records that these relationships lead to.
    pub fn include(mut self, paths: impl IntoIterator<Item = R::Include>) -> Self {
        self.parameters.include.extend(paths.into_iter().map(|path| path.into().to_owned()));
        self
    }

    /// Asks for these fields alone; the answers are records of which only they are there.
    pub fn fields(mut self, names: impl IntoIterator<Item = R::Field>) -> ListRequest<R, R::Partial> {
        let names = names.into_iter().map(|name| name.into().to_owned()).collect();
        self.parameters.fields.push((R::TYPE.to_owned(), names));
        ListRequest {
            client: self.client,
            request: self.request,
            parameters: self.parameters,
            decode: <R::Partial as Partial<R>>::decode_at,
            resource: PhantomData,
        }
    }

    /// The page to read, or to begin with, from 1.
    pub fn page(mut self, number: u64) -> Self {
        self.parameters.number = Some(number);
        self
    }

    /// Records on a page: 1 to 1000, and 50 unless set.
    pub fn page_size(mut self, size: u64) -> Self {
        self.parameters.size = Some(size);
        self
    }

    /// Reads one page.
    pub async fn send(self) -> Result<Page<T>, Error> {
        Ok(self.fetch().await?.0)
    }

    /// The pages, from the first or the given one to the last, each read when it is asked for.
    ///
    /// A list that would not come to its end ends with [`Error::Endless`], after its pages so far.
    pub fn pages(self) -> impl Stream<Item = Result<Page<T>, Error>> + Send + Unpin + use<R, T> {
        let progress = Progress::at(self.parameters.number.unwrap_or(1));
        Box::pin(try_unfold(Walk::Ask(Box::new(self), progress), Walk::step))
    }

    /// The records of all pages; see [`pages`](Self::pages).
    pub fn stream(self) -> impl Stream<Item = Result<T, Error>> + Send + Unpin + use<R, T> {
        self.pages().map_ok(|page| iter(page.items.into_iter().map(Ok))).try_flatten()
    }

    /// The records of all pages at once.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        self.stream().try_collect().await
    }

    async fn fetch(&self) -> Result<(Page<T>, Exchange), Error> {
        let request = self.request.clone().with_query(&self.parameters);
        version_check::parameters(R::SPEC, self.client.api_version(), &self.parameters)
            .map_err(|error| request.refused(error))?;
        let answer = self.client.execute(&request).await?;
        Ok((answer.page::<R, T>(self.decode)?, answer.exchange))
    }
}

/// The state of a walk over the pages.
enum Walk<R: Resource, T> {
    Ask(Box<ListRequest<R, T>>, Progress),
    Fail(Endless),
    End,
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> Walk<R, T> {
    async fn step(self) -> Result<Option<(Page<T>, Self)>, Error> {
        let (mut list, progress) = match self {
            Self::Ask(list, progress) => (list, progress),
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let (page, exchange) = list.fetch().await?;
        let next = match progress.after(page.items.len(), page.total, &page.links) {
            Ok(Some(progress)) => {
                list.parameters.number = Some(progress.number);
                Self::Ask(list, progress)
            }
            Ok(None) => Self::End,
            Err(reason) => Self::Fail(Endless::new(exchange, progress.number, reason)),
        };
        Ok(Some((page, next)))
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> IntoFuture for ListRequest<R, T> {
    type Output = Result<Page<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

// Written out because a derive would ask the same of `T`.
impl<R: Resource, T> Clone for ListRequest<R, T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            request: self.request.clone(),
            parameters: self.parameters.clone(),
            decode: self.decode,
            resource: PhantomData,
        }
    }
}

impl<R: Resource, T> fmt::Debug for ListRequest<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("path", &self.request.path)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
