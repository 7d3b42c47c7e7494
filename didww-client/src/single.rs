//! A response with one record.

use std::fmt;
use std::ops::{Deref, DerefMut};

use didww_types::{ApiVersion, CollectionMeta, Included};

/// One record, with the related records that its document includes.
///
/// It dereferences to the record. `Debug` prints the number of included records instead of the records, which
/// may hold credentials.
///
/// ```
/// # async fn f(client: &didww_client::Client, id: didww_client::Id<didww_client::resources::VoiceOutTrunk>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use didww_client::resources::VoiceOutTrunkInclude::Dids;
///
/// let trunk = client.voice_out_trunks().get(&id).include([Dids]).await?;
/// for did in trunk.dids.included(&trunk.included)? {
///     println!("{} may call as {}", trunk.name, did.number);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Single<T> {
    pub(crate) value: T,
    /// The related records that the request included.
    pub included: Included,
    /// The document's `meta` member, with members that this crate does not know. The record's own is `meta`.
    pub document_meta: CollectionMeta,
    /// The API version that served the request.
    pub version: ApiVersion,
}

impl<T> Single<T> {
    /// Returns the record and drops the included ones.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Single<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Single<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Single<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single")
            .field("value", &self.value)
            .field("included", &self.included.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
