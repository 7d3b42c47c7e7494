//! Every final response of a carrier, and the platform's result: `noanswer`, `busy` or `failed`, by the
//! carrier, and whether the next route is tried.

use std::collections::BTreeMap;

use uuid::Uuid;
use voipbin_client::types::{Address, CallCreate, ProviderCallCreate};

use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;

/// Responses, the hangup reason, and whether the next route is tried.
const TABLE: &[(&[u16], &str, bool)] = &[
    (&[300, 302, 380, 401, 403, 407], "failed", false),
    (&[603], "noanswer", false),
    (&[404, 485, 604], "failed", true),
    (&[408], "failed", true),
    (&[409], "failed", true),
    (&[410], "failed", true),
    (&[420], "failed", true),
    (&[480, 483], "noanswer", false),
    (&[484], "failed", true),
    (&[486, 600], "busy", false),
    (&[488, 606], "failed", true),
    (&[500], "failed", true),
    (&[501], "failed", true),
    (&[502], "failed", true),
    (&[503, 513, 580, 599], "failed", true),
    (&[504], "failed", true),
    (&[405, 411, 413, 414, 415, 481, 482, 487, 491, 493, 505, 402, 499, 605, 699], "failed", true),
];

fn codes() -> Vec<(u16, &'static str, bool)> {
    let rows =
        TABLE.iter().flat_map(|(codes, reason, again)| codes.iter().map(|code| (*code, *reason, *again)));
    rows.collect()
}

/// Accepts a call; the last three digits of its number select the response, one of `codes`.
fn refused_as_dialled(codes: &[u16]) -> Steps {
    let read = "<recv request=\"INVITE\" crlf=\"true\"><action><ereg regexp=\"[0-9]{3}@\" search_in=\"msg\" \
                assign_to=\"code\"/></action></recv>";
    let mut steps = Steps::default().step(read);
    // sipp accepts no variable for the code of a response, so each has its own branch.
    for code in codes {
        let branch = format!(
            "<nop test=\"same\" next=\"{code}\"><action>\
             <strcmp assign_to=\"differs\" variable=\"code\" value=\"{code}@\"/>\
             <test assign_to=\"same\" variable=\"differs\" compare=\"equal\" value=\"0\"/></action></nop>"
        );
        steps = steps.step(&branch);
    }
    for code in codes {
        steps = steps.step(&format!("<label id=\"{code}\"/>")).answered_with(*code);
        steps = steps.step("<recv request=\"ACK\" next=\"1\"/>");
    }
    steps.step("<label id=\"1\"/>")
}

fn refusals() -> Steps {
    refused_as_dialled(&codes().into_iter().map(|(code, ..)| code).collect::<Vec<_>>())
}

/// A number in the United States that ends with a response code.
fn number(code: u16) -> Address {
    Address::tel(format!("+1202555{code:04}"))
}

#[tokio::test]
async fn every_final_response_of_a_carrier_has_its_reason() {
    let stage = Stage::start().await;
    let sipp = Sipp::start(&refusals(), codes().len());
    let provider = stage.provider_at(sipp.host()).await;
    let destinations = codes().into_iter().map(|(code, ..)| number(code));
    let placed =
        stage.place(ProviderCallCreate::new(provider.id, destinations).source(Address::tel(US))).await;
    assert_eq!(placed.call_ids.len(), codes().len());
    for (id, (code, reason, _)) in placed.call_ids.iter().zip(codes()) {
        assert_eq!(stage.hangup_of(*id).await, hangup(reason, "remote"), "{code}");
    }
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_response_that_may_mean_the_carrier_alone_is_followed_by_the_next_route() {
    let mut stage = Stage::start().await;
    let retried = codes().iter().filter(|(.., again)| *again).count();
    let first = Sipp::start(&refusals(), codes().len());
    let second = Sipp::start(&Steps::invited().answered().hung_up(), retried);
    for (priority, sipp) in [(1, &first), (2, &second)] {
        let provider = stage.provider_at(sipp.host()).await;
        stage.route("+1", &provider, priority).await;
    }
    stage.add_number(US).await;
    let body = CallCreate::new(codes().into_iter().map(|(code, ..)| number(code))).source(Address::tel(US));
    let placed = stage.platform.calls().create(body).await.unwrap().calls;
    let mut expected: BTreeMap<Uuid, (u16, &str, bool)> =
        placed.iter().map(|call| call.id).zip(codes()).collect();
    for call in &placed {
        let (code, reason, again) = expected[&call.id];
        let ending = stage.hangup_of(call.id).await;
        let right = if again { hangup("normal", "local") } else { hangup(reason, "remote") };
        assert_eq!(ending, right, "{code}");
    }
    // The events of each call report the new route, and all have the same call id.
    let mut seen: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    while !expected.is_empty() {
        let (kind, call) = webhook_event(&stage.hooks.next().await);
        seen.entry(call.id).or_default().push(kind.to_string());
        if call.is_over() {
            let (code, _, again) = expected.remove(&call.id).unwrap();
            let kinds = &seen[&call.id];
            let right: &[&str] = if again {
                &["call_created", "call_updated", "call_progressing", "call_terminating", "call_hangup"]
            } else {
                &["call_created", "call_hangup"]
            };
            assert_eq!(kinds, right, "{code}");
        }
    }
    first.went_as_written().await;
    second.went_as_written().await;
}
