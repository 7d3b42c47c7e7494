//! The operations of a resource: those that its declaration lists, and no others.

mod ensure;
mod list_request;
mod record_request;
mod relationship;
mod rotation;
mod sms_rotation;
mod undeclared;
mod upload;
mod version_check;
mod waiting;

use std::fmt;
use std::marker::PhantomData;

use didww_types::{
    ApiVersion, Creatable, Create as _, DecodeError, Deletable, Gettable, Id, Listable, Resource, Sent,
    Singular, ToManyName, ToOneName, Updatable, Update as _,
};
use reqwest::Method;

pub use ensure::{Ensure, EnsureOutcome, Ensured};
pub use list_request::ListRequest;
pub use record_request::RecordRequest;
pub use relationship::{ToManyApi, ToOneApi};
pub use upload::{EncryptedUpload, EncryptedUploads};
pub use waiting::Waiting;

use crate::request::Request;
use crate::{Client, Error, Reason};

/// The operations of the resource `R`.
///
/// An operation that the API does not have does not compile. DIDs can be listed, read and updated, but not
/// deleted:
///
/// ```compile_fail,E0277
/// # async fn f(client: didww_client::Client) -> Result<(), didww_client::Error> {
/// client.dids().delete(&"9df99644-f1a5-4a3c-99a4-559d758eb96b".into()).await // `Did` cannot be deleted through the API
/// # }
/// ```
///
/// Trunks can be deleted:
///
/// ```
/// # async fn f(client: didww_client::Client) -> Result<(), didww_client::Error> {
/// client.voice_out_trunks().delete(&"9df99644-f1a5-4a3c-99a4-559d758eb96b".into()).await
/// # }
/// ```
pub struct Api<R> {
    pub(crate) client: Client,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> Api<R> {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, resource: PhantomData }
    }

    /// The first segment of the type's path in the client's version.
    pub(crate) fn path(&self) -> &'static str {
        R::SPEC.path_at(self.client.api_version())
    }

    /// The type's name in the client's version.
    fn kind(&self) -> &'static str {
        R::SPEC.name_at(self.client.api_version())
    }

    /// Reads the only record that the account has of the type.
    pub fn read(&self) -> RecordRequest<R>
    where
        R: Singular,
    {
        RecordRequest::new(self.client.clone(), Ok(Request::collection(Method::GET, self.path())))
    }

    /// Lists the records, page by page.
    pub fn list(&self) -> ListRequest<R>
    where
        R: Listable,
    {
        ListRequest::new(self.client.clone(), Request::collection(Method::GET, self.path()))
    }

    /// Reads a record. One that does not exist or belongs to another account is [`Error::NotFound`].
    pub fn get(&self, id: &Id<R>) -> RecordRequest<R>
    where
        R: Gettable,
    {
        RecordRequest::new(self.client.clone(), Ok(Request::record(Method::GET, self.path(), id.as_str())))
    }

    /// Creates a record and returns it. The request is retried only when it cannot have taken effect.
    ///
    /// # Errors
    /// [`Reason::Undeclared`] for a text that an enumeration of the body does not declare, and what requests can fail
    /// with.
    #[expect(clippy::needless_pass_by_value, reason = "callers build it in the call")]
    pub fn create(&self, body: R::Create) -> RecordRequest<R>
    where
        R: Creatable,
    {
        let request = Request::collection(Method::POST, self.path());
        let request = match created::<R>(self.client.api_version(), body.to_sent()) {
            Ok(sent) => Ok(request.with_record(self.kind(), None, sent)),
            Err(reason) => Err(request.refused(reason)),
        };
        RecordRequest::new(self.client.clone(), request)
    }

    /// Updates a record and returns it. Members that the patch does not set keep their values.
    #[expect(clippy::needless_pass_by_value, reason = "callers build it in the call")]
    pub fn update(&self, id: &Id<R>, patch: R::Patch) -> RecordRequest<R>
    where
        R: Updatable,
    {
        let request = Request::record(Method::PATCH, self.path(), id.as_str());
        let request = match at_version::<R>(self.client.api_version(), patch.to_sent()) {
            Ok(sent) => Ok(request.with_record(self.kind(), Some(id.as_str()), sent)),
            Err(reason) => Err(request.refused(reason)),
        };
        RecordRequest::new(self.client.clone(), request)
    }

    /// Updates a record with the attributes in which `after` differs from `before`, and returns the updated
    /// record.
    ///
    /// Only the differing attributes are sent, so that attributes which this crate does not know keep their
    /// values. Without a difference nothing is sent and `after` is returned. Relationships are not compared;
    /// update them with [`update`](Self::update), [`to_many`](Self::to_many) or [`to_one`](Self::to_one).
    ///
    /// # Errors
    /// Returns [`Reason::DifferentRecords`] when `before` and `after` have different ids, else the errors of
    /// an update.
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
            let request = Request::record(Method::PATCH, self.path(), after.id().as_str());
            return Err(request.refused(Reason::DifferentRecords));
        }
        let patch = after.changes_since(before);
        if patch.is_empty() {
            return Ok(after.clone());
        }
        Ok(self.update(after.id(), patch).send().await?.into_inner())
    }

    /// Updates a record with a body that was made at run time, such as the `changes` of a
    /// [`Difference`](didww_types::Difference), and returns the record.
    pub fn apply(&self, id: &Id<R>, changes: Sent) -> RecordRequest<R>
    where
        R: Updatable,
    {
        let request = Request::record(Method::PATCH, self.path(), id.as_str());
        let request = match at_version::<R>(self.client.api_version(), Ok(changes)) {
            Ok(sent) => Ok(request.with_record(self.kind(), Some(id.as_str()), sent)),
            Err(reason) => Err(request.refused(reason)),
        };
        RecordRequest::new(self.client.clone(), request)
    }

    /// Deletes a record.
    ///
    /// A 404 counts as success when an earlier attempt of the same request may have deleted the record;
    /// otherwise it is [`Error::NotFound`].
    pub async fn delete(&self, id: &Id<R>) -> Result<(), Error>
    where
        R: Deletable,
    {
        self.client.execute(&Request::record(Method::DELETE, self.path(), id.as_str())).await?;
        Ok(())
    }

    /// The operations of a record's to-many relationship, such as `VoiceOutTrunk::DIDS`.
    pub fn to_many<T>(&self, id: &Id<R>, name: ToManyName<R, T>) -> ToManyApi<R, T> {
        ToManyApi::new(self.client.clone(), id.clone(), name)
    }

    /// The operations of a record's to-one relationship, such as `VoiceOutTrunk::DEFAULT_DID`.
    pub fn to_one<T>(&self, id: &Id<R>, name: ToOneName<R, T>) -> ToOneApi<R, T> {
        ToOneApi::new(self.client.clone(), id.clone(), name)
    }
}

/// Checks the texts of a new record, and converts it as [`at_version`] does.
fn created<R: Resource>(version: ApiVersion, sent: Result<Sent, DecodeError>) -> Result<Sent, Reason> {
    let sent = sent?;
    undeclared::texts(R::SPEC, &sent)?;
    at_version::<R>(version, Ok(sent))
}

/// Converts a body from the canonical form into the form of an API version.
fn at_version<R: Resource>(version: ApiVersion, sent: Result<Sent, DecodeError>) -> Result<Sent, Reason> {
    version_check::resource(R::SPEC, version)?;
    Ok(sent?.at(R::SPEC, version)?)
}

// Not derived, because a derive would require `R: Clone`.
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
