//! `plan`, `apply`, `drift` and `dump`.

use didww_client::ApiVersion;
use serde_json::{Value, json};

use crate::support::Service;

const TRUNKS: &str = r#"
owner = "netops"

[voice_out_trunks.Berlin]
on_cli_mismatch_action = "reject_call"
capacity_limit = 10
dids = ["37061498222"]
authentication_method = { type = "credentials_and_ip", attributes = { allowed_sip_ips = ["203.0.113.7"] } }

[voice_out_trunks."Paris, Nord"]
on_cli_mismatch_action = "send_original_cli"
authentication_method = { type = "credentials_and_ip", attributes = { allowed_sip_ips = ["198.51.100.0/24"] } }

[dids.442079460018]
description = "Sales"
"#;

fn names(service: &Service) -> Vec<String> {
    let listed = service.run(&["voice-out-trunks", "list", "-o", "json"]).json();
    let names = listed.as_array().unwrap().iter().map(|trunk| trunk["name"].as_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A declaration of trunks that differ in their names and limits alone.
fn many(names: impl Iterator<Item = String>, limit: u32) -> String {
    let trunks: serde_json::Map<String, Value> = names
        .map(|name| {
            let method =
                json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["203.0.113.7"]}});
            let members = json!({"on_cli_mismatch_action": "reject_call", "capacity_limit": limit,
                "authentication_method": method});
            (name, members)
        })
        .collect();
    json!({"owner": "netops", "voice_out_trunks": trunks}).to_string()
}

#[test]
fn a_declaration_is_planned_applied_and_then_holds() {
    let service = Service::start();
    let file = service.file("trunks.toml", TRUNKS);
    let plan = service.run(&["plan", "-f", &file]).ok();
    for line in [
        "+ voice_out_trunks.Berlin (create)",
        "~ dids.442079460018 (update)",
        "description: null -> \"Sales\"",
        "external_reference_id: \"trunkctl:netops:Berlin\"",
        "2 to create, 1 to update, 0 to delete, 0 as declared",
    ] {
        assert!(plan.contains(line), "no {line} in\n{plan}");
    }
    assert!(names(&service).is_empty(), "a plan changes nothing");
    assert_eq!(service.run(&["plan", "-f", &file, "--detailed-exitcode"]).code, 3);
    assert_eq!(service.run(&["drift", "-f", &file]).code, 3);
    assert!(service.run(&["apply", "-f", &file]).fails(9).contains("--yes"));
    let applied = service.run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 3 of 3"), "{}", applied.err);
    assert_eq!(names(&service), ["Berlin", "Paris, Nord"]);
    let plan = service.run(&["plan", "-f", &file, "--detailed-exitcode"]).ok();
    assert_eq!(plan, "nothing to do: 3 records are as declared\n");
    service.run(&["drift", "-f", &file]).ok();
    let read = service.run(&["voice-out-trunks", "get", "Berlin", "--include", "dids", "-o", "json"]).json();
    assert_eq!(read["dids"][0]["number"], "37061498222");
}

