//! A successful answer, and what is read out of it.

use bytes::Bytes;
use didww_types::{ApiVersion, CollectionMeta, DecodeError, Document, Included, Resource, ResourceObject};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use crate::{Error, Exchange, Page, Single};

/// How a record is read: whole or in part.
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

    /// Reads a document with one record.
    pub(crate) fn single<R: Resource, T>(&self, decode: Decode<T>) -> Result<Single<T>, Error> {
        let Document { data, included, meta, .. } = self.document::<ResourceObject>()?;
        self.record::<R, T>(data, included, &meta, decode)
    }

    /// Reads a document with one record or none.
    pub(crate) fn optional<R: Resource, T>(&self, decode: Decode<T>) -> Result<Option<Single<T>>, Error> {
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
        Ok(Single { value, included: Included::new(version, included), version })
    }

    /// Reads a document with a page of records.
    pub(crate) fn page<R: Resource, T>(&self, decode: Decode<T>) -> Result<Page<T>, Error> {
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

fn read<R: Resource, T>(
    version: ApiVersion,
    data: ResourceObject,
    decode: Decode<T>,
) -> Result<T, DecodeError> {
    if data.kind != R::TYPE {
        return Err(DecodeError::new("type", format_args!("expected `{}`, found `{}`", R::TYPE, data.kind)));
    }
    decode(version, data)
}

/// The version that wrote the answer. One that is not known here can only be newer than those that are.
fn served(asked: ApiVersion, meta: &CollectionMeta) -> ApiVersion {
    meta.api_version.as_deref().map_or(asked, |named| named.parse().unwrap_or(ApiVersion::NEWEST))
}
