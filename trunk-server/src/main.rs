//! The program `trunk-server`: parses the command line, serves until a signal, and exits with 0, 1 for a failure, or 2
//! for a configuration that is not valid.

mod greeting;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use trunk_server::cli::HealthError;
use trunk_server::cli::{Cli, Command, flag_value_advice, unknown_variables};
use trunk_server::config::Config;
use trunk_server::control::ControlError;
use trunk_server::supervisor::Supervisor;
use trunk_server::telemetry::{self, LogLevel};
use trunk_server::{Server, StartError};

/// mimalloc is fast when one thread frees memory that another allocated, as the store's writer does with requests, and
/// it returns memory to the system after a peak of calls.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Maximum time for the export of the last spans, after everything else has stopped.
const LAST_SPANS: Duration = Duration::from_secs(5);
/// As [`LAST_SPANS`], after a failure and after a second signal.
const LAST_SPANS_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Maximum time in which a start is completed after a signal, so that the key of the first account is still printed.
const LAST_START: Duration = Duration::from_secs(10);
/// Maximum time until the last lines of the log are written, which nothing may read any more.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Maximum time to wait for threads whose results are no longer needed, such as one that resolves the host name of a
/// collector or of a callback.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if let Some(advice) = flag_value_advice(std::env::args()) {
            report(&advice);
            std::process::exit(2);
        }
        error.exit()
    });
    match cli.command {
        #[cfg(feature = "sip")]
        Some(Command::Explain(question)) => return explain(question),
        #[cfg(feature = "sip")]
        Some(Command::Call(call)) => return place(call),
        Some(Command::Health(health)) => return check_health(health),
        Some(Command::Backup(backup)) => return transfer(backup.run()),
        Some(Command::Restore(restore)) => return transfer(restore.run()),
        Some(Command::Move(moved)) => return transfer(moved.run()),
        Some(Command::Completion(completion)) => return print_all(&completion.script(), 0),
        Some(Command::Man(man)) => {
            return match man.run() {
                Ok(text) => print_all(&text, 0),
                Err(error) => fail(&error, 1),
            };
        }
        Some(Command::Record(record)) => return serve_exchanges(record.start()),
        Some(Command::Replay(replay)) => return serve_exchanges(replay.start()),
        Some(Command::Compare(compare)) => return compare_exchanges(compare),
        _ => {}
    }
    let print = cli.print_config;
    let config = match cli.into_config() {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    if print {
        return print_all(&config.to_toml(), 0);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let (level, traces) = match telemetry::init_with_traces(&config, runtime.handle()) {
        Ok(installed) => installed,
        Err(error) => return fail(&error, 2),
    };
    trunk_server::raise_open_files();
    let outcome = runtime.block_on(run(config, &level));
    if let Some(traces) = traces {
        traces.stop(if outcome.is_ok() { LAST_SPANS } else { LAST_SPANS_AFTER_FAILURE });
    }
    // The end of the runtime would wait for a resolver that does not answer.
    runtime.shutdown_timeout(LAST_THREADS);
    let code = match outcome {
        Ok(()) => 0_u8,
        Err(error) => {
            // Not directly, which would wait for a reader that has stopped reading.
            level.say(&format!("trunk-server: {error}"));
            if is_wrong_setting(&*error) { 2 } else { 1 }
        }
    };
    level.finish(LAST_LINES);
    ExitCode::from(code)
}

/// Whether the start failed because of an invalid setting, and not because of the machine.
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
                | StartError::Certificate(_)
                | StartError::OpenControl(_)
                | StartError::World(..)
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
    match runtime.block_on(question.request()) {
        Ok(explained) => print_all(&explained.text, if explained.admitted { 0 } else { 3 }),
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
        Ok(placed) => print_all(&placed.text, u8::from(!placed.answered)),
        Err(error) => fail(&error, 2),
    }
}

/// Backs up, restores or moves a database. Exits with 0 after both ends were found to be equal, else with 1.
fn transfer(run: impl Future<Output = Result<String, trunk_store::transfer::TransferError>>) -> ExitCode {
    // Two tasks run in parallel: one writes a file while the others read from a server.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let outcome = runtime.block_on(async {
        let _file_sizes = signal(SignalKind::from_raw(SIGXFSZ));
        run.await
    });
    match outcome {
        Ok(text) => print_all(&text, 0),
        Err(error) => fail(&error, 1),
    }
}

/// Prints a text. Exits with this code, also if the reader closed the pipe before its end.
fn print_all(text: &str, code: u8) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error, 1),
        _ => ExitCode::from(code),
    }
}

