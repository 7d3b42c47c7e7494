//! The cost of an access token compared with an API key: the same read, with either.

use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::trunk::{KEY, Trunk, VERSION};
use crate::{Outcome, seed};

use super::read::{first, warm_up};

/// The name of the row.
pub(super) const READ: &str = "GET with a token / GET with a key";

pub(super) fn read(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work, 50)?)?;
    let url = first(&trunk.trunks())?;
    // The headers are set once, before the load begins: with either credential wrk repeats the same bytes.
    let script = plan.work.join("token.lua");
    let headers = format!(
        "wrk.headers[\"Authorization\"] = \"Bearer {}\"\nwrk.headers[\"Api-Key\"] = nil\n",
        token(&trunk.base, VERSION)?
    );
    std::fs::write(&script, headers)?;
    warm_up(&url)?;
    let with_token = || Ok(load(&url, plan.turn, Some(&script))?.rate);
    let with_key = || Ok(load(&url, plan.turn, None)?.rate);
    let compared = compare(plan.rounds, with_token, with_key)?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.95, 1.0)))
}

/// Mints a token for a version, which then serves the requests whatever their header names.
pub(super) fn token(base: &str, version: &str) -> Outcome<String> {
    let url = format!("{}/token", base.trim_end_matches("/v3"));
    let body = serde_json::json!({ "aud": "api.didww.com", "api_version": version, "expires_in": 3600 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer: serde_json::Value = runtime.block_on(async {
        let request = reqwest::Client::new().post(url).header("Api-Key", KEY).body(body.to_string());
        let bytes = request.send().await?.error_for_status()?.bytes().await?;
        Outcome::Ok(serde_json::from_slice(&bytes)?)
    })?;
    let token = answer.get("access_token").and_then(serde_json::Value::as_str);
    Ok(token.ok_or("the token service returned no token")?.to_owned())
}
