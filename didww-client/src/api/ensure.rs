//! Idempotent provisioning: ensures that a record matches a body, whether it existed before or not.

use std::fmt;
use std::pin::Pin;

use didww_types::{Creatable, Create as _, Difference, Listable, ResourceObject, Sent, Updatable};
use futures_util::TryStreamExt as _;
use reqwest::Method;
use serde_json::Value;

use super::{undeclared, version_check};
use crate::request::Request;
use crate::{Api, Error, Reason};

/// The attributes by which a record is found; the first is set only by the customer.
const REFERENCE: &str = "external_reference_id";
const NAME: &str = "name";

/// A request that ensures that a record matches a body. Await it, or call [`send`](Self::send).
#[must_use = "nothing is sent until it is awaited"]
pub struct Ensure<R: Creatable> {
    api: Api<R>,
    body: R::Create,
    by: Option<&'static str>,
    keeps: bool,
}

/// A record that matches the body.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ensured<R> {
    /// The record as the service has it now, or as it was found with [`keep_existing`](Ensure::keep_existing).
    pub record: R,
    /// Whether the record was created, updated or left unchanged.
    pub outcome: EnsureOutcome,
    /// The attributes and relationships that an update changed; empty for a new record.
    pub changed: Vec<String>,
}

/// The effect of a request to ensure a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnsureOutcome {
    /// There was no such record, and it was created.
    Created,
    /// The record differed, and was updated.
    Updated,
    /// Nothing was written.
    Unchanged,
}

/// The attribute and the value by which the record is searched.
struct Key {
    attribute: &'static str,
    value: String,
}

impl<R: Creatable + Listable + Updatable> Api<R> {
    /// Ensures that a record matches this body: creates it, updates its differing members, or does nothing.
    ///
    /// The record is the one that has exactly the body's `external_reference_id`, or without one exactly its name.
    /// Members that the body does not set are not changed, and a value that the service normalises or generates, such
    /// as credentials, is no difference: a second call writes nothing. If another program creates the record between
    /// the search and the creation, that record is compared and updated.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
    /// use didww_client::EnsureOutcome;
    /// use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
    /// use didww_client::values::{CapacityLimit, IpNetworks};
    ///
    /// let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"])?);
    /// let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method)
    ///     .capacity_limit(CapacityLimit::new(30)?);
    /// let ensured = client.voice_out_trunks().ensure(body).await?;
    /// match ensured.outcome {
    ///     EnsureOutcome::Created => println!("created {}", ensured.record.id),
    ///     EnsureOutcome::Updated => println!("changed {}", ensured.changed.join(", ")),
    ///     _ => println!("as it should be"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`Reason::Several`] when several records match, [`Reason::Unidentified`] when the body sets neither
    /// attribute, [`Reason::Fixed`] when a member differs that only a create request can set, [`Reason::Undeclared`] as
    /// [`create`](Api::create) does, and the errors of the requests.
    pub fn ensure(&self, body: R::Create) -> Ensure<R> {
        Ensure { api: self.clone(), body, by: None, keeps: false }
    }
}

impl<R: Updatable> Api<R> {
    /// Compares a record with the body of a create request. [`apply`](Self::apply) sends its changes.
    ///
    /// # Errors
    /// Returns an error only when the body or the record cannot be encoded.
    pub fn difference(&self, body: &R::Create, existing: &R) -> Result<Difference, Error>
    where
        R: Creatable,
    {
        let request = Request::record(Method::PATCH, self.path(), existing.id().as_str());
        let wanted = body.to_sent().map_err(|error| request.refused(error))?;
        let existing = existing.encode().map_err(|error| request.refused(error))?;
        Ok(Difference::between(R::SPEC, self.client.api_version(), &wanted, &existing))
    }
}

impl<R: Creatable + Listable + Updatable> Ensure<R> {
    /// Finds the record by its name, also if the body sets an `external_reference_id`.
    pub fn by_name(mut self) -> Self {
        self.by = Some(NAME);
        self
    }

    /// Finds the record by its `external_reference_id`, and refuses a body that sets none.
    pub fn by_reference(mut self) -> Self {
        self.by = Some(REFERENCE);
        self
    }

