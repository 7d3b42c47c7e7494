//! Measures the server and the SDK against references, in one run on one machine.
//!
//! An absolute figure depends on the machine as much as on the program, so each row is a ratio: both sides
//! take turns for several rounds, and the median of the rounds' ratios counts. Only loopback is used, every
//! loop is bounded, and only processes started here are ended. `scripts/bench` builds everything and runs
//! this program, once for each part of `BENCHMARKS.md`.

mod against;
mod bare;
mod calls;
mod carrier;
mod chart;
mod child;
mod controlled;
mod first_build;
mod growth;
mod kamailio;
mod least;
mod load;
mod machine;
mod measure;
mod open_load;
mod page;
mod plan;
mod platform;
mod postgres;
mod processor;
mod report;
mod rounds;
mod seed;
mod stock;
mod stopwatch;
mod trunk;
mod uas;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use page::Part;
use plan::Plan;

/// The result of every function here; an error ends the run and is printed.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures the server and the SDK, and writes a report.
#[derive(Debug, Parser)]
struct Cli {
    /// Run a short measurement: fewer and shorter rounds, 50,000 records instead of 1,000,000. Not for
    /// publication
    #[arg(long)]
    quick: bool,

    /// Measure only rows whose name contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// The folder where Prism is installed
    #[arg(long, value_name = "FOLDER", default_value = "target/bench/prism")]
    prism: PathBuf,

    /// A folder for databases; it is emptied first and removed at the end
    #[arg(long, value_name = "FOLDER", default_value = "target/bench/work")]
    work: PathBuf,

    /// Write the result here instead of to standard output: its part of the page is replaced, and the parts that other
    /// steps measure stay as they are
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The revision that is measured, and the day, for the page
    #[arg(long, value_name = "TEXT", default_value = "an unknown revision")]
    measured_at: String,

    /// Measure one and two nodes on a PostgreSQL server of their own, beside `pgbench`, and nothing else
    #[arg(long, conflicts_with_all = ["against", "allocator", "build", "build_dist"])]
    postgres: bool,

    /// Measure how figures grow with trunks, calls and load, write charts of them to this folder, and measure nothing
    /// else
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["postgres", "against", "allocator", "build", "build_dist"])]
    charts: Option<PathBuf>,

    /// Compare this build of the server with this binary and measure nothing else; fails if a row is worse
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,

    /// The revision of that binary, for the page
    #[arg(long, value_name = "NAME", default_value = "another build")]
    against_name: String,

    /// Compare this build of the server with this binary, which has the C library's allocator, and measure nothing else
    #[arg(long, value_name = "BINARY", conflicts_with = "against")]
    allocator: Option<PathBuf>,

    /// Measure a first build of the server with the profile `release`, and nothing else
    #[arg(long, conflicts_with_all = ["against", "allocator"])]
    build: bool,

    /// The same with the profile `dist` too, and compare the two binaries
    #[arg(long, conflicts_with_all = ["against", "allocator", "build"])]
    build_dist: bool,

    /// Answer every GET with this file's bytes: the bare HTTP server to compare with
    #[arg(long, value_name = "FILE", hide = true)]
    bare: Option<PathBuf>,

    /// Answer every POST with this file's bytes once a row with them is durable: the least durable create
    #[arg(long, value_name = "FILE", hide = true)]
    least: Option<PathBuf>,

    /// Challenge and answer every call over SIP without any check: the bare callee to compare with
    #[arg(long, hide = true)]
    bare_sip: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("trunk-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns true if every target was reached.
fn run(cli: &Cli) -> Outcome<bool> {
    if let Some(file) = &cli.bare {
        bare::serve(file)?;
        return Ok(true);
    }
    if let Some(file) = &cli.least {
        least::serve(file)?;
        return Ok(true);
    }
    if cli.bare_sip {
        uas::serve()?;
        return Ok(true);
    }
    // No TLS is used here, but the HTTP client cannot be built without a TLS provider.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let plan = Plan::new(cli.quick, cli.measured_at.clone(), cli.work.clone(), cli.prism.clone())?;
    let measured = measure(cli, &plan);
    std::fs::remove_dir_all(&plan.work)?;
    let (part, text, is_reached) = measured?;
    match &cli.output {
        Some(file) => page::write(file, part, &text)?,
        None => print!("{text}"),
    }
    Ok(is_reached)
}

/// Measures one part of the page. Returns its text, and whether every target of it was reached.
fn measure(cli: &Cli, plan: &Plan) -> Outcome<(Part, String, bool)> {
    if cli.postgres {
        let (text, is_reached) = postgres::run(plan, cli.only.as_deref())?;
        return Ok((Part::Postgres, text, is_reached));
    }
    if let Some(folder) = &cli.charts {
        let (text, is_reached) = growth::run(plan, folder)?;
        return Ok((Part::Growth, text, is_reached));
    }
    if let Some(other) = &cli.against {
        let (text, is_well) = against::run(plan, other, &cli.against_name)?;
        return Ok((Part::Against, text, is_well));
    }
    if let Some(other) = &cli.allocator {
        return Ok((Part::Allocator, against::allocators(plan, other)?, true));
    }
    if cli.build || cli.build_dist {
        let (text, is_reached) = first_build::run(plan, cli.build_dist)?;
        return Ok((Part::FirstBuild, text, is_reached));
    }
    let machine = machine::describe(plan)?;
    let rows = measure::all(plan, cli.only.as_deref())?;
    let text = report::write(plan, &machine, &rows);
    Ok((Part::Figures, text, rows.iter().all(report::Row::is_reached)))
}