#[test]
fn a_large_declaration_is_planned_as_a_small_one_whatever_its_end_declares() {
    let service = Service::start();
    let lists = || {
        let requests = service.server.received_requests().into_iter();
        requests.filter(|entry| entry.method == "GET" && entry.path == "/v3/voice_out_trunks").count()
    };
    let padding = "# a line that says nothing\n".repeat(8 << 10);
    let early = service.file("early.toml", &format!("{TRUNKS}{padding}"));
    service.run(&["apply", "-f", &early, "--yes"]).ok();
    let before = lists();
    let plan = service.run(&["plan", "-f", &early]).ok();
    assert_eq!(plan, "nothing to do: 3 records are as declared\n");
    assert_eq!(lists() - before, 1, "what was read while the file was parsed is not read again");

    let rome = r#"
        [voice_out_trunks.Rome]
        on_cli_mismatch_action = "reject_call"
        rtp_ping = true
        authentication_method = { type = "credentials_and_ip", attributes = { allowed_sip_ips = ["10.0.0.1"] } }
    "#;
    let late = service.file("late.toml", &format!("{TRUNKS}{padding}{rome}"));
    service.run(&["apply", "-f", &late, "--yes"]).ok();
    let plan = service.run(&["plan", "-f", &late]).ok();
    assert_eq!(plan, "nothing to do: 4 records are as declared\n");
    service.run(&["voice-out-trunks", "update", "Rome", "--rtp-ping=false"]).ok();
    let plan = service.run(&["plan", "-f", &late]).ok();
    assert!(plan.contains("rtp_ping: false -> true"), "{plan}");

    let wrong = service.file("wrong.toml", &format!("{TRUNKS}{padding}[nothing.Rome]\n"));
    assert!(service.run(&["plan", "-f", &wrong]).fails(2).contains("`nothing` is not a type"));
}

#[test]
fn a_reader_that_goes_away_changes_neither_what_is_done_nor_the_exit_code() {
    let service = Service::start();
    let file = service.file("trunks.toml", TRUNKS);
    // The reader has ended before the program prints.
    let without_reader = |arguments: &str| {
        let program = service.command(&[]);
        let name = program.get_program().to_str().unwrap().to_owned();
        let mut shell = std::process::Command::new("sh");
        let line = format!("{{ sleep 0.3; '{name}' {arguments} -f '{file}'; echo $? >&2; }} | true");
        shell.args(["-c", &line]);
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let said = crate::support::finish(shell, "").err;
        said.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(without_reader("drift"), "3");
    assert_eq!(without_reader("plan --detailed-exitcode"), "3");
    assert_eq!(without_reader("apply --yes"), "0");
    assert_eq!(names(&service), ["Berlin", "Paris, Nord"], "what was asked for is done");
    assert_eq!(without_reader("drift"), "0");
}

#[test]
fn a_change_by_hand_is_drift_that_names_the_member() {
    let service = Service::start();
    let file = service.file("trunks.toml", TRUNKS);
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["voice-out-trunks", "update", "Berlin", "--capacity-limit", "11", "--dids", ""]).ok();
    let drift = service.run(&["drift", "-f", &file]);
    assert_eq!(drift.code, 3);
    assert!(drift.out.contains("capacity_limit: 11 -> 10"), "{}", drift.out);
    assert!(drift.out.contains("dids: [] -> [\"37061498222\"]"), "{}", drift.out);
    let machine = service.run(&["drift", "-f", &file, "-o", "json"]);
    let machine: Value = serde_json::from_str(&machine.out).unwrap();
    assert_eq!(
        machine["actions"][0]["changes"][0],
        json!({"member": "capacity_limit", "before": 11, "after": 10})
    );
    let page = service.run(&["plan", "-f", &file, "-o", "markdown"]).ok();
    assert!(
        page.contains("| update | `voice_out_trunks.Berlin` | `capacity_limit` | `11` | `10` |"),
        "{page}"
    );
}

#[test]
fn a_record_is_known_by_its_mark_and_renamed() {
    let service = Service::start();
    let file = service.file("trunks.toml", TRUNKS);
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    let id = service.run(&["voice-out-trunks", "list", "--filter", "name=Berlin", "-o", "id"]).ok();
    let renamed =
        TRUNKS.replace("[voice_out_trunks.Berlin]", "[voice_out_trunks.Berlin]\nname = \"Berlin Mitte\"");
    let file = service.file("renamed.toml", &renamed);
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("name: \"Berlin\" -> \"Berlin Mitte\"") && plan.contains("0 to create"), "{plan}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    let now = service.run(&["voice-out-trunks", "list", "--filter", "name=Berlin Mitte", "-o", "id"]).ok();
    assert_eq!(now, id);
    service.run(&["drift", "-f", &file]).ok();
}

