//! How transactions on PostgreSQL lock what several of them rely on and change.

use didww_types::Resource as _;
use didww_types::resources::CapacityPool;
use serde_json::json;
use trunk_store::{Change, Engine as _, Scope, StoreError, Writes as _};

use crate::support::postgres::server;
use crate::support::records::{attributes, commit, did, dids, found, id, insert, linked};
use crate::support::within;

/// The number of writes at once.
const WRITERS: u128 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_rely_on_a_record_and_change_its_sum_do_not_wait_for_each_other_in_a_circle() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let pools = Scope { account: 1, spec: CapacityPool::SPEC };
    let pool = attributes(CapacityPool::SPEC, &json!({ "name": "pool", "total_channels_count": 100 }));
    commit(&store, vec![insert(pools, id(1), pool)]).await;
    for round in 0..5 {
        let write = async |number: u128| {
            let channels = json!({ "dedicated_channels_count": 1 });
            let links = vec![("capacity_pool", vec![id(1)])];
            let did = || did(&format!("4420794600{number:02}"), &channels);
            loop {
                let record = found(&store, pools, id(1)).await;
                let new = linked(dids(1), id(100 + number), did(), links.clone());
                match store.commit(vec![Change::Unchanged { record }, new]).await {
                    Ok(_) => return,
                    Err(error) => assert_eq!(error, StoreError::Conflict),
                }
            }
        };
        let writes = (0..WRITERS).map(|writer| write(round * WRITERS + writer));
        within("all writes", futures_util::future::join_all(writes)).await;
    }
    let sum = found(&store, pools, id(1)).await.attributes().unwrap()["assigned_channels_count"].clone();
    assert_eq!(sum, json!(5 * WRITERS));
    // A process of the server reports what it counted when its connection ends.
    store.close().await.unwrap();
    let waiting = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", database.name());
    assert_eq!(database.execute(&waiting), "0");
}
