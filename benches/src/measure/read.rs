//! Reads over HTTP, against a bare axum server that sends the same bytes.

use std::time::Duration;

use http::HeaderMap;

use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::trunk::{KEY, Trunk, VERSION};
use crate::{Outcome, bare, seed};

pub(crate) fn one(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let small = seed::database(&plan.work, 50)?;
    let trunk = Trunk::start(&small)?;
    let url = first(&trunk.trunks())?;
    beside_bare(plan, name, &url, Target::AtLeast(0.75, 0.9))
}

pub(crate) fn list(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let small = seed::database(&plan.work, 50)?;
    let trunk = Trunk::start(&small)?;
    beside_bare(plan, name, &trunk.trunks(), Target::AtLeast(0.5, 0.75))
}

pub(super) fn beside_bare(plan: &Plan, name: &'static str, url: &str, target: Target) -> Outcome<Row> {
    let file = plan.work.join("answer");
    let (headers, body) = answer(url)?;
    bare::store(&file, &headers, &body)?;
    let (_bare, bare) = bare::start(&file)?;
    let bare = format!("{bare}/voice_out_trunks");
    warm_up(url)?;
    warm_up(&bare)?;
    let turn = |url: &str| Ok(load(url, plan.turn, None)?.rate);
    let compared = compare(plan.rounds, || turn(url), || turn(&bare))?;
    Ok(Row::rates(name, &compared, target))
}

/// Fills caches and connection pools before measuring.
pub(crate) fn warm_up(url: &str) -> Outcome<()> {
    load(url, Duration::from_secs(1), None).map(|_| ())
}

/// The URL of the first trunk of a list.
pub(crate) fn first(trunks: &str) -> Outcome<String> {
    let list: serde_json::Value = serde_json::from_slice(&get(&format!("{trunks}?page[size]=1"))?)?;
    let id = list.pointer("/data/0/id").and_then(serde_json::Value::as_str);
    Ok(format!("{trunks}/{}", id.ok_or("there is no trunk")?))
}

/// Requests a URL and returns the answer's body.
pub(crate) fn get(url: &str) -> Outcome<Vec<u8>> {
    Ok(answer(url)?.1)
}

/// Requests a URL and returns the answer's headers and body.
fn answer(url: &str) -> Outcome<(HeaderMap, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let request =
            reqwest::Client::new().get(url).header("Api-Key", KEY).header("X-DIDWW-API-Version", VERSION);
        let response = request.send().await?.error_for_status()?;
        Ok((response.headers().clone(), response.bytes().await?.to_vec()))
    })
}