#[test]
fn without_an_owner_a_record_is_known_by_the_name_that_it_declares_too() {
    let service = Service::start();
    let owned = OFFICE.replace("owner = \"netops\"\n", "");
    let file = service.file("office.toml", &owned);
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    let plan = service.run(&["plan", "-f", &file, "--detailed-exitcode"]).ok();
    assert_eq!(plan, "nothing to do: 4 records are as declared\n");
}

#[test]
fn only_what_carries_the_owners_mark_is_deleted_and_only_when_asked() {
    let service = Service::start();
    service.trunk("by hand");
    let others = service.file("others.toml", &TRUNKS.replace("netops", "others").replace("Berlin", "Rome"));
    service.run(&["apply", "-f", &others, "--yes"]).ok();
    let conflict = service.file("trunks.toml", TRUNKS);
    let refused = service.run(&["plan", "-f", &conflict]).fails(6);
    assert!(refused.contains("Paris, Nord: the record belongs to others"), "{refused}");
    let mine = TRUNKS.replace("Paris, Nord", "Lyon");
    let file = service.file("mine.toml", &mine);
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    let smaller =
        service.file("smaller.toml", "owner = \"netops\"\n[voice_out_trunks.Berlin]\ncapacity_limit = 10\n");
    let plan = service.run(&["plan", "-f", &smaller]).ok();
    assert!(plan.contains("nothing to do") && plan.contains("--prune: voice_out_trunks.Lyon"), "{plan}");
    assert_eq!(service.run(&["drift", "-f", &smaller]).code, 3, "what is not declared any more is drift");
    service.run(&["apply", "-f", &smaller, "--yes", "--prune"]).ok();
    assert_eq!(names(&service), ["Berlin", "Paris, Nord", "Rome", "by hand"]);
    let none = service.file("none.toml", "[voice_out_trunks]\n");
    assert!(service.run(&["plan", "-f", &none, "--prune"]).fails(9).contains("needs an `owner`"));
    let empty = service.file("empty.toml", "owner = \"netops\"\n");
    service.run(&["apply", "-f", &empty, "--yes", "--prune"]).ok();
    assert_eq!(names(&service), ["Paris, Nord", "Rome", "by hand"]);
}

#[test]
fn a_record_that_exists_is_adopted_and_a_reference_of_the_customers_own_is_kept() {
    let service = Service::start();
    service.trunk("Berlin");
    service.trunk("Rome");
    service.run(&["voice-out-trunks", "update", "Rome", "--external-reference-id", "crm-4711"]).ok();
    let file =
        service.file("f.toml", "owner = \"netops\"\n[voice_out_trunks.Berlin]\n[voice_out_trunks.Rome]\n");
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("external_reference_id: null -> \"trunkctl:netops:Berlin\""), "{plan}");
    assert!(plan.contains("Rome keeps its external_reference_id `crm-4711`"), "{plan}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["drift", "-f", &file]).ok();
    let empty = service.file("empty.toml", "owner = \"netops\"\n");
    service.run(&["apply", "-f", &empty, "--yes", "--prune"]).ok();
    assert_eq!(names(&service), ["Rome"]);
}

const OFFICE: &str = r#"
owner = "netops"

[voice_in_trunk_groups.office]
voice_in_trunks = ["first", "second"]

[voice_in_trunks.first]
voice_in_trunk_group = "office"
configuration = { type = "pstn_configurations", attributes = { dst = "442079460018" } }

[voice_in_trunks.second]
name = "second line"
configuration = { type = "pstn_configurations", attributes = { dst = "12025550143" } }

[dids.37061498222]
voice_in_trunk = "second"
"#;

