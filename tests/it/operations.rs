//! How the binary is run as a service: its messages to systemd, its health check, secrets in files, and a configuration
//! that changes while it runs.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::CommandFactory as _;
use reqwest::Method;
use trunk_server::cli::Cli;

use crate::docs::pages::read;
use crate::sip::certificates::Certificates;
use crate::sip::edge::until;
use crate::support::api::Api;
use crate::support::binary::{Binary, command};

/// The outcome of `trunk-server health` with this environment.
fn health(environment: &[(&str, &str)]) -> Output {
    command().arg("health").envs(environment.iter().copied()).output().unwrap()
}

fn address(binary: &Binary) -> &str {
    let (_, rest) = binary.base.split_once("://").unwrap();
    rest.trim_end_matches("/v3")
}

#[test]
fn the_health_of_a_server_is_an_exit_code() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let tls =
        [("TRUNK_SERVER_API_TLS_CERT", certificate.as_str()), ("TRUNK_SERVER_API_TLS_KEY", key.as_str())];
    let plain = Binary::start(&["--ephemeral"]);
    let secured = Binary::start(&["--ephemeral", "--api-tls-cert", &certificate, "--api-tls-key", &key]);
    for (binary, tls) in [(&plain, &[][..]), (&secured, &tls[..])] {
        let output = health(&[&[("TRUNK_SERVER_LISTEN", address(binary))][..], tls].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ready\n"[..]), "{error}");
    }
    // Another certificate than the server's is that of another server.
    let other = Certificates::make();
    let (other_certificate, other_key) = (other.path("cert.pem"), other.path("key.pem"));
    let output = health(&[
        ("TRUNK_SERVER_LISTEN", address(&secured)),
        ("TRUNK_SERVER_API_TLS_CERT", &other_certificate),
        ("TRUNK_SERVER_API_TLS_KEY", &other_key),
    ]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("another certificate"), "{error}");

    let at = address(&plain).to_owned();
    assert_eq!(plain.terminate(), Some(0));
    let output = health(&[("TRUNK_SERVER_LISTEN", &at)]);
    assert_eq!(output.status.code(), Some(1), "nothing listens there any more");
    let output = health(&[("TRUNK_SERVER_LISTEN", "nowhere")]);
    assert_eq!(output.status.code(), Some(2), "a setting is wrong");
    let output = health(&[("TRUNK_SERVER_LISTEN", "127.0.0.1:0")]);
    assert_eq!(output.status.code(), Some(2), "no port is known");
}

