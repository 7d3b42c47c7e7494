//! The lines of `docs/trunkctl.md` and of the page for scripts, pasted as a reader pastes them.

use std::fmt::Write as _;
use std::process::Command;

use trunkctl::exit::Exit;

use crate::support::{Service, bare, finish};

const PAGE: &str = include_str!("../../../docs/trunkctl.md");
const SCRIPTS: &str = include_str!("../../../docs/provision-from-a-script.md");
const END: &str = "#= end of an expectation";

/// The shell blocks of a page.
fn blocks(page: &str) -> String {
    let parts = page.split("```sh\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn the_lines_of_the_page_can_be_pasted() {
    paste(PAGE, 15);
}

#[test]
fn the_lines_of_the_page_for_scripts_can_be_pasted() {
    paste(SCRIPTS, 6);
}

/// Pastes the shell blocks of a page, which has more commands than these, into one shell.
fn paste(page: &str, least: usize) {
    let service = Service::with(|builder| builder.api_key("test-key").control_listener().sip());
    service.runtime.block_on(async {
        let did = trunk_server::control::NewDid::new("12025550144");
        service.server.control().add_did(service.server.account(), did).await.unwrap();
    });
    let text = blocks(page);
    let expectations: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#> ")).collect();
    let commands = text.lines().filter(|line| line.starts_with("trunkctl ")).count();
    assert!(commands > least && expectations.len() == commands, "say with #> what each command prints");
    let control = service.server.server().control_address().unwrap();
    let mut script = format!("set -e\nexport TRUNKCTL_CONTROL_URL=http://{control}\n");
    for line in text.lines() {
        writeln!(script, "{line}").unwrap();
        if line.starts_with("#> ") {
            writeln!(script, "printf '\\n%s\\n' '{END}'").unwrap();
        }
    }
    let script = script.replace("http://127.0.0.1:8080/v3", &service.server.base_url());
    assert!(!script.contains(":808"), "a port is left that is not the server's");
    let program = bare(&[]).get_program().to_owned();
    let folder = std::path::Path::new(&program).parent().unwrap().to_owned();
    let path = std::env::join_paths([folder, "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut shell = Command::new("sh");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRUNKCTL_")) {
        shell.env_remove(name);
    }
    shell.args(["-c", &script]).env("PATH", path).env("HOME", service.folder.path());
    shell.env("NO_PROXY", "127.0.0.1").env_remove("XDG_CONFIG_HOME").current_dir(service.folder.path());
    let ran = finish(shell, "");
    assert!(ran.code == 0 && ran.err.is_empty(), "{}\n{}", ran.err, ran.out);
    for (expected, part) in expectations.iter().zip(ran.out.split(END)) {
        let mut rest = part;
        for fragment in expected.split('…').map(str::trim) {
            let (_, after) = rest
                .split_once(fragment)
                .unwrap_or_else(|| panic!("expected `{fragment}` of `{expected}` in:\n{part}"));
            rest = after;
        }
    }
}

#[test]
fn the_exit_codes_of_the_page_are_those_of_the_program() {
    for (exit, meaning) in Exit::ALL {
        let row = format!("| {} | {meaning} |", exit.code());
        assert!(PAGE.contains(&row), "no {row}");
    }
}

#[test]
fn the_variables_of_the_page_are_those_of_the_help() {
    let help = finish(bare(&["--help"]), "").ok();
    for name in ["CONTEXT", "URL", "API_VERSION", "TOKEN_URL", "CONTROL_URL"] {
        let variable = format!("TRUNKCTL_{name}");
        assert!(help.contains(&variable) && PAGE.contains(&format!("`{variable}`")), "{variable}");
    }
}
