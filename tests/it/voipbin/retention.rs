//! Retention of ended calls, and of the records that were created for them.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::config::Config;

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::{no_call, not_found};
use super::stage::*;
use crate::sip::edge::until;

const DAY: u64 = 24 * 3600;
/// Longer than any call of a test.
const MAX_CALL_DURATION: Duration = Duration::from_hours(1_000 * 24);

/// A carrier behind a provider, and a super admin on a server with a frozen clock.
struct Retained {
    stage: Stage,
    carrier: Carrier,
    provider: String,
    caller: Caller,
}

/// The ids of a provider call, its call, and the call's flow.
struct Placed {
    record: String,
    call: String,
    flow: String,
}

impl Retained {
    /// Freezes the clock in a January of a future year: tasks that wait for a later time sleep until it.
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let carrier = Carrier::start().await;
        let stage = Stage::with(|config| {
            host(config, &[("carrier.example.com", carrier.at)]);
            let platform = &mut config.voipbin.platform;
            (platform.longest_call, platform.ring_timeout) = (MAX_CALL_DURATION, MAX_CALL_DURATION);
            change(config);
        })
        .await;
        stage.control().clock().freeze(Some("2040-01-15T12:00:00.000Z".parse().unwrap()));
        let caller = stage.key(stage.admin, Some(SUPER_ADMIN | ADMIN)).await;
        allow(&caller).await;
        let provider = caller.post("/providers", &json!({ "hostname": "carrier.example.com" })).await.id();
        Self { stage, carrier, provider, caller }
    }

    fn advance(&self, days: u64) {
        self.stage.control().clock().advance(Duration::from_secs(days * DAY));
    }

    /// Places a provider call with these additional members. Returns when it rings.
    async fn ring(&mut self, further: Value) -> Placed {
        let mut body = json!({
            "provider_id": self.provider, "source": tel(US_TOO), "destinations": [tel(US)],
        });
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let record = self.caller.post("/providercalls", &body).await.ok();
        let call = first_call(&record);
        self.carrier.call().await.respond("180 Ringing").await;
        call_is(&self.caller, &call, "ringing").await;
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        Placed { record: text("id"), call, flow: text("flow_id") }
    }

    /// Places a provider call with its own flow, which ends at once.
    async fn place(&mut self) -> Placed {
        let placed = self.ring(json!({ "actions": [{ "type": "answer" }] })).await;
        self.end(&placed).await;
        placed
    }

    async fn end(&self, placed: &Placed) {
        self.caller.post(&format!("/calls/{}/hangup", placed.call), &json!({})).await.ok();
        call_is(&self.caller, &placed.call, "hangup").await;
    }

    /// Whether the record, the call and the flow exist.
    async fn there(&self, placed: &Placed) -> [bool; 3] {
        // A deleted one exists, but is answered with another error than 404.
        let found = async |path: String| self.caller.get(&path).await.status != 404;
        let flows = self.stage.flows(self.stage.admin).await;
        [
            found(format!("/providercalls/{}", placed.record)).await,
            found(format!("/calls/{}", placed.call)).await,
            flows.iter().any(|flow| flow["id"] == placed.flow),
        ]
    }

    async fn forgotten(&self, placed: &Placed) {
        until("what is old is forgotten", async || (self.there(placed).await == [false; 3]).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn a_call_that_ended_before_the_month_and_two_before_it_is_forgotten_with_its_record_and_flow() {
    let mut retained = Retained::start(|_| {}).await;
    let ended = retained.place().await;
    // An active call, and one that ended within the three months.
    let up = retained.ring(json!({ "actions": [{ "type": "answer" }] })).await;
    retained.advance(31);
    let later = retained.place().await;
    retained.advance(43);
    for placed in [&ended, &up, &later] {
        assert_eq!(retained.there(placed).await, [true; 3], "March is the third month");
    }
    retained.advance(4);
    retained.forgotten(&ended).await;
    retained.caller.get(&format!("/calls/{}", ended.call)).await.refused(&no_call());
    assert_eq!(retained.there(&later).await, [true; 3]);
    assert_eq!(retained.there(&up).await, [true; 3], "it is not over");
    assert_eq!(call(&retained.caller, &up.call).await["status"], "ringing");

    // It ends in April, and the time of its end counts, not that of its start.
    retained.end(&up).await;
    retained.advance(30);
    retained.forgotten(&later).await;
    assert_eq!(retained.there(&up).await, [true; 3]);
    retained.advance(61);
    retained.forgotten(&up).await;
    assert_eq!(retained.caller.get("/calls").await.rows().len(), 0);
    assert_eq!(retained.caller.get("/providercalls").await.rows().len(), 0);
    assert!(retained.stage.flows(retained.stage.admin).await.is_empty());
}

#[tokio::test]
async fn a_flow_is_kept_as_long_as_a_later_call_that_named_it() {
    let mut retained = Retained::start(|_| {}).await;
    let first = retained.place().await;
    retained.advance(31);
    let second = retained.ring(json!({ "flow_id": first.flow })).await;
    retained.end(&second).await;
    retained.advance(47);
    until("the first call is forgotten", async || {
        (retained.there(&first).await == [false, false, true]).then_some(())
    })
    .await;
    retained.advance(30);
    retained.forgotten(&second).await;
}

#[tokio::test]
async fn a_kept_flow_is_not_forgotten_until_it_is_deleted() {
    let mut retained = Retained::start(|_| {}).await;
    let kept = retained.caller.post("/flows", &json!({ "name": "kept" })).await.id();
    let deleted = retained.caller.post("/flows", &json!({ "name": "deleted" })).await.id();
    let first = retained.place().await;
    // It is deleted in the last month that is kept.
    retained.advance(400);
    retained.caller.delete(&format!("/flows/{deleted}")).await.ok();
    retained.forgotten(&first).await;
    let status = async |id: &str| retained.caller.get(&format!("/flows/{id}")).await.status;
    assert_eq!([status(&kept).await, status(&deleted).await], [200, 404]);
    retained.caller.get(&format!("/flows/{deleted}")).await.refused(&not_found());
    retained.advance(120);
    until("the deleted flow is forgotten", async || {
        let answer = retained.caller.get(&format!("/flows/{deleted}")).await;
        (answer.at("/error/reason") == "FLOW_NOT_FOUND").then_some(())
    })
    .await;
    assert_eq!(retained.caller.get("/flows").await.column("id"), [kept]);
}

#[tokio::test]
async fn deleted_calls_and_more_than_one_write_forgets_go_too() {
    let mut retained = Retained::start(|_| {}).await;
    let deleted = retained.place().await;
    retained.caller.delete(&format!("/calls/{}", deleted.call)).await.ok();
    retained.caller.delete(&format!("/providercalls/{}", deleted.record)).await.ok();
    // All destinations are refused: deleting the calls takes more than one write.
    let body = json!({
        "provider_id": retained.provider, "source": tel(US_TOO), "destinations": vec![tel(US); 70],
        "actions": [{ "type": "answer" }],
    });
    for _ in 0..2 {
        retained.caller.post("/providercalls", &body).await.ok();
        for _ in 0..70 {
            retained.carrier.call().await.respond("486 Busy Here").await;
        }
    }
    until("all calls are over", async || {
        let first = retained.caller.get("/calls").await;
        let token = first.at("/next_page_token").as_str().unwrap().to_owned();
        let second = retained.caller.get(&format!("/calls?page_token={token}")).await;
        let rows = [first.rows(), second.rows()].concat();
        assert_eq!(rows.len(), 140);
        rows.iter().all(|call| call["status"] == "hangup").then_some(())
    })
    .await;
    retained.advance(90);
    retained.forgotten(&deleted).await;
    until("nothing is left", async || {
        let rows = retained.caller.get("/calls").await.rows().len();
        (rows == 0 && retained.stage.flows(retained.stage.admin).await.is_empty()).then_some(())
    })
    .await;
    retained.caller.get(&format!("/calls/{}", deleted.call)).await.refused(&no_call());
}

#[tokio::test]
async fn months_are_a_setting() {
    let mut retained = Retained::start(|config| config.voipbin.platform.keep_months = 1).await;
    let placed = retained.place().await;
    retained.advance(16);
    assert_eq!(retained.there(&placed).await, [true; 3], "it is still January");
    retained.advance(1);
    retained.forgotten(&placed).await;
}