#[test]
fn a_supervisor_is_told_that_the_server_serves_lives_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut server = command();
    server
        .args(["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "100000")
        .env_remove("WATCHDOG_PID");
    let server = Binary::launch(server);
    let next = || {
        let mut message = [0; 512];
        let length = heard.recv(&mut message).expect("the server says something");
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    assert_eq!(next(), format!("READY=1\nSTATUS=serving at {}", server.base));
    assert_eq!([next(), next(), next()], ["WATCHDOG=1"; 3]);
    server.signal("TERM");
    let stopping = std::iter::repeat_with(next).find(|message| message != "WATCHDOG=1").unwrap();
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping}");
    assert_eq!(server.exit_code(), Some(0));
}

#[tokio::test]
async fn secrets_are_read_from_files_and_stand_on_no_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, token) = (file("key", "canary-key\n"), file("token", "canary-token\n"));
    let (secret, admin) = (file("secret", "canary-secret"), file("admin", "root:canary-password\n"));
    let database = file("database", folder.path().join("trunks.db").to_str().unwrap());
    let server = Binary::start(&[
        "--api-key-file",
        &key,
        "--control-token-file",
        &token,
        "--callback-secret-file",
        &secret,
        "--voipbin-admin-file",
        &admin,
        "--database-url-file",
        &database,
    ]);
    assert_eq!(Api::new(&server.base, "canary-key").get("/dids").await.status, 200);
    let control = Api::new(server.control.clone().unwrap(), "").with_key(None);
    assert_eq!(control.get("/accounts").await.status, 401, "the token is asked for");
    let line = fs::read(format!("/proc/{}/cmdline", server.id())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains("canary"));
    assert!(!server.log().contains("canary") && !server.greeting.contains("canary"), "{}", server.greeting);
    assert!(folder.path().join("trunks.db").exists());

    let both =
        command().args(["--api-key", "canary", "--api-key-file", &key, "--print-config"]).output().unwrap();
    let error = String::from_utf8(both.stderr).unwrap();
    assert!(both.status.code() == Some(2) && error.contains("give either the secret or its file"), "{error}");
    assert!(!error.contains("canary"), "{error}");
    let config = file("config.toml", "demo = true\napi_key_file = \"/nowhere\"\n");
    let absent = command().args(["--config", &config, "--print-config"]).output().unwrap();
    let error = String::from_utf8(absent.stderr).unwrap();
    assert!(
        absent.status.code() == Some(2) && error.contains("line 2: api-key-file is `/nowhere`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_signal_takes_over_what_can_change_and_names_what_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("log = \"info\"\n");
    let server = Binary::start(&["--ephemeral", "--api-key", "good", "--config", file.to_str().unwrap()]);
    let api = Api::new(&server.base, "good");
    api.get("/dids").await;
    let logged = async |words: &str| {
        until(words, async || server.log().contains(words).then_some(())).await;
    };
    write("log = \"debug\"\n[accounts]\nrate_limit = 7\nrecord_quota = 9\n");
    server.signal("HUP");
    logged("settings=\"accounts.record_quota\"").await;
    assert!(server.log().contains("live=\"accounts.rate_limit, log\""), "{}", server.log());
    assert!(!server.log().contains("path=\"/v3/dids\""), "nothing was logged at debug level before");
    api.get("/dids").await;
    logged("path=\"/v3/dids\"").await;
    write("log = \"loud\"\n");
    server.signal("HUP");
    logged("the configuration was not read again").await;
    assert_eq!(api.get("/dids").await.status, 200, "it goes on as before");
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_new_token_and_a_new_limit_count_from_the_next_request_on() {
    let folder = tempfile::tempdir().unwrap();
    let (file, token) = (folder.path().join("config.toml"), folder.path().join("token"));
    let write = |text: &str| fs::write(&file, text).unwrap();
    fs::write(&token, "the first one\n").unwrap();
    write("");
    let (config, token_file) = (file.to_str().unwrap(), token.to_str().unwrap());
    let arguments =
        ["--ephemeral", "--api-key", "good", "--config", config, "--control-token-file", token_file];
    let server = Binary::start(&arguments);
    let control = Api::new(server.control.clone().unwrap(), "").with_key(None);
    let status = async |token: &str| {
        let request =
            control.request(Method::GET, "/accounts").header("Authorization", format!("Bearer {token}"));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status("the first one").await, status("the second one").await), (200, 401));
    fs::write(&token, "the second one\n").unwrap();
    write("[accounts]\nrate_limit = 2\n");
    server.signal("HUP");
    until("the configuration was read again", async || {
        server.log().contains("live=\"accounts.rate_limit, control_token\"").then_some(())
    })
    .await;
    assert_eq!((status("the second one").await, status("the first one").await), (200, 401));
    assert!(!server.log().contains("second one"), "{}", server.log());
    let api = Api::new(&server.base, "good");
    // How many of a burst are served.
    let burst = async || {
        let mut successes = 0;
        for _ in 0..6 {
            successes += usize::from(api.get("/dids").await.status == 200);
        }
        successes
    };
    assert!(burst().await < 6, "two in a second");
    write("");
    server.signal("HUP");
    until("there is no limit again", async || (burst().await == 6).then_some(())).await;
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_control_api_beyond_loopback_keeps_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    let listens =
        "listen = \"127.0.0.1:0\"\ncontrol_listen = \"0.0.0.0:0\"\nsip_listen = \"off\"\nephemeral = true\n";
    write(&format!("{listens}control_token = \"the token\"\n"));
    let mut server = command();
    server.arg("--config").arg(&file).env("NO_COLOR", "1").stderr(Stdio::piped());
    let server = Binary::launch(server);
    write(listens);
    server.signal("HUP");
    until("the log names the refusal", async || {
        server.log().contains("is not on loopback; set --control-token").then_some(())
    })
    .await;
    assert!(server.log().contains("it stays as it was"), "{}", server.log());
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_files_for_systemd_and_containers_name_settings_that_exist() {
    let command = Cli::command();
    let known: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()))
        .collect();
    let files = ["systemd/trunk-server.service", "container/Containerfile", "container/compose.yaml"];
    for file in files {
        let text = read(&format!("packaging/{file}"));
        let names = text.match_indices("TRUNK_SERVER_").map(|(start, _)| {
            let rest = &text[start..];
            rest.split(|character: char| !(character.is_ascii_uppercase() || character == '_'))
                .next()
                .unwrap()
        });
        let names: Vec<&str> = names.collect();
        assert!(names.len() >= 4, "{file}: {names:?}");
        for name in names {
            assert!(known.iter().any(|known| known == name), "{file} sets {name}");
        }
    }
    let unit = read("packaging/systemd/trunk-server.service");
    for line in [
        "Type=notify",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ExecReload=/bin/kill -HUP $MAINPID",
        // A database can be away for minutes, and a migration can take as long.
        "StartLimitIntervalSec=0",
        "TimeoutStartSec=infinity",
    ] {
        assert!(unit.lines().any(|written| written == line), "the unit has no {line}");
    }
    let image = read("packaging/container/Containerfile");
    let (_, last) = image.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("scratch\n") && last.contains("\nUSER 65532:65532\n"), "{last}");
    assert!(last.contains("CMD [\"/trunk-server\", \"health\"]"), "{last}");
    // The secrets beside the compose file are in the folder that the image is built of.
    for (file, line) in [
        ("packaging/container/Containerfile.dockerignore", "packaging/container/secrets"),
        (".gitignore", "/packaging/container/secrets"),
    ] {
        assert!(read(file).lines().any(|written| written == line), "{file} has no {line}");
    }
    let compose = read("packaging/container/compose.yaml");
    assert!(compose.contains("test: [CMD, /trunk-server, health]"));
    assert!(!compose.contains("restart: on-failure"), "nothing would be started after the machine was");
    let stopping = compose.matches("restart: unless-stopped").count();
    assert_eq!((stopping, compose.matches("stop_grace_period: 60s").count()), (2, 2));
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        // Without systemd, only the test above runs.
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let unit = read("packaging/systemd/trunk-server.service");
    let program = crate::support::binary::path();
    let unit = unit.replace("/usr/local/bin/trunk-server", program.to_str().unwrap());
    let file = folder.path().join("trunk-server.service");
    fs::write(&file, unit).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let faults: Vec<&str> = said.lines().filter(|line| line.contains("trunk-server.service")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