#[test]
fn new_records_that_refer_to_each_other_and_have_other_names_than_in_the_file_are_linked() {
    let service = Service::start();
    let file = service.file("office.toml", OFFICE);
    let applied = service.run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 4 of 4"), "{}{}", applied.out, applied.err);
    let plan = service.run(&["plan", "-f", &file, "--detailed-exitcode"]).ok();
    assert_eq!(plan, "nothing to do: 4 records are as declared\n");
    let trunks = ["voice-in-trunk-groups", "related", "office", "voice_in_trunks", "-o", "id"];
    assert_eq!(service.run(&trunks).ok().lines().count(), 2);
    // Another record has the name that a declared one has in the file alone.
    let other = ["voice-in-trunks", "create", "--name", "second", "--configuration"];
    service.run(&[&other[..], &["pstn_configurations,dst=442079460018"]].concat()).ok();
    service.run(&["drift", "-f", &file]).ok();
}

#[test]
fn the_place_of_an_inbound_trunk_is_declared_as_an_attribute_since_it_is_one() {
    let service = Service::start();
    let declared = |pop: Value| {
        let configuration = json!({"type": "pstn_configurations", "attributes": {"dst": "442079460018"}});
        json!({"voice_in_trunks": {"Berlin": {"pop": pop, "configuration": configuration}}}).to_string()
    };
    let file = service.file("trunk.json", &declared(json!("FRA")));
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("1 to create") && plan.matches("pop: ").count() == 1, "{plan}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["drift", "-f", &file]).ok();
    for pop in [json!("AMS"), Value::Null] {
        let file = service.file("changed.json", &declared(pop));
        let applied = service.run(&["apply", "-f", &file, "--yes"]);
        assert!(applied.err.contains("applied: 1 of 1"), "{}{}", applied.out, applied.err);
        service.run(&["drift", "-f", &file]).ok();
    }
}

#[test]
fn an_account_without_a_feature_is_provisioned_all_the_same() {
    let service = Service::start();
    let mut patch = trunk_server::control::AccountPatch::default();
    patch.features = Some(Vec::new());
    let account = service.server.account();
    service.runtime.block_on(service.server.control().update_account(account, patch)).unwrap();
    service.run(&["voice-out-trunks", "list"]).fails(5);
    let file = service.file("office.toml", OFFICE);
    service.run(&["apply", "-f", &file, "--yes", "--prune"]).ok();
    service.run(&["drift", "-f", &file]).ok();
    let trunks = service.file("trunks.toml", TRUNKS);
    service.run(&["plan", "-f", &trunks]).fails(5);
}

#[test]
fn a_plan_that_changes_or_deletes_too_much_needs_force() {
    let service = Service::start();
    let named = |count: usize| (0..count).map(|number| format!("trunk {number:02}"));
    let file = service.file("all.json", &many(named(12), 1));
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    let changed = service.file("changed.json", &many(named(12), 2));
    let plan = service.run(&["plan", "-f", &changed]);
    assert!(plan.err.contains("changes 12 of 12 voice_out_trunks") && plan.code == 0, "{}", plan.err);
    let refused = service.run(&["apply", "-f", &changed, "--yes"]).fails(9);
    assert!(refused.contains("nothing was done") && refused.contains("--force"), "{refused}");
    let fewer = service.file("fewer.json", &many(named(8), 1));
    let refused = service.run(&["apply", "-f", &fewer, "--yes", "--prune"]).fails(9);
    assert!(refused.contains("deletes 4 of 12"), "{refused}");
    service.run(&["apply", "-f", &fewer, "--yes", "--prune", "--max-deletes", "40"]).ok();
    assert_eq!(names(&service).len(), 8);
    service.run(&["apply", "-f", &changed, "--yes", "--force"]).ok();
    assert_eq!(names(&service).len(), 12);
}

