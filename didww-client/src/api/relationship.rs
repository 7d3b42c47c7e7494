//! Requests for the relationships of a record: their linkage, and the related records.

use std::fmt;

use didww_types::{
    DecodeError, Id, Linkage, RelationshipSpec, Resource, ResourceIdentifier, ToManyName, ToOneName,
};
use reqwest::Method;

use super::{ListRequest, version_check};
use crate::request::Request;
use crate::{Client, Error, Reason, Single};

/// The operations of a record's to-many relationship.
///
/// Writing a relationship that only the service sets is [`Reason::ReadOnly`].
///
/// ```
/// # async fn f(client: &didww_client::Client, trunk: didww_client::Id<didww_client::resources::VoiceOutTrunk>)
/// # -> Result<(), didww_client::Error> {
/// use didww_client::Id;
/// use didww_client::resources::VoiceOutTrunk;
///
/// let dids = client.voice_out_trunks().to_many(&trunk, VoiceOutTrunk::DIDS);
/// dids.add([Id::new("9df99644-f1a5-4a3c-99a4-559d758eb96b")]).await?;
/// for did in dids.related().all().await? {
///     println!("{}", did.number);
/// }
/// # Ok(())
/// # }
/// ```
pub struct ToManyApi<R, T> {
    client: Client,
    id: Id<R>,
    name: ToManyName<R, T>,
}

impl<R: Resource, T> ToManyApi<R, T> {
    pub(super) const fn new(client: Client, id: Id<R>, name: ToManyName<R, T>) -> Self {
        Self { client, id, name }
    }

    /// Reads the ids of the members.
    pub async fn ids(&self) -> Result<Vec<Id<T>>, Error> {
        let response = self.client.execute(&self.linkage(Method::GET)?).await?;
        match response.document::<Linkage>()?.data {
            Linkage::Many(members) => Ok(members.into_iter().map(|member| Id::new(member.id)).collect()),
            Linkage::One(_) => {
                let error = DecodeError::new("data", "expected an array of identifiers");
                Err(Error::decode(&response.exchange, error))
            }
        }
    }

    /// Adds members; existing members stay. It is a POST and is retried only when it cannot have taken
    /// effect.
    pub async fn add(&self, ids: impl IntoIterator<Item = impl Into<Id<T>>>) -> Result<(), Error> {
        self.write(Method::POST, ids).await
    }

    /// Replaces all members. Use [`clear`](Self::clear) to remove all of them.
    pub async fn replace(&self, ids: impl IntoIterator<Item = impl Into<Id<T>>>) -> Result<(), Error> {
        self.write(Method::PATCH, ids).await
    }

    /// Removes all members: sends an empty list, which replaces them.
    pub async fn clear(&self) -> Result<(), Error> {
        self.write(Method::PATCH, std::iter::empty::<Id<T>>()).await
    }

    /// Removes these members and leaves the others.
    pub async fn remove(&self, ids: impl IntoIterator<Item = impl Into<Id<T>>>) -> Result<(), Error> {
        self.write(Method::DELETE, ids).await
    }

    /// Lists the members as records, page by page.
    pub fn related(&self) -> ListRequest<T>
    where
        T: Resource,
    {
        let (version, name) = (self.client.api_version(), self.name.as_str());
        let path = R::SPEC.path_at(version);
        let request = Request::related(Method::GET, path, self.id.as_str(), name_at::<R>(&self.client, name));
        let checked = version_check::relationship(R::SPEC, version, name);
        ListRequest::new(self.client.clone(), request).checked(checked)
    }

    fn linkage(&self, method: Method) -> Result<Request, Error> {
        linkage::<R>(&self.client, method, &self.id, self.name.as_str())
    }

    async fn write(
        &self,
        method: Method,
        ids: impl IntoIterator<Item = impl Into<Id<T>>>,
    ) -> Result<(), Error> {
        let request = self.linkage(method)?;
        let spec = writable::<R>(&request, self.name.as_str())?;
        let members: Vec<ResourceIdentifier> =
            ids.into_iter().map(|id| identifier(&self.client, spec, &id.into())).collect();
        self.client.execute(&request.with_many(&members)).await?;
        Ok(())
    }
}

