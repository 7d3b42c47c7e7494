//! The records that exist, as the service lists them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use didww_client::{
    ApiVersion, Client, Document, Error, Linkage, Method, Parameters, RawAnswer, ResourceObject,
    ResourceSpec, TryStreamExt as _, encode_component,
};
use tokio::task::spawn_blocking;

use super::mark::{ATTRIBUTE, Mark};
use super::projection::Projection;
use crate::exit::Failure;
use crate::resource::{Handle, identifiers, is_id, linked};
use crate::service_error::failure;
use crate::terminal::Progress;

/// The ids of records by their types and names.
pub(super) type Ids = HashMap<(&'static str, String), String>;

/// A record that exists.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    /// The record in the form of the version that served it.
    pub record: ResourceObject,
    /// The mark of its owner, if it has one.
    pub mark: Option<Mark>,
}

impl Existing {
    pub(super) fn of(record: ResourceObject) -> Self {
        let reference = record.attributes.get(ATTRIBUTE).and_then(serde_json::Value::as_str);
        let mark = reference.and_then(Mark::read);
        Self { record, mark }
    }

    /// Its `external_reference_id`, unless that is a mark: the customer's own.
    pub(super) fn own_reference(&self) -> Option<&str> {
        let text = self.record.attributes.get(ATTRIBUTE)?.as_str()?;
        self.mark.is_none().then_some(text).filter(|text| !text.is_empty())
    }

    /// The ids of related records; `None` if the list was requested without them.
    pub(super) fn linked(
        &self,
        spec: &ResourceSpec,
        name: &str,
        version: ApiVersion,
    ) -> Option<BTreeSet<String>> {
        let linkage: &Linkage = linked(&self.record, spec.relationship(name)?, version)?;
        Some(identifiers(linkage).iter().map(|member| member.id.clone()).collect())
    }
}

/// The selection of the records of a type that are read.
#[derive(Debug, Clone)]
pub(super) enum Selection {
    /// All records of the type.
    All,
    /// The records with these names or numbers.
    Named(BTreeSet<String>),
}

/// Number of names in one request, and of the characters that they have in its URL: many services take a few kilobytes.
const NAMES_A_REQUEST: usize = 50;
const LETTERS_A_REQUEST: usize = 4_096;

/// The records of a type that were read.
#[derive(Debug, Clone)]
pub(super) struct Records {
    /// The records of the type, in the order of the list.
    pub listed: Vec<Existing>,
    /// The related records that were included, by type and id.
    pub included: HashMap<(String, String), ResourceObject>,
    /// The version that served them: newer than the requested one if the account's is.
    pub version: ApiVersion,
}

impl Records {
    /// Reads the records of a type with the linkage of these relationships, except those that need a feature which the
    /// account lacks. With a projection only its members are read; otherwise whole records, with their related records.
    ///
    /// # Errors
    /// The failures of requests.
    pub(super) async fn read(
        client: &Client,
        spec: &'static ResourceSpec,
        selection: &Selection,
        relationships: &BTreeSet<&'static str>,
        projection: Option<Projection>,
    ) -> Result<Self, Failure> {
        let read = Self::read_permitted(client, spec, selection, relationships, projection).await;
        read.map_err(|error| failure(&error))
    }

