//! Compares this build of the server with another one, alternately: whether a change made a row worse.
//!
//! Each row has [`ROUNDS`] rounds, in which both builds take a turn. Both databases are filled over the API, because
//! another build may have another schema.

mod ratios;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::calls::{CALLS_IN_FLIGHT, Callers, Edge, Pace};
use crate::load::load;
use crate::measure::{first, first_answer, mixed_load, warm_up};
use crate::page::Part;
use crate::plan::Plan;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, Trunk, VERSION, binary, command_of};
use crate::{Outcome, machine, seed};

use ratios::{Ratios, Unit, WORSE, table};

const ROUNDS: usize = 15;
/// Duration of a turn under HTTP load.
const TURN: Duration = Duration::from_secs(1);
/// Number of trunks of each database.
const TRUNKS: u64 = 50;
/// Number of calls of a turn.
const CALLS: u32 = 2_000;

/// The URL that a row requests, from the URL of the list of trunks.
type ToUrl = fn(&str) -> Outcome<String>;

/// Compares this build with the binary `other` of the revision `name`. Returns the part of the page, and whether no
/// row is worse.
pub(crate) fn run(plan: &Plan, other: &Path, name: &str) -> Outcome<(String, bool)> {
    let measured = machine::sentence(plan)?;
    let ours = binary()?;
    let rows = compare(plan, [&ours, other])?;
    let worse: Vec<&str> = rows.iter().filter(|row| row.is_worse()).map(|row| row.name).collect();
    let verdict = if worse.is_empty() {
        "No row is worse.".to_owned()
    } else {
        format!("**Worse**: {}.", worse.join(", "))
    };
    let (heading, table) = (Part::Against.heading(), table(["this build", "the other"], &rows));
    let text = format!(
        "{heading}{name}\n\n{measured} {}\n\n{table}\n\
         {verdict} A row is worse if the upper quartile of its rounds is below {WORSE}.\n",
        method(plan),
    );
    Ok((text, worse.is_empty()))
}

/// Compares this build, whose allocator is mimalloc, with the binary `other`, which is built without it. Returns the
/// part of the page.
pub(crate) fn allocators(plan: &Plan, other: &Path) -> Outcome<String> {
    let measured = machine::sentence(plan)?;
    let (heading, ours) = (Part::Allocator.heading(), binary()?);
    let table = builds(plan, ["mimalloc", "the C library's"], [&ours, other])?;
    Ok(format!(
        "{heading}\n\n{measured} The server as it is distributed, and built with `--no-default-features --features \
         sip,voipbin`. {table}"
    ))
}

/// A table that compares two builds, with its explanation.
pub(crate) fn builds(plan: &Plan, names: [&str; 2], binaries: [&Path; 2]) -> Outcome<String> {
    let rows = compare(plan, binaries)?;
    Ok(format!("{}\n\n{}", method(plan), table(names, &rows)))
}

/// The description of the method of measurement.
fn method(plan: &Plan) -> String {
    format!(
        "{ROUNDS} rounds of {} s or {CALLS} calls a side. Memory is read once in a process of its own with {TRUNKS} \
         trunks, when it has started and after {} requests, one in twenty of which creates a trunk. The ratio is above \
         1 where the first build is better.",
        TURN.as_secs(),
        plan.requests,
    )
}

fn compare(plan: &Plan, [new, old]: [&Path; 2]) -> Outcome<Vec<Ratios>> {
    let work = &plan.work;
    let builds = [Build::new(work, "new", new)?, Build::new(work, "old", old)?];
    let mut rows = reads_and_writes(work, &builds)?;
    rows.extend(memory(plan, &builds)?);
    rows.extend(calls(work, &builds)?);
    rows.push(turns("start to first answer", Unit::Milliseconds, &builds, Build::start_ms)?);
    Ok(rows)
}

