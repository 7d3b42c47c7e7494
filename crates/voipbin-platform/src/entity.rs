//! The records of the platform: the public part of each, as the API sends it, and the private part that never
//! leaves the server.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use service_core::Retries;
use trunk_store::{
    Aged, Change, Document, DocumentKind, DocumentQuery, Documents, NewDocument, StoreError, Writes,
};
use uuid::Uuid;
use voipbin_types::{Timestamp, to_json};

/// A kind of record: which documents of the store it uses, its two parts, and its index keys.
pub trait Kind {
    /// The kind of its documents in the store.
    const KIND: DocumentKind;
    /// The part that the API sends.
    type Public: Serialize + DeserializeOwned + Clone;
    /// The part that no response contains.
    type Private: Serialize + DeserializeOwned + Clone + Default;

    /// Whether the index keys of a record never change between its creation and its deletion. Writes in
    /// between then leave the index untouched.
    const KEYS_ARE_FIXED: bool = false;

    /// Whether retention never deletes the record: it describes something that is still running, such as a
    /// call, or it is kept until it is deleted.
    fn is_live(_entity: &Entity<Self>) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// The index keys of a record, as names and values. Several records may share a key.
    fn keys(_entity: &Entity<Self>) -> Vec<(&'static str, String)>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// The unique index keys of a record. The store refuses a second record with the same key; a deleted
    /// record keeps the keys that it returns here.
    fn unique(_entity: &Entity<Self>) -> Vec<(&'static str, String)>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

/// A record of a [`Kind`].
pub struct Entity<K: Kind> {
    /// The id; unique among the records of its kind.
    pub id: Uuid,
    /// The customer that the record belongs to; nil for records of the platform itself.
    pub customer: Uuid,
    /// When the record was created; no two records share this time.
    pub created_at: Timestamp,
    /// Whether the record is deleted. A deleted record stays in the store and is left out of lists.
    pub deleted: bool,
    /// The revision that was read from the store; none for a record that is not stored yet.
    pub revision: Option<i64>,
    /// The part that the API sends.
    pub public: K::Public,
    /// The part that no response contains.
    pub private: K::Private,
}

impl<K: Kind> Clone for Entity<K> {
    fn clone(&self) -> Self {
        Self { public: self.public.clone(), private: self.private.clone(), ..*self }
    }
}

/// The body of a document. The names of its members are part of the stored format. The public part is stored
/// exactly as the API sends it.
#[derive(Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de> + Default"))]
struct Body<'a, P> {
    #[serde(rename = "wire", borrow)]
    public: &'a RawValue,
    /// Null if the kind had no private part when the record was written.
    #[serde(rename = "own", deserialize_with = "null_as_default")]
    private: P,
}

fn null_as_default<'de, D: Deserializer<'de>, P: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<P, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<K: Kind> Entity<K> {
    /// A record that is not stored yet.
    pub fn new(
        id: Uuid,
        customer: Uuid,
        created_at: Timestamp,
        public: K::Public,
        private: K::Private,
    ) -> Self {
        Self { id, customer, created_at, deleted: false, revision: None, public, private }
    }

    pub(crate) fn from_document(document: &Document) -> Result<Self, StoreError> {
        let corrupt = |error: serde_json::Error| {
            StoreError::Corrupt(format!("{:?} {}: {error}", document.kind, document.id))
        };
        let body: Body<'_, K::Private> = serde_json::from_str(&document.body).map_err(corrupt)?;
        Ok(Self {
            id: document.id,
            customer: document.customer,
            created_at: Timestamp::from_unix_micros(document.created_at),
            deleted: document.deleted,
            revision: Some(document.revision),
            public: serde_json::from_str(body.public.get()).map_err(corrupt)?,
            private: body.private,
        })
    }

    /// The public part as JSON.
    pub fn public_json(&self) -> String {
        json_text(&self.public)
    }

    /// The change that writes the record. The commit fails with [`StoreError::Conflict`] if the stored
    /// revision is not the one that was read.
    pub fn put(&self) -> Change {
        self.put_with_json(&self.public_json())
    }

    /// Like [`put`](Self::put), with the result of [`public_json`](Self::public_json), which is not computed
    /// again.
    pub fn put_with_json(&self, public_json: &str) -> Change {
        // The format that `Body` reads.
        let body = ["{\"wire\":", public_json, ",\"own\":", &json_text(&self.private), "}"].concat();
        let keyed = self.revision.is_none() || self.deleted || !K::KEYS_ARE_FIXED;
        let document = NewDocument {
            kind: K::KIND,
            id: self.id,
            customer: self.customer,
            created_at: self.created_at.as_unix_micros(),
            deleted: self.deleted,
            live: K::is_live(self),
            body,
            keyed,
            keys: if keyed { K::keys(self) } else { Vec::new() },
            unique: if keyed { K::unique(self) } else { Vec::new() },
        };
        Change::Put { revision: self.revision, document: Box::new(document) }
    }

    /// The change that removes the record and its index keys from the store, if the stored revision is the
    /// one that was read.
    pub fn forget(&self) -> Change {
        // A record without a revision was never stored: no stored revision is -1.
        Change::Forget { kind: K::KIND, id: self.id, revision: self.revision.unwrap_or(-1) }
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the stored revision is not the one that was read: the caller then reads the
    /// record again and decides again, as [`service_core::Retries`] does. Otherwise a failure of the store.
    pub async fn write(&self, store: &dyn Writes) -> Result<(), StoreError> {
        store.commit(vec![self.put()]).await.map(|_| ())
    }

    /// Reads a record with `read`, changes it, and writes it; again from the beginning if another write of it came in
    /// between, of this server or of another one. Returns the record as it is stored.
    ///
    /// # Errors
    /// That of `read` or `apply`, or a failure of the store.
    pub async fn change<E, R>(
        store: &dyn Writes,
        read: impl Fn() -> R,
        apply: impl Fn(&mut Self) -> Result<(), E>,
    ) -> Result<Self, E>
    where
        E: From<StoreError>,
        R: Future<Output = Result<Self, E>>,
    {
        let decide = |before: &Self| {
            let mut after = before.clone();
            apply(&mut after).map(|()| after)
        };
        let write = |_: Self, mut after: Self| async move {
            after.write(store).await?;
            after.revision = after.revision.map(|revision| revision + 1);
            Ok::<Self, StoreError>(after)
        };
        Retries::REQUEST.change(read, decide, write).await
    }

    /// The record with an id, deleted or not.
    ///
    /// # Errors
    /// When the store cannot be read, or the document is corrupt.
    pub async fn find(store: &dyn Documents, id: Uuid) -> Result<Option<Self>, StoreError> {
        store.document(K::KIND, id).await?.as_ref().map(Self::from_document).transpose()
    }

    /// The record with a unique key, deleted or not.
    ///
    /// # Errors
    /// When the store cannot be read, or the document is corrupt.
    pub async fn find_by(
        store: &dyn Documents,
        name: &'static str,
        value: impl Into<String>,
    ) -> Result<Option<Self>, StoreError> {
        let value: String = value.into();
        // No key has a NUL, and PostgreSQL refuses to look for one.
        if value.contains('\0') {
            return Ok(None);
        }
        store.document_by(K::KIND, name, value).await?.as_ref().map(Self::from_document).transpose()
    }

    /// The records that the query selects and that are not [live](Kind::is_live), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read, or a document is corrupt.
    pub async fn aged(store: &dyn Documents, query: Aged) -> Result<Vec<Self>, StoreError> {
        store.aged_documents(query).await?.iter().map(Self::from_document).collect()
    }

    /// The records that the query selects, newest first.
    ///
    /// # Errors
    /// When the store cannot be read, or a document is corrupt.
    pub async fn list(store: &dyn Documents, query: DocumentQuery) -> Result<Vec<Self>, StoreError> {
        store.documents(query).await?.iter().map(Self::from_document).collect()
    }
}

/// The public part of a stored record as JSON text. The record itself is not decoded.
pub(crate) fn public_json_of(document: &Document) -> Result<&str, StoreError> {
    #[derive(Deserialize)]
    struct Public<'a> {
        #[serde(rename = "wire", borrow)]
        json: &'a RawValue,
    }
    serde_json::from_str::<Public<'_>>(&document.body)
        .map(|body| body.json.get())
        .map_err(|error| StoreError::Corrupt(format!("{:?} {}: {error}", document.kind, document.id)))
}

/// JSON as the platform's own encoder writes it.
pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> String {
    // The values are structs of texts, numbers and times: encoding them cannot fail, and JSON is UTF-8.
    to_json(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