#[test]
fn without_external_reference_ids_the_name_is_the_identity_and_prune_is_refused() {
    let service = Service::start().at(ApiVersion::V2022_05_10);
    let file = service.file("trunks.toml", TRUNKS);
    let refused = service.run(&["plan", "-f", &file, "--prune"]).fails(9);
    assert!(refused.contains("refused in 2022-05-10") && refused.contains("2026-04-16"), "{refused}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["drift", "-f", &file]).ok();
    assert_eq!(names(&service), ["Berlin", "Paris, Nord"]);
}

#[test]
fn what_was_dumped_is_a_declaration_without_differences() {
    let service = Service::start();
    let file = service.file("trunks.toml", TRUNKS);
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.trunk("by hand");
    service.run(&["voice-out-trunks", "update", "by hand", "--allow-any-did-as-cli"]).ok();
    for format in ["toml", "yaml", "json"] {
        for arguments in [&["dump", "-o", format][..], &["dump", "-o", format, "--full"]] {
            let dumped = service.run(arguments).ok();
            assert!(!dumped.contains("password"), "{dumped}");
            let file = service.file(&format!("dumped.{format}"), &dumped);
            let plan = service.run(&["plan", "-f", &file, "--detailed-exitcode"]);
            assert_eq!(plan.code, 0, "{arguments:?}\n{dumped}\n{}{}", plan.out, plan.err);
        }
    }
    let owned = service.run(&["dump", "voice-out-trunks", "--owner", "netops"]).ok();
    assert!(owned.contains("owner = \"netops\"") && !owned.contains("[dids"), "{owned}");
    let file = service.file("owned.toml", &owned);
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("1 to update") && plan.contains("trunkctl:netops:by hand"), "{plan}");
    // In another account the declaration makes the same trunks.
    let other = Service::start();
    let file = other.file("owned.toml", &owned);
    other.run(&["apply", "-f", &file, "--yes"]).ok();
    assert_eq!(names(&other), names(&service));
}

#[test]
fn a_record_whose_name_is_that_of_another_one_in_the_file_is_dumped_too() {
    let service = Service::start();
    let named = TRUNKS.replace("[voice_out_trunks.Berlin]", "[voice_out_trunks.Berlin]\nname = \"Rome\"");
    service.run(&["apply", "-f", &service.file("named.toml", &named), "--yes"]).ok();
    let id = service.trunk("Berlin");
    let dumped = service.run(&["dump", "voice-out-trunks", "--owner", "netops", "-o", "json"]).json();
    let trunks = &dumped["voice_out_trunks"];
    assert_eq!(trunks.as_object().unwrap().len(), 3, "{dumped}");
    assert_eq!((&trunks["Berlin"]["name"], &trunks[&id]["name"]), (&json!("Rome"), &json!("Berlin")));
}

#[test]
fn what_the_owners_file_cannot_declare_is_dumped_so_that_it_can_be_planned() {
    let service = Service::start();
    let others = service.file("others.toml", &TRUNKS.replace("netops", "others"));
    service.run(&["apply", "-f", &others, "--yes"]).ok();
    // Its mark would be longer than a reference can be.
    let long = "a".repeat(120);
    let id = service.trunk(&long);
    let dumped = service.run(&["dump", "voice-out-trunks", "--owner", "netops"]);
    assert_eq!(dumped.err.matches("the record belongs to others").count(), 2, "{}", dumped.err);
    let file = service.file("dumped.toml", &dumped.ok());
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains(&format!("external_reference_id: null -> \"trunkctl:netops:{id}\"")), "{plan}");
    assert!(plan.contains("0 to create, 1 to update"), "{plan}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["drift", "-f", &file]).ok();
    assert!(names(&service).contains(&long));
    // Nor does a reference of its own make the record of others one of this file.
    let taken = "owner = \"netops\"\n[voice_out_trunks.Berlin]\nexternal_reference_id = \"crm-1\"\n";
    let refused = service.run(&["plan", "-f", &service.file("taken.toml", taken)]).fails(6);
    assert!(refused.contains("Berlin: the record belongs to others"), "{refused}");
}

