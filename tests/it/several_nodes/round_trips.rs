//! The cost of a request on PostgreSQL: its statements, and the round trips to the database that it waits for.
//!
//! The table in `docs/scaling.md` is generated from what is counted here, so a change that costs one more fails.

use serde_json::json;
use std::fmt::Write as _;

use super::{body, until_acknowledged, until_admitted};
use crate::docs::pages::hold_part;
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, until};
use crate::sip::uac::Call;
use crate::support::postgres::{Database, Server};
use crate::support::wire::{Sent, Wire};

/// How often a request is repeated. What else the server sends meanwhile only adds, so the smallest count is the
/// request's.
const REPEATS: usize = 8;
/// The polls that are waited for while nothing is requested, of which there are five in a second.
const POLLS: usize = 20;

/// A server whose connections to the database are counted, and another one on the same database.
struct Counted {
    edge: Edge,
    other: Edge,
    wire: Wire,
}

impl Counted {
    /// The smallest cost of a request. The request is made from the number of its repetition.
    async fn least(&self, what: &str, mut request: impl AsyncFnMut(usize)) -> Sent {
        let mut least: Option<Sent> = None;
        for repetition in 0..REPEATS {
            let _of_before = self.wire.texts();
            let before = self.wire.sent();
            request(repetition).await;
            let after = self.wire.sent();
            let sent = Sent {
                statements: after.statements - before.statements,
                round_trips: after.round_trips - before.round_trips,
            };
            println!("{what}: {sent:?}\n  {}", self.wire.texts().join("\n  "));
            least = Some(least.map_or(sent, |least| Sent {
                statements: least.statements.min(sent.statements),
                round_trips: least.round_trips.min(sent.round_trips),
            }));
        }
        least.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_the_statements_and_round_trips_that_the_page_says() {
    let database = Server::shared().database();
    let wire = Wire::to(&database).await;
    let edge = Edge::with_arguments(&["--database", &wire.url()]).await;
    let other = Edge::with_arguments(&["--database", &database.url()]).await;
    let counted = Counted { edge, other, wire };
    let mut table = String::from("| request | round trips | statements |\n| --- | --- | --- |\n");
    let mut lines = requests(&counted).await;
    lines.push((
        "call with a capacity limit and a threshold, until its channel is back",
        call(&counted, &database).await,
    ));
    lines.push(("poll of the change feed, five in a second", poll(&counted).await));
    for (what, sent) in lines {
        writeln!(table, "| {what} | {} | {} |", sent.round_trips, sent.statements).unwrap();
    }
    hold_part("docs/scaling.md", "round trips", &table);
}

/// The costs of requests of the API.
async fn requests(counted: &Counted) -> Vec<(&'static str, Sent)> {
    let api = &counted.edge.api;
    let mut made = Vec::new();
    let create = counted.least("POST", async |repetition| {
        let answer = api.post("/voice_out_trunks", &body(&format!("new {repetition}"))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        made.push(answer.id());
    });
    let create = create.await;
    // The page is full, and there is another one.
    for number in made.len()..60 {
        let answer = counted.other.api.post("/voice_out_trunks", &body(&format!("more {number}"))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let one = format!("/voice_out_trunks/{}", made[0]);
    let get = counted.least("GET", async |_| assert_eq!(api.get(&one).await.status, 200)).await;
    let list = async |query: &str| {
        let answer = api.get(&format!("/voice_out_trunks{query}")).await;
        assert_eq!(answer.at("/data").as_array().map(Vec::len), Some(50), "{}", answer.text);
    };
    let first_page = counted.least("first page", async |_| list("").await).await;
    let cached = "?filter[name_contains]=e&sort=-name";
    list(cached).await;
    let cached = counted.least("cached order", async |_| list(cached).await).await;
    let patch = async |attributes| {
        let data = json!({ "type": "voice_out_trunks", "id": made[0], "attributes": attributes });
        let answer = api.patch(&one, &json!({ "data": data })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let change = counted
        .least("PATCH", async |repetition| patch(json!({ "capacity_limit": repetition + 1 })).await)
        .await;
    let rename = counted
        .least("PATCH of a name", async |repetition| {
            patch(json!({ "name": format!("renamed {repetition}") })).await;
        })
        .await;
    let delete = counted
        .least("DELETE", async |repetition| {
            let answer = api.delete(&format!("/voice_out_trunks/{}", made[repetition])).await;
            assert_eq!(answer.status, 204, "{}", answer.text);
        })
        .await;
    vec![
        ("GET of one trunk", get),
        ("list of 50, the first page", first_page),
        ("list of 50 in an order that is in the cache", cached),
        ("POST of a trunk", create),
        ("PATCH of a trunk", change),
        ("PATCH of its name, which is unique", rename),
        ("DELETE of a trunk", delete),
    ]
}

/// The cost of an answered call, from its first message until its channel is returned.
async fn call(counted: &Counted, database: &Database) -> Sent {
    let limited = json!({ "capacity_limit": 5, "threshold_amount": "100.0" });
    let trunk = counted.edge.trunk(limited).await;
    for edge in [&counted.edge, &counted.other] {
        until_admitted(edge, &trunk).await;
    }
    let records = format!("SELECT count(*) FROM call WHERE trunk = '{}'", trunk.id);
    let channels = format!("SELECT coalesce(sum(held), 0) FROM channel WHERE trunk = '{}'", trunk.id);
    counted
        .least("call", async |repetition| {
            let mut call = Call::up(&counted.edge, &trunk, ANSWERS_AT_ONCE).await;
            until_acknowledged(database, &trunk).await;
            call.hang_up().await;
            let done = (repetition + 1).to_string();
            until("the call has ended", async || {
                (database.ask(&records) == done && database.ask(&channels) == "0").then_some(())
            })
            .await;
        })
        .await
}

/// The cost of a poll, while nothing is requested.
async fn poll(counted: &Counted) -> Sent {
    let ((before, polls_before), others_before) = (counted.wire.polled(), counted.wire.sent());
    until("polls while nothing is requested", async || {
        (counted.wire.polled().1 >= polls_before + POLLS).then_some(())
    })
    .await;
    let ((after, polls), others) = (counted.wire.polled(), counted.wire.sent());
    let (polls, others) = (polls - polls_before, others.round_trips - others_before.round_trips);
    // One may have begun when it was counted.
    let round_trips = after.round_trips - before.round_trips;
    assert!(round_trips.abs_diff(polls) <= 1, "{round_trips} round trips of {polls} polls");
    // Heartbeats, and looks at jobs and at events that are due.
    assert!(others < polls, "{others} round trips beside {polls} polls");
    // Rounded, because of that one.
    let statements = (2 * (after.statements - before.statements) + polls) / (2 * polls);
    Sent { statements, round_trips: 1 }
}
