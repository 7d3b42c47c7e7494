//! The program `trunk-server`: parses the command line, serves until a signal, and exits with 0, 1 for a failure, or 2
//! for a configuration that is not valid.

mod greeting;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use trunk_server::cli::{Cli, Command, flag_value_advice, unknown_variables};
use trunk_server::control::ControlError;
use trunk_server::{Server, StartError, config::Config, telemetry};

/// mimalloc is fast when one thread frees what another allocated, as the store's writer does with requests, and it
/// returns memory to the system after a rush of calls.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if let Some(advice) = flag_value_advice(std::env::args()) {
            eprintln!("trunk-server: {advice}");
            std::process::exit(2);
        }
        error.exit()
    });
    match cli.command {
        #[cfg(feature = "sip")]
        Some(Command::Explain(question)) => return explain(question),
        #[cfg(feature = "sip")]
        Some(Command::Call(call)) => return place(call),
        Some(Command::Backup(backup)) => return transfer(backup.run()),
        Some(Command::Restore(restore)) => return transfer(restore.run()),
        Some(Command::Move(moved)) => return transfer(moved.run()),
        _ => {}
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
        Err(error) => fail(&*error, if is_wrong_setting(&*error) { 2 } else { 1 }),
    }
}

/// Whether the start failed because of a setting, and not because of the machine.
fn is_wrong_setting(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<StartError>();
    #[cfg(feature = "postgres")]
    if let Some(StartError::OpenPostgres(_, trunk_store::PostgresOpenError::Url(_))) = error {
        return true;
    }
    matches!(
        error,
        Some(
            StartError::Config(_)
                | StartError::OpenControl(_)
                | StartError::Setup(ControlError::Invalid { .. })
        )
    )
}

/// Prints a running server's explanation of a call. Exits with 0 if the call is admitted, else with 3.
#[cfg(feature = "sip")]
fn explain(question: trunk_server::cli::Explain) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(question.ask()) {
        Ok(explained) => {
            print!("{}", explained.text);
            ExitCode::from(if explained.admitted { 0 } else { 3 })
        }
        Err(error) => fail(&error, 1),
    }
}

/// Places a test call. Exits with 0 if it was answered, 1 if not, and 2 if it could not be placed.
#[cfg(feature = "sip")]
fn place(call: trunk_server::cli::PlaceCall) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 2),
    };
    match runtime.block_on(call.place()) {
        Ok(placed) => {
            print!("{}", placed.text);
            ExitCode::from(u8::from(!placed.answered))
        }
        Err(error) => fail(&error, 2),
    }
}

/// Backs up, restores or moves a database. Exits with 0 after both ends were found to be equal, else with 1.
fn transfer(run: impl Future<Output = Result<String, trunk_store::transfer::TransferError>>) -> ExitCode {
    // One thread writes a file while the others read from a server.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let outcome = runtime.block_on(async {
        let _file_sizes = signal(SignalKind::from_raw(SIGXFSZ));
        run.await
    });
    match outcome {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error, 1),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("trunk-server: {error}");
    ExitCode::from(code)
}

/// The signal of a write beyond the limit on file sizes, on Linux (except on MIPS) and macOS. Its default action ends
/// the process. With a handler the write fails instead, as on a full disk.
const SIGXFSZ: i32 = 25;

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let _file_sizes = signal(SignalKind::from_raw(SIGXFSZ))?;
    // The handlers are installed before the server starts, so that no signal is missed.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // A closed terminal also stops the server in order; there is no configuration that could be reloaded.
    let mut hangup = signal(SignalKind::hangup())?;
    for unknown in unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        let (name, nearest) = (unknown.name, unknown.nearest);
        tracing::warn!(
            name,
            nearest,
            "unknown environment variable; `trunk-server --help` lists the settings"
        );
    }
    let server = Server::builder(config.clone()).start().await?;
    greeting::greet(&server, &config);
    let is_retired = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        _ = hangup.recv() => false,
        () = server.retired() => true,
    };
    tracing::info!(
        "stopping: requests and calls in flight are finished first; a second signal ends the process at once"
    );
    tokio::select! {
        stopped = server.stop() => stopped?,
        _ = terminate.recv() => return Err("ended at once by a second signal".into()),
        _ = interrupt.recv() => return Err("ended at once by a second signal".into()),
    }
    tracing::info!("stopped");
    if is_retired {
        return Err("the other servers of the database took this one for dead; start it again".into());
    }
    Ok(())
}
