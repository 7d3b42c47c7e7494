//! The same GET from Prism, a stub server that only has the server's `OpenAPI` document.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::read::{first, get, warm_up};
use crate::child::Running;
use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;
use crate::trunk::{Trunk, VERSION};
use crate::{Outcome, seed};

/// Maximum time that Prism may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn one(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let small = seed::database(&plan.work, 50)?;
    let trunk = Trunk::start(&small)?;
    let document = plan.work.join("openapi.json");
    let root = trunk.base.strip_suffix("/v3").unwrap_or(&trunk.base);
    std::fs::write(&document, get(&format!("{root}/openapi/{VERSION}.json"))?)?;

    let program = plan.prism.join("node_modules/@stoplight/prism-cli/dist/index.js");
    if !program.exists() {
        return Err(format!("{} is missing; scripts/bench installs it", program.display()).into());
    }
    // Prism does not accept port 0, so this finds a free port first.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("node");
    command.arg(program).args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()]).arg(&document);
    let _prism = Running::silent(&mut command)?;
    let watch = Stopwatch::start();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if watch.elapsed() > START_TIMEOUT {
            return Err("Prism did not listen in time".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }

    let ours = first(&trunk.trunks())?;
    let theirs = ours.replace(root, &format!("http://127.0.0.1:{port}"));
    let theirs = if get(&theirs).is_ok() { theirs } else { theirs.replace("/v3/", "/") };
    get(&theirs)?;
    warm_up(&ours)?;
    warm_up(&theirs)?;
    let turn = |url: &str| Ok(load(url, plan.turn, None)?.rate);
    let compared = compare(plan.rounds.min(5), || turn(&ours), || turn(&theirs))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(5.0, 15.0)))
}
