//! Providers and routes of the communication platform in declarations.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Ran, Service, finish};

const PLATFORM: &str = r#"
[providers.main]
hostname = "sip.example.com"
detail = "pending:contract"
tech_prefix = "0011"
tech_headers = { X-Customer = "s3cret" }

[routes.all]
provider = "main"
target = "all"
priority = 2

[routes.korea]
provider = "main"
target = "+82"
"#;

/// A token of the platform's super admin.
fn admin_token(service: &Service) -> String {
    let password = "correct horse".to_owned().into();
    let control = service.server.control();
    service.runtime.block_on(control.ensure_super_admin("root", password)).unwrap();
    let url = service.server.voipbin_url().replace("/v1.0", "/auth/login");
    let login = json!({"username": "root", "password": "correct horse"}).to_string();
    let answer = Command::new("curl").args(["-s", &url, "-d", &login]).output().unwrap();
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// Runs the program with the platform and this token in its environment.
fn run_with(service: &Service, token: &str, arguments: &[&str]) -> Ran {
    let mut command = service.command(arguments);
    command.env("TRUNKCTL_VOIPBIN_URL", service.server.voipbin_url()).env("TRUNKCTL_VOIPBIN_TOKEN", token);
    finish(command, "")
}

#[test]
fn providers_and_routes_of_the_platform_are_declared_too() {
    let service = Service::start();
    let token = admin_token(&service);
    let run = |arguments: &[&str]| run_with(&service, &token, arguments);
    let file = service.file("platform.toml", PLATFORM);
    let plan = run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("+ providers.main (create)") && plan.contains("3 to create"), "{plan}");
    assert!(!plan.contains("s3cret") && plan.contains("X-Customer"), "{plan}");
    let applied = run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 3 of 3"), "{}{}", applied.out, applied.err);
    run(&["drift", "-f", &file]).ok();
    let changed = service
        .file("changed.toml", &PLATFORM.replace("priority = 2", "priority = 3").replace("0011", "0012"));
    let plan = run(&["plan", "-f", &changed]).ok();
    assert!(
        plan.contains("priority: 2 -> 3") && plan.contains("tech_prefix: \"0011\" -> \"0012\""),
        "{plan}"
    );
    run(&["apply", "-f", &changed, "--yes"]).ok();
    run(&["drift", "-f", &changed]).ok();
    let dumped = run(&["dump", "providers", "routes"]);
    assert!(dumped.err.contains("tech_headers may hold secrets"), "{}", dumped.err);
    let dumped = service.file("dumped.toml", &dumped.ok());
    run(&["drift", "-f", &dumped]).ok();
    let wrong = service.file(
        "wrong.toml",
        "[routes.x]\nprovider = \"nowhere\"\ntarget = \"all\"\n[providers.y]\nhost = \"a\"\n",
    );
    let refused = run(&["plan", "-f", &wrong]).fails(6);
    assert!(
        refused.contains("no provider called `nowhere`") && refused.contains("valid: hostname"),
        "{refused}"
    );
}

#[test]
fn a_provider_or_route_with_another_name_than_in_the_file_is_found_again() {
    let service = Service::start();
    let token = admin_token(&service);
    let run = |arguments: &[&str]| run_with(&service, &token, arguments);
    let text = "[providers.main]\nname = \"Main carrier\"\nhostname = \"sip.example.com\"\n\
                [routes.all]\nname = \"All calls\"\nprovider = \"main\"\ntarget = \"all\"\n";
    let file = service.file("named.toml", text);
    let applied = run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 2 of 2"), "{}{}", applied.out, applied.err);
    run(&["drift", "-f", &file]).ok();
}

#[test]
fn providers_of_one_name_are_dumped_by_their_ids_and_named_by_them() {
    let service = Service::start();
    let token = admin_token(&service);
    let run = |arguments: &[&str]| run_with(&service, &token, arguments);
    let both = "[providers.a]\nhostname = \"one.example\"\n[providers.b]\nname = \"a\"\nhostname = \"two.example\"\n";
    run(&["apply", "-f", &service.file("both.toml", both), "--yes"]).ok();
    let dumped = service.file("dumped.toml", &run(&["dump", "providers", "routes"]).ok());
    run(&["drift", "-f", &dumped]).ok();
    let route = service.file("route.toml", "[routes.r]\nprovider = \"a\"\ntarget = \"all\"\n");
    let refused = run(&["plan", "-f", &route]).fails(6);
    assert!(refused.contains("several are called `a`"), "{refused}");
}

#[test]
fn what_another_entry_has_by_its_key_is_not_found_by_a_declared_name() {
    let service = Service::start();
    let token = admin_token(&service);
    let run = |arguments: &[&str]| run_with(&service, &token, arguments);
    let first = "[providers.a]\nhostname = \"one.example\"\n\
                 [routes.all]\nprovider = \"a\"\ntarget = \"all\"\n";
    run(&["apply", "-f", &service.file("first.toml", first), "--yes"]).ok();
    let second = "[providers.b]\nname = \"a\"\nhostname = \"two.example\"\n\
                  [routes.gb]\nname = \"all\"\nprovider = \"a\"\ntarget = \"+44\"\n";
    let both = service.file("both.toml", &format!("{first}{second}"));
    let plan = run(&["plan", "-f", &both]).ok();
    assert!(plan.contains("2 to create, 0 to update"), "{plan}");
}

#[test]
fn a_token_of_the_environment_overrides_the_key_of_a_context() {
    let service = Service::start();
    let token = admin_token(&service);
    let context = format!(
        "current = \"a\"\n[contexts.a]\nvoipbin_url = \"{}\"\nvoipbin_key = {{ command = \"echo vb_wrong\" }}\n",
        service.server.voipbin_url()
    );
    service.file("config.toml", &context);
    run_with(&service, &token, &["dump", "providers"]).ok();
}
