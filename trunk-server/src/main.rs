//! Parses, runs, and says how it ended.

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use trunk_server::{Server, cli::Cli, config::Config, telemetry};

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

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    // Listened to before anything is served, so that no signal finds nobody.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = Server::builder(config.clone()).start().await?;
    greet(&server, &config);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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

/// Says what a newcomer needs. A key is said once, when it is made.
fn greet(server: &Server, config: &Config) {
    let base = server.base_url();
    println!("trunk-server is ready.");
    println!("  API:      {base}");
    #[cfg(feature = "voipbin")]
    println!("  VoIPBIN:  {}", server.voipbin_url());
    if let Some(control) = server.control_address() {
        println!("  Control:  http://{control}/control/v1");
    }
    #[cfg(feature = "sip")]
    match (server.sip_address(), server.sip_tls_address()) {
        (Some(sip), Some(tls)) => println!("  SIP:      {sip} (UDP, TCP), {tls} (TLS)"),
        (Some(sip), None) => println!("  SIP:      {sip} (UDP, TCP)"),
        (None, _) => println!("  SIP:      off"),
    }
    match &config.database {
        trunk_server::config::Database::File(file) => println!("  Database: {}", file.display()),
        trunk_server::config::Database::Ephemeral => {
            println!("  Database: in memory, gone when the server ends");
        }
    }
    let key = match (server.new_key(), &config.api_key) {
        (Some(key), _) => {
            println!("  API key:  {}  (made now, not shown again)", key.expose());
            key.expose()
        }
        (None, Some(_)) => {
            println!("  API key:  the one given");
            "YOUR_KEY"
        }
        (None, None) => {
            println!("  API key:  the ones made before");
            "YOUR_KEY"
        }
    };
    println!("\nTry it:\n");
    println!("  curl -s {base}/voice_out_trunks -H 'Api-Key: {key}' -H 'X-DIDWW-API-Version: 2026-04-16'\n");
}
