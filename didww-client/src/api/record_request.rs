//! Requests whose response is one record: get, create and update.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use didww_types::{Parameters, Partial, Resource};
use serde::de::DeserializeOwned;

use super::version_check;
use crate::request::Request;
use crate::response::Decode;
use crate::{Client, Error, Single};

/// A request whose response is one record. Await it, or call [`send`](Self::send).
#[must_use = "nothing is sent until it is awaited"]
pub struct RecordRequest<R: Resource, T = R> {
    client: Client,
    request: Result<Request, Error>,
    parameters: Parameters,
    decode: Decode<T>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> RecordRequest<R> {
    pub(super) fn new(client: Client, request: Result<Request, Error>) -> Self {
        Self {
            client,
            request,
            parameters: Parameters::default(),
            decode: R::decode_at,
            resource: PhantomData,
        }
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> RecordRequest<R, T> {
    /// Includes related records in the response: see [`Single::included`].
    pub fn include(mut self, paths: impl IntoIterator<Item = R::Include>) -> Self {
        self.parameters.include.extend(paths.into_iter().map(|path| path.into().to_owned()));
        self
    }

    /// Requests only these fields. The response is a partial record, in which all other fields are absent.
    pub fn fields(mut self, names: impl IntoIterator<Item = R::Field>) -> RecordRequest<R, R::Partial> {
        let names = names.into_iter().map(|name| name.into().to_owned()).collect();
        self.parameters.fields.push((R::TYPE.to_owned(), names));
        RecordRequest {
            client: self.client,
            request: self.request,
            parameters: self.parameters,
            decode: <R::Partial as Partial<R>>::decode_at,
            resource: PhantomData,
        }
    }

    /// Sends the request and returns the record.
    pub fn send(self) -> impl Future<Output = Result<Single<T>, Error>> + Send + use<R, T> {
        let decode = self.decode;
        // Prepared outside the future, which then only holds the client and the request.
        let prepared = self.prepare();
        async move {
            let (client, request) = prepared?;
            client.execute(&request).await?.single::<R, T>(decode)
        }
    }

    fn prepare(self) -> Result<(Client, Request), Error> {
        let request = self.request?;
        match version_check::parameters(R::SPEC, self.client.api_version(), &self.parameters) {
            Ok(parameters) => Ok((self.client, request.with_query(&parameters))),
            Err(error) => Err(request.refused(error)),
        }
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> IntoFuture for RecordRequest<R, T> {
    type Output = Result<Single<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<R: Resource, T> fmt::Debug for RecordRequest<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RecordRequest");
        match &self.request {
            Ok(request) => debug.field("method", &request.method).field("path", &request.path),
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}
