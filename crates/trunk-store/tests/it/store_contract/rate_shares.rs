//! Shares of rate limits, held by one node and divided between several.

use std::time::Duration;

use futures_util::future::join_all;
use trunk_store::{HeldShare, RateShares, RateSubject, ShareRequest};

use crate::support::records::id;

/// The request of a node for a share of an account's limit, which is 20.
fn request(account: i64, needed: u32, wanted: u32) -> ShareRequest {
    let subject = RateSubject::Account(account);
    ShareRequest { subject, needed, wanted, limit: 20, memory: Duration::from_secs(1) }
}

/// Requests a share of one limit. Returns the share that the node holds.
async fn hold(store: &impl RateShares, needed: u32, wanted: u32) -> u32 {
    let held = store.hold_shares(vec![request(1, needed, wanted)]).await.unwrap();
    assert_eq!(held.len(), 1);
    held[0].held
}

pub(super) async fn one_node_holds_what_it_would_take_up_to_the_limit(store: &impl RateShares) {
    assert_eq!(store.hold_shares(Vec::new()).await.unwrap(), []);
    let subjects = [
        RateSubject::Mints(1),
        RateSubject::Account(1),
        RateSubject::Key(id(1)),
        RateSubject::Customer(id(1)),
        RateSubject::Delegates(id(1)),
        RateSubject::DirectTokens(id(1)),
        RateSubject::Prices("api-vin.didww.com", 1),
    ];
    let several: Vec<ShareRequest> = subjects
        .into_iter()
        .zip(5..)
        .map(|(subject, wanted)| ShareRequest { subject, ..request(1, 2, wanted) })
        .collect();
    let held = [5, 6, 7, 8, 9, 10, 11].map(|held| HeldShare { held, others: 0 });
    assert_eq!(store.hold_shares(several.clone()).await.unwrap(), held);
    assert_eq!(store.hold_shares(several).await.unwrap(), held, "it may be repeated");
    assert_eq!(hold(store, 2, 30).await, 20);
    assert_eq!(hold(store, 0, 0).await, 0);
    assert_eq!(hold(store, 30, 30).await, 20);
    let mixed = store.hold_shares(vec![request(3, 0, 0), request(2, 1, 1), request(1, 0, 0)]).await.unwrap();
    assert_eq!(mixed, [0, 1, 0].map(|held| HeldShare { held, others: 0 }));
    store.forget_shares(10).await.unwrap();
}

/// Two nodes of one database.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_divide_a_limit(one: &impl RateShares, other: &impl RateShares) {
    assert_eq!(hold(one, 2, 15).await, 15);
    assert_eq!(hold(other, 2, 15).await, 5, "five are left");
    assert_eq!(hold(one, 15, 20).await, 15, "none is left");
    assert_eq!(hold(other, 9, 15).await, 5, "it needs four more");
    assert_eq!(hold(one, 12, 15).await, 12, "which one does not take");
    assert_eq!(hold(other, 9, 15).await, 8);
    assert_eq!(hold(one, 3, 9).await, 9, "the last one that is missing is left");
    assert_eq!(hold(other, 9, 15).await, 11);
    assert_eq!(hold(one, 0, 0).await, 0, "all of it goes back");
    assert_eq!(hold(other, 9, 30).await, 20);
    let of_another = one.hold_shares(vec![request(2, 20, 20)]).await.unwrap();
    assert_eq!(of_another, [HeldShare { held: 20, others: 0 }], "another account has its own limit");
    assert_eq!(one.hold_shares(vec![request(1, 1, 1)]).await.unwrap(), [HeldShare { held: 0, others: 20 }]);
}

/// A node that ends without returning its share, and one that keeps running.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn a_share_that_is_over_is_free_and_forgotten(
    ends: &impl RateShares,
    goes_on: &impl RateShares,
    end_all_shares: impl Fn(),
) {
    assert_eq!(hold(ends, 20, 20).await, 20);
    assert_eq!(hold(goes_on, 1, 1).await, 0);
    assert_eq!(goes_on.forget_shares(10).await, Ok(0), "none is over, and no limit is without a share");
    end_all_shares();
    assert_eq!(hold(goes_on, 1, 20).await, 20);
    assert_eq!(goes_on.forget_shares(10).await, Ok(1));
    assert_eq!(hold(goes_on, 0, 0).await, 0);
    assert_eq!(goes_on.forget_shares(10).await, Ok(1), "the limit has no share any more");
    assert_eq!(goes_on.forget_shares(10).await, Ok(0));
}

/// Nodes with concurrent requests for many limits never hold more than each limit in total, and in the end exactly the
/// limit.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_that_ask_at_once_hold_each_limit_and_no_more(nodes: [&impl RateShares; 3]) {
    const LIMITS: usize = 8;
    let held = join_all(nodes.map(|node| async move {
        let mut held = [0; LIMITS];
        for round in 0..15 {
            // Each in another order: those that wait for each other must not be refused.
            let mut requests: Vec<_> =
                (0..LIMITS).map(|at| request(at.try_into().unwrap(), held[at] + 2, held[at] + 2)).collect();
            requests.rotate_left(round % LIMITS);
            let mut given = node.hold_shares(requests).await.unwrap();
            given.rotate_right(round % LIMITS);
            for (at, given) in given.iter().enumerate() {
                assert!(given.held >= held[at] && given.held + given.others <= 20, "{given:?}");
                held[at] = given.held;
            }
        }
        held
    }))
    .await;
    for at in 0..LIMITS {
        assert_eq!(held.iter().map(|held| held[at]).sum::<u32>(), 20, "{held:?}");
    }
}
