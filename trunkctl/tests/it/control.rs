//! The commands of the control API.

use serde_json::json;
use trunk_server::control::AuditQuery;

use crate::support::{Ran, Service, finish};

/// The program with the control API of the server.
fn run(service: &Service, arguments: &[&str]) -> Ran {
    let mut command = service.command(arguments);
    command.env("TRUNKCTL_CONTROL_URL", control_url(service));
    finish(command, "")
}

fn control_url(service: &Service) -> String {
    format!("http://{}", service.server.server().control_address().unwrap())
}

#[test]
fn accounts_and_keys_are_kept() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    let made = run(
        &service,
        &["accounts", "create", "--name", "Berlin", "--default-version", "2026-04-16", "-o", "json"],
    );
    let made = made.json();
    assert_eq!(made["version"], "2026-04-16");
    assert!(made["api_key"].as_str().is_some_and(|key| key.len() > 10));
    let listed = run(&service, &["accounts", "list", "-o", "csv"]).ok();
    assert!(listed.starts_with("id,name,version") && listed.contains(",Berlin,"), "{listed}");
    let changed = run(
        &service,
        &[
            "accounts",
            "update",
            "Berlin",
            "--features",
            "outbound,replace_cli",
            "--rate-limit",
            "5",
            "-o",
            "json",
        ],
    );
    let changed = changed.json();
    assert_eq!(changed["features"], json!(["outbound", "replace_cli"]));
    assert_eq!(changed["rate_limit"], 5);
    let ambiguous = run(&service, &["keys", "list"]).fails(2);
    assert!(ambiguous.contains("--account") && ambiguous.contains("Berlin"), "{ambiguous}");
    let key =
        run(&service, &["keys", "add", "--account", "Berlin", "--from", "203.0.113.0/24", "-o", "json"])
            .json();
    let keys = run(&service, &["keys", "list", "--account", "Berlin"]).ok();
    assert!(keys.contains("203.0.113.0/24") && !keys.contains(key["api_key"].as_str().unwrap()), "{keys}");
    run(&service, &["keys", "remove", key["id"].as_str().unwrap(), "--account", "Berlin"]).ok();
    assert_eq!(run(&service, &["keys", "list", "--account", "Berlin", "-o", "id"]).ok().lines().count(), 1);
    let added =
        run(&service, &["accounts", "add-dids", "12025550199", "--account", "Berlin", "-o", "json"]).json();
    assert_eq!(added[0]["number"], "12025550199");
    assert!(run(&service, &["accounts", "delete", "Berlin"]).fails(9).contains("--yes"));
    run(&service, &["accounts", "delete", "Berlin", "--yes"]).ok();
    assert_eq!(run(&service, &["accounts", "get", "Berlin"]).code, 4);
}

#[test]
fn the_clock_is_read_and_moved() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    run(&service, &["clock", "freeze", "2026-04-08T06:57:33.304Z"]).ok();
    let advanced = run(&service, &["clock", "advance", "24h"]).ok();
    assert!(advanced.contains("2026-04-09T06:57:33.304Z") && advanced.contains("frozen  true"), "{advanced}");
    assert_eq!(run(&service, &["clock", "show", "-o", "json"]).json()["frozen"], true);
    assert!(run(&service, &["clock", "resume"]).ok().contains("frozen  false"));
    assert_eq!(run(&service, &["clock", "advance", "1 fortnight"]).code, 2);
}

