//! Calls of a trunk with two channels at several servers, and their invariants at the end.

use std::time::Duration;

use crate::sip::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, Trunk};
use crate::sip::uac::Call;

/// The channels of the trunk.
pub(super) const CHANNELS: usize = 2;
/// The price of each of the calls, in cents.
const PRICE: usize = 5;

/// Places calls at each server in turn while there is reason to, so that both channels are often in use. Returns how
/// many were answered.
pub(super) async fn call(edges: [&Edge; 2], trunk: &Trunk, goes_on: impl Fn(usize) -> bool) -> usize {
    let (mut answered, mut up) = (0, Vec::new());
    for number in 0.. {
        if !goes_on(number) {
            break;
        }
        let mut call = Call::new(edges[number % edges.len()], ANSWERS_AT_ONCE).await;
        let answer = call.place(trunk).await;
        match answer.code() {
            200 => {
                answered += 1;
                up.push(call);
                assert!(up.len() <= CHANNELS, "a call beyond the channels was answered");
            }
            // The channels are in use, or cannot be requested.
            480 | 503 => {}
            _ => panic!("{answer:?}"),
        }
        if up.len() == CHANNELS || number % 3 == 2 {
            for mut call in up.drain(..) {
                call.hang_up().await;
            }
        }
    }
    for mut call in up {
        call.hang_up().await;
    }
    answered
}

/// Waits until the calls that were answered have one record and one price each, and no channel is held. `ask` returns
/// the answer to a query of the database.
pub(super) async fn are_charged_once(answered: usize, ask: impl Fn(&str) -> String) {
    let state = "SELECT (SELECT count(*) FROM running_call), (SELECT coalesce(sum(held), 0) FROM channel), \
                 count(*), count(DISTINCT call_id), coalesce(sum(price::numeric), 0) * 100 FROM call WHERE code = 200";
    let expected = format!("0|0|{answered}|{answered}|{}.00", answered * PRICE);
    let settled = async {
        loop {
            let found = ask(state);
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = tokio::time::timeout(DEADLINE, settled).await;
    assert!(settled.is_ok(), "{} is {expected} in the end", ask(state));
}
