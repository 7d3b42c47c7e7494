//! `trunkctl plan` over many trunks, against the same lists by a client that does nothing else; and its memory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::{ApiVersion, Resource as _};
use serde_json::Value;

use super::token::token;
use crate::child::Running;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{compare, median, spread};
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, Trunk, binary, peak};
use crate::{Outcome, seed};

pub(super) const PLANNED: &str = "trunkctl plan over 10,000 trunks / the same lists by a bare client";
pub(super) const MEMORY: &str = "trunkctl plan over 10,000 trunks, memory";

/// Number of trunks.
const TRUNKS: u64 = 10_000;

pub(super) fn planned(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (trunk, file) = (Trunk::start(&seed::database(&plan.work, TRUNKS)?)?, declaration(&plan.work)?);
    run(&plan.work, &trunk, &file)?;
    lists(&trunk)?;
    let compared = compare(plan.rounds, || Ok(run(&plan.work, &trunk, &file)?.0), || lists(&trunk))?;
    Ok(Row {
        name,
        ours: format!("{:.2} s", compared.ours),
        reference: format!("{:.2} s", compared.reference),
        figure: compared.ratio,
        spread: Some(compared.spread),
        unit: "",
        target: Target::AtMost(1.5, 1.2),
    })
}

pub(super) fn memory(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (trunk, file) = (Trunk::start(&seed::database(&plan.work, TRUNKS)?)?, declaration(&plan.work)?);
    let mut peaks = Vec::new();
    for _ in 0..plan.rounds {
        peaks.push(run(&plan.work, &trunk, &file)?.1);
    }
    let spread = spread(&peaks);
    let figure = median(peaks);
    let size = std::fs::metadata(&file)?.len() >> 10;
    Ok(Row {
        name,
        ours: format!("{figure:.1} MB at most, with a declaration of {size} kB"),
        reference: "–".to_owned(),
        figure,
        spread: Some(spread),
        unit: " MB",
        target: Target::AtMost(200.0, 100.0),
    })
}

/// A declaration of every trunk as it is, so that the plan finds nothing to do.
fn declaration(work: &Path) -> Outcome<PathBuf> {
    let path = work.join("trunks.toml");
    let mut text = String::new();
    for number in 0..TRUNKS {
        // Writing to a string cannot fail.
        let _infallible = write!(
            text,
            "[voice_out_trunks.\"{}\"]\non_cli_mismatch_action = \"reject_call\"\n\
             [voice_out_trunks.\"{0}\".authentication_method]\ntype = \"credentials_and_ip\"\n\
             attributes = {{ allowed_sip_ips = [\"203.0.113.0/24\"] }}\n\n",
            seed::name(number)
        );
    }
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Plans once. Returns the seconds that it took, and the most memory that the process had, in megabytes.
fn run(work: &Path, trunk: &Trunk, file: &Path) -> Outcome<(f64, f64)> {
    let program = binary()?.with_file_name("trunkctl");
    if !program.exists() {
        return Err(format!("{} is missing; scripts/bench builds it", program.display()).into());
    }
    let mut command = Command::new(program);
    command.args(["plan", "--detailed-exitcode", "--url", &trunk.base, "--file"]).arg(file);
    command.env_clear().env("TRUNKCTL_API_KEY", KEY).env("TRUNKCTL_CONFIG", work.join("no-contexts.toml"));
    let watch = Stopwatch::start();
    let mut process = Running::silent(&mut command)?;
    let mut most: f64 = 0.0;
    let is_well = loop {
        // A process that has ended has no memory: the last reading before that counts.
        most = peak(&process).map_or(most, |now| most.max(now));
        match process.has_ended()? {
            Some(is_well) => break is_well,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let seconds = watch.seconds();
    if !is_well {
        return Err("trunkctl plan failed, or found something to do".into());
    }
    Ok((seconds, most))
}

/// Requests a token and every page of the list as `trunkctl` does, and parses the pages. Returns the seconds that it
/// took.
fn lists(trunk: &Trunk) -> Outcome<f64> {
    let watch = Stopwatch::start();
    let token = token(&trunk.base, ApiVersion::NEWEST.as_str())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = reqwest::Client::new();
    let size = VoiceOutTrunk::SPEC.max_page_size_at(ApiVersion::NEWEST);
    let (mut found, mut page) = (0, 1);
    let all = usize::try_from(TRUNKS)?;
    while found < all {
        let url = format!("{}?page[number]={page}&page[size]={size}", trunk.trunks());
        let body = runtime.block_on(async {
            let request = client.get(&url).header("Authorization", format!("Bearer {token}"));
            let answer = request.header("Accept", didww_types::MEDIA_TYPE).send().await?;
            answer.error_for_status()?.bytes().await
        })?;
        let document: Value = serde_json::from_slice(&body)?;
        let records = document.get("data").and_then(Value::as_array).map_or(0, Vec::len);
        if records == 0 {
            return Err(format!("{url} has no trunks, and {found} were found").into());
        }
        found += records;
        page += 1;
    }
    Ok(watch.seconds())
}