    /// Does not change an existing record.
    pub fn keep_existing(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Sends the requests that are needed: one list, and at most one create or update.
    pub async fn send(self) -> Result<Ensured<R>, Error> {
        let creation = Request::collection(Method::POST, self.api.path());
        let wanted = self.body.to_sent().map_err(|error| creation.refused(error))?;
        undeclared::texts(R::SPEC, &wanted).map_err(|reason| creation.refused(reason))?;
        let key = self.key(&wanted).map_err(|reason| creation.refused(reason))?;
        if let Some(found) = find(&self.api, &key, &wanted).await? {
            return conclude(&self.api, &wanted, found, self.keeps).await;
        }
        match self.api.create(self.body).send().await {
            Ok(created) => Ok(Ensured {
                record: created.into_inner(),
                outcome: EnsureOutcome::Created,
                changed: Vec::new(),
            }),
            Err(error) if error.is_taken() && !error.field(key.attribute).is_empty() => {
                // Another program may have created it since the search.
                match find(&self.api, &key, &wanted).await? {
                    Some(found) => conclude(&self.api, &wanted, found, self.keeps).await,
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn key(&self, wanted: &Sent) -> Result<Key, Reason> {
        let of = |attribute: &'static str| {
            let value = wanted.attributes.get(attribute).and_then(Value::as_str);
            let value = value.filter(|value| !value.is_empty())?;
            Some(Key { attribute, value: value.to_owned() })
        };
        match self.by {
            Some(attribute) => of(attribute).ok_or(Reason::Unidentified(attribute)),
            None => of(REFERENCE)
                .or_else(|| of(NAME))
                .ok_or(Reason::Unidentified("it has neither an external_reference_id nor a name")),
        }
    }
}

/// A record with its encoded form.
struct Found<R> {
    record: R,
    object: ResourceObject,
}

/// Finds the only record that has exactly the value.
async fn find<R: Listable>(api: &Api<R>, key: &Key, wanted: &Sent) -> Result<Option<Found<R>>, Error> {
    let request = Request::collection(Method::GET, api.path());
    let version = api.client.api_version();
    let mut list = api.list();
    let has_filter = R::SPEC.filters_at(version).any(|filter| filter.name == key.attribute && !filter.legacy);
    if has_filter {
        let values = [key.value.clone()];
        let text = version_check::filter(R::SPEC, version, key.attribute, &values)
            .map_err(|error| request.refused(error))?;
        list = list.with_filter(key.attribute, text);
    }
    let shown = |name: &&String| R::SPEC.relationship(name).is_some_and(Difference::compares);
    list = list.with_includes(wanted.relationships.keys().filter(shown).cloned());
    let mut records = list.stream();
    let mut found = None;
    while let Some(record) = records.try_next().await? {
        let object = record.encode().map_err(|error| request.refused(error))?;
        // A filter may find more records, such as names that differ in letter case.
        if object.attributes.get(key.attribute).and_then(Value::as_str) != Some(key.value.as_str()) {
            continue;
        }
        if found.is_some() {
            return Err(request.refused(Reason::Several(format!("{} `{}`", key.attribute, key.value))));
        }
        found = Some(Found { record, object });
    }
    Ok(found)
}

/// Updates a record that exists, if it differs.
async fn conclude<R: Updatable>(
    api: &Api<R>,
    wanted: &Sent,
    found: Found<R>,
    keeps: bool,
) -> Result<Ensured<R>, Error> {
    let Found { record, object } = found;
    let unchanged = |record| Ensured { record, outcome: EnsureOutcome::Unchanged, changed: Vec::new() };
    if keeps {
        return Ok(unchanged(record));
    }
    let difference = Difference::between(R::SPEC, api.client.api_version(), wanted, &object);
    if let Some(fixed) = difference.fixed.first().cloned() {
        let request = Request::record(Method::PATCH, api.path(), record.id().as_str());
        return Err(request.refused(Reason::Fixed(fixed)));
    }
    if difference.is_empty() {
        return Ok(unchanged(record));
    }
    let changed = difference.members().into_iter().map(str::to_owned).collect();
    let updated = api.apply(record.id(), difference.changes).send().await?;
    Ok(Ensured { record: updated.into_inner(), outcome: EnsureOutcome::Updated, changed })
}

impl<R: Creatable + Listable + Updatable> IntoFuture for Ensure<R> {
    type Output = Result<Ensured<R>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<R: Creatable> fmt::Debug for Ensure<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ensure").field("resource", &R::TYPE).finish_non_exhaustive()
    }
}