/// Records or replays until a signal. Exits with 0 then, and with 1 if it cannot begin.
fn serve_exchanges(
    start: impl Future<Output = Result<(recorder::Listener, String), recorder::RecorderError>>,
) -> ExitCode {
    let _level = telemetry::init(&Config::default());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let outcome = runtime.block_on(async {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (mut terminate, mut interrupt) = (signals.0?, signals.1?);
        let (listener, text) = start.await?;
        // A reader that has gone does not end the program.
        let _lost = std::io::stdout().lock().write_all(text.as_bytes());
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        listener.stop().await;
        Ok::<(), Box<dyn std::error::Error>>(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error, 1),
    }
}

/// Prints the differences from recorded responses. Exits with 0 if there are none, 3 if there are some, and 1 if
/// nothing was compared.
fn compare_exchanges(compare: trunk_server::cli::Compare) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(compare.run()) {
        Ok(found) => {
            let code = match (found.compared, found.differences.is_empty()) {
                (0, _) => 1,
                (_, true) => 0,
                (_, false) => 3,
            };
            print_all(&found.to_string(), code)
        }
        Err(error) => fail(&error, 1),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    report(error);
    ExitCode::from(code)
}

/// Writes a message to standard error. If that takes nothing, the exit code is all that is left; `eprintln!` would panic,
/// and so change it.
fn report(message: &(impl std::fmt::Display + ?Sized)) {
    let _lost = writeln!(std::io::stderr(), "trunk-server: {message}");
}

/// Reads the configuration and the certificates again, applies the settings that can change, and logs those that need a
/// restart. An invalid configuration changes nothing.
fn reload(server: &Server, config: &mut Config, level: &LogLevel) {
    server.reload_certificates();
    let read = Cli::try_parse().map_err(|error| error.to_string());
    let read = read.and_then(|cli| cli.into_config().map_err(|error| error.to_string()));
    let new = match read {
        Ok(new) => new,
        Err(error) => {
            return tracing::error!(error, "the configuration was not read again; it stays as it was");
        }
    };
    if let Err(error) = server.take_over(&new) {
        return tracing::error!(%error, "the configuration was not read again; it stays as it was");
    }
    let changes = config.changes(&new);
    level.set(&new);
    config.log.clone_from(&new.log);
    config.control_token.clone_from(&new.control_token);
    config.accounts.rate_limit = new.accounts.rate_limit;
    let list = |keys: std::collections::BTreeSet<String>| keys.into_iter().collect::<Vec<_>>().join(", ");
    let (live, at_the_next_start) = (list(changes.live), list(changes.at_the_next_start));
    tracing::info!(live, "the configuration and the certificates were read again");
    if !at_the_next_start.is_empty() {
        tracing::warn!(
            settings = at_the_next_start,
            "settings were changed that take effect at the next start alone"
        );
    }
}

/// Asks whether a server accepts work. Exits with 0 if it does, 1 if not, and 2 if the configuration is not valid.
fn check_health(health: trunk_server::cli::Health) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(health.check()) {
        Ok(()) => print_all("ready\n", 0),
        Err(error @ (HealthError::Config(_) | HealthError::NoPort(_))) => fail(&error, 2),
        Err(error) => fail(&error, 1),
    }
}

/// Whether the process has a terminal. A closed terminal does not count.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// The signal of a write beyond the limit on file sizes, on Linux (except on MIPS) and macOS. Its default action ends
/// the process. With a handler the write fails instead, as on a full disk.
const SIGXFSZ: i32 = 25;

/// Starts a server. Returns it, and whether a signal to stop arrived meanwhile.
async fn start(
    config: &Config,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) -> Result<(Server, bool), Box<dyn std::error::Error>> {
    let mut starting = Server::builder(config.clone()).start();
    tokio::select! {
        biased;
        started = &mut starting => return Ok((started?, false)),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping when the start is complete; a second signal ends the process at once");
    tokio::select! {
        biased;
        started = &mut starting => Ok((started?, true)),
        _ = terminate.recv() => Err("ended at once by a second signal".into()),
        _ = interrupt.recv() => Err("ended at once by a second signal".into()),
        () = tokio::time::sleep(LAST_START) => Err("ended by a signal before the start was complete".into()),
    }
}

async fn run(mut config: Config, level: &LogLevel) -> Result<(), Box<dyn std::error::Error>> {
    let _file_sizes = signal(SignalKind::from_raw(SIGXFSZ))?;
    // The handlers are installed before the server starts, so that no signal is missed.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (mut hangup, had_terminal) = (signal(SignalKind::hangup())?, has_terminal());
    for unknown in unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        let (name, nearest) = (unknown.name, unknown.nearest);
        tracing::warn!(
            name,
            nearest,
            "unknown environment variable; `trunk-server --help` lists the settings"
        );
    }
    let (server, is_stopping) = start(&config, &mut terminate, &mut interrupt).await?;
    greeting::greet(&server, &config);
    let supervisor = Supervisor::from_environment();
    if !is_stopping {
        supervisor.ready(&server.base_url());
    }
    let is_retired = loop {
        tokio::select! {
            () = std::future::ready(()), if is_stopping => break false,
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
            () = server.retired() => break true,
            () = supervisor.keep_alive() => {}
            _ = hangup.recv() => {
                if had_terminal && !has_terminal() {
                    // The terminal was closed, and with it the usual way to end the server.
                    break false;
                }
                reload(&server, &mut config, level);
            }
        }
    };
    supervisor.stopping();
    tracing::info!(
        "stopping: requests and calls in flight are finished first; a second signal ends the process at once"
    );
    tokio::select! {
        stopped = server.stop() => stopped?,
        () = supervisor.keep_alive() => {}
        _ = terminate.recv() => return Err("ended at once by a second signal".into()),
        _ = interrupt.recv() => return Err("ended at once by a second signal".into()),
    }
    tracing::info!("stopped");
    if is_retired {
        return Err("the other servers of the database took this one for dead; start it again".into());
    }
    Ok(())
}
