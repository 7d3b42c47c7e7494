//! Parses, runs, and says how it ended.

mod greeting;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use trunk_server::cli::{Cli, unknown_variables};
use trunk_server::{Server, config::Config, telemetry};

/// Threads hand each other memory all the time, requests to the store's writer above all, and calls come in rushes.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(feature = "sip")]
    if let Some(trunk_server::cli::Command::Explain(question)) = cli.command {
        return explain(question);
    }
    let print = cli.print_config;
    let config = match cli.into_config() {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    if print {
        print!("{}", config.to_toml());
        return ExitCode::SUCCESS;
    }
    telemetry::init(&config);
    trunk_server::raise_open_files();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error, 1),
    }
}

/// Says what a running server says of a call.
#[cfg(feature = "sip")]
fn explain(question: trunk_server::cli::Explain) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(question.ask()) {
        Ok(said) => {
            print!("{}", said.text);
            ExitCode::from(if said.admitted { 0 } else { 3 })
        }
        Err(error) => fail(&error, 1),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("trunk-server: {error}");
    ExitCode::from(code)
}

/// A write beyond a limit on file sizes raises this on Linux (on MIPS another one) and macOS, and its default would end
/// the process. Where it is listened to, the write fails instead, as on a full disk.
const SIGXFSZ: i32 = 25;

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let _file_sizes = signal(SignalKind::from_raw(SIGXFSZ))?;
    // Listened to before anything is served, so that no signal finds nobody.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // A terminal that goes away ends the server in order, too; there is nothing that could be read anew.
    let mut hangup = signal(SignalKind::hangup())?;
    for name in unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        tracing::warn!(name, "this environment variable is no setting; `trunk-server --help` has them all");
    }
    let server = Server::builder(config.clone()).start().await?;
    greeting::greet(&server, &config);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    tracing::info!("stopping: what is in flight is finished first; a second signal ends at once");
    tokio::select! {
        stopped = server.stop() => stopped?,
        _ = terminate.recv() => return Err("ended at once by a second signal".into()),
        _ = interrupt.recv() => return Err("ended at once by a second signal".into()),
    }
    tracing::info!("stopped");
    Ok(())
}
