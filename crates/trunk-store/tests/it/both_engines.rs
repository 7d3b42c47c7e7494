//! The same random history on both engines, with every answer compared.

use std::collections::BTreeMap;
use std::fmt::Debug;

use didww_types::FilterTest;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use trunk_store::{
    Change, Changes, Condition, Follower, IndexValue, Interest, ListQuery, Listing, Order, PostgresStore,
    Record, SqliteStore, Store, StoreError,
};
use uuid::Uuid;

use crate::store_model::{List, Operation, Trunk, operation};
use crate::support::postgres::server;
use crate::support::records::{did, dids, everything, id, linked, trunk, trunks};

/// What a store answers to a history, each answer as a line. Numbers are left out: each engine makes its own.
struct Answers<'a, S> {
    store: &'a S,
    follower: Follower,
    lines: Vec<String>,
    made: u128,
    trunks: Vec<Uuid>,
    dids: Vec<Uuid>,
    /// The lists that were asked for last. They are asked for again after each operation.
    asked: Vec<ListQuery>,
    /// The pages by their numbers of changes and their queries, of the engine that reports these numbers.
    pages: BTreeMap<(i64, String), (Vec<Record>, u64)>,
}

/// The number of lists and of records that are read again after each operation.
const AGAIN: usize = 2;

fn line(answer: &impl Debug) -> String {
    let text = format!("{answer:?}");
    let mut parts = text.split("number: ");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        line.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    line
}

/// A page without the number of changes, which one of the engines does not tell.
fn without_changes(listing: Listing) -> Listing {
    Listing { changes: None, ..listing }
}

impl<'a, S: Store> Answers<'a, S> {
    async fn to(store: &'a S, history: &[Operation]) -> Vec<String> {
        store.reset(None, true).await.unwrap();
        let follower = store.follow(Interest::Everything);
        let mut answers = Self {
            store,
            follower,
            lines: Vec::new(),
            made: 0,
            trunks: Vec::new(),
            dids: Vec::new(),
            asked: Vec::new(),
            pages: BTreeMap::new(),
        };
        for operation in history {
            answers.apply(operation).await;
            answers.follow();
            answers.read_again().await;
        }
        answers.read_everything().await;
        answers.lines
    }

    fn answer(&mut self, answer: &impl Debug) {
        self.lines.push(line(answer));
    }

    /// The effects of the last write, in their order.
    fn follow(&mut self) {
        let Changes::Since(writes) = self.follower.changes() else { panic!("the follower fell behind") };
        self.answer(&writes);
    }

    fn next_id(&mut self) -> Uuid {
        self.made += 1;
        id(self.made)
    }

    fn pick(&self, picks: &[Index]) -> Vec<Uuid> {
        if self.dids.is_empty() {
            Vec::new()
        } else {
            picks.iter().map(|pick| *pick.get(&self.dids)).collect()
        }
    }

    fn attributes(of: &Trunk) -> Map<String, Value> {
        let differences = json!({
            "external_reference_id": of.reference,
            "status": if of.blocked { "blocked" } else { "active" },
            "allow_any_did_as_cli": of.blocked,
        });
        trunk(&format!("n{}", of.name), &differences)
    }

    async fn commit(&mut self, changes: Vec<Change>) -> bool {
        let done: Result<Vec<Record>, StoreError> = self.store.commit(changes).await;
        self.answer(&done);
        done.is_ok()
    }

    async fn read(&mut self, id: Uuid) -> Record {
        let found = self.store.find(trunks(1), id).await;
        self.answer(&found);
        found.unwrap().unwrap_or_else(|| panic!("trunk {id} is gone"))
    }

