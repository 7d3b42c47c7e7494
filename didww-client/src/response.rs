//! A successful response, and the decoding of its records.

use bytes::Bytes;
use didww_types::{ApiVersion, CollectionMeta, DecodeError, Document, Included, Resource, ResourceObject};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use crate::{Error, Exchange, Page, Single};

/// The function that decodes a complete or a partial record from a tree.
pub(crate) type Decode<T> = fn(ApiVersion, ResourceObject) -> Result<T, DecodeError>;

/// A response with a 2xx status.
pub(crate) struct Response {
    pub(crate) exchange: Exchange,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// The API version of the request.
    pub(crate) requested: ApiVersion,
}

impl Response {
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<Document<T>, Error> {
        Document::parse(&self.body).map_err(|error| Error::decode(&self.exchange, error))
    }

    /// Decodes a document whose records are in the canonical form straight from the text, which is faster.
    ///
    /// Returns `None` for records in an older form, which must be converted in a tree, and for an error,
    /// whose path only decoding from a tree yields.
    fn direct<R: Resource, D: DeserializeOwned>(&self) -> Option<(Document<D>, ApiVersion)> {
        if R::SPEC.needs_conversion(self.requested) {
            return None;
        }
        // The whole is validated at once, which is faster than each text alone.
        let document: Document<D> = serde_json::from_str(str::from_utf8(&self.body).ok()?).ok()?;
        let version = served_version(self.requested, &document.meta);
        (!R::SPEC.needs_conversion(version)).then_some((document, version))
    }

    /// Decodes a document with one record.
    pub(crate) fn single<R: Resource, T: DeserializeOwned>(
        &self,
        decode: Decode<T>,
    ) -> Result<Single<T>, Error> {
        if let Some((document, version)) = self.direct::<R, T>() {
            return Ok(single(document.data, document.included, document.meta, version));
        }
        let Document { data, included, meta, .. } = self.document::<ResourceObject>()?;
        self.record::<R, T>(data, included, meta, decode)
    }

    /// Decodes a document with one record or none.
    pub(crate) fn optional<R: Resource, T: DeserializeOwned>(
        &self,
        decode: Decode<T>,
    ) -> Result<Option<Single<T>>, Error> {
        if let Some((document, version)) = self.direct::<R, Option<T>>() {
            return Ok(document.data.map(|data| single(data, document.included, document.meta, version)));
        }
        let Document { data, included, meta, .. } = self.document::<Option<ResourceObject>>()?;
        data.map(|data| self.record::<R, T>(data, included, meta, decode)).transpose()
    }

    fn record<R: Resource, T>(
        &self,
        data: ResourceObject,
        included: Vec<ResourceObject>,
        meta: CollectionMeta,
        decode: Decode<T>,
    ) -> Result<Single<T>, Error> {
        let version = served_version(self.requested, &meta);
        let value = decode_record::<R, T>(version, data, decode)
            .map_err(|error| Error::decode(&self.exchange, error.under("data")))?;
        Ok(single(value, included, meta, version))
    }

    /// Decodes a document with a page of records.
    pub(crate) fn page<R: Resource, T: DeserializeOwned>(&self, decode: Decode<T>) -> Result<Page<T>, Error> {
        if let Some((Document { data, included, meta, links }, version)) = self.direct::<R, Vec<T>>() {
            let included = Included::new(version, included);
            return Ok(Page { items: data, total: meta.total_records, included, links, meta, version });
        }
        let Document { data, included, meta, links } = self.document::<Vec<ResourceObject>>()?;
        let version = served_version(self.requested, &meta);
        let decode_at = |(index, data)| {
            decode_record::<R, T>(version, data, decode)
                .map_err(|error| Error::decode(&self.exchange, error.under(format_args!("data[{index}]"))))
        };
        let items = data.into_iter().enumerate().map(decode_at).collect::<Result<Vec<T>, Error>>()?;
        let included = Included::new(version, included);
        Ok(Page { items, total: meta.total_records, included, links, meta, version })
    }
}

fn single<T>(
    value: T,
    included: Vec<ResourceObject>,
    meta: CollectionMeta,
    version: ApiVersion,
) -> Single<T> {
    Single { value, included: Included::new(version, included), document_meta: meta, version }
}

fn decode_record<R: Resource, T>(
    version: ApiVersion,
    data: ResourceObject,
    decode: Decode<T>,
) -> Result<T, DecodeError> {
    if data.kind != R::SPEC.name_at(version) {
        return Err(DecodeError::wrong_type(R::TYPE, &data.kind));
    }
    decode(version, data)
}

/// The API version of the response. One that this crate does not know is newer than all that it knows, and is
/// decoded as the newest of them.
fn served_version(requested: ApiVersion, meta: &CollectionMeta) -> ApiVersion {
    meta.api_version.as_deref().map_or(requested, |named| named.parse().unwrap_or(ApiVersion::NEWEST))
}
