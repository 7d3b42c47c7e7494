//! The search for records in stock, such as numbers of a DID group.
//!
//! Numbers are sold one after the other, so the first ones of a group are sold already. A search therefore begins where
//! the last one found its first record. What is in stock before that place, because it was given back, is found as soon
//! as there is too little behind it, or once a reset begins the searches anew. The places are those of this process:
//! they decide which records are found first, not how many are found.
//!
//! Bound: `MAX_PLACES`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use trunk_store::{Record, Scope, Store, StoreError};
use uuid::Uuid;

/// Maximum number of places that are kept. Beyond it all are forgotten, and the next searches begin at the first
/// record.
const MAX_PLACES: usize = if cfg!(test) { 2 } else { 10_000 };

/// A type, and the links that select its records.
type Selection = (&'static str, Vec<(&'static str, Uuid)>);

/// Where searches begin: by what they select, the number after which they look.
#[derive(Debug, Default)]
pub struct StockSearch(Mutex<HashMap<Selection, i64>>);

impl StockSearch {
    /// Returns records in stock of a type that all accounts share, at most `most`, which link to each of these records
    /// ([`Records::first_in_stock`](trunk_store::Records::first_in_stock)). All are found if there are no more. Of a
    /// type of which nothing is ever taken, the first ones are returned.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn find(
        &self,
        store: &dyn Store,
        scope: Scope,
        links: Vec<(&'static str, Uuid)>,
        most: u64,
    ) -> Result<Vec<Record>, StoreError> {
        if scope.spec.taken_by.is_empty() {
            return store.first_in_stock(scope, links, 0, most).await;
        }
        let selection = (scope.spec.name, links);
        let after = self.place(&selection);
        let mut found = store.first_in_stock(scope, selection.1.clone(), after, most).await?;
        if after > 0 && (found.len() as u64) < most {
            found = store.first_in_stock(scope, selection.1.clone(), 0, most).await?;
        }
        if let Some(first) = found.first() {
            self.keep(selection, first.number - 1);
        }
        Ok(found)
    }

    /// Lets the next searches begin at the first record. A tester who resets an account then receives the same records
    /// again.
    pub fn begin_anew(&self) {
        self.places().clear();
    }

    /// The number after which a search begins.
    fn place(&self, selection: &Selection) -> i64 {
        self.places().get(selection).copied().unwrap_or_default()
    }

    fn keep(&self, selection: Selection, after: i64) {
        let mut places = self.places();
        if places.len() >= MAX_PLACES && !places.contains_key(&selection) {
            places.clear();
        }
        places.insert(selection, after);
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Selection, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use didww_types::resources::{AvailableDid, DidGroup, DidReservation};
    use didww_types::{Resource as _, ResourceSpec, Timestamp};
    use serde_json::{Map, json};
    use trunk_store::{Change, NO_ACCOUNT, SqliteStore, Writes as _};

    use super::*;

    const GROUP: Uuid = Uuid::from_u128(1);

    fn scope(spec: &'static ResourceSpec) -> Scope {
        Scope { account: if spec.global { NO_ACCOUNT } else { 1 }, spec }
    }

    fn insert(
        spec: &'static ResourceSpec,
        id: Uuid,
        attribute: (&str, &str),
        links: Vec<(&'static str, Vec<Uuid>)>,
    ) -> Change {
        let attributes = Map::from_iter([(attribute.0.to_owned(), json!(attribute.1))]);
        let created_at = Timestamp::from_unix_millis(0);
        Change::Insert { scope: scope(spec), id, created_at, attributes, links, meta: None }
    }

    /// The reservation that takes a number.
    fn reservation(number: u128) -> Uuid {
        Uuid::from_u128(100 + number)
    }

    async fn take(store: &SqliteStore, numbers: [u128; 2]) {
        let take = |number| {
            let links = vec![("available_did", vec![Uuid::from_u128(number)])];
            insert(DidReservation::SPEC, reservation(number), ("description", "taken"), links)
        };
        store.commit(numbers.map(take).into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_search_begins_where_the_last_one_found_something_and_misses_nothing_when_that_is_too_little() {
        let store = SqliteStore::in_memory().unwrap();
        let group = insert(DidGroup::SPEC, GROUP, ("area_name", "Vilnius"), Vec::new());
        store.commit(vec![group]).await.unwrap();
        let number = |number: u128| {
            let links = vec![("did_group", vec![GROUP])];
            insert(AvailableDid::SPEC, Uuid::from_u128(number), ("number", &number.to_string()), links)
        };
        store.commit((10..16).map(number).collect()).await.unwrap();
        let search = StockSearch::default();
        let two = async || -> Vec<u128> {
            let found = search.find(&store, scope(AvailableDid::SPEC), vec![("did_group", GROUP)], 2).await;
            found.unwrap().iter().map(|record| record.id.as_u128()).collect()
        };
        assert_eq!((two().await, two().await), (vec![10, 11], vec![10, 11]), "nothing was taken");
        take(&store, [10, 11]).await;
        assert_eq!(two().await, [12, 13]);
        let id = reservation(10);
        store.commit(vec![Change::Delete { scope: scope(DidReservation::SPEC), id }]).await.unwrap();
        assert_eq!(two().await, [12, 13]);
        take(&store, [12, 13]).await;
        assert_eq!(two().await, [14, 15], "what was given back is not needed yet");
        search.begin_anew();
        assert_eq!(two().await, [10, 14]);
        take(&store, [14, 10]).await;
        assert_eq!(two().await, [15]);
        store.commit(vec![Change::Delete { scope: scope(DidReservation::SPEC), id }]).await.unwrap();
        assert_eq!(two().await, [10, 15]);
        take(&store, [10, 15]).await;
        assert!(two().await.is_empty());
    }

    #[test]
    fn the_places_are_bounded_and_a_known_one_moves() {
        let (search, of) = (StockSearch::default(), |kind| (kind, vec![("did_group", GROUP)]));
        for (kind, after) in [("a", 1), ("b", 2), ("b", 3)] {
            search.keep(of(kind), after);
        }
        assert_eq!(["a", "b"].map(|kind| search.place(&of(kind))), [1, 3]);
        search.keep(of("c"), 4);
        assert_eq!(["a", "b", "c"].map(|kind| search.place(&of(kind))), [0, 0, 4]);
    }
}
