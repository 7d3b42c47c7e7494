//! Many trunks, there and back.
//!
//! `TRUNKS=1000000` selects the long form.

use std::path::Path;

use serde_json::json;
use trunk_store::{Accounts as _, Engine as _, SqliteStore, Writes as _};

use crate::support::records::{account, id, insert, key, trunk, trunks};

/// Number of trunks in one write.
const BATCH: u128 = 500;

/// Creates a database with this number of trunks of 50 accounts, the first of which has one of 50.
pub async fn fill(path: &Path, trunk_count: u128) {
    let store = SqliteStore::open(path).unwrap();
    for number in 0..50_u128 {
        let name = format!("account {number}");
        store.create_account(account(1_000 + number, &name), key(2_000 + number, &name)).await.unwrap();
    }
    let new = |number: u128| {
        let scope = trunks(i64::try_from(number % 50).unwrap() + 1);
        let attributes = trunk(&format!("trunk {number}"), &json!({ "capacity_limit": number % 100 }));
        insert(scope, id(10_000 + number), attributes)
    };
    let batches = trunk_count.div_ceil(BATCH);
    for batch in 0..batches {
        let numbers = batch * BATCH..(BATCH * (batch + 1)).min(trunk_count);
        store.commit(numbers.map(new).collect()).await.unwrap();
    }
    store.close().await.unwrap();
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_trunks_are_the_same_after_a_move_there_and_back() {
    use service_base::clock::Stopwatch;
    use trunk_store::transfer::{Place, Table};

    use super::{Folder, back_up, move_to};
    use crate::support::postgres::server;

    let count = std::env::var("TRUNKS").map_or(20_000, |count| count.parse().unwrap());
    let folder = Folder::new();
    let database = server().empty();
    let there = Place::parse(&database.parameters()).unwrap();
    let (from, back) = (folder.place("many.db"), folder.place("back.db"));
    fill(&folder.path("many.db"), count).await;
    let timed = async |what: &str, source: &Place, target: &Place| {
        let since = Stopwatch::start();
        let totals = move_to(source, target).await.unwrap();
        println!("{what}: {count} trunks in {:.1} s", since.elapsed().as_secs_f64());
        totals
    };
    let moved = timed("to PostgreSQL", &from, &there).await;
    let records = moved.iter().find(|total| total.table == Table::Record).unwrap();
    assert_eq!(u128::from(records.rows), count);
    assert_eq!(timed("back to SQLite", &there, &back).await, moved);
    let since = Stopwatch::start();
    let backed_up = back_up(&back, &folder.path("back.backup")).await.unwrap();
    println!("backup: {count} trunks in {:.1} s", since.elapsed().as_secs_f64());
    assert_eq!(backed_up, moved);
}
