//! The store against a simple model, with the file closed and opened in between.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use didww_types::FilterTest;
use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use trunk_store::{
    Change, Condition, IndexValue, ListQuery, Order, Record, Records as _, SqliteStore, StoreError,
    Writes as _,
};
use uuid::Uuid;

use crate::support::records::{did, dids, everything, id, linked, trunk, trunks};

/// Operations on both the store and the model. An index selects one of the existing records.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    InsertDid(u8),
    InsertTrunk(Trunk, Vec<Index>),
    ReplaceTrunk(Index, Trunk, Option<Vec<Index>>),
    /// Replaces a record with a revision that is out of date.
    ReplaceStale(Index, Trunk),
    Members(Index, bool, Vec<Index>),
    DeleteTrunk(Index),
    DeleteDid(Index),
    /// Two inserts, the second of which has a name that is taken, if there is one.
    Batch(Trunk, Trunk),
    List(List),
    Reopen,
}

#[derive(Debug, Clone)]
pub(super) struct Trunk {
    pub(super) name: u8,
    pub(super) reference: Option<&'static str>,
    pub(super) blocked: bool,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    /// An empty text matches a null or empty reference.
    pub(super) reference: Option<&'static str>,
    pub(super) blocked: Option<bool>,
    pub(super) contains: Option<u8>,
    pub(super) linked: Option<Index>,
    pub(super) order: Vec<(&'static str, bool)>,
    pub(super) offset: u64,
    pub(super) limit: u64,
}

fn any_trunk() -> impl Strategy<Value = Trunk> {
    let reference = select(vec![None, Some(""), Some("a"), Some("b"), Some("É")]);
    (0..12_u8, reference, any::<bool>()).prop_map(|(name, reference, blocked)| Trunk {
        name,
        reference,
        blocked,
    })
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..4)
}

fn any_list() -> impl Strategy<Value = List> {
    let reference = prop::option::weighted(0.3, select(vec!["", "a", "É"]));
    let column = select(vec!["name", "external_reference_id", "created_at", "allow_any_did_as_cli"]);
    (
        reference,
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.3, 0..12_u8),
        prop::option::weighted(0.2, any::<Index>()),
        prop::collection::vec((column, any::<bool>()), 0..3),
        0..12_u64,
        select(vec![0, 1, 2, 5, 100]),
    )
        .prop_map(|(reference, blocked, contains, linked, order, offset, limit)| List {
            reference,
            blocked,
            contains,
            linked,
            order,
            offset,
            limit,
        })
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (0..30_u8).prop_map(Operation::InsertDid),
        4 => (any_trunk(), picks()).prop_map(|(trunk, links)| Operation::InsertTrunk(trunk, links)),
        4 => (any::<Index>(), any_trunk(), prop::option::of(picks()))
            .prop_map(|(which, trunk, links)| Operation::ReplaceTrunk(which, trunk, links)),
        1 => (any::<Index>(), any_trunk()).prop_map(|(which, trunk)| Operation::ReplaceStale(which, trunk)),
        3 => (any::<Index>(), any::<bool>(), picks()).prop_map(|(which, add, dids)| Operation::Members(which, add, dids)),
        2 => any::<Index>().prop_map(Operation::DeleteTrunk),
        1 => any::<Index>().prop_map(Operation::DeleteDid),
        1 => (any_trunk(), any_trunk()).prop_map(|(one, two)| Operation::Batch(one, two)),
        6 => any_list().prop_map(Operation::List),
        1 => Just(Operation::Reopen),
    ]
}

/// A trunk of the model: the record that the store should return, and its links in order.
#[derive(Debug, Clone)]
struct ModelTrunk {
    id: Uuid,
    revision: i64,
    attributes: Map<String, Value>,
    links: Vec<Uuid>,
}

struct Model {
    path: PathBuf,
    store: Option<SqliteStore>,
    runtime: tokio::runtime::Runtime,
    made: u128,
    trunks: Vec<ModelTrunk>,
    dids: Vec<Uuid>,
    /// The DID of each number; there is at most one.
    numbers: BTreeMap<String, Uuid>,
}

impl Model {
    fn new(path: PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = Some(SqliteStore::open(&path).unwrap());
        Self { path, store, runtime, made: 0, trunks: Vec::new(), dids: Vec::new(), numbers: BTreeMap::new() }
    }

    fn commit(&self, changes: Vec<Change>) -> Result<Vec<Record>, StoreError> {
        self.runtime.block_on(self.store.as_ref().unwrap().commit(changes))
    }

    fn read(&self, id: Uuid) -> Record {
        let found = self.runtime.block_on(self.store.as_ref().unwrap().find(trunks(1), id));
        found.unwrap().unwrap_or_else(|| panic!("trunk {id} is gone"))
    }

    fn next_id(&mut self) -> Uuid {
        self.made += 1;
        id(self.made)
    }

