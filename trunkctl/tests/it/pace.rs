//! How many requests `apply` sends at a time, and what becomes of them after Ctrl-C.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};
use trunk_server::lab::Fault;

use crate::support::Service;

/// A file that declares trunks of these names.
fn declared(service: &Service, names: &[&str]) -> String {
    let method = json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["203.0.113.7"]}});
    let members = json!({"on_cli_mismatch_action": "reject_call", "authentication_method": method});
    let trunks: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), members.clone())).collect();
    service.file("trunks.json", &json!({"owner": "netops", "voice_out_trunks": trunks}).to_string())
}

/// Lets the first creation be answered late. Returns the number of the fault.
fn slow_first(service: &Service, seconds: u64) -> u64 {
    let late = Fault::delay(Duration::from_secs(seconds));
    service.server.fault(late.method("POST").path("/v3/voice_out_trunks").nth(1))
}

/// Begins to apply a file, and waits until the fault has delayed a request.
fn begun(service: &Service, file: &str, fault: u64) -> Child {
    let mut command = service.command(&["apply", "-f", file, "--yes", "--parallel", "1"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..2_000 {
        if service.server.hits(fault) > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(service.server.hits(fault), 1, "the first request came");
    child
}

fn interrupt(child: &Child) {
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
}

fn count(service: &Service) -> usize {
    service.run(&["voice-out-trunks", "list", "-o", "id"]).ok().lines().count()
}

#[test]
fn requests_are_sent_at_the_same_time_as_many_as_are_asked_for() {
    for (parallel, slow_ends) in [("1", 0), ("3", 2)] {
        let service = Service::start();
        let file = declared(&service, &["a", "b", "c"]);
        let fault = slow_first(&service, 2);
        service.run(&["apply", "-f", &file, "--yes", "--parallel", parallel]).ok();
        // In the order in which they ended.
        let ended = service.server.received_requests().into_iter();
        let created = ended.filter(|entry| entry.method == "POST" && entry.path == "/v3/voice_out_trunks");
        let places: Vec<bool> = created.map(|entry| entry.fault == Some(fault)).collect();
        assert_eq!(places.len(), 3);
        assert_eq!(places.iter().position(|is_slow| *is_slow), Some(slow_ends), "--parallel {parallel}");
    }
}

#[test]
fn an_interrupted_apply_waits_for_what_is_on_its_way_and_says_what_was_not_begun() {
    let service = Service::start();
    let file = declared(&service, &["a", "b", "c"]);
    let fault = slow_first(&service, 2);
    let child = begun(&service, &file, fault);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{said}");
    for part in [
        "1 of 3 actions were done",
        "done:\n  create voice_out_trunks.a (",
        "not begun:\n  create voice_out_trunks.b\n  create voice_out_trunks.c",
        "the same command continues",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
    assert_eq!(count(&service), 1);
    let applied = service.run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 2 of 2"), "{}{}", applied.out, applied.err);
    assert_eq!(count(&service), 3);
}

#[test]
fn an_apply_that_is_interrupted_twice_waits_no_longer_and_says_what_is_unclear() {
    let service = Service::start();
    let file = declared(&service, &["a", "b"]);
    let fault = slow_first(&service, 60);
    let mut child = begun(&service, &file, fault);
    interrupt(&child);
    let (mut errors, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    errors.read_line(&mut said).unwrap();
    assert!(said.contains("Ctrl-C again"), "{said}");
    interrupt(&child);
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8), "{said}");
    for part in [
        "0 of 2 actions were done",
        "unclear: it may have been done:\n  create voice_out_trunks.a: abandoned before its response arrived",
        "not begun:\n  create voice_out_trunks.b",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
}