fn reads_and_writes(work: &Path, builds: &[Build; 2]) -> Outcome<Vec<Ratios>> {
    let script = work.join("create.lua");
    std::fs::write(&script, include_str!("measure/create.lua"))?;
    let servers = [builds[0].filled("trunks")?, builds[1].filled("trunks")?];
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
        rows.push(turns(name, Unit::PerSecond, &urls, |url| Ok(load(url, TURN, None)?.rate))?);
    }
    let urls = urls(|trunks| Ok(trunks.to_owned()))?;
    rows.push(turns("durable POST", Unit::PerSecond, &urls, |url| Ok(load(url, TURN, Some(&script))?.rate))?);
    Ok(rows)
}

/// Resident memory of a new process on an existing database, and after the plan's number of requests.
fn memory(plan: &Plan, builds: &[Build; 2]) -> Outcome<Vec<Ratios>> {
    eprintln!("resident memory …");
    let measure = |build: &Build| {
        drop(build.filled("memory")?);
        let trunk = build.start("memory")?;
        let url = first(&trunk.trunks())?;
        let before = trunk.resident()?;
        mixed_load(plan, &url)?;
        Outcome::Ok((before, trunk.resident()?))
    };
    let (new, old) = (measure(&builds[0])?, measure(&builds[1])?);
    Ok(vec![
        Ratios::new("resident memory after the start", Unit::Megabytes, &[(new.0, old.0)]),
        Ratios::new("resident memory after the requests", Unit::Megabytes, &[(new.1, old.1)]),
    ])
}

fn calls(work: &Path, builds: &[Build; 2]) -> Outcome<Vec<Ratios>> {
    let edges =
        [Edge::of(&builds[0].binary, &["--ephemeral"])?, Edge::of(&builds[1].binary, &["--ephemeral"])?];
    let pace = Pace { calls: CALLS, rate: 40_000, at_once: CALLS_IN_FLIGHT, up: Duration::ZERO };
    let rate = |finish: &dyn Fn() -> Outcome<()>| {
        let watch = Stopwatch::start();
        finish()?;
        Ok(f64::from(CALLS) / watch.seconds())
    };
    Ok(vec![
        turns("authenticated calls a second", Unit::PerSecond, &edges, |edge| {
            rate(&|| Callers::start(work, &edge.callee, pace)?.finish())
        })?,
        turns("challenges a second", Unit::PerSecond, &edges, |edge| {
            rate(&|| Callers::only_challenged(work, &edge.callee, pace)?.finish())
        })?,
    ])
}

/// Both sides take a turn in each round, in an order that alternates.
fn turns<T>(
    name: &'static str,
    unit: Unit,
    sides: &[T; 2],
    measure: impl Fn(&T) -> Outcome<f64>,
) -> Outcome<Ratios> {
    eprintln!("{name} …");
    let [new, old] = sides;
    measure(new)?;
    measure(old)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(if round % 2 == 0 {
            let new = measure(new)?;
            (new, measure(old)?)
        } else {
            let old = measure(old)?;
            (measure(new)?, old)
        });
    }
    let ratios = Ratios::new(name, unit, &rounds);
    eprintln!("{}", ratios.line());
    Ok(ratios)
}

/// A binary, and the folder of its databases.
#[derive(Debug)]
struct Build {
    binary: PathBuf,
    folder: PathBuf,
    started: std::cell::Cell<u32>,
}

impl Build {
    fn new(work: &Path, name: &str, binary: &Path) -> Outcome<Self> {
        let folder = work.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { binary: binary.canonicalize()?, folder, started: std::cell::Cell::new(0) })
    }

    /// A server on the database of this name, which is created if it does not exist.
    fn start(&self, database: &str) -> Outcome<Trunk> {
        Trunk::of(&self.binary, &self.folder.join(database).with_extension("db"))
    }

    /// A server on a new database of this name with [`TRUNKS`] trunks.
    fn filled(&self, database: &str) -> Outcome<Trunk> {
        let trunk = self.start(database)?;
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

    /// Milliseconds from the start without a database to the first answer.
    fn start_ms(&self) -> Outcome<f64> {
        self.started.set(self.started.get() + 1);
        let database = self.folder.join(format!("start-{}.db", self.started.get()));
        first_answer(&mut command_of(&self.binary, &database))
    }
}
