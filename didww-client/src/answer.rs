//! A successful answer, and what is read out of it.

use bytes::Bytes;
use didww_types::{ApiVersion, CollectionMeta, DecodeError, Document, Included, Resource, ResourceObject};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use crate::{Error, Exchange, Page, Single};

/// How a record is read out of a tree: whole or in part.
pub(crate) type Decode<T> = fn(ApiVersion, ResourceObject) -> Result<T, DecodeError>;

/// An answer with a status of success.
pub(crate) struct Answer {
    pub(crate) exchange: Exchange,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) asked: ApiVersion,
}

impl Answer {
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<Document<T>, Error> {
        Document::parse(&self.body).map_err(|error| Error::decode(&self.exchange, error))
    }

    /// Reads a document whose records have the newest form already: straight from the text.
    ///
    /// Nothing comes of an older form, which must be lifted, or of an error, whose place only the tree tells.
    fn direct<R: Resource, D: DeserializeOwned>(&self) -> Option<(Document<D>, ApiVersion)> {
        if R::SPEC.lifts(self.asked) {
            return None;
        }
        let document: Document<D> = serde_json::from_slice(&self.body).ok()?;
        let version = served(self.asked, &document.meta);
        (!R::SPEC.lifts(version)).then_some((document, version))
    }

    /// Reads a document with one record.
    pub(crate) fn single<R: Resource, T: DeserializeOwned>(
        &self,
        decode: Decode<T>,
    ) -> Result<Single<T>, Error> {
        if let Some((document, version)) = self.direct::<R, T>() {
            return Ok(found(document.data, document.included, version));
        }
        let Document { data, included, meta, .. } = self.document::<ResourceObject>()?;
        self.record::<R, T>(data, included, &meta, decode)
    }

    /// Reads a document with one record or none.
    pub(crate) fn optional<R: Resource, T: DeserializeOwned>(
        &self,
        decode: Decode<T>,
    ) -> Result<Option<Single<T>>, Error> {
        if let Some((document, version)) = self.direct::<R, Option<T>>() {
            return Ok(document.data.map(|data| found(data, document.included, version)));
        }
        let Document { data, included, meta, .. } = self.document::<Option<ResourceObject>>()?;
        data.map(|data| self.record::<R, T>(data, included, &meta, decode)).transpose()
    }

    fn record<R: Resource, T>(
        &self,
        data: ResourceObject,
        included: Vec<ResourceObject>,
        meta: &CollectionMeta,
        decode: Decode<T>,
    ) -> Result<Single<T>, Error> {
        let version = served(self.asked, meta);
        let value = read::<R, T>(version, data, decode)
            .map_err(|error| Error::decode(&self.exchange, error.under("data")))?;
        Ok(found(value, included, version))
    }

    /// Reads a document with a page of records.
    pub(crate) fn page<R: Resource, T: DeserializeOwned>(&self, decode: Decode<T>) -> Result<Page<T>, Error> {
        if let Some((Document { data, included, meta, links }, version)) = self.direct::<R, Vec<T>>() {
            let included = Included::new(version, included);
            return Ok(Page { items: data, total: meta.total_records, included, links, version });
        }
        let Document { data, included, meta, links } = self.document::<Vec<ResourceObject>>()?;
        let version = served(self.asked, &meta);
        let read = |(index, data)| {
            read::<R, T>(version, data, decode)
                .map_err(|error| Error::decode(&self.exchange, error.under(format_args!("data[{index}]"))))
        };
        let items = data.into_iter().enumerate().map(read).collect::<Result<Vec<T>, Error>>()?;
        let included = Included::new(version, included);
        Ok(Page { items, total: meta.total_records, included, links, version })
    }
}

fn found<T>(value: T, included: Vec<ResourceObject>, version: ApiVersion) -> Single<T> {
    Single { value, included: Included::new(version, included), version }
}

fn read<R: Resource, T>(
    version: ApiVersion,
    data: ResourceObject,
    decode: Decode<T>,
) -> Result<T, DecodeError> {
    if data.kind != R::TYPE {
        return Err(DecodeError::wrong_type(R::TYPE, &data.kind));
    }
    decode(version, data)
}

/// The version that wrote the answer. One that is not known here can only be newer than those that are.
fn served(asked: ApiVersion, meta: &CollectionMeta) -> ApiVersion {
    meta.api_version.as_deref().map_or(asked, |named| named.parse().unwrap_or(ApiVersion::NEWEST))
}
