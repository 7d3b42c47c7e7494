//! What can be done with a resource: the verbs that its declaration lists, and no others.

mod list_request;
mod record_request;
mod relationship;
mod rotation;
mod version_check;

use std::fmt;
use std::marker::PhantomData;

use didww_types::{
    ApiVersion, Creatable, Create as _, DecodeError, Deletable, Gettable, Id, Listable, Resource, Sent,
    ToManyName, ToOneName, Updatable, Update as _,
};
use reqwest::Method;

pub use list_request::ListRequest;
pub use record_request::RecordRequest;
pub use relationship::{ToManyApi, ToOneApi};

use crate::request::Request;
use crate::{Client, Error, Reason};

/// What can be done with a resource.
///
/// A verb that the API does not have does not compile. DIDs are listed, read and updated, but never deleted:
///
/// ```compile_fail,E0277
/// # async fn f(client: didww_client::Client) -> Result<(), didww_client::Error> {
/// client.dids().delete(&"9df99644-f1a5-4a3c-99a4-559d758eb96b".into()).await // `Did` cannot be deleted through the API
/// # }
/// ```
///
/// Trunks are:
///
/// ```
/// # async fn f(client: didww_client::Client) -> Result<(), didww_client::Error> {
/// client.voice_out_trunks().delete(&"9df99644-f1a5-4a3c-99a4-559d758eb96b".into()).await
/// # }
/// ```
pub struct Api<R> {
    client: Client,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> Api<R> {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, resource: PhantomData }
    }

    /// The records, page by page.
    pub fn list(&self) -> ListRequest<R>
    where
        R: Listable,
    {
        ListRequest::new(self.client.clone(), Request::collection(Method::GET, R::TYPE))
    }

    /// One record.
    pub fn get(&self, id: &Id<R>) -> RecordRequest<R>
    where
        R: Gettable,
    {
        RecordRequest::new(self.client.clone(), Ok(Request::record(Method::GET, R::TYPE, id.as_str())))
    }

    /// Makes a record.
    #[expect(clippy::needless_pass_by_value, reason = "it is built in the call")]
    pub fn create(&self, body: R::Create) -> RecordRequest<R>
    where
        R: Creatable,
    {
        let request = Request::collection(Method::POST, R::TYPE);
        let request = match say::<R>(self.client.api_version(), body.to_sent()) {
            Ok(sent) => Ok(request.with_record(R::TYPE, None, sent)),
            Err(reason) => Err(request.refused(reason)),
        };
        RecordRequest::new(self.client.clone(), request)
    }

    /// Changes a record; what the patch does not set keeps its value.
    #[expect(clippy::needless_pass_by_value, reason = "it is built in the call")]
    pub fn update(&self, id: &Id<R>, patch: R::Patch) -> RecordRequest<R>
    where
        R: Updatable,
    {
        let request = Request::record(Method::PATCH, R::TYPE, id.as_str());
        let request = match say::<R>(self.client.api_version(), patch.to_sent()) {
            Ok(sent) => Ok(request.with_record(R::TYPE, Some(id.as_str()), sent)),
            Err(reason) => Err(request.refused(reason)),
        };
        RecordRequest::new(self.client.clone(), request)
    }

    /// Writes back a record that was read and changed: only the attributes that differ are sent, so what this
    /// crate does not know stays as it is. Returns the record as it is now; without a difference nothing is
    /// sent. Relationships are changed by [`update`](Self::update) or [`to_many`](Self::to_many).
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, id: didww_client::Id<didww_client::resources::VoiceOutTrunk>)
    /// # -> Result<(), didww_client::Error> {
    /// let before = client.voice_out_trunks().get(&id).await?;
    /// let mut after = before.clone();
    /// after.name = "Berlin".to_owned();
    /// let now = client.voice_out_trunks().save(&before, &after).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save(&self, before: &R, after: &R) -> Result<R, Error>
    where
        R: Updatable,
    {
        if before.id() != after.id() {
            let request = Request::record(Method::PATCH, R::TYPE, after.id().as_str());
            return Err(request.refused(Reason::DifferentRecords));
        }
        let patch = after.changes_since(before);
        if patch.is_empty() {
            return Ok(after.clone());
        }
        Ok(self.update(after.id(), patch).send().await?.into_inner())
    }

    /// Deletes a record. One that is found gone after an attempt whose end was not seen counts as deleted.
    pub async fn delete(&self, id: &Id<R>) -> Result<(), Error>
    where
        R: Deletable,
    {
        self.client.execute(&Request::record(Method::DELETE, R::TYPE, id.as_str())).await?;
        Ok(())
    }

    /// A relationship to any number of records, such as `VoiceOutTrunk::DIDS`.
    pub fn to_many<T>(&self, id: &Id<R>, name: ToManyName<R, T>) -> ToManyApi<R, T> {
        ToManyApi::new(self.client.clone(), id.clone(), name)
    }

    /// A relationship to one record at most, such as `VoiceOutTrunk::DEFAULT_DID`.
    pub fn to_one<T>(&self, id: &Id<R>, name: ToOneName<R, T>) -> ToOneApi<R, T> {
        ToOneApi::new(self.client.clone(), id.clone(), name)
    }
}

/// Brings a body into the words of a version.
fn say<R: Resource>(version: ApiVersion, sent: Result<Sent, DecodeError>) -> Result<Sent, Reason> {
    version_check::resource(R::SPEC, version)?;
    Ok(sent?.at(R::SPEC, version)?)
}

// Written out because a derive would ask the same of `R`.
impl<R> Clone for Api<R> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), resource: PhantomData }
    }
}

impl<R: Resource> fmt::Debug for Api<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("resource", &R::TYPE).field("client", &self.client).finish()
    }
}
