//! The program in a real terminal, which `script` makes: colours, progress and questions, and what bash completes.

use std::path::Path;
use std::process::Command;

use trunk_server::control::NewDid;

use crate::support::{Ran, Service, bare, finish};

/// Runs a line of a shell in a terminal into which this is typed. The output is what the terminal shows.
fn in_terminal(service: &Service, variables: &[(&str, &str)], line: &str, typed: &str) -> Ran {
    let program = bare(&[]).get_program().to_owned();
    let folder = Path::new(&program).parent().unwrap().to_owned();
    let path = std::env::join_paths([folder, "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut terminal = Command::new("script");
    terminal.args(["-q", "-e", "-c", line, "/dev/null"]).current_dir(service.folder.path());
    for (name, value) in service.command(&[]).get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.env_remove("NO_COLOR").env("TERM", "xterm").env("SHELL", "/bin/sh").env("PATH", path);
    terminal.env("HOME", service.folder.path()).env("HISTFILE", "/dev/null").env("INPUTRC", "/dev/null");
    terminal.envs(variables.iter().copied());
    finish(terminal, typed)
}

#[test]
fn colours_are_for_terminals_unless_the_environment_says_otherwise() {
    let service = Service::start();
    let is_painted = |variables: &[(&str, &str)]| {
        let ran = in_terminal(&service, variables, "trunkctl dids get no-such-number", "");
        assert!(ran.code == 4 && ran.out.contains("no-such-number"), "{} {:?}", ran.code, ran.out);
        ran.out.contains("\u{1b}[31merror:")
    };
    assert!(is_painted(&[]));
    assert!(is_painted(&[("NO_COLOR", "")]), "an empty one means nothing");
    assert!(!is_painted(&[("NO_COLOR", "1")]));
    assert!(!is_painted(&[("TERM", "dumb")]));
}

#[test]
fn a_long_list_shows_its_progress_on_a_terminal() {
    let service = Service::start();
    service.runtime.block_on(async {
        let numbers = (0..230).map(|number| NewDid::new(format!("4930{number:06}")));
        service.server.control().add_dids(service.server.account(), numbers).await.unwrap();
    });
    let shown = in_terminal(&service, &[], "trunkctl dids list -o id >ids", "").ok();
    assert!(shown.contains("dids ") && shown.contains("/233 "), "{shown:?}");
    let ids = std::fs::read_to_string(service.folder.path().join("ids")).unwrap();
    assert_eq!(ids.lines().count(), 233, "the results are not among the progress");
}

#[test]
fn a_deletion_is_confirmed_on_a_terminal() {
    let service = Service::start();
    service.trunk("Berlin");
    let delete = "trunkctl voice-out-trunks delete Berlin";
    let kept = in_terminal(&service, &[], delete, "no\n");
    assert!(kept.code == 9 && kept.out.contains("Delete Berlin of voice_out_trunks? Type yes:"), "{kept:?}");
    service.run(&["voice-out-trunks", "get", "Berlin"]).ok();
    assert!(in_terminal(&service, &[], delete, "yes\n").ok().contains("deleted Berlin"));
    service.run(&["voice-out-trunks", "get", "Berlin"]).fails(4);
}

#[test]
fn bash_completes_commands_flags_and_their_values() {
    let service = Service::start();
    let script = service.file("trunkctl.bash", &service.run(&["completion", "bash"]).ok());
    let cases = [
        (
            "trunkctl voice-out-tr\tcreate --on-cli-mismatch-action rej\t--sta\tblo\t",
            "<voice-out-trunks><create><--on-cli-mismatch-action><reject_call><--status><blocked>",
        ),
        (
            "trunkctl voice-out-trunks list --filter status=act\t-o ya\t",
            "<voice-out-trunks><list><--filter><status=active><-o><yaml>",
        ),
        // A name is not followed by a space, and what comes after an absent value is a flag.
        ("trunkctl dids list --filter num\t1 --lim\t3", "<dids><list><--filter><number=1><--limit><3>"),
        ("trunkctl dids list --filter number= --lim\t3", "<dids><list><--filter><number=><--limit><3>"),
        (
            "trunkctl voice-out-trunks list --sort name,-name,created\t--include dids,emer\t",
            "<voice-out-trunks><list><--sort><name,-name,created_at><--include><dids,emergency_dids>",
        ),
        ("trunkctl dids list --columns number,blo\t", "<dids><list><--columns><number,blocked>"),
        ("trunkctl dump voice-out-tr\t-o js\t", "<dump><voice-out-trunks><-o><json>"),
    ];
    // A function stands for the program, and shows the words of the line.
    let mut typed = format!("trunkctl() {{ printf '<%s>' \"$@\"; echo; }}\nsource '{script}'\n");
    for (line, _) in cases {
        typed.push_str(line);
        typed.push('\n');
    }
    let shown = in_terminal(&service, &[], "bash --norc --noprofile -i", &format!("{typed}exit\n")).ok();
    for (line, words) in cases {
        assert!(shown.lines().any(|shown| shown.trim_end().ends_with(words)), "{line:?} in {shown}");
    }
}
