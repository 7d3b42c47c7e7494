//! What the platform keeps: each thing as it is on the wire, and beside it what it keeps to itself.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use voipbin_types::to_json;

use super::moment::Moment;
use super::platform::Platform;
use trunk_store::{Aged, Change, Document, DocumentKind, DocumentQuery, NewDocument, Store, StoreError};

/// A kind of thing.
pub trait Kind {
    /// Its place in the store.
    const KIND: DocumentKind;
    /// What it says on the wire.
    type Wire: Serialize + DeserializeOwned + Clone;
    /// What nobody but the server sees.
    type Own: Serialize + DeserializeOwned + Clone + Default;

    /// Whether what it is looked for by stays as it is until it is deleted.
    const KEYS_STAY: bool = false;

    /// Whether something is under way with it, which the next start must see to.
    fn is_live(_wire: &Self::Wire) -> bool {
        false
    }

    /// What it is looked for by.
    fn keys(_entity: &Entity<Self>) -> Vec<(&'static str, String)>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// What no other one may have, a deleted one included.
    fn unique(_entity: &Entity<Self>) -> Vec<(&'static str, String)>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

/// A thing of a kind.
pub struct Entity<K: Kind> {
    pub id: Uuid,
    /// Whose it is; nil for what belongs to nobody.
    pub customer: Uuid,
    pub created_at: Moment,
    pub deleted: bool,
    /// As it was read; none for a new one.
    pub revision: Option<i64>,
    pub wire: K::Wire,
    pub own: K::Own,
}

impl<K: Kind> Clone for Entity<K> {
    fn clone(&self) -> Self {
        Self { wire: self.wire.clone(), own: self.own.clone(), ..*self }
    }
}

/// The body of a document. The wire's part is there as it is sent.
#[derive(Deserialize)]
struct Body<'a, O> {
    #[serde(borrow)]
    wire: &'a RawValue,
    own: O,
}

impl<K: Kind> Entity<K> {
    pub fn new(id: Uuid, customer: Uuid, created_at: Moment, wire: K::Wire, own: K::Own) -> Self {
        Self { id, customer, created_at, deleted: false, revision: None, wire, own }
    }

    fn from_document(document: &Document) -> Result<Self, StoreError> {
        let corrupt = |error: serde_json::Error| {
            StoreError::Corrupt(format!("{:?} {}: {error}", document.kind, document.id))
        };
        let body: Body<'_, K::Own> = serde_json::from_str(&document.body).map_err(corrupt)?;
        Ok(Self {
            id: document.id,
            customer: document.customer,
            created_at: Moment::from_unix_micros(document.created_at),
            deleted: document.deleted,
            revision: Some(document.revision),
            wire: serde_json::from_str(body.wire.get()).map_err(corrupt)?,
            own: body.own,
        })
    }

    /// What it says on the wire, as it is sent.
    pub fn text(&self) -> String {
        json(&self.wire)
    }

    /// The change that writes it, if it is still as it was read.
    pub fn put(&self) -> Change {
        self.put_as(&self.text())
    }

    /// The same, where what it says on the wire is a text already.
    pub fn put_as(&self, text: &str) -> Change {
        // As `Body` is read.
        let body = format!("{{\"wire\":{text},\"own\":{}}}", json(&self.own));
        let keyed = self.revision.is_none() || self.deleted || !K::KEYS_STAY;
        let document = NewDocument {
            kind: K::KIND,
            id: self.id,
            customer: self.customer,
            created_at: self.created_at.as_unix_micros(),
            deleted: self.deleted,
            live: K::is_live(&self.wire),
            body,
            keyed,
            keys: if keyed { K::keys(self) } else { Vec::new() },
            unique: if keyed { K::unique(self) } else { Vec::new() },
        };
        Change::Put { revision: self.revision, document: Box::new(document) }
    }

    /// The change that forgets it, if it is still as it was read.
    pub fn forget(&self) -> Change {
        // One that was never read was never written: there is nothing to forget.
        Change::Forget { kind: K::KIND, id: self.id, revision: self.revision.unwrap_or(-1) }
    }

    /// Writes it if it is still as it was read; gives whether it was. Else somebody was quicker, and it is to be read
    /// and decided anew.
    pub async fn try_write(&self, store: &dyn Store) -> Result<bool, StoreError> {
        match store.commit(vec![self.put()]).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The one of an id, also a deleted one.
    pub async fn find(store: &dyn Store, id: Uuid) -> Result<Option<Self>, StoreError> {
        store.document(K::KIND, id).await?.as_ref().map(Self::from_document).transpose()
    }

    /// The one that has a unique key, also a deleted one.
    pub async fn find_by(
        store: &dyn Store,
        name: &'static str,
        value: impl Into<String>,
    ) -> Result<Option<Self>, StoreError> {
        store.document_by(K::KIND, name, value.into()).await?.as_ref().map(Self::from_document).transpose()
    }

    /// Those that nothing is under way with, oldest first.
    pub async fn aged(store: &dyn Store, query: Aged) -> Result<Vec<Self>, StoreError> {
        store.aged_documents(query).await?.iter().map(Self::from_document).collect()
    }

    /// Those that there are, newest first.
    pub async fn list(store: &dyn Store, query: DocumentQuery) -> Result<Vec<Self>, StoreError> {
        store.documents(query).await?.iter().map(Self::from_document).collect()
    }
}

/// The id of something new, and when it was made. Ids begin with the time, so that an index of them grows at its end.
pub fn newborn(platform: &Platform) -> (Uuid, Moment) {
    (platform.core.ids.record(platform.core.clock.now()), platform.moments.next())
}

/// What a document says on the wire, without it being read.
pub(crate) fn wire_text(document: &Document) -> Result<&str, StoreError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        wire: &'a RawValue,
    }
    serde_json::from_str::<Wire<'_>>(&document.body)
        .map(|body| body.wire.get())
        .map_err(|error| StoreError::Corrupt(format!("{:?} {}: {error}", document.kind, document.id)))
}

/// JSON as the platform's own encoder writes it.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // Structs of texts, numbers and times: nothing in them can fail to be written, and JSON is text.
    to_json(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
