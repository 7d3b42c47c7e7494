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

/// Number of turns of each size, which alternate: how soon a process is woken changes from minute to minute.
const TURNS: u32 = 6;
/// Number of requests of a turn whose times count, and of those before them.
const REQUESTS: u32 = 50;
const WARM: u32 = 25;
/// Number of trunks that are read in turn.
const TRUNKS: u64 = 50;

/// A server with a number of trunks, of which some are read.
struct Stocked {
    size: u64,
    server: Controlled,
    trunks: Vec<String>,
}

/// A line for each kind of request, in microseconds.
pub(super) fn of_trunks(plan: &Plan, sizes: &[u64]) -> Outcome<Vec<Series>> {
    let servers: Vec<Stocked> =
        sizes.iter().map(|size| Stocked::start(plan, *size)).collect::<Outcome<_>>()?;
    let get = |on: &Stocked, number| on.server.get(&format!("/voice_out_trunks/{}", on.trunk(number)?));
    let list = |on: &Stocked, _| on.server.get("/voice_out_trunks");
    let filter = |on: &Stocked, number| {
        let name = seed::name(u64::from(number) * 7_919 % on.size);
        on.server.get(&format!("/voice_out_trunks?filter[name]={name}"))
    };
    let include =
        |on: &Stocked, _| on.server.get(&format!("/voice_out_trunks/{}?include=dids", on.trunk(0)?));
    let post = |on: &Stocked, number| {
        let body = seed::body(&format!("growth {number}"));
        on.server.send(Method::POST, "/voice_out_trunks", &body)
    };
    let mut lines = vec![
        time(&servers, GET, get)?,
        time(&servers, LIST, list)?,
        time(&servers, FILTER, filter)?,
        time(&servers, INCLUDE, include)?,
        time(&servers, POST, post)?,
    ];
    drop(servers);
    let mut decided = Series { name: ADMIT, points: Vec::new() };
    for size in sizes {
        let trunks = u32::try_from(*size)?;
        decided.points.push((f64::from(trunks), median(decisions(trunks)?)));
    }
    lines.push(decided);
    Ok(lines)
}

impl Stocked {
    fn start(plan: &Plan, size: u64) -> Outcome<Self> {
        eprintln!("a server with {size} trunks …");
        let config = plan.work.join("growth.toml");
        std::fs::write(&config, "[accounts]\nrecord_quota = 0\n")?;
        let config = config.display().to_string();
        let server = Controlled::start(&seed::database(&plan.work, size)?, "off", &["--config", &config])?;
        let trunks: Vec<String> = (0..TRUNKS)
            .map(|number| find(&server, number * (size / TRUNKS)))
            .collect::<Outcome<Vec<String>>>()?;
        let stocked = Self { size, server, trunks };
        link_dids(&stocked.server, stocked.trunk(0)?)?;
        Ok(stocked)
    }

    /// The id that a request reads.
    fn trunk(&self, number: u32) -> Outcome<&str> {
        let index = usize::try_from(number)? % self.trunks.len();
        Ok(self.trunks.get(index).ok_or("there is no trunk")?)
    }
}

/// The median time of a request for each size, in microseconds.
fn time(
    servers: &[Stocked],
    name: &'static str,
    request: impl Fn(&Stocked, u32) -> Outcome<Vec<u8>>,
) -> Outcome<Series> {
    eprintln!("{name}, in turns …");
    let mut times = vec![Vec::new(); servers.len()];
    for turn in 0..TURNS {
        for (on, times) in servers.iter().zip(&mut times) {
            for number in 0..WARM + REQUESTS {
                let watch = Stopwatch::start();
                let bytes = request(on, turn * (WARM + REQUESTS) + number)?.len();
                let seconds = watch.seconds();
                if bytes < 500 {
                    return Err("an answer has no trunk".into());
                }
                if number >= WARM {
                    times.push(seconds * 1e6);
                }
            }
        }
    }
    let point = |(on, times): (&Stocked, Vec<f64>)| Ok((f64::from(u32::try_from(on.size)?), median(times)));
    Ok(Series { name, points: servers.iter().zip(times).map(point).collect::<Outcome<_>>()? })
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