    async fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::InsertDid(number) => {
                let new = self.next_id();
                let change = linked(dids(1), new, did(&number.to_string(), &json!({})), Vec::new());
                if self.commit(vec![change]).await {
                    self.dids.push(new);
                }
            }
            Operation::InsertTrunk(of, links) => {
                let new = self.next_id();
                let links = vec![("dids", self.pick(links))];
                if self.commit(vec![linked(trunks(1), new, Self::attributes(of), links)]).await {
                    self.trunks.push(new);
                }
            }
            Operation::Batch(one, two) => {
                let (first, second) = (self.next_id(), self.next_id());
                let insert = |id, of| linked(trunks(1), id, Self::attributes(of), Vec::new());
                if self.commit(vec![insert(first, one), insert(second, two)]).await {
                    self.trunks.extend([first, second]);
                }
            }
            Operation::DeleteDid(which) if !self.dids.is_empty() => {
                let gone = self.dids.remove(which.index(self.dids.len()));
                self.commit(vec![Change::Delete { scope: dids(1), id: gone }]).await;
            }
            Operation::List(list) => self.list(list).await,
            _ if self.trunks.is_empty() => {}
            Operation::ReplaceTrunk(which, of, links) => {
                let before = self.read(*which.get(&self.trunks)).await;
                let links = links.iter().map(|links| ("dids", self.pick(links))).collect();
                let attributes = Self::attributes(of);
                self.commit(vec![Change::Replace {
                    scope: trunks(1),
                    before,
                    attributes,
                    links,
                    meta: None,
                }])
                .await;
            }
            Operation::ReplaceStale(which, of) => {
                let read = self.read(*which.get(&self.trunks)).await;
                let before = Record { revision: read.revision - 1, ..read };
                let (attributes, links) = (Self::attributes(of), Vec::new());
                self.commit(vec![Change::Replace {
                    scope: trunks(1),
                    before,
                    attributes,
                    links,
                    meta: None,
                }])
                .await;
            }
            Operation::Members(which, add, members) => {
                let owner = self.read(*which.get(&self.trunks)).await;
                let (relationship, members) = ("dids", self.pick(members));
                let scope = trunks(1);
                self.commit(vec![Change::Members { scope, owner, relationship, add: *add, members }]).await;
            }
            Operation::DeleteTrunk(which) => {
                let gone = self.trunks.remove(which.index(self.trunks.len()));
                self.commit(vec![Change::Delete { scope: trunks(1), id: gone }]).await;
            }
            Operation::DeleteDid(_) | Operation::Reopen => {}
        }
    }

    async fn list(&mut self, list: &List) {
        let text = |text: &str| {
            if text.is_empty() { IndexValue::Null } else { IndexValue::Text(text.to_owned()) }
        };
        let equals = |path, value| Condition { test: FilterTest::Equals(path), values: vec![value] };
        let mut conditions = Vec::new();
        conditions.extend(list.reference.map(|reference| equals("external_reference_id", text(reference))));
        let status = list.blocked.map(|blocked| if blocked { "blocked" } else { "active" });
        conditions.extend(status.map(|status| equals("status", text(status))));
        let contains = |part: u8| Condition {
            test: FilterTest::Contains("name"),
            values: vec![text(&part.to_string())],
        };
        conditions.extend(list.contains.map(contains));
        if let Some(did) = list.linked.filter(|_| !self.dids.is_empty()) {
            let did = text(&did.get(&self.dids).to_string());
            conditions.push(Condition { test: FilterTest::Linked("dids"), values: vec![did] });
        }
        let by =
            |(attribute, descending): &(&'static str, bool)| Order { attribute, descending: *descending };
        let order = list.order.iter().map(by).collect();
        let query =
            ListQuery { conditions, order, offset: list.offset, limit: list.limit, ..everything(trunks(1)) };
        let listing = self.store.list(query.clone()).await;
        self.answer(&listing.map(without_changes));
        let ids = self.store.list_ids(query.clone()).await;
        self.answer(&ids);
        self.asked.push(query);
        if self.asked.len() > AGAIN {
            self.asked.remove(0);
        }
    }

    /// Reads twice what was read before the last operation: the second time, and if the operation has changed nothing
    /// the first time too, an engine may answer it from memory. Two pages with the same number of changes are the same.
    async fn read_again(&mut self) {
        for query in self.asked.clone() {
            for _ in 0..2 {
                let listing = self.store.list(query.clone()).await.unwrap();
                let changes = self.store.changes(trunks(1)).await.unwrap();
                if let (Some(of_page), Some(now)) = (listing.changes, changes) {
                    assert_eq!(of_page, now, "{:?}", query.conditions);
                    let of = (&query.conditions, &query.order, query.offset, query.limit);
                    let page = (listing.records.clone(), listing.total);
                    let first = self.pages.entry((now, format!("{of:?}"))).or_insert_with(|| page.clone());
                    assert_eq!(*first, page, "{of:?}");
                }
                self.answer(&without_changes(listing));
            }
        }
        // The newest ones, also of those that were refused or deleted: no engine finds them.
        for made in (1..=self.made).rev().take(AGAIN) {
            for scope in [trunks(1), dids(1)] {
                for _ in 0..2 {
                    let found = self.store.find(scope, id(made)).await;
                    self.answer(&found);
                }
            }
        }
    }

    async fn read_everything(&mut self) {
        for scope in [trunks(1), dids(1)] {
            let listing = self.store.list(everything(scope)).await.unwrap();
            for record in &listing.records {
                let members = self.store.members(scope, vec![record.number], "dids", 1_000).await.unwrap();
                self.answer(&members.into_iter().map(|(_, kind, id)| (kind, id)).collect::<Vec<_>>());
            }
            self.answer(&without_changes(listing));
            let after = self.store.records_after(scope.spec, 0, 1_000).await;
            self.answer(&after);
        }
    }
}

#[test]
fn both_engines_give_the_same_answers_to_the_same_history() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let database = runtime.block_on(server().migrated());
    let postgres: PostgresStore = runtime.block_on(database.node(0));
    let sqlite = SqliteStore::in_memory().unwrap();
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    let history = prop::collection::vec(operation(), 1..60);
    let compared = TestRunner::new(config).run(&history, |history| {
        let (one, other) = runtime.block_on(async {
            (Answers::to(&sqlite, &history).await, Answers::to(&postgres, &history).await)
        });
        for (one, other) in one.iter().zip(&other) {
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(one.len(), other.len());
        Ok(())
    });
    compared.unwrap_or_else(|failure| panic!("{failure}"));
    // The store's tasks end with the runtime.
    drop(postgres);
}