#[test]
fn a_refused_call_is_explained_and_ends_with_its_exit_code() {
    let service = Service::with(|builder| builder.control_listener().sip());
    let question = ["explain", "--source", "198.51.100.9", "--to", "442079460018", "--from", "12025550143"];
    let refused = run(&service, &question);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(
        refused.out.starts_with("403 ") && refused.out.contains("by the check `source`"),
        "{}",
        refused.out
    );
    let json = run(&service, &[&question[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["verdict"], "refused");
    assert_eq!(run(&service, &["calls", "list", "-o", "json"]).ok(), "[]\n");
    assert_eq!(run(&service, &["calls", "active", "-o", "json"]).ok(), "[]\n");
    assert_eq!(run(&service, &["calls", "messages", "x@y"]).code, 4);
    assert_eq!(run(&service, &["calls", "end", "1f7f2f9a-2a4e-4a50-9d34-5f4f9d7f2f00"]).code, 4);
}

#[test]
fn a_did_is_called_and_its_calls_are_listed_shown_and_ended() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    let refused = run(&service, &["inbound", "call", "37061498299", "--from", "+442079460999", "-o", "json"]);
    let refused = refused.json();
    assert_eq!((&refused["status"], &refused["disconnect_code"]), (&json!("ended"), &json!(404)));
    let listed = run(&service, &["inbound", "list"]).ok();
    assert!(listed.contains("the called number is not a DID"), "{listed}");
    assert_eq!(run(&service, &["inbound", "list", "--live", "-o", "json"]).ok(), "[]\n");
    let id = refused["id"].as_str().unwrap();
    assert_eq!(run(&service, &["inbound", "show", id, "-o", "json"]).json()["from"], "+442079460999");
    assert_eq!(run(&service, &["inbound", "end", id]).code, 4, "it is not live");
    assert_eq!(run(&service, &["inbound", "call", "1", "--account", "nowhere"]).code, 4);
    assert_eq!(run(&service, &["inbound", "call", "sip:1@host"]).code, 6);
}

#[test]
fn attempts_are_followed_as_they_happen() {
    let service = Service::with(|builder| builder.control_listener().sip());
    let sip = service.server.server().sip_address().unwrap();
    // A source that no trunk names is a stranger, whose requests are no attempts.
    let create = ["voice-out-trunks", "create", "--name", "a", "--on-cli-mismatch-action", "reject_call"];
    let method = ["--authentication-method", "credentials_and_ip,allowed_sip_ips=127.0.0.1"];
    service.run(&[&create[..], &method].concat()).ok();
    let mut command = service.command(&["calls", "tail", "--limit", "1"]);
    command.env("TRUNKCTL_CONTROL_URL", control_url(&service));
    let (send, stop) = std::sync::mpsc::channel::<()>();
    let caller = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        // Repeated until the follower, which may not be there yet, has seen one.
        for number in 0.. {
            let invite = format!(
                "INVITE sip:442079460018@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{number}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:12025550143@{local}>;tag=a{number}\r\nTo: <sip:442079460018@{sip}>\r\n\
                 Call-ID: call-{number}@{local}\r\nCSeq: 1 INVITE\r\nContact: <sip:{local}>\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            socket.send_to(invite.as_bytes(), sip).unwrap();
            if stop.recv_timeout(std::time::Duration::from_millis(200))
                != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                break;
            }
        }
    });
    let followed = finish(command, "");
    drop(send);
    caller.join().unwrap();
    let line = followed.ok();
    assert!(line.contains("challenge") && line.contains("127.0.0.1"), "{line}");
    assert_eq!(line.lines().count(), 1);
    let attempts = run(&service, &["api", "--control", "GET", "/attempts", "-q", "limit=1"]).json();
    let call = attempts["attempts"][0]["call_id"].as_str().unwrap();
    let ladder = run(&service, &["calls", "messages", call]).ok();
    assert!(ladder.contains("INVITE") && ladder.contains("401"), "{ladder}");
    let text = run(&service, &["calls", "messages", call, "-o", "text"]).ok();
    assert!(text.contains("INVITE sip:442079460018@") && text.contains("SIP/2.0 401"), "{text}");
}