    /// As [`read`](Self::read); `None` if the service enables the type for some accounts alone, and not for this one,
    /// which has none of its records then.
    ///
    /// # Errors
    /// The failures of requests.
    pub(super) async fn read_if_enabled(
        client: &Client,
        spec: &'static ResourceSpec,
        selection: &Selection,
        relationships: &BTreeSet<&'static str>,
        projection: Option<Projection>,
    ) -> Result<Option<Self>, Failure> {
        match Self::read_permitted(client, spec, selection, relationships, projection).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_not_enabled(spec, &error) => Ok(None),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Reads the records with those of the relationships that the account can include.
    async fn read_permitted(
        client: &Client,
        spec: &'static ResourceSpec,
        selection: &Selection,
        relationships: &BTreeSet<&'static str>,
        projection: Option<Projection>,
    ) -> Result<Self, Error> {
        let mut relationships = relationships.clone();
        let projection = projection.map(Arc::new);
        loop {
            let read = Self::read_with(client, spec, selection, &relationships, projection.as_ref());
            let error = match read.await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let before = relationships.len();
            let refused = refused_includes(&error);
            let version = client.api_version();
            relationships.retain(|path| !refused.contains(&spec.include_at(version, path)));
            if relationships.len() == before {
                return Err(error);
            }
        }
    }

    async fn read_with(
        client: &Client,
        spec: &'static ResourceSpec,
        selection: &Selection,
        relationships: &BTreeSet<&'static str>,
        projection: Option<&Arc<Projection>>,
    ) -> Result<Self, Error> {
        let version = client.api_version();
        let mut found = Self { listed: Vec::new(), included: HashMap::new(), version };
        let parameters = Parameters {
            size: Some(spec.max_page_size_at(version)),
            include: relationships.iter().map(|path| spec.include_at(version, path)).collect(),
            ..Parameters::default()
        };
        let progress = Progress::start(spec.name);
        match selection {
            Selection::All => found.pages(client, spec, &parameters, &progress, projection).await?,
            Selection::Named(names) => {
                for names in in_requests(names) {
                    let mut parameters = parameters.clone();
                    let filter = Handle::of(spec, version).and_then(|handle| handle.filter);
                    if let Some((filter, text)) =
                        filter.and_then(|filter| Some((filter, filter.text(version, &names)?)))
                    {
                        parameters.filters.push((filter.name.to_owned(), text));
                    }
                    found.pages(client, spec, &parameters, &progress, projection).await?;
                }
            }
        }
        each_once(&mut found.listed);
        Ok(found)
    }

    async fn pages(
        &mut self,
        client: &Client,
        spec: &ResourceSpec,
        parameters: &Parameters,
        progress: &Progress,
        projection: Option<&Arc<Projection>>,
    ) -> Result<(), Error> {
        let path = format!("/{}", spec.path_at(client.api_version()));
        let mut request = client.raw(Method::GET, &path);
        for (name, value) in parameters.pairs() {
            request = request.query(&name, &value);
        }
        let projection = projection.cloned();
        let mut pages = request.pages_ahead(move |answer| decoded(answer, projection.clone()));
        while let Some(page) = pages.try_next().await? {
            self.version = page.version().unwrap_or(self.version);
            progress.of(page.meta.total_records);
            progress.add(page.data.len());
            self.listed.extend(page.data.into_iter().map(Existing::of));
            let included = page.included.into_iter();
            self.included.extend(included.map(|record| ((record.kind.clone(), record.id.clone()), record)));
        }
        Ok(())
    }

    /// The records of an owner by the names of their marks; two records with the same name are an error.
    ///
    /// # Errors
    /// A description of the two records.
    pub(super) fn marked(&self, owner: &super::mark::Owner) -> Result<BTreeMap<&str, &Existing>, String> {
        let mut marked = BTreeMap::new();
        for existing in &self.listed {
            let Some(mark) = existing.mark.as_ref().filter(|mark| mark.owner == *owner) else { continue };
            if let Some(other) = marked.insert(mark.key.as_str(), existing) {
                let ids = [&other.record.id, &existing.record.id];
                return Err(format!(
                    "  two records carry the mark {mark}: {} and {}; delete one, or clear its {ATTRIBUTE}",
                    ids[0], ids[1]
                ));
            }
        }
        Ok(marked)
    }
}

/// The names for each request: a letter of another alphabet has up to nine characters in a URL.
fn in_requests(names: &BTreeSet<String>) -> Vec<Vec<String>> {
    let (mut requests, mut letters): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    for name in names {
        // With a comma, and quotes if it has one itself.
        let length = encode_component(name).len() + 9;
        match requests.last_mut() {
            Some(request) if request.len() < NAMES_A_REQUEST && letters + length <= LETTERS_A_REQUEST => {
                request.push(name.clone());
                letters += length;
            }
            _ => {
                requests.push(vec![name.clone()]);
                letters = length;
            }
        }
    }
    requests
}

/// Leaves out a record that is there again: one that is created while pages are read moves others to the next page.
fn each_once(listed: &mut Vec<Existing>) {
    let mut seen: HashSet<String> = HashSet::with_capacity(listed.len());
    listed.retain(|existing| seen.insert(existing.record.id.clone()));
}

/// Maximum number of bytes of a page that is decoded in place: a thread would cost more.
const SMALL_PAGE: usize = 64 << 10;

/// Decodes a page on a thread of its own, so that others are received meanwhile.
async fn decoded(
    answer: RawAnswer,
    projection: Option<Arc<Projection>>,
) -> Result<Document<Vec<ResourceObject>>, Error> {
    if answer.bytes().len() < SMALL_PAGE {
        return decode(&answer, projection.as_deref());
    }
    let answer = Arc::new(answer);
    let of_thread = Arc::clone(&answer);
    match spawn_blocking(move || decode(&of_thread, projection.as_deref())).await {
        Ok(page) => page,
        // No thread could be started for it.
        Err(_) => answer.document(),
    }
}

fn decode(
    answer: &RawAnswer,
    projection: Option<&Projection>,
) -> Result<Document<Vec<ResourceObject>>, Error> {
    let read = projection.and_then(|projection| projection.read(answer.bytes()));
    read.map_or_else(|| answer.document(), Ok)
}

/// Whether a list was refused because the service enables the type for some accounts alone. A key that is not accepted
/// has another status, and says nothing about the account.
fn is_not_enabled(spec: &ResourceSpec, error: &Error) -> bool {
    let is_forbidden = error.status().is_some_and(|status| status.as_u16() == 403);
    is_forbidden && (spec.list_needs.is_some() || spec.needs.is_some())
}

/// The paths of a refused request that its account cannot include.
fn refused_includes(error: &Error) -> Vec<String> {
    let objects = error.refusal().map(|refusal| refusal.errors.as_slice()).unwrap_or_default();
    let invalid = objects.iter().filter(|object| object.code.as_deref() == Some("112"));
    let details = invalid.filter_map(|object| object.detail.as_deref());
    details
        .filter_map(|detail| Some(detail.split_once(" is not a valid relationship of ")?.0.to_owned()))
        .collect()
}

/// The most names by which records are read.
pub(super) const FEW: usize = 200;

/// Whether the records of a type can be read by their names, a few at a time: its filter takes a list of them.
pub(super) fn can_be_named(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    keys: &BTreeSet<String>,
) -> bool {
    let filter = Handle::of(spec, version).and_then(|handle| handle.filter);
    let takes_list = filter.is_some_and(|filter| filter.list.contain(version));
    takes_list && keys.len() <= FEW && !keys.iter().any(|key| is_id(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(id: &str, key: &str) -> Existing {
        let mark = Mark { owner: "netops".parse().unwrap(), key: key.to_owned() };
        let mut record = ResourceObject { id: id.to_owned(), ..ResourceObject::default() };
        record.attributes.insert(ATTRIBUTE.to_owned(), mark.to_string().into());
        Existing::of(record)
    }

    #[test]
    fn names_of_other_alphabets_need_more_requests() {
        let of = |letter: &str| {
            let names: BTreeSet<String> =
                (0..120).map(|number| format!("{}{number}", letter.repeat(40))).collect();
            let requests = in_requests(&names);
            assert_eq!(requests.iter().flatten().cloned().collect::<BTreeSet<String>>(), names);
            requests.iter().map(Vec::len).collect::<Vec<usize>>()
        };
        assert_eq!(of("a"), [50, 50, 20]);
        assert!(of("ж").iter().all(|count| *count < 20));
        assert_eq!(in_requests(&BTreeSet::from(["б".repeat(5_000)])).len(), 1, "a long one has its own");
    }

    #[test]
    fn a_record_that_two_pages_have_is_one_and_two_records_with_a_mark_are_not() {
        let mut listed = vec![existing("1", "Berlin"), existing("2", "Paris"), existing("1", "Berlin")];
        each_once(&mut listed);
        let mut records = Records { listed, included: HashMap::new(), version: ApiVersion::NEWEST };
        let owner: super::super::mark::Owner = "netops".parse().unwrap();
        assert_eq!(records.marked(&owner).unwrap().len(), 2);
        records.listed.push(existing("3", "Paris"));
        let problem = records.marked(&owner).unwrap_err();
        assert!(problem.contains("2 and 3") && problem.contains("delete one"), "{problem}");
    }
}
