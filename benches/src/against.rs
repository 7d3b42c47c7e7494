//! This build of the server beside another one, in turn: whether a change made a row worse.
//!
//! Each row has [`ROUNDS`] rounds, in which both builds take a turn. The change counts as worse only if the interquartile
//! range of the rounds' ratios lies wholly below [`WORSE`]: other load on the machine widens the range and does not shift
//! it. Both databases are filled over the API, because another build may have another schema.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::calls::{Callers, Edge, Pace};
use crate::child::Running;
use crate::load::load;
use crate::measure::{first, warm_up};
use crate::seed;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, Trunk, VERSION, base, binary, command_of};

const ROUNDS: usize = 15;
const WORSE: f64 = 0.95;
/// Duration of a turn under HTTP load.
const TURN: Duration = Duration::from_secs(1);
/// Number of trunks of each database.
const TRUNKS: u64 = 50;
/// Number of calls of a turn.
const CALLS: u32 = 2_000;

/// Figures of a row: how much better this build is than the other, 1 for no difference.
#[derive(Debug)]
struct Ratios {
    name: &'static str,
    /// Ascending.
    rounds: Vec<f64>,
}

impl Ratios {
    /// The value below which `quarters` quarters of the rounds are.
    fn quartile(&self, quarters: usize) -> f64 {
        let last = self.rounds.len().saturating_sub(1);
        self.rounds.get((last * quarters).div_ceil(4)).copied().unwrap_or(f64::NAN)
    }

    fn is_worse(&self) -> bool {
        self.quartile(3) < WORSE
    }

    fn line(&self) -> String {
        let [low, median, high] = [1, 2, 3].map(|quarters| self.quartile(quarters));
        let verdict = if self.is_worse() { "**worse**" } else { "ok" };
        format!("| {} | {median:.3} | {low:.3} to {high:.3} | {verdict} |", self.name)
    }
}

/// The URL that a row requests, from the URL of the list of trunks.
type ToUrl = fn(&str) -> Outcome<String>;

/// Which way a figure improves.
#[derive(Debug, Clone, Copy)]
enum Better {
    Higher,
    Lower,
}

/// Compares this build with the binary `other`. Returns the report, and whether no row is worse.
pub(crate) fn run(work: &Path, other: &Path) -> Outcome<(String, bool)> {
    let builds = [Build::new(work, "new", &binary()?)?, Build::new(work, "old", other)?];
    let mut rows = reads_and_writes(work, &builds)?;
    rows.extend(calls(work, &builds)?);
    rows.push(turns("start to first answer", Better::Lower, &builds, Build::start_ms)?);
    let lines: Vec<String> = rows.iter().map(Ratios::line).collect();
    let head = "| row | this build / the other, median | quartiles | |\n| --- | --- | --- | --- |";
    Ok((format!("{head}\n{}\n", lines.join("\n")), !rows.iter().any(Ratios::is_worse)))
}

fn reads_and_writes(work: &Path, builds: &[Build; 2]) -> Outcome<Vec<Ratios>> {
    let script = work.join("create.lua");
    std::fs::write(&script, include_str!("measure/create.lua"))?;
    let servers = [builds[0].serve()?, builds[1].serve()?];
    let mut rows = Vec::new();
    let urls = |path: ToUrl| {
        Ok::<_, Box<dyn std::error::Error>>([path(&servers[0].trunks())?, path(&servers[1].trunks())?])
    };
    let reads: [(&'static str, ToUrl); 3] = [
        ("GET of one trunk", first),
        ("list of 50", |trunks| Ok(trunks.to_owned())),
        ("filter by name", |trunks| Ok(format!("{trunks}?filter[name]=trunk%207"))),
    ];
    for (name, path) in reads {
        let urls = urls(path)?;
        urls.iter().try_for_each(|url| warm_up(url))?;
        rows.push(turns(name, Better::Higher, &urls, |url| Ok(load(url, TURN, None)?.rate))?);
    }
    let urls = urls(|trunks| Ok(trunks.to_owned()))?;
    rows.push(turns("durable POST", Better::Higher, &urls, |url| Ok(load(url, TURN, Some(&script))?.rate))?);
    let memory = [servers[0].resident()?, servers[1].resident()?];
    rows.push(Ratios { name: "resident memory after the rows above", rounds: vec![memory[1] / memory[0]] });
    Ok(rows)
}

fn calls(work: &Path, builds: &[Build; 2]) -> Outcome<Vec<Ratios>> {
    let edges =
        [Edge::of(&builds[0].binary, &["--ephemeral"])?, Edge::of(&builds[1].binary, &["--ephemeral"])?];
    let pace = Pace { calls: CALLS, rate: 40_000, at_once: 64, up: Duration::ZERO };
    let rate = |finish: &dyn Fn() -> Outcome<()>| {
        let watch = Stopwatch::start();
        finish()?;
        Ok(f64::from(CALLS) / watch.seconds())
    };
    Ok(vec![
        turns("authenticated calls a second", Better::Higher, &edges, |edge| {
            rate(&|| Callers::start(work, &edge.callee, pace)?.finish())
        })?,
        turns("challenges a second", Better::Higher, &edges, |edge| {
            rate(&|| Callers::only_challenged(work, &edge.callee, pace)?.finish())
        })?,
    ])
}

/// Both sides take a turn in each round, in an order that alternates.
fn turns<T>(
    name: &'static str,
    better: Better,
    sides: &[T; 2],
    measure: impl Fn(&T) -> Outcome<f64>,
) -> Outcome<Ratios> {
    eprintln!("{name} …");
    let [new, old] = sides;
    measure(new)?;
    measure(old)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let (new, old) = if round % 2 == 0 {
            let new = measure(new)?;
            (new, measure(old)?)
        } else {
            let old = measure(old)?;
            (measure(new)?, old)
        };
        rounds.push(match better {
            Better::Higher => new / old,
            Better::Lower => old / new,
        });
    }
    rounds.sort_by(f64::total_cmp);
    let ratios = Ratios { name, rounds };
    eprintln!("{}", ratios.line());
    Ok(ratios)
}

/// A binary, and the folder of its databases.
#[derive(Debug)]
struct Build {
    binary: std::path::PathBuf,
    folder: std::path::PathBuf,
    started: std::cell::Cell<u32>,
}

impl Build {
    fn new(work: &Path, name: &str, binary: &Path) -> Outcome<Self> {
        let folder = work.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { binary: binary.canonicalize()?, folder, started: std::cell::Cell::new(0) })
    }

    /// A server with [`TRUNKS`] trunks.
    fn serve(&self) -> Outcome<Trunk> {
        let trunk = Trunk::of(&self.binary, &self.folder.join("trunks.db"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = reqwest::Client::new();
            for number in 0..TRUNKS {
                let request =
                    client.post(trunk.trunks()).header("Api-Key", KEY).header("X-DIDWW-API-Version", VERSION);
                let request = request
                    .header("Content-Type", didww_types::MEDIA_TYPE)
                    .body(seed::body(&seed::name(number)));
                request.send().await?.error_for_status()?;
            }
            Ok::<_, reqwest::Error>(())
        })?;
        Ok(trunk)
    }

    /// Milliseconds from the start without a database to the line that announces the API.
    fn start_ms(&self) -> Outcome<f64> {
        self.started.set(self.started.get() + 1);
        let database = self.folder.join(format!("start-{}.db", self.started.get()));
        let mut command: Command = command_of(&self.binary, &database);
        let watch = Stopwatch::start();
        let (_server, _base) = Running::announced(&mut command, base)?;
        Ok(watch.seconds() * 1e3)
    }
}
