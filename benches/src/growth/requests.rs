//! The time of single requests with few trunks and with many.

use reqwest::Method;
use serde_json::{Value, json};

use crate::chart::Series;
use crate::controlled::Controlled;
use crate::measure::decisions;
use crate::plan::Plan;
use crate::rounds::median;
use crate::stopwatch::Stopwatch;
use crate::{Outcome, seed};

pub(super) const GET: &str = "GET of one trunk";
const LIST: &str = "list of 50";
const FILTER: &str = "filter by name";
const INCLUDE: &str = "GET with three DIDs included";
const POST: &str = "durable POST";
const ADMIT: &str = "decision about a call";

/// Number of requests whose median is reported, and of the warm-up requests before them.
const REQUESTS: u32 = 300;
const WARM: u32 = 50;
/// Number of trunks that are read in turn.
const TRUNKS: u64 = 50;

/// A line for each kind of request, in microseconds.
pub(super) fn of_trunks(plan: &Plan, sizes: &[u64]) -> Outcome<Vec<Series>> {
    let names = [GET, LIST, FILTER, INCLUDE, POST, ADMIT];
    let mut lines = names.map(|name| Series { name, points: Vec::new() });
    for size in sizes {
        let trunks = u32::try_from(*size)?;
        eprintln!("requests with {trunks} trunks …");
        let times = with(plan, *size)?;
        for (line, time) in lines.iter_mut().zip(times) {
            line.points.push((f64::from(trunks), time));
        }
    }
    Ok(lines.into())
}

fn with(plan: &Plan, size: u64) -> Outcome<[f64; 6]> {
    let config = plan.work.join("growth.toml");
    std::fs::write(&config, "[accounts]\nrecord_quota = 0\n")?;
    let config = config.display().to_string();
    let server = Controlled::start(&seed::database(&plan.work, size)?, "off", &["--config", &config])?;
    let trunks: Vec<String> = (0..TRUNKS)
        .map(|number| find(&server, number * (size / TRUNKS)))
        .collect::<Outcome<Vec<String>>>()?;
    let first = in_turn(&trunks, 0)?;
    link_dids(&server, first)?;
    let get = |number: u32| server.get(&format!("/voice_out_trunks/{}", in_turn(&trunks, number)?));
    let list = |_: u32| server.get("/voice_out_trunks");
    let filter = |number: u32| {
        let name = seed::name(u64::from(number) * 7_919 % size);
        server.get(&format!("/voice_out_trunks?filter[name]={name}"))
    };
    let include = |_: u32| server.get(&format!("/voice_out_trunks/{first}?include=dids"));
    let post = |number: u32| {
        let body = seed::body(&format!("growth {number}"));
        server.send(Method::POST, "/voice_out_trunks", &body)
    };
    Ok([
        time(get)?,
        time(list)?,
        time(filter)?,
        time(include)?,
        time(post)?,
        median(decisions(u32::try_from(size)?)?),
    ])
}

/// The id that a request reads.
fn in_turn(trunks: &[String], number: u32) -> Outcome<&str> {
    let index = usize::try_from(number)? % trunks.len();
    Ok(trunks.get(index).ok_or("there is no trunk")?)
}

/// The median time of a request, in microseconds.
fn time(request: impl Fn(u32) -> Outcome<Vec<u8>>) -> Outcome<f64> {
    let mut times = Vec::new();
    for number in 0..WARM + REQUESTS {
        let watch = Stopwatch::start();
        let size = request(number)?.len();
        let seconds = watch.seconds();
        if size < 500 {
            return Err("an answer has no trunk".into());
        }
        if number >= WARM {
            times.push(seconds * 1e6);
        }
    }
    Ok(median(times))
}

/// The id of the trunk with a number.
fn find(server: &Controlled, number: u64) -> Outcome<String> {
    let path = format!("/voice_out_trunks?filter[name]={}", seed::name(number));
    let found: Value = serde_json::from_slice(&server.get(&path)?)?;
    let id = found.pointer("/data/0/id").and_then(Value::as_str);
    Ok(id.ok_or_else(|| format!("there is no trunk {number}"))?.to_owned())
}

/// Adds three DIDs to the account, and links a trunk to them.
fn link_dids(server: &Controlled, trunk: &str) -> Outcome<()> {
    let path = format!("/accounts/{}/dids", server.account()?);
    let numbers: Vec<Value> =
        (0..3).map(|number| json!({ "number": format!("1202555017{number}") })).collect();
    let added = server.ask(Method::POST, &path, &json!({ "dids": numbers }))?;
    let added = added.get("dids").and_then(Value::as_array).ok_or("no DID was added")?;
    let members: Vec<Value> =
        added.iter().map(|did| json!({ "type": "dids", "id": did.get("id") })).collect();
    let body = json!({ "data": {
        "type": "voice_out_trunks", "id": trunk, "relationships": { "dids": { "data": members } },
    } });
    server.send(Method::PATCH, &format!("/voice_out_trunks/{trunk}"), &body.to_string())?;
    Ok(())
}
