//! Requests for resources that this crate does not declare, with the API key, retries, limits and errors of
//! the client.

mod ahead;
mod answer;
mod pages;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use client_core::Body;
use didww_types::{Document, ResourceObject, encode_component};
use futures_core::Stream;
use futures_util::TryStreamExt as _;
use futures_util::stream::iter;
use reqwest::Method;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde_json::Value;

use crate::request::Request;
use crate::{Client, Error, Multipart, Reason};

pub use answer::RawAnswer;

/// The headers that the HTTP client sets itself. A different value would break the connection.
const OWN_HEADERS: [HeaderName; 4] = [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// A request with a path of the caller's choice. Await it, or call [`send`](Self::send).
///
/// ```
/// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
/// use didww_client::{Method, Multipart, TryStreamExt as _};
///
/// let pops = client.raw(Method::GET, "/pops").query("sort", "name").await?.json()?;
/// println!("{}", pops["data"][0]["attributes"]["name"]);
///
/// let mut cities = client.raw(Method::GET, "/cities").query("page[size]", "1000").records();
/// while let Some(city) = cities.try_next().await? {
///     println!("{}", city.attributes["name"]);
/// }
///
/// let form = Multipart::new()
///     .text("encrypted_files[encryption_fingerprint]", "a-fingerprint")
///     .file("encrypted_files[items][][file]", "id.pdf.enc", "application/octet-stream", vec![1, 2, 3]);
/// let upload = client.raw(Method::POST, "/encrypted_files").header("Accept", "application/json");
/// println!("{}", upload.multipart(&form).await?.json()?["ids"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until it is awaited"]
#[derive(Clone)]
pub struct RawRequest {
    client: Client,
    request: Request,
    /// The query parameters, in the order in which they were added.
    query: Vec<(String, String)>,
    /// The name of a header that is not valid.
    invalid_header: Option<String>,
}

impl RawRequest {
    pub(crate) fn new(client: Client, method: Method, path: &str) -> Self {
        Self { client, request: Request::raw(method, path), query: Vec::new(), invalid_header: None }
    }

    /// Adds a query parameter. Name and value are percent-encoded by this method.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a header of this request, in place of the one that the client would send. A second call with the same name
    /// replaces the first.
    ///
    /// A name or value that HTTP does not allow is an error when the request is sent: [`Reason::Header`].
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) if !OWN_HEADERS.contains(&name) => {
                self.request.headers.insert(name, value);
            }
            _ => self.invalid_header = Some(name.to_owned()),
        }
        self
    }

    /// Sets the JSON body, with the media type `application/vnd.api+json`.
    pub fn body(mut self, body: &Value) -> Self {
        self.request = self.request.with_body(body);
        self
    }

    /// Sets a body of any media type.
    ///
    /// A media type that HTTP does not allow is an error when the request is sent: [`Reason::Header`].
    pub fn bytes(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        match HeaderValue::from_str(media_type) {
            Ok(media_type) => self.request.body = Some(Body { media_type, bytes: body.into() }),
            Err(_) => self.invalid_header = Some("Content-Type".to_owned()),
        }
        self
    }

    /// Sets the body to a form of several parts, as `POST /encrypted_files` takes one.
    pub fn multipart(self, form: &Multipart) -> Self {
        match form.encode() {
            Some((media_type, body)) => self.bytes(&media_type, body),
            None => Self { invalid_header: Some("Content-Type".to_owned()), ..self },
        }
    }

    /// Sends the request. As with declared resources, a POST is retried only when it cannot have taken
    /// effect.
    ///
    /// # Errors
    /// Returns an error for a status outside 2xx.
    pub async fn send(self) -> Result<RawAnswer, Error> {
        let request = self.prepared()?;
        Ok(RawAnswer(self.client.execute(&request).await?))
    }

    /// Streams the documents of a list, page by page, from the first page or from that of a `page[number]` in the
    /// query. A page is requested when the stream is polled for it. A list without pages is one document.
    ///
    /// When the service's pages would never end, the stream yields the pages so far and then [`Error::Endless`].
    pub fn pages(
        self,
    ) -> impl Stream<Item = Result<Document<Vec<ResourceObject>>, Error>> + Send + Unpin + use<> {
        pages::stream(self)
    }

    /// As [`pages`](Self::pages), but quicker for a list with many pages: the first page says how many there are, and
    /// then three are requested at a time, within the client's rate limit, while `decode` decodes those before. Pages
    /// come in their order.
    ///
    /// `decode` is usually [`RawAnswer::document`], on another thread if the pages are large.
    ///
    /// Requests go on only while the stream is polled. After a page that is handled for longer than a quarter of the
    /// client's [`timeout`](crate::ClientBuilder::timeout), the others are read one after the other.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
    /// use didww_client::{Method, TryStreamExt as _};
    ///
    /// let cities = client.raw(Method::GET, "/cities").query("page[size]", "1000");
    /// let mut pages = cities.pages_ahead(|answer| async move { answer.document() });
    /// while let Some(page) = pages.try_next().await? {
    ///     println!("{}", page.data.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages_ahead<F, D>(
        self,
        decode: F,
    ) -> impl Stream<Item = Result<Document<Vec<ResourceObject>>, Error>> + Send + Unpin + use<F, D>
    where
        F: Fn(RawAnswer) -> D + Send + Sync + 'static,
        D: Future<Output = Result<Document<Vec<ResourceObject>>, Error>> + Send + 'static,
    {
        let decode: ahead::Decode =
            Arc::new(move |answer: RawAnswer| -> ahead::Decoded { Box::pin(decode(answer)) });
        ahead::stream(self, decode)
    }

    /// Streams the records of all pages; see [`pages`](Self::pages).
    pub fn records(self) -> impl Stream<Item = Result<ResourceObject, Error>> + Send + Unpin + use<> {
        self.pages().map_ok(|page| iter(page.data.into_iter().map(Ok))).try_flatten()
    }

    /// Returns the request as it is sent.
    fn prepared(&self) -> Result<Request, Error> {
        if let Some(name) = &self.invalid_header {
            return Err(self.request.refused(Reason::Header(name.clone())));
        }
        let mut request = self.request.clone();
        let pairs = self.query.iter();
        let encoded = pairs.map(|(name, value)| [encode_component(name), encode_component(value)].join("="));
        request.query = encoded.collect::<Vec<_>>().join("&");
        Ok(request)
    }

    /// Sets a query parameter in place of all values that it had.
    fn set_query(&mut self, name: &str, value: String) {
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.to_owned(), value));
    }

    fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl IntoFuture for RawRequest {
    type Output = Result<RawAnswer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("method", &self.request.method)
            .field("path", &self.request.path)
            .finish_non_exhaustive()
    }
}