#[test]
fn faults_are_set_with_flags_or_a_file_and_removed() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    let add = ["lab", "faults", "add", "-o", "json"];
    let flags = ["--effect", "status", "--status", "503", "--path", "/v3/dids*", "--nth", "2"];
    let added = run(&service, &[&add[..], &flags].concat()).json();
    assert_eq!((&added["id"], &added["first"], &added["times"]), (&json!("1"), &json!(2), &json!(1)));
    let file = service.folder.path().join("fault.yaml");
    std::fs::write(&file, "effect: delay\ndelay_ms: 5\n").unwrap();
    let path = file.to_str().unwrap();
    let added = run(&service, &[&add[..], &["-f", path, "--method", "GET"]].concat()).json();
    assert_eq!((&added["effect"], &added["method"]), (&json!("delay"), &json!("GET")));
    let refused = run(&service, &["lab", "faults", "add", "--effect", "status"]).fails(6);
    assert!(refused.contains("`status`"), "{refused}");
    assert_eq!(run(&service, &["lab", "faults", "list", "-o", "id"]).ok(), "1\n2\n");
    run(&service, &["lab", "faults", "remove", "1"]).ok();
    assert_eq!(run(&service, &["lab", "faults", "get", "1"]).code, 4);
    run(&service, &["lab", "faults", "clear"]).ok();
    assert_eq!(run(&service, &["lab", "faults", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn the_journal_is_listed_followed_and_compared() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    service.run(&["dids", "list", "--filter", "number=12025550143"]).ok();
    let listed = run(&service, &["lab", "journal", "list", "--path", "/v3/dids", "-o", "json"]).json();
    assert_eq!((&listed[0]["method"], &listed[0]["status"]), (&json!("GET"), &json!(200)));
    assert_eq!(listed[0]["request_headers"]["authorization"], "(hidden)");
    let verify = ["lab", "journal", "verify", "--method"];
    let query = ["--query", "filter[number]=12025550143", "--at-least", "1"];
    run(&service, &[&verify[..], &["GET", "--path", "/v3/dids"], &query].concat()).ok();
    let failed = run(&service, &[&verify[..], &["POST", "--path", "/v3/dids"]].concat());
    assert_eq!(failed.code, 3);
    assert!(failed.out.contains("- POST /v3/dids: at least 1 expected, 0 found"), "{}", failed.out);
    assert!(failed.out.contains("the method is GET, not POST"), "{}", failed.out);
    let follow = ["lab", "journal", "follow", "--after", "0", "--path", "/v3/dids", "--limit", "1"];
    let followed = run(&service, &follow).ok();
    assert!(followed.contains("GET /v3/dids?") && followed.contains("  200  "), "{followed}");
    for no_lines in [&["lab", "journal", "follow", "--limit", "0"][..], &["calls", "tail", "--limit", "0"]] {
        let refused = run(&service, no_lines);
        assert!(refused.code == 2 && refused.err.contains("--limit"), "{}", refused.err);
    }
    run(&service, &["lab", "journal", "clear"]).ok();
    assert_eq!(run(&service, &["lab", "journal", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn expected_requests_come_from_a_file_in_their_order_and_are_waited_for() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    let verify = ["lab", "journal", "verify"];
    service.run(&["dids", "list"]).ok();
    service.run(&["voice-out-trunks", "list"]).ok();
    let (first, second) = ("- {path: /v3/dids}\n", "- {path: /v3/voice_out_trunks}\n");
    for (requests, code) in [(format!("{first}{second}"), 0), (format!("{second}{first}"), 3)] {
        let file = service.file("expected.yaml", &format!("in_order: true\nrequests:\n{requests}"));
        let ran = run(&service, &[&verify[..], &["-f", &file]].concat());
        assert_eq!(ran.code, code, "{requests}{}{}", ran.out, ran.err);
    }
    let regions = ["--method", "GET", "--path", "/v3/regions", "--wait-ms"];
    assert_eq!(run(&service, &[&verify[..], &regions, &["10"]].concat()).code, 3, "it does not come");
    let mut command = service.command(&[&verify[..], &regions, &["20000"]].concat());
    command.env("TRUNKCTL_CONTROL_URL", control_url(&service));
    let waiting = std::thread::spawn(move || finish(command, ""));
    service.run(&["regions", "list"]).ok();
    assert!(waiting.join().unwrap().ok().contains("+ GET /v3/regions"), "it came");
}

#[test]
fn a_server_that_is_not_there_or_refuses_says_so() {
    let service = Service::start();
    let mut command = service.command(&["clock", "show"]);
    command.env("TRUNKCTL_CONTROL_URL", "127.0.0.1:1");
    let failed = finish(command, "").fails(7);
    assert!(failed.contains("http://127.0.0.1:1") && failed.contains("--control-url"), "{failed}");
}

#[test]
fn the_audit_says_who_changed_which_record() {
    let service = Service::with(|builder| builder.control_listener().audit_months(12));
    let trunk = service.trunk("Berlin");
    service.run(&["voice-out-trunks", "update", "Berlin", "--capacity-limit", "7"]).ok();
    let listed = run(&service, &["audit", "--id", &trunk, "-o", "json"]).json();
    let listed = listed.as_array().unwrap();
    let of = |place: usize, member: &str| listed[place][member].clone();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!((of(0, "action"), of(0, "members")), (json!("updated"), json!(["capacity_limit"])));
    assert_eq!((of(1, "action"), of(1, "type")), (json!("created"), json!("voice_out_trunks")));
    assert!(of(0, "by").as_str().unwrap().starts_with("key "), "{listed:?}");
    let table = run(&service, &["audit", "--type", "voice_out_trunks", "--limit", "1"]).ok();
    assert!(
        table.starts_with("AT ") && table.contains("capacity_limit") && !table.contains("created"),
        "{table}"
    );
    let later = ["audit", "--since", "2126-01-01T00:00:00.000Z", "-o", "id"];
    assert_eq!(run(&service, &later).ok(), "");
    run(&service, &["audit", "--account", "Nowhere"]).fails(4);
}

#[test]
fn the_audit_is_read_a_page_after_the_other_until_the_limit() {
    let service = Service::with(|builder| builder.control_listener().audit_months(12));
    service.runtime.block_on(async {
        let (control, account) = (service.server.control(), service.server.account());
        for number in 0..1_002 {
            let did = trunk_server::control::NewDid::new(format!("44208946{number:04}"));
            control.add_did(account, did).await.unwrap();
        }
        for (limit, expected) in [(1_000, 1_000), (1_001, 1_000)] {
            let query = AuditQuery { limit, ..AuditQuery::default() };
            let page = control.audit(query).await.unwrap();
            assert_eq!(page.entries.len(), expected, "a page has at most a thousand entries");
        }
    });
    for (limit, expected) in [("1001", 1_001), ("1002", 1_002)] {
        let listed = run(&service, &["audit", "--type", "dids", "--limit", limit, "-o", "json"]).json();
        assert_eq!(listed.as_array().map(Vec::len), Some(expected));
    }
}

#[test]
fn a_world_is_saved_and_loaded_from_its_file_or_by_its_name() {
    let service = Service::with(trunk_server::TestServerBuilder::control_listener);
    let listed = run(&service, &["lab", "scenarios"]).ok();
    assert!(listed.contains("one-trunk") && listed.contains("many-trunks"), "{listed}");
    let loaded = run(&service, &["lab", "world", "load", "--scenario", "two-accounts", "-o", "json"]).json();
    assert_eq!((&loaded[0]["name"], &loaded[0]["created"]), (&json!("older"), &json!(true)));
    let file = service.folder.path().join("world.json");
    let file = file.to_str().unwrap();
    run(&service, &["lab", "world", "save", file, "--account", "newer", "--show-secrets"]).ok();
    let saved = std::fs::read_to_string(file).unwrap();
    assert!(
        saved.contains("pbxnewerpassword") && saved.contains("sha256") && !saved.contains("older"),
        "{saved}"
    );
    let masked = run(&service, &["lab", "world", "save", "--account", "newer"]).ok();
    assert!(masked.contains("(hidden)") && !masked.contains("pbxnewerpassword"), "{masked}");
    // The file exists, and is not replaced.
    run(&service, &["lab", "world", "save", file]).fails(1);
    run(&service, &["accounts", "delete", "newer", "--yes"]).ok();
    let again = run(&service, &["lab", "world", "load", file, "-o", "json"]).json();
    assert_eq!((&again[0]["name"], &again[0]["api_key"]), (&json!("newer"), &json!(null)));
    std::fs::write(file, "{\n  \"acounts\": []\n}").unwrap();
    let refused = run(&service, &["lab", "world", "load", file]).fails(6);
    assert!(refused.contains("line 2") && refused.contains("`accounts`"), "{refused}");
    run(&service, &["lab", "world", "load"]).fails(2);
}