#[test]
fn after_a_failure_it_is_said_exactly_what_was_done_and_the_same_command_goes_on() {
    let service = Service::start();
    // The second trunk has the account of Twilio that the first one has: only the service knows.
    let method =
        r#"{ type = "twilio", attributes = { twilio_account_sid = "AC00000000000000000000000000000001" } }"#;
    let text = |second: &str| {
        format!(
            "owner = \"netops\"\n[voice_out_trunks.a]\non_cli_mismatch_action = \"reject_call\"\n\
             authentication_method = {method}\n[voice_out_trunks.b]\non_cli_mismatch_action = \"reject_call\"\n\
             authentication_method = {second}\n[voice_out_trunks.c]\non_cli_mismatch_action = \"reject_call\"\n\
             authentication_method = {}\n",
            method.replace("0001", "0003")
        )
    };
    let file = service.file("trunks.toml", &text(method));
    let failed = service.run(&["apply", "-f", &file, "--yes", "--parallel", "1"]).fails(8);
    let done = failed.find("done:\n  create voice_out_trunks.a (").unwrap_or_else(|| panic!("{failed}"));
    let refused = failed.find("refused, and nothing changed:\n  create voice_out_trunks.b: ").unwrap();
    let left = failed.find("not begun:\n  create voice_out_trunks.c").unwrap();
    assert!(done < refused && refused < left && failed.contains("1 of 3 actions were done"), "{failed}");
    assert!(failed.contains("has already been taken"), "{failed}");
    assert_eq!(names(&service), ["a"]);
    let failed = service.run(&["apply", "-f", &file, "--yes", "--keep-going"]).fails(8);
    assert!(failed.contains("1 of 2 actions were done"), "{failed}");
    let mended = service.file("mended.toml", &text(&method.replace("0001", "0002")));
    let applied = service.run(&["apply", "-f", &mended, "--yes"]);
    assert!(applied.err.contains("applied: 1 of 1"), "{}", applied.err);
    service.run(&["drift", "-f", &mended]).ok();
}

#[test]
fn every_problem_of_a_declaration_is_named_with_its_place_before_anything_is_sent() {
    let service = Service::start();
    let file = service.file(
        "wrong.yaml",
        "voice_out_trunks:\n  Berlin:\n    capacity_limit: 40000\n    nmae: x\n  Paris:\n    dids: ['1']\ndids:\n  \
         '123':\n    description: x\n",
    );
    let refused = service.run(&["apply", "-f", &file, "--yes"]).fails(6);
    for part in [
        "voice_out_trunks.Berlin:\n",
        "capacity_limit: must be less than or equal to 32767",
        "valid: a whole number from 1 to 32767, or null",
        "nmae: voice_out_trunks have no such member",
        "on_cli_mismatch_action: can't be blank",
        "voice_out_trunks.Paris.dids: there is no record of dids called `1`",
        "dids.123: there is no such record",
    ] {
        assert!(refused.contains(part), "no {part} in\n{refused}");
    }
    assert!(names(&service).is_empty());
    let digits = service.file("digits.yaml", "voice_out_trunks:\n  a:\n    dst_prefixes: [0044]\n");
    assert!(service.run(&["plan", "-f", &digits]).fails(2).contains("in quotes"));
}

#[test]
fn a_declaration_is_read_from_standard_input_and_secrets_stay_out_of_plans() {
    let service = Service::start();
    let yaml = "voice_out_trunks:\n  Berlin:\n    on_cli_mismatch_action: reject_call\n    authentication_method:\n\
                \x20     \
                type: credentials_and_ip\n      attributes: {allowed_sip_ips: [203.0.113.7], password: s3cret}\n";
    let plan = service.run_with_input(&["plan", "-f", "-"], yaml);
    assert!(!plan.out.contains("s3cret") && plan.out.contains("1 to create"), "{}{}", plan.out, plan.err);
}
