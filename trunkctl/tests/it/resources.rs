//! The commands of resources, which the registry declares.

use didww_client::ApiVersion;
use serde_json::json;
use trunk_server::Feature;

use crate::support::Service;

#[test]
fn a_record_is_created_read_changed_and_deleted_by_its_name() {
    let service = Service::start();
    let id = service.trunk("Berlin, Mitte");
    let read = service.run(&["voice-out-trunks", "get", "Berlin, Mitte", "-o", "json"]).json();
    assert_eq!(read["id"], id);
    assert_eq!(read["authentication_method"]["attributes"]["allowed_sip_ips"], json!(["203.0.113.7/32"]));
    let changed = service.run(&[
        "voice_out_trunks",
        "update",
        &id,
        "--capacity-limit",
        "10",
        "--rtp-ping",
        "--dst-prefixes",
        "44,49",
        "--threshold-amount",
        "12.50",
        "--callback-url",
        "null",
        "-o",
        "json",
    ]);
    let changed = changed.json();
    assert_eq!(changed["capacity_limit"], 10);
    assert_eq!(changed["rtp_ping"], true);
    assert_eq!(changed["dst_prefixes"], json!(["44", "49"]));
    assert_eq!(changed["threshold_amount"], "12.5");
    let refused = service.run(&["voice-out-trunks", "delete", &id]).fails(9);
    assert!(refused.contains("--yes"), "{refused}");
    service.run(&["voice-out-trunks", "delete", "Berlin, Mitte", "--yes"]).ok();
    assert!(service.run(&["voice-out-trunks", "get", &id]).fails(4).contains("404"));
}

