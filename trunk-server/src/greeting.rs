//! The greeting: the text that the program prints to standard output when it begins to serve.
//!
//! It contains the addresses, the database, the API key and an example request. With JSON logs it is one line of JSON.
//! If standard output is closed, the program logs a warning and keeps running.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Map, Value, json};
use trunk_server::config::{Config, Database, LogFormat};
use trunk_server::{PriceService, Server};

/// Prints the greeting. It is the only output that contains an API key that this start generated.
pub(crate) fn greet(server: &Server, config: &Config) {
    let text = match config.log_format {
        LogFormat::Text => text(server, config),
        LogFormat::Json => format!("{}\n", Value::Object(members(server, config))),
    };
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::warn!("standard output takes nothing: the addresses and a new API key were not printed");
    }
}

fn text(server: &Server, config: &Config) -> String {
    let base = server.base_url();
    let mut lines = vec!["trunk-server is ready.".to_owned(), format!("  API:      {base}")];
    if config.tokens.listen.is_some() {
        lines.push(format!("  Tokens:   {}", server.token_url()));
    }
    for (service, url) in price_urls(server) {
        lines.push(format!("  Prices:   {url} ({service})"));
    }
    #[cfg(feature = "voipbin")]
    lines.push(format!("  VoIPBIN:  {}", server.voipbin_url()));
    if let Some(control) = server.control_address() {
        lines.push(format!("  Control:  http://{control}/control/v1"));
        lines.push(format!("  Console:  http://{control}/console/"));
    }
    if let Some(metrics) = server.metrics_address() {
        lines.push(format!("  Metrics:  http://{metrics}/metrics"));
    }
    #[cfg(feature = "sip")]
    lines.push(match (server.sip_address(), server.sip_tls_address()) {
        (Some(sip), Some(tls)) => format!("  SIP:      {sip} (UDP, TCP), {tls} (TLS)"),
        (Some(sip), None) => format!("  SIP:      {sip} (UDP, TCP)"),
        (None, _) => "  SIP:      off".to_owned(),
    });
    lines.push(format!("  Database: {}", database(server, config)));
    let (description, key) = api_key(server, config);
    lines.push(format!("  API key:  {description}"));
    if let Some(secret) = server.new_callback_secret() {
        lines.push(format!("  Callback secret: {}  (made now, not shown again)", secret.expose()));
    }
    if !server.unsigned_accounts().is_empty() {
        lines.push(
            "\nNo callback is sent for these accounts, because they have no callback secret. To make one:\n"
                .to_owned(),
        );
        lines.extend(secret_commands(server, config));
    }
    let get =
        format!("curl -s {base}/voice_out_trunks -H 'Api-Key: {key}' -H 'X-DIDWW-API-Version: 2026-04-16'");
    lines.push(format!("\nTry it:\n\n  {get}\n\n"));
    lines.join("\n")
}

/// Returns the price services with listeners of their own: their host names at DIDWW, and their base URLs here.
fn price_urls(server: &Server) -> impl Iterator<Item = (&'static str, String)> {
    PriceService::ALL
        .into_iter()
        .filter_map(move |service| Some((service.audience(), server.price_url(service)?)))
}

/// Returns the description of the API key, and the key or a placeholder for the example request.
fn api_key<'a>(server: &'a Server, config: &Config) -> (String, &'a str) {
    match (server.new_key(), &config.api_key, server.accounts_before()) {
        (Some(key), ..) => (format!("{}  (made now, not shown again)", key.expose()), key.expose()),
        (None, Some(_), Some(before)) if before > 0 => (
            format!("the one given, of a new account that is empty ({before} were there before)"),
            "YOUR_KEY",
        ),
        (None, Some(_), _) => ("the one given".to_owned(), "YOUR_KEY"),
        (None, None, _) => {
            let more = match server.control_address() {
                Some(control) => format!(
                    "; POST http://{control}/control/v1/accounts/ID/keys makes one, GET …/accounts lists the ids"
                ),
                None => "; the control API makes another one".to_owned(),
            };
            (format!("the ones made before{more}"), "YOUR_KEY")
        }
    }
}

/// Maximum number of accounts without a callback secret that the greeting names.
const MAX_NAMED_ACCOUNTS: usize = 10;

/// Returns the commands that make a callback secret for each account that needs one.
fn secret_commands(server: &Server, config: &Config) -> Vec<String> {
    let Some(control) = server.control_address() else {
        return vec![
            "  start with --control-listen, and POST /control/v1/accounts/ID/callback_secrets".to_owned(),
        ];
    };
    let token = if config.control_token.is_some() { " -H 'Authorization: Bearer TOKEN'" } else { "" };
    let accounts = server.unsigned_accounts();
    let command =
        |id| format!("  curl -s -X POST http://{control}/control/v1/accounts/{id}/callback_secrets{token}");
    let mut commands: Vec<String> = accounts.iter().take(MAX_NAMED_ACCOUNTS).map(command).collect();
    if let Some(more) = accounts.len().checked_sub(MAX_NAMED_ACCOUNTS).filter(|more| *more > 0) {
        commands.push(format!("  … and {more} more accounts"));
    }
    commands
}

fn database(server: &Server, config: &Config) -> String {
    match &config.database {
        Database::Ephemeral => "in memory, lost when the server stops".to_owned(),
        Database::Postgres(database) => database.shown(),
        Database::File(file) => {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            let how = if server.created_database() { "made now" } else { "opened" };
            format!("{} ({how})", file.display())
        }
    }
}

fn members(server: &Server, config: &Config) -> Map<String, Value> {
    let mut members = Map::new();
    let mut insert = |name: &str, value: Value| members.insert(name.to_owned(), value);
    insert("message", json!("trunk-server is ready"));
    insert("api", json!(server.base_url()));
    insert("tokens", json!(server.token_url()));
    insert("prices", json!(price_urls(server).collect::<BTreeMap<&str, String>>()));
    #[cfg(feature = "voipbin")]
    insert("voipbin", json!(server.voipbin_url()));
    insert("control", json!(server.control_address().map(|at| format!("http://{at}/control/v1"))));
    insert("console", json!(server.control_address().map(|at| format!("http://{at}/console/"))));
    insert("metrics", json!(server.metrics_address().map(|at| format!("http://{at}/metrics"))));
    #[cfg(feature = "sip")]
    {
        insert("sip", json!(server.sip_address()));
        insert("sip_tls", json!(server.sip_tls_address()));
    }
    insert("database", json!(database(server, config)));
    insert("api_key", json!(api_key(server, config).0));
    insert("callback_secret", json!(server.new_callback_secret().map(didww_types::Secret::expose)));
    insert("accounts_without_callback_secret", json!(server.unsigned_accounts()));
    members
}
