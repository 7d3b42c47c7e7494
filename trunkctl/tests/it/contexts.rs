//! The choice of the service and of the key, and the resulting messages.

use crate::support::{Service, bare, finish};

#[test]
fn a_context_has_the_url_and_the_place_of_the_key() {
    let service = Service::start();
    let config = service.folder.path().join("config.toml");
    let key = service.file("key", &format!("{}\n", service.server.api_key()));
    let run = |arguments: &[&str]| {
        let mut command = bare(arguments);
        command.env("TRUNKCTL_CONFIG", &config).env("TEST_KEY", service.server.api_key());
        finish(command, "")
    };
    let url = service.server.base_url();
    run(&["context", "set", "test", "--url", &url, "--api-key-file", &key]).ok();
    assert_eq!(run(&["dids", "list", "-o", "id"]).ok().lines().count(), 3);
    run(&["context", "set", "env", "--url", &url, "--api-key-env", "TEST_KEY"]).ok();
    run(&["context", "set", "command", "--url", &url, "--api-key-command", &format!("cat {key}")]).ok();
    for name in ["test", "env", "command"] {
        let table = run(&["--context", name, "dids", "list"]).ok();
        assert!(table.starts_with("ID ") && table.contains("37061498222"), "{table}");
    }
    run(&["context", "use", "env"]).ok();
    let contexts = run(&["context", "list", "-o", "json"]).json();
    assert_eq!(contexts[1]["id"], "env");
    assert_eq!(contexts[1]["current"], true);
    assert_eq!(contexts[1]["api_key"], "the variable TEST_KEY");
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(!written.contains(service.server.api_key()), "{written}");
    run(&["context", "remove", "env"]).ok();
    assert!(run(&["context", "use", "env"]).fails(2).contains("known: command, test"));
}

#[test]
fn a_link_to_the_file_of_contexts_stays() {
    let folder = tempfile::TempDir::new().unwrap();
    let [file, link] = ["dotfiles.toml", "config.toml"].map(|name| folder.path().join(name));
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut command = bare(&["context", "set", "test", "--url", "sandbox"]);
    command.env("TRUNKCTL_CONFIG", &link);
    finish(command, "").ok();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().contains("sandbox"));
}

#[test]
fn a_key_in_the_keyring_is_named_and_a_build_without_one_says_so() {
    let service = Service::start();
    let config = service.folder.path().join("config.toml");
    let run = |arguments: &[&str]| {
        let mut command = bare(arguments);
        command.env("TRUNKCTL_CONFIG", &config).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        finish(command, "s3cret\n")
    };
    let url = service.server.base_url();
    run(&["context", "set", "home", "--url", &url, "--api-key-keyring", "didww"]).ok();
    let contexts = run(&["context", "list", "-o", "json"]).json();
    assert_eq!(contexts[0]["api_key"], "the entry `didww` of the keyring");
    let refused = run(&["dids", "list"]).fails(2);
    assert!(refused.contains("`didww`") && refused.contains("keyring"), "{refused}");
    let stored = run(&["context", "store", "didww"]).fails(2);
    assert!(stored.contains("keyring") && !stored.contains("s3cret"), "{stored}");
    let both = ["context", "set", "home", "--api-key-keyring", "a", "--api-key-env", "B"];
    assert!(run(&both).fails(2).contains("cannot be used with"));
}

#[test]
fn the_key_of_a_context_is_not_sent_to_another_url() {
    let service = Service::start();
    let config = service.folder.path().join("config.toml");
    let key = service.file("key", "a-key");
    let run = |arguments: &[&str]| {
        let mut command = bare(arguments);
        command.env("TRUNKCTL_CONFIG", &config);
        finish(command, "")
    };
    run(&["context", "set", "production", "--url", "production", "--api-key-file", &key]).ok();
    let refused = run(&["--url", &service.server.base_url(), "dids", "list"]).fails(2);
    assert!(refused.contains("no API key") && refused.contains("that context alone"), "{refused}");
}