#[test]
fn lists_are_filtered_sorted_and_printed_in_each_format() {
    let service = Service::start();
    for name in ["b", "a", "c"] {
        service.trunk(name);
    }
    service.run(&["voice-out-trunks", "update", "c", "--status", "blocked"]).ok();
    let names = |arguments: &[&str]| {
        let found = service.run(&[&["voice-out-trunks", "list", "-o", "json"], arguments].concat()).json();
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|trunk| trunk["name"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(names(&["--sort", "name"]), "abc");
    assert_eq!(names(&["--sort", "-name"]), "cba");
    assert_eq!(names(&["--filter", "status=active", "--sort", "name"]), "ab");
    assert_eq!(names(&["--filter", "status=active", "--filter", "name=b"]), "b");
    assert_eq!(names(&["--sort", "name", "--limit", "2"]), "ab");
    let list = |format| service.run(&["voice-out-trunks", "list", "--sort", "name", "-o", format]).ok();
    let table = list("table");
    assert!(table.lines().next().unwrap().starts_with("ID ") && table.lines().count() == 4, "{table}");
    assert!(list("csv").starts_with("id,name,"), "{}", list("csv"));
    assert!(list("yaml").contains("name: a\n"), "{}", list("yaml"));
    assert_eq!(list("id").lines().count(), 3);
    let two = ["voice-out-trunks", "list", "--columns", "name,status", "-o", "csv", "--sort", "name"];
    assert_eq!(service.run(&two).ok(), "name,status\na,active\nb,active\nc,blocked\n");
    assert_eq!(
        service.run(&["voice-out-trunks", "list", "--filter", "name=nowhere", "-o", "json"]).ok(),
        "[]\n"
    );
}

#[test]
fn members_of_json_are_in_the_order_of_the_declaration() {
    let service = Service::start();
    service.trunk("Berlin");
    let text = service.run(&["voice-out-trunks", "get", "Berlin", "-o", "json"]).ok();
    let place = |name: &str| text.find(&format!("\"{name}\"")).unwrap();
    let names =
        ["id", "type", "allowed_rtp_ips", "status", "name", "created_at", "authentication_method", "meta"];
    assert!(names.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{text}");
}

#[test]
fn a_long_list_is_read_page_by_page() {
    let service = Service::start();
    service.runtime.block_on(async {
        let numbers = (0..230).map(|number| trunk_server::control::NewDid::new(format!("4930{number:06}")));
        service.server.control().add_dids(service.server.account(), numbers).await.unwrap();
    });
    assert_eq!(service.run(&["dids", "list", "-o", "id"]).ok().lines().count(), 233);
    assert_eq!(service.run(&["dids", "list", "-o", "id", "--limit", "101"]).ok().lines().count(), 101);
}

#[test]
fn related_records_are_named_included_and_listed() {
    let service = Service::start();
    service.trunk("Berlin");
    service.run(&["voice-out-trunks", "update", "Berlin", "--dids", "37061498222,442079460018"]).ok();
    let read = service.run(&["voice-out-trunks", "get", "Berlin", "--include", "dids", "-o", "json"]).json();
    let mut numbers: Vec<&str> =
        read["dids"].as_array().unwrap().iter().map(|did| did["number"].as_str().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["37061498222", "442079460018"]);
    let listed = service.run(&["voice-out-trunks", "related", "Berlin", "dids"]).ok();
    assert!(listed.contains("37061498222") && listed.lines().count() == 3, "{listed}");
    service.run(&["voice-out-trunks", "update", "Berlin", "--dids", ""]).ok();
    let listed = service.run(&["voice-out-trunks", "list", "--include", "dids", "-o", "json"]).json();
    assert_eq!(listed[0]["dids"], json!([]));
    let group = service.run(&["dids", "related", "37061498222", "did_group", "-o", "json"]).json();
    assert_eq!(group["type"], "did_groups");
    let none = service.run(&["dids", "related", "37061498222", "capacity_pool"]).fails(4);
    assert!(none.contains("no capacity_pool"), "{none}");
    let unknown = service.run(&["voice-out-trunks", "update", "Berlin", "--dids", "123"]).fails(4);
    assert!(unknown.contains("no record of dids with number `123`"), "{unknown}");
}

#[test]
fn secrets_are_hidden_unless_they_are_asked_for() {
    let service = Service::start();
    service.trunk("Berlin");
    let secret = service.run(&["voice-out-trunks", "get", "Berlin", "-o", "json", "--show-secrets"]).json();
    let secret = secret["authentication_method"]["attributes"]["password"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 16);
    for format in ["table", "json", "yaml", "csv"] {
        for arguments in [
            &["voice-out-trunks", "get", "Berlin", "-o", format][..],
            &["voice-out-trunks", "list", "--columns", "all", "-o", format],
            &["voice-out-trunks", "update", "Berlin", "--rtp-ping", "-o", format],
        ] {
            let printed = service.run(arguments).ok();
            assert!(!printed.contains(&secret) && printed.contains("(hidden)"), "{arguments:?}: {printed}");
        }
    }
    let flat = Service::with(|builder| builder.seed(7)).at(ApiVersion::V2021_12_15);
    let arguments = ["voice-out-trunks", "create", "--name", "a", "--on-cli-mismatch-action", "reject_call"];
    let created =
        flat.run(&[&arguments[..], &["--allowed-sip-ips", "203.0.113.7", "-o", "json"]].concat()).json();
    assert_eq!(created["password"], "(hidden)");
}

#[test]
fn credentials_are_rotated() {
    let service = Service::start();
    let id = service.trunk("Berlin");
    let password = |arguments: &[&str]| {
        let read = service.run(&[arguments, &["-o", "json", "--show-secrets"]].concat()).json();
        read["authentication_method"]["attributes"]["password"].as_str().unwrap().to_owned()
    };
    let before = password(&["voice-out-trunks", "get", &id]);
    let rotated = password(&["voice-out-trunks", "rotate", "Berlin"]);
    assert_ne!(before, rotated);
    assert_eq!(password(&["voice-out-trunks", "get", &id]), rotated);
    let shown = service.run(&["voice-out-trunks", "regenerate-credentials", &id, "--dry-run"]).ok();
    assert!(
        shown.starts_with("POST /voice_out_trunk_regenerate_credentials\n") && shown.contains(&id),
        "{shown}"
    );
    assert_eq!(password(&["voice-out-trunks", "get", &id]), rotated, "a dry run changes nothing");
}

#[test]
fn wrong_values_are_named_before_anything_is_sent() {
    let service = Service::start();
    let refused = service.run(&[
        "voice-out-trunks",
        "create",
        "--name",
        "a",
        "--capacity-limit",
        "40000",
        "--status",
        "open",
        "--authentication-method",
        "credentials_and_ip,allowed_sip_ips=nowhere",
    ]);
    let refused = refused.fails(6);
    for part in [
        "nothing was sent",
        "capacity_limit: must be less than or equal to 32767",
        "valid: a whole number from 1 to 32767, or null",
        "status: is not included in the list",
        "authentication_method/attributes/allowed_sip_ips: is invalid",
        "on_cli_mismatch_action: can't be blank",
    ] {
        assert!(refused.contains(part), "no {part} in\n{refused}");
    }
    assert_eq!(service.run(&["voice-out-trunks", "list", "-o", "id"]).ok(), "");
}

#[test]
fn what_the_service_refuses_is_printed_with_pointer_detail_and_what_is_right() {
    let service = Service::start();
    service.trunk("Berlin");
    service.trunk("Paris");
    let taken = service.run(&["voice-out-trunks", "update", "Paris", "--name", "Berlin"]).fails(6);
    for part in ["/data/attributes/name: name - has already been taken", "valid: a text", "PATCH", "422"] {
        assert!(taken.contains(part), "no {part} in\n{taken}");
    }
    let unchecked =
        service.run(&["voice-out-trunks", "update", "Paris", "--capacity-limit", "40000", "--no-check"]);
    let unchecked = unchecked.fails(6);
    assert!(
        unchecked.contains("/data/attributes/capacity_limit") && unchecked.contains("1 to 32767"),
        "{unchecked}"
    );
}

#[test]
fn members_come_from_a_file_and_flags_go_before_it() {
    let service = Service::start();
    let toml = service.file(
        "trunk.toml",
        "name = \"Berlin\"\non_cli_mismatch_action = \"reject_call\"\ncapacity_limit = 5\n\
         dids = [\"37061498222\"]\n[authentication_method]\ntype = \"credentials_and_ip\"\n\
         attributes = { allowed_sip_ips = [\"203.0.113.7\"] }\n",
    );
    let created = ["voice-out-trunks", "create", "-f", &toml, "--capacity-limit", "7", "-o", "json"];
    assert_eq!(service.run(&created).json()["capacity_limit"], 7);
    // A record that was read is written back without the members that only the service sets.
    let yaml = service.run(&["voice-out-trunks", "get", "Berlin", "--include", "dids", "-o", "yaml"]).ok();
    let edited = yaml.replace("capacity_limit: 7", "capacity_limit: 8");
    let ran =
        service.run_with_input(&["voice-out-trunks", "update", "Berlin", "-f", "-", "-o", "json"], &edited);
    assert!(ran.err.contains("not sent") && ran.err.contains("created_at"), "{}", ran.err);
    assert_eq!(ran.json()["capacity_limit"], 8);
}

#[test]
fn a_record_that_is_edited_and_written_back_keeps_its_secrets() {
    let service = Service::start();
    let office = "name: Office\nconfiguration:\n  type: sip_configurations\n  attributes:\n    \
                  {host: sip.example.com, auth_enabled: true, auth_user: ann, auth_password: s3cret}\n";
    service.run_with_input(&["voice-in-trunks", "create", "-f", "-"], office).ok();
    let read = service.run(&["voice-in-trunks", "get", "Office", "-o", "yaml"]).ok();
    assert!(read.contains("(hidden)") && !read.contains("s3cret"), "{read}");
    let update = ["voice-in-trunks", "update", "Office", "-f", "-", "-o", "json", "--show-secrets"];
    let ran =
        service.run_with_input(&update, &read.replace("host: sip.example.com", "host: sip2.example.com"));
    let hidden = "the file has (hidden) there: configuration.attributes.auth_password";
    assert!(ran.err.contains(hidden), "{}", ran.err);
    assert!(ran.err.contains("configuration.incoming_auth_username"), "{}", ran.err);
    let stored = ran.json()["configuration"]["attributes"].clone();
    assert_eq!((&stored["host"], &stored["auth_password"]), (&json!("sip2.example.com"), &json!("s3cret")));
    let callback = "https://ann:s3cret@example.com/hook";
    service.trunk("Berlin");
    service.run(&["voice-out-trunks", "update", "Berlin", "--callback-url", callback]).ok();
    let read = service.run(&["voice-out-trunks", "get", "Berlin", "-o", "json"]).ok();
    assert!(read.contains("https://(hidden)@example.com/hook"), "{read}");
    let update = ["voice-out-trunks", "update", "Berlin", "-f", "-", "-o", "json", "--show-secrets"];
    assert_eq!(service.run_with_input(&update, &read).json()["callback_url"], callback);
    for file in [service.run(&["dump", "voice-out-trunks"]), service.run(&["dump", "voice-in-trunks"])] {
        assert!(file.code == 0 && file.err.contains("left out"), "{}", file.err);
        assert!(!file.out.contains("s3cret") && !file.out.contains("(hidden)"), "{}", file.out);
    }
}

#[test]
fn a_dry_run_prints_the_request_and_sends_nothing() {
    let service = Service::start();
    let arguments = [
        "voice-out-trunks",
        "create",
        "--name",
        "a",
        "--on-cli-mismatch-action",
        "reject_call",
        "--dids",
        "37061498222",
        "--authentication-method",
        "credentials_and_ip,allowed_sip_ips=203.0.113.7",
        "--dry-run",
    ];
    let printed = service.run(&arguments).ok();
    let (line, body) = printed.split_once('\n').unwrap();
    assert_eq!(line, "POST /voice_out_trunks");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["data"]["relationships"]["dids"]["data"][0]["type"], "dids");
    assert_eq!(service.run(&["voice-out-trunks", "list", "-o", "id"]).ok(), "");
    let id = service.trunk("b");
    let printed = service.run(&["voice-out-trunks", "delete", "b", "--dry-run"]).ok();
    assert_eq!(printed, format!("DELETE /voice_out_trunks/{id}\n"));
    service.run(&["voice-out-trunks", "get", "b"]).ok();
}

#[test]
fn an_older_version_has_its_own_form_and_takes_the_canonical_one() {
    let service = Service::start().at(ApiVersion::V2022_05_10);
    service.trunk("canonical");
    let read = service.run(&["voice-out-trunks", "get", "canonical", "-o", "json"]).json();
    assert_eq!(read["allowed_sip_ips"], json!(["203.0.113.7/32"]));
    let newer = service.run(&["voice-out-trunks", "update", "canonical", "--rtp-timeout", "60"]).fails(6);
    assert!(newer.contains("exists since 2026-04-16"), "{newer}");
    let filter = service.run(&["voice-out-trunks", "list", "--filter", "authentication_method.type=twilio"]);
    assert!(filter.fails(2).contains("exists since 2026-04-16"));
}

#[test]
fn what_the_version_does_not_have_is_refused_with_the_version_that_has_it() {
    let service = Service::start();
    let ended = service.run(&["did-group-types", "list"]).fails(2);
    assert!(ended.contains("did_group_types existed up to 2026-04-16"), "{ended}");
    assert!(!service.run(&["resources", "-o", "id"]).ok().contains("did-group-types"));
    let service = service.at(ApiVersion::V2022_05_10);
    let later = service.run(&["proofs", "list"]).fails(2);
    assert!(later.contains("proofs have the command list since 2026-04-16"), "{later}");
    let listed = service.run(&["resources", "-o", "json"]).json();
    let of = |name: &str| {
        let mut rows = listed.as_array().unwrap().iter();
        rows.find(|row| row["id"] == name).unwrap()["commands"].clone()
    };
    assert_eq!(of("proofs"), json!(["create", "delete"]));
    assert_eq!(of("did-group-types"), json!(["list", "get"]));
    // A dump of all types leaves out those that the version does not list.
    service.run(&["dump", "proofs", "dids"]).ok();
}

#[test]
fn a_type_is_asked_for_by_the_name_and_the_path_that_the_version_has_for_it() {
    let version = ApiVersion::V2021_04_19;
    let service = Service::with(|builder| builder.version(version)).at(version);
    let trunk = ["voice-in-trunks", "create", "--name", "office", "--configuration"];
    let made = service.run(&[&trunk[..], &["pstn_configurations,dst=442079460018", "-o", "json"]].concat());
    assert_eq!(made.json()["type"], "trunks");
    service.run(&["voice-in-trunks", "update", "office", "--priority", "3"]).ok();
    let listed = service.run(&["voice-in-trunks", "list", "--columns", "name,priority", "-o", "csv"]).ok();
    assert_eq!(listed, "name,priority\noffice,3\n");
    service.run(&["dids", "update", "37061498222", "--voice-in-trunk", "office"]).ok();
    let did = ["dids", "get", "37061498222", "--include", "voice_in_trunk", "-o", "json"];
    assert_eq!(service.run(&did).json()["voice_in_trunk"]["name"], "office");
    let dumped = service.run(&["dump", "voice-in-trunks"]).ok();
    let file = service.file("dumped.toml", &dumped);
    service.run(&["drift", "-f", &file]).ok();
    let changed = service.file("changed.toml", "[voice_in_trunks.office]\npriority = 4\n");
    service.run(&["apply", "-f", &changed, "--yes"]).ok();
    service.run(&["drift", "-f", &changed]).ok();
    service.run(&["voice-in-trunks", "delete", "office", "--yes"]).ok();
    let older = Service::start().at(ApiVersion::V2022_05_10);
    older.run(&["address-requirements", "list", "-o", "json"]).ok();
}

#[test]
fn the_only_record_of_a_type_is_read_without_a_name() {
    let service = Service::start();
    let read = service.run(&["balances", "get", "-o", "json"]).json();
    assert!(read["type"] == "balances" && read["total_balance"].is_string(), "{read}");
}

#[test]
fn every_listed_type_has_its_commands() {
    let service = Service::with(|builder| builder.feature(Feature::Emergency));
    let listed = service.run(&["resources", "-o", "json"]).json();
    let listed = listed.as_array().unwrap();
    assert!(listed.len() >= 4);
    for resource in listed {
        let name = resource["id"].as_str().unwrap();
        for verb in resource["commands"].as_array().unwrap() {
            let help = service.run(&[name, verb.as_str().unwrap(), "--help"]);
            assert_eq!(help.code, 0, "{name} {verb}");
        }
        let is_there = didww_client::find(&name.replace('-', "_")).unwrap().exists_in(ApiVersion::NEWEST);
        if is_there && resource["commands"].as_array().unwrap().iter().any(|verb| verb == "list") {
            service.run(&[name, "list", "-o", "json"]).ok();
        }
    }
}

#[test]
fn what_a_type_does_not_have_is_answered_with_what_it_has() {
    let service = Service::start();
    let cases = [
        (&["dids", "list", "--filter", "numbr=1"][..], "is number meant?"),
        (&["dids", "list", "--sort", "colour"], "known are"),
        (&["dids", "list", "--include", "did_grop"], "is did_group meant?"),
        (&["dids", "list", "--columns", "colour"], "known are id, type"),
        (&["dids", "create"], "unrecognized subcommand"),
        (&["dids", "update", "37061498222"], "nothing to change"),
    ];
    for (arguments, part) in cases {
        let said = service.run(arguments).fails(2);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}
