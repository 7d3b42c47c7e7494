//! The commands of prices, and those of the rates of accounts.

use serde_json::json;
use trunk_server::PriceService;
use trunk_server::config::{Config, PricesConfig};

use crate::support::{Ran, Service, finish};

const PLANS: &str = r#"
[[prices.voice_in]]
destination = "1800"
source_type = "fixed"
rate = "0.02"

[[prices.voice_in]]
destination = "1"
src_country = "CA"
source_type = "fixed"
reject_calls = true

[[prices.sms_out_a2p]]
destination_prefix = "44"
country = "GB"
price = "0.05"

[[prices.sms_out_a2p]]
destination_prefix = "447"
country = "GB"
mnc_name = "Vodafone, 3G"
reject_sms = true

[[prices.sms_in]]
destination_prefix = "44"
country = "GB"
price = "0.01"
"#;

fn config(text: &str) -> PricesConfig {
    Config::from_toml(text).unwrap().prices
}

/// A server with an edge and all plans but that of messages between persons, at the address of the API.
fn start() -> Service {
    Service::with(|builder| builder.control_listener().sip().prices(config(PLANS)))
}

/// The program with the control API of the server.
fn run(service: &Service, arguments: &[&str], input: &str) -> Ran {
    let mut command = service.command(arguments);
    let control = service.server.server().control_address().unwrap();
    command.env("TRUNKCTL_CONTROL_URL", format!("http://{control}"));
    finish(command, input)
}

#[test]
fn prices_are_looked_up_at_the_address_of_the_api() {
    let service = start();
    let found = service.run(&["prices", "voice-out", "442079460018", "-o", "json"]).json();
    assert_eq!((&found[0]["prefix"], &found[0]["rate"]), (&json!("44"), &json!("0.01")));
    assert_eq!(found.as_array().unwrap().len(), 1);
    let table = service.run(&["prices", "voice-out", "442079460018"]).ok();
    assert!(table.starts_with("PREFIX"), "{table}");
    let number = ["prices", "voice-in", "18005550123", "-o", "csv"];
    let rows = service.run(&number).ok();
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(
        rows.starts_with("destination,country,") && rows.contains("1800,,,fixed,0.02,0.0,1,1,false"),
        "{rows}"
    );
    let from_canada = service.run(&[&number[..], &["--from", "CA"]].concat()).ok();
    assert!(from_canada.contains("1,,Canada,fixed,,,1,1,true"), "{from_canada}");
    let of_country = service.run(&["prices", "sms-out", "a2p", "--country", "GB", "-o", "json"]).json();
    assert_eq!(of_country.as_array().unwrap().len(), 2);
    let both = ["--number", "447700900123", "--country", "GB", "-o", "json"];
    let of_number = service.run(&[&["prices", "sms-out", "a2p"][..], &both].concat()).json();
    assert_eq!((&of_number[0]["reject_sms"], of_number.as_array().unwrap().len()), (&json!(true), 1));
    let received = service.run(&["prices", "sms-in", "--number", "447700900123", "-o", "json"]).json();
    assert_eq!(received[0]["price"], "0.01");
}

#[test]
fn a_price_file_is_printed_as_the_service_has_it() {
    let service = start();
    let text = service.run(&["prices", "file", "sms-out-a2p"]).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "Source prefix,Destination prefix,Country,MCC,MCC name,MNC,MNC name,Reject SMS,Price",
            ",44,United Kingdom,,,,,false,0.05",
            ",447,United Kingdom,,,,\"Vodafone, 3G\",true,",
        ]
    );
    let calls = service.run(&["prices", "file", "voice-out"]).ok();
    assert!(calls.starts_with("Category,") && calls.contains(",447,0.03,"), "{calls}");
    service.run(&["prices", "file", "sms-out-p2p"]).fails(4);
}

#[test]
fn a_wrong_number_or_none_is_refused_with_its_exit_code() {
    let service = start();
    service.run(&["prices", "voice-out", "0123"]).fails(6);
    service.run(&["prices", "sms-out", "mms", "--country", "GB"]).fails(2);
    let none = service.run(&["prices", "sms-in"]).fails(2);
    assert!(none.contains("--number"), "{none}");
    service.run(&["prices", "voice-in", "33123456789"]).fails(4);
}

#[test]
fn a_service_with_a_listener_and_a_host_of_its_own_is_reached_there_with_a_token_of_the_api() {
    let places = "[prices]\nvoice_in_listen = \"127.0.0.1:0\"\nvoice_in_host = \"rates.test\"\n";
    let apart = config(&format!("{places}{PLANS}"));
    let service = Service::with(|builder| builder.prices(apart));
    let url = service.server.server().price_url(PriceService::VoiceIn).unwrap();
    let look_up = ["prices", "voice-in", "18005550123", "-o", "json", "--prices-url", url.as_str()];
    service.run(&look_up).fails(4);
    let named = service.run(&[&look_up[..], &["--prices-host", "rates.test"]].concat()).json();
    assert_eq!(named[0]["destination"], "1800");
}

#[test]
fn the_rates_of_an_account_are_set_shown_and_removed() {
    let service = start();
    let account = service.server.account().to_string();
    let of_account = |command: &str| ["accounts".to_owned(), command.to_owned(), account.clone()];
    let run = |arguments: &[String], input: &str| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&service, &arguments, input)
    };
    let shown = run(&of_account("rates"), "").fails(4);
    assert!(shown.contains("it has the rates of the server"), "{shown}");
    let file = service.file("rates.toml", "[[rates]]\nprefix = \"44\"\nper_minute = \"0.005\"\n");
    let set = run(&[&of_account("set-rates")[..], &["-f".to_owned(), file]].concat(), "").ok();
    assert!(set.contains("0.005"), "{set}");
    let price =
        || service.run(&["prices", "voice-out", "442079460018", "-o", "json"]).json()[0]["rate"].clone();
    assert_eq!(price(), "0.005");
    let json = r#"{"rates":[{"prefix":"44","per_minute":"0.5","initial_interval":60}]}"#;
    let flags = ["-f", "-", "-o", "csv"].map(str::to_owned);
    let set = run(&[&of_account("set-rates")[..], &flags].concat(), json).ok();
    assert_eq!(set, "prefix,per_minute,initial_interval,next_interval\n44,0.5,60,1\n");
    assert_eq!(price(), "0.5");
    let none = r#"{"rates":[]}"#;
    run(&[&of_account("set-rates")[..], &flags].concat(), none).fails(6);
    let csv = ["-o", "csv"].map(str::to_owned);
    assert_eq!(run(&[&of_account("rates")[..], &csv].concat(), "").ok(), set);
    run(&of_account("remove-rates"), "").ok();
    assert_eq!(price(), "0.01");
    run(&of_account("remove-rates"), "").fails(4);
}