    fn pick(&self, picks: &[Index]) -> Vec<Uuid> {
        let mut picked: Vec<Uuid> = Vec::new();
        for pick in picks.iter().filter(|_| !self.dids.is_empty()) {
            let did = *pick.get(&self.dids);
            if !picked.contains(&did) {
                picked.push(did);
            }
        }
        picked
    }

    fn attributes(of: &Trunk) -> Map<String, Value> {
        let differences = json!({
            "external_reference_id": of.reference,
            "status": if of.blocked { "blocked" } else { "active" },
            "allow_any_did_as_cli": of.blocked,
        });
        trunk(&format!("n{}", of.name), &differences)
    }

    fn is_taken(&self, name: &Value, except: Option<Uuid>) -> bool {
        self.trunks.iter().any(|kept| kept.attributes["name"] == *name && Some(kept.id) != except)
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::InsertDid(number) => {
                let new = self.next_id();
                let change = linked(dids(1), new, did(&number.to_string(), &json!({})), Vec::new());
                let done = self.commit(vec![change]);
                match self.numbers.entry(number.to_string()) {
                    Entry::Occupied(_) => assert_eq!(done, Err(StoreError::Taken("number".to_owned()))),
                    Entry::Vacant(free) => {
                        done.unwrap();
                        free.insert(new);
                        self.dids.push(new);
                    }
                }
            }
            Operation::InsertTrunk(of, links) => {
                let (new, links, attributes) = (self.next_id(), self.pick(&links), Self::attributes(&of));
                let taken = self.is_taken(&attributes["name"], None);
                let change = linked(trunks(1), new, attributes.clone(), vec![("dids", links.clone())]);
                let done = self.commit(vec![change]);
                assert_eq!(done.is_err(), taken, "{done:?}");
                if !taken {
                    self.trunks.push(ModelTrunk { id: new, revision: 0, attributes, links });
                }
            }
            Operation::Batch(one, two) => {
                let (first, second) = (self.next_id(), self.next_id());
                let (one, two) = (Self::attributes(&one), Self::attributes(&two));
                let fails = self.is_taken(&one["name"], None)
                    || self.is_taken(&two["name"], None)
                    || one["name"] == two["name"];
                let insert = |id, of: &Map<String, Value>| linked(trunks(1), id, of.clone(), Vec::new());
                let done = self.commit(vec![insert(first, &one), insert(second, &two)]);
                assert_eq!(done.is_err(), fails, "{done:?}");
                if !fails {
                    for (id, attributes) in [(first, one), (second, two)] {
                        self.trunks.push(ModelTrunk { id, revision: 0, attributes, links: Vec::new() });
                    }
                }
            }
            Operation::Reopen => {
                self.store = None;
                self.store = Some(SqliteStore::open(&self.path).unwrap());
            }
            Operation::DeleteDid(which) => {
                if !self.dids.is_empty() {
                    let gone = self.dids.remove(which.index(self.dids.len()));
                    self.commit(vec![Change::Delete { scope: dids(1), id: gone }]).unwrap();
                    self.numbers.retain(|_, did| *did != gone);
                    self.trunks.iter_mut().for_each(|kept| kept.links.retain(|link| *link != gone));
                }
            }
            Operation::List(list) => self.compare(&list),
            _ if self.trunks.is_empty() => {}
            Operation::ReplaceTrunk(which, of, links) => {
                let place = which.index(self.trunks.len());
                let kept = self.trunks[place].clone();
                let (attributes, links) = (Self::attributes(&of), links.map(|links| self.pick(&links)));
                let taken = self.is_taken(&attributes["name"], Some(kept.id));
                let before = self.read(kept.id);
                let named = links.iter().map(|links| ("dids", links.clone())).collect();
                let replace = Change::Replace {
                    scope: trunks(1),
                    before,
                    attributes: attributes.clone(),
                    links: named,
                    meta: None,
                };
                let done = self.commit(vec![replace]);
                assert_eq!(done.is_err(), taken, "{done:?}");
                if !taken {
                    let links = links.unwrap_or(kept.links);
                    self.trunks[place] =
                        ModelTrunk { id: kept.id, revision: kept.revision + 1, attributes, links };
                }
            }
            Operation::ReplaceStale(which, of) => {
                let kept = which.get(&self.trunks);
                let stale = Record { revision: kept.revision - 1, ..self.read(kept.id) };
                let attributes = Self::attributes(&of);
                let replace = Change::Replace {
                    scope: trunks(1),
                    before: stale,
                    attributes,
                    links: Vec::new(),
                    meta: None,
                };
                assert_eq!(self.commit(vec![replace]), Err(StoreError::Conflict));
            }
            Operation::Members(which, add, members) => self.change_members(which, add, &members),
            Operation::DeleteTrunk(which) => {
                let gone = self.trunks.remove(which.index(self.trunks.len()));
                self.commit(vec![Change::Delete { scope: trunks(1), id: gone.id }]).unwrap();
            }
        }
    }

    fn change_members(&mut self, which: Index, add: bool, members: &[Index]) {
        let place = which.index(self.trunks.len());
        let members = self.pick(members);
        let owner = self.read(self.trunks[place].id);
        let relationship = "dids";
        let change = Change::Members { scope: trunks(1), owner, relationship, add, members: members.clone() };
        self.commit(vec![change]).unwrap();
        let kept = &mut self.trunks[place];
        kept.revision += 1;
        if add {
            let new: Vec<Uuid> = members.into_iter().filter(|did| !kept.links.contains(did)).collect();
            kept.links.extend(new);
        } else {
            kept.links.retain(|link| !members.contains(link));
        }
    }

    /// Compares a list of the store with that of the model.
    fn compare(&self, list: &List) {
        let kind = VoiceOutTrunk::SPEC.attribute("name").unwrap().kind;
        let text = |text: &str| IndexValue::of(kind, &json!(text));
        let equals = |path, value| Condition { test: FilterTest::Equals(path), values: vec![value] };
        let mut conditions = Vec::new();
        let mut expected: Vec<&ModelTrunk> = self.trunks.iter().collect();
        if let Some(reference) = list.reference {
            conditions.push(equals("external_reference_id", text(reference)));
            expected
                .retain(|kept| kept.attributes["external_reference_id"].as_str().unwrap_or("") == reference);
        }
        if let Some(blocked) = list.blocked {
            let status = if blocked { "blocked" } else { "active" };
            conditions.push(equals("status", text(status)));
            expected.retain(|kept| kept.attributes["status"] == status);
        }
        if let Some(part) = list.contains {
            let part = part.to_string();
            conditions.push(Condition { test: FilterTest::Contains("name"), values: vec![text(&part)] });
            expected.retain(|kept| kept.attributes["name"].as_str().unwrap().contains(&part));
        }
        if let Some(did) = list.linked.filter(|_| !self.dids.is_empty()) {
            let did = did.get(&self.dids);
            conditions
                .push(Condition { test: FilterTest::Linked("dids"), values: vec![text(&did.to_string())] });
            expected.retain(|kept| kept.links.contains(did));
        }
        let order: Vec<Order> = list
            .order
            .iter()
            .map(|(attribute, descending)| Order { attribute, descending: *descending })
            .collect();
        sort(&mut expected, &order);
        let query =
            ListQuery { conditions, order, offset: list.offset, limit: list.limit, ..everything(trunks(1)) };
        let listing = self.runtime.block_on(self.store.as_ref().unwrap().list(query.clone())).unwrap();
        assert_eq!(listing.total, expected.len() as u64, "{query:?}");
        let page = expected
            .iter()
            .skip(usize::try_from(list.offset).unwrap())
            .take(usize::try_from(list.limit).unwrap());
        let ids: Vec<Uuid> = listing.records.iter().map(|record| record.id).collect();
        assert_eq!(ids, page.map(|kept| kept.id).collect::<Vec<_>>(), "{query:?}");
    }

    /// Compares the whole contents.
    fn check(&self) {
        for kept in &self.trunks {
            let record = self.read(kept.id);
            assert_eq!((record.revision, &record.attributes().unwrap()), (kept.revision, &kept.attributes));
            let store = self.store.as_ref().unwrap();
            let members =
                self.runtime.block_on(store.members(trunks(1), vec![record.number], "dids", 1_000)).unwrap();
            assert_eq!(members.into_iter().map(|(_, _, id)| id).collect::<Vec<_>>(), kept.links);
        }
        let all = List {
            reference: None,
            blocked: None,
            contains: None,
            linked: None,
            order: Vec::new(),
            offset: 0,
            limit: 1_000,
        };
        self.compare(&all);
        let store = self.store.as_ref().unwrap();
        let listing = self.runtime.block_on(store.list(everything(dids(1)))).unwrap();
        assert_eq!(listing.records.iter().map(|record| record.id).collect::<Vec<_>>(), self.dids);
    }
}

/// The model's trunks are in the order of creation, which also orders trunks that the criteria do not
/// distinguish; it is reversed if the last criterion is descending.
fn sort(kept: &mut [&ModelTrunk], order: &[Order]) {
    if order.last().is_some_and(|last| last.descending) {
        kept.reverse();
    }
    kept.sort_by(|one, other| {
        let criteria = order.iter().filter(|criterion| criterion.attribute != "created_at");
        let mut compared = criteria.map(|Order { attribute, descending }| {
            let kind = VoiceOutTrunk::SPEC.attribute(attribute).unwrap().kind;
            let value = |kept: &ModelTrunk| IndexValue::of(kind, &kept.attributes[*attribute]);
            let compared = value(one).cmp(&value(other));
            if *descending { compared.reverse() } else { compared }
        });
        compared.find(|compared| compared.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(operations in prop::collection::vec(operation(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut model = Model::new(folder.path().join("model.db"));
        for operation in operations {
            model.apply(operation);
        }
        model.check();
        model.apply(Operation::Reopen);
        model.check();
    }
}
