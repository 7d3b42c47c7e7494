//! The communication platform's API: reading a provider, placing calls, and the memory that a call needs.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::calls::open_files;
use super::read::beside_bare;
use crate::Outcome;
use crate::carrier::{self, Answer};
use crate::load::load;
use crate::plan::Plan;
use crate::platform::Platform;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;

pub(crate) const READ: &str = "GET of one provider / bare axum";
pub(crate) const PLACED: &str =
    "provider calls per second, the call created durably / durable POST of a trunk";
pub(crate) const MEMORY: &str = "a call that is up, memory";
pub(crate) const MEMORY_AFTER_CALLS: &str = "memory once many provider calls are over / once 1,000 are";

pub(crate) fn read(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let closed_port = SocketAddr::from(([127, 0, 0, 1], 9));
    let platform = Platform::start(&plan.work, "providers.db", "", closed_port)?;
    let url = platform.url(&format!("/v1.0/providers/{}", platform.provider));
    beside_bare(plan, name, &url, Target::AtLeast(0.5, 0.75))
}

pub(crate) fn placed(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let carrier = carrier::start(Answer::Busy)?;
    let platform = Platform::start(&plan.work, "placed.db", "", carrier)?;
    let (place, create) = (plan.work.join("place.lua"), plan.work.join("create.lua"));
    std::fs::write(&place, include_str!("place.lua").replace("{provider}", &platform.provider))?;
    std::fs::write(&create, include_str!("create.lua"))?;
    let (calls, trunks) =
        (platform.url("/v1.0/providercalls"), format!("{}/voice_out_trunks", platform.trunks));
    let place = |turn| Ok(load(&calls, turn, Some(&place))?.rate);
    let create = |turn| Ok(load(&trunks, turn, Some(&create))?.rate);
    place(Duration::from_secs(1))?;
    create(Duration::from_secs(1))?;
    let compared = compare(plan.rounds, || place(plan.turn), || create(plan.turn))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.75, 0.9)))
}

/// Number of destinations in one request.
const DESTINATIONS_PER_REQUEST: u32 = 50;

pub(crate) fn memory(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let carrier = carrier::start(Answer::Ok)?;
    let platform = Platform::start(&plan.work, "up.db", "rtp_ports = [1024, 65535]\n", carrier)?;
    let requests = (plan.calls_up / 4).min(open_files()?.saturating_sub(400)) / DESTINATIONS_PER_REQUEST;
    let destination = json!({ "type": "tel", "target": "+442079460018" });
    let destinations: Vec<&Value> = (0..DESTINATIONS_PER_REQUEST).map(|_| &destination).collect();
    let body = json!({
        "provider_id": platform.provider,
        "source": { "type": "tel", "target": "+12025550143" },
        "destinations": destinations,
        "actions": [{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_000_000 } }],
    });
    let place = || platform.send(reqwest::Method::POST, "/v1.0/providercalls", &body);
    // The first calls allocate what all calls share.
    let mut last = Value::Null;
    for _ in 0..4 {
        last = place()?;
    }
    wait_until_up(&platform, &last)?;
    let before = platform.resident()?;
    for _ in 0..requests {
        last = place()?;
    }
    wait_until_up(&platform, &last)?;
    let after = platform.resident()?;
    let calls = requests * DESTINATIONS_PER_REQUEST;
    Ok(Row {
        name,
        ours: format!("{after:.1} MB with {calls} more calls"),
        reference: format!("{before:.1} MB with 200"),
        figure: (after - before) * 1024.0 / f64::from(calls),
        spread: None,
        unit: " kB",
        target: Target::AtMost(20.0, 10.0),
    })
}

/// Time after which no state of an ended call is left: responses are absorbed for 32 s (RFC 3261 §17.1.1.2),
/// and a margin.
const TRANSACTION_LIFETIME: Duration = Duration::from_secs(45);

pub(crate) fn afterwards(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let carrier = carrier::start(Answer::Busy)?;
    let platform = Platform::start(&plan.work, "afterwards.db", "", carrier)?;
    let script = plan.work.join("afterwards.lua");
    std::fs::write(&script, include_str!("place.lua").replace("{provider}", &platform.provider))?;
    let body = json!({
        "provider_id": platform.provider,
        "source": { "type": "tel", "target": "+12025550143" },
        "destinations": [{ "type": "tel", "target": "+442079460018" }],
    });
    for _ in 0..1_000 {
        platform.send(reqwest::Method::POST, "/v1.0/providercalls", &body)?;
    }
    std::thread::sleep(TRANSACTION_LIFETIME);
    let before = platform.resident()?;
    let (url, mut calls) = (platform.url("/v1.0/providercalls"), 1_000);
    while calls < plan.calls_over {
        calls += load(&url, plan.turn, Some(&script))?.requests;
    }
    let during = platform.resident()?;
    std::thread::sleep(TRANSACTION_LIFETIME);
    let after = platform.resident()?;
    Ok(Row {
        name,
        ours: format!("{after:.1} MB after {calls} calls, {during:.1} MB right after the last"),
        reference: format!("{before:.1} MB"),
        figure: after / before,
        spread: None,
        unit: "",
        target: Target::Reported,
    })
}

/// Waits until the last call of a request is answered.
fn wait_until_up(platform: &Platform, placed: &Value) -> Outcome<()> {
    let id = placed.pointer(&format!("/call_ids/{}", DESTINATIONS_PER_REQUEST - 1)).and_then(Value::as_str);
    let path = format!("/v1.0/calls/{}", id.ok_or("a call was not placed")?);
    let watch = Stopwatch::start();
    loop {
        let call = platform.send(reqwest::Method::GET, &path, &Value::Null)?;
        match call.get("status").and_then(Value::as_str) {
            Some("progressing") => return Ok(()),
            Some("dialing" | "ringing") if watch.elapsed() < Duration::from_mins(1) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            status => return Err(format!("a call that should be up is {status:?}").into()),
        }
    }
}
