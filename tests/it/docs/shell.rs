//! Runs the shell blocks of a page as a reader would paste them.
//!
//! A line `#> text` is the expected output of the commands since the last such line; `…` matches any text.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::binary::{self, Binary};

const END: &str = "#= end of an expectation";

/// Pastes blocks into one shell, in which `trunk-server` is the built binary with the addresses of the running one.
/// Fails if a command prints something else than expected, or has no expectation.
pub fn paste(page: &str, blocks: &[String], binary: &Binary) {
    let complaints = run(page, blocks, binary, Path::new("."));
    assert!(complaints.is_empty(), "{page}: {complaints}");
}

/// The same in a folder, for commands that read and write files. They may show their progress on standard error.
pub fn paste_in(page: &str, blocks: &[String], binary: &Binary, folder: &Path) {
    run(page, blocks, binary, folder);
}

/// Runs the blocks, and compares their output. Returns their standard error.
fn run(page: &str, blocks: &[String], binary: &Binary, folder: &Path) -> String {
    let text = blocks.concat();
    let expectations: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#> ")).collect();
    let command = |line: &&str| {
        ["curl ", "api ", "vb ", "create ", "trunk-server "].iter().any(|name| line.starts_with(name))
    };
    let commands = text.lines().filter(command).count();
    assert!(commands > 0 && expectations.len() >= commands, "{page}: say with #> what each command prints");

    let end = format!("printf '\\n%s\\n' '{END}'\n");
    let mut script = String::from("set -e\n");
    for line in text.lines() {
        script.push_str(line);
        script.push('\n');
        if line.starts_with("#> ") {
            script.push_str(&end);
        }
    }
    let script = script
        .replace("http://127.0.0.1:8080", binary.base.trim_end_matches("/v3"))
        .replace("http://127.0.0.1:8081/control/v1", binary.control.as_deref().unwrap())
        .replace("http://127.0.0.1:8081", binary.control.as_deref().unwrap().trim_end_matches("/control/v1"));
    assert!(!script.contains(":808"), "{page}: a port is left that is not the server's");

    let output = shell(binary)
        .args(["-c", &script])
        .current_dir(folder)
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{page}: {complaints}\n{printed}");
    let parts: Vec<&str> = printed.split(END).collect();
    for (expected, part) in expectations.iter().zip(parts) {
        let mut rest = part;
        for fragment in expected.split('…').map(str::trim) {
            let (_, after) = rest
                .split_once(fragment)
                .unwrap_or_else(|| panic!("{page}: expected `{fragment}` of `{expected}` in:\n{part}"));
            rest = after;
        }
    }
    complaints
}

/// A shell that finds the built binary, whose commands find the running one.
fn shell(binary: &Binary) -> Command {
    let folder = binary::path().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).unwrap();
    let host = |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut shell = Command::new("sh");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRUNK_SERVER_"))
    {
        shell.env_remove(name);
    }
    shell.env("PATH", path).env("TRUNK_SERVER_LISTEN", host(&binary.base));
    if let Some(control) = &binary.control {
        shell.env("TRUNK_SERVER_CONTROL_LISTEN", host(control));
    }
    if let Some(sip) = binary.sip {
        shell.env("TRUNK_SERVER_SIP_LISTEN", sip.to_string());
    }
    shell
}