#[test]
fn what_is_missing_or_wrong_has_its_exit_code_and_says_what_to_do() {
    let service = Service::start();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = bare(arguments);
        command.env("TRUNKCTL_CONFIG", service.folder.path().join("config.toml"));
        command.envs(variables.iter().copied());
        finish(command, "")
    };
    let url = service.server.base_url();
    assert!(run(&[], &["dids", "list"]).fails(2).contains("trunkctl context set"));
    let empty = [("TRUNKCTL_URL", ""), ("TRUNKCTL_CONTEXT", ""), ("TRUNKCTL_TOKEN_URL", "")];
    assert!(run(&empty, &["dids", "list"]).fails(2).contains("trunkctl context set"));
    assert!(run(&[("TRUNKCTL_URL", &url)], &["dids", "list"]).fails(2).contains("TRUNKCTL_API_KEY"));
    let wrong = [("TRUNKCTL_URL", url.as_str()), ("TRUNKCTL_API_KEY", "s3cret-key")];
    let denied = run(&wrong, &["dids", "list"]).fails(5);
    assert!(!denied.contains("s3cret"), "{denied}");
    // The type needs a feature of the account, of which a wrong key says nothing.
    run(&wrong, &["dump", "voice-out-trunks"]).fails(5);
    let closed = [("TRUNKCTL_URL", "http://127.0.0.1:1/v3"), ("TRUNKCTL_API_KEY", "k")];
    assert!(run(&closed, &["dids", "list"]).fails(7).contains("127.0.0.1:1"));
    service.file("config.toml", "[contexts.a]\napi_key = \"s3cret-key\"\n");
    let refused = run(&[], &["dids", "list"]).fails(2);
    assert!(
        refused.contains("config.toml") && refused.contains("line 2") && !refused.contains("s3cret"),
        "{refused}"
    );
}

#[test]
fn the_key_is_no_argument() {
    let help = finish(bare(&["--help"]), "").ok();
    assert!(help.contains("--api-key-file") && !help.contains("--api-key "), "{help}");
    assert_eq!(finish(bare(&["--api-key", "k", "dids", "list"]), "").code, 2);
}

#[test]
fn the_exit_codes_are_in_the_help() {
    let help = finish(bare(&["--help"]), "").ok();
    for line in ["0  success", "2  the command line", "9  a safety limit"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn colours_and_progress_are_for_terminals() {
    let service = Service::start();
    let failed = service.run(&["dids", "get", "no-such-number"]).fails(4);
    assert!(failed.starts_with("error: ") && !failed.contains('\u{1b}'), "{failed:?}");
    let painted = service.run(&["--color", "always", "dids", "get", "no-such-number"]).fails(4);
    assert!(painted.starts_with("\u{1b}[31merror:"), "{painted:?}");
    let listed = service.run(&["dids", "list"]);
    assert_eq!(listed.err, "");
}

#[test]
fn completions_and_manual_pages_name_resources_members_and_values() {
    let service = Service::start();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = service.run(&["completion", shell]).ok();
        for word in ["voice-out-trunks", "capacity-limit", "on-cli-mismatch-action"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let zsh = service.run(&["completion", "zsh"]).ok();
    assert!(zsh.contains("replace_cli") && zsh.contains("status=active"), "values are completed");
    let folder = service.folder.path().join("man");
    std::fs::create_dir(&folder).unwrap();
    service.run(&["man", folder.to_str().unwrap()]).ok();
    let page = std::fs::read_to_string(folder.join("trunkctl-voice-out-trunks-create.1")).unwrap();
    assert!(page.contains("capacity") && page.contains(".TH"), "{page}");
    assert!(service.run(&["man"]).ok().contains("trunkctl"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let service = Service::start();
    let command = service.command(&["completion", "bash"]);
    let program = command.get_program().to_str().unwrap().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{{ {program} completion bash; echo $? >&2; }} | head -1 >/dev/null")]);
    let ran = finish(shell, "");
    assert_eq!(ran.err.trim(), "0");
}