/// The operations of a record's to-one relationship.
///
/// Writing a relationship that only the service sets is [`Reason::ReadOnly`].
pub struct ToOneApi<R, T> {
    client: Client,
    id: Id<R>,
    name: ToOneName<R, T>,
}

impl<R: Resource, T> ToOneApi<R, T> {
    pub(super) const fn new(client: Client, id: Id<R>, name: ToOneName<R, T>) -> Self {
        Self { client, id, name }
    }

    /// Reads the id of the member; `None` if there is none.
    pub async fn id(&self) -> Result<Option<Id<T>>, Error> {
        let response = self.client.execute(&self.linkage(Method::GET)?).await?;
        match response.document::<Linkage>()?.data {
            Linkage::One(member) => Ok(member.map(|member| Id::new(member.id))),
            Linkage::Many(_) => {
                let error = DecodeError::new("data", "expected one identifier or null");
                Err(Error::decode(&response.exchange, error))
            }
        }
    }

    /// Sets the member, replacing the present one.
    pub async fn set(&self, id: &Id<T>) -> Result<(), Error> {
        self.write(Some(id)).await
    }

    /// Removes the member: sends null in its place.
    pub async fn clear(&self) -> Result<(), Error> {
        self.write(None).await
    }

    /// Reads the member as a record; `None` if there is none.
    pub async fn related(&self) -> Result<Option<Single<T>>, Error>
    where
        T: Resource,
    {
        let name = name_at::<R>(&self.client, self.name.as_str());
        let request =
            Request::related(Method::GET, R::SPEC.path_at(self.client.api_version()), self.id.as_str(), name);
        version_check::relationship(R::SPEC, self.client.api_version(), self.name.as_str())
            .map_err(|error| request.refused(error))?;
        self.client.execute(&request).await?.optional::<T, T>(T::decode_at)
    }

    fn linkage(&self, method: Method) -> Result<Request, Error> {
        linkage::<R>(&self.client, method, &self.id, self.name.as_str())
    }

    async fn write(&self, id: Option<&Id<T>>) -> Result<(), Error> {
        let request = self.linkage(Method::PATCH)?;
        let spec = writable::<R>(&request, self.name.as_str())?;
        let member = id.map(|id| identifier(&self.client, spec, id));
        self.client.execute(&request.with_one(member.as_ref())).await?;
        Ok(())
    }
}

fn linkage<R: Resource>(
    client: &Client,
    method: Method,
    id: &Id<R>,
    name: &'static str,
) -> Result<Request, Error> {
    let request = Request::linkage(
        method,
        R::SPEC.path_at(client.api_version()),
        id.as_str(),
        name_at::<R>(client, name),
    );
    match version_check::relationship(R::SPEC, client.api_version(), name) {
        Ok(()) => Ok(request),
        Err(error) => Err(request.refused(error)),
    }
}

/// The declaration of a relationship, or an error if update requests cannot contain it.
fn writable<R: Resource>(request: &Request, name: &'static str) -> Result<&'static RelationshipSpec, Error> {
    let spec = R::SPEC.relationship(name).filter(|relationship| relationship.update);
    spec.ok_or_else(|| request.refused(Reason::ReadOnly(name)))
}

/// The name of a relationship in the client's version.
fn name_at<R: Resource>(client: &Client, name: &'static str) -> &'static str {
    R::SPEC.relationship(name).map_or(name, |relationship| relationship.name_at(client.api_version()))
}

fn identifier<T>(client: &Client, spec: &RelationshipSpec, id: &Id<T>) -> ResourceIdentifier {
    ResourceIdentifier { kind: spec.target_at(client.api_version()).to_owned(), id: id.as_str().to_owned() }
}

impl<R, T> fmt::Debug for ToManyApi<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToManyApi")
            .field("id", &self.id)
            .field("name", &self.name.as_str())
            .finish_non_exhaustive()
    }
}

impl<R, T> fmt::Debug for ToOneApi<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToOneApi")
            .field("id", &self.id)
            .field("name", &self.name.as_str())
            .finish_non_exhaustive()
    }
}
