//! The start of the real binary: its settings, its refusals, and secrets that it never prints.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Api, OLD};
use crate::support::binary::{Binary, command, path};

/// Runs the binary to its end.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command().args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// The message of a binary that refuses to start with this exit code.
fn refusal(arguments: &[&str], environment: &[(&str, &str)], code: i32) -> String {
    let output = run(arguments, environment);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    said
}

/// The resulting configuration, as `--print-config` prints it.
fn configuration(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(&[arguments, &["--print-config"]].concat(), environment);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let refused = |url: &str, code: i32| {
        let alone = ["--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off"];
        let said = refusal(&alone, &[("TRUNK_SERVER_DATABASE", url)], code);
        assert!(!said.contains("canary"), "{said}");
        said
    };
    let said = refused("postgres://me:canary@127.0.0.1:1/trunk?sslmode=sometimes", 2);
    assert!(said.contains("postgres://me@127.0.0.1:1/trunk?sslmode=sometimes: the URL"), "{said}");
    let said = refused("mysql://me:canary@127.0.0.1/trunk", 2);
    assert!(said.contains("database is `mysql://me@127.0.0.1/trunk`; give the path of a file"), "{said}");
    // Nothing listens on port 1.
    let said = refused("postgres://me:canary@127.0.0.1:1/trunk", 1);
    assert!(said.contains("postgres://me@127.0.0.1:1/trunk: the database cannot be opened: "), "{said}");
    assert!(said.contains("; check that PostgreSQL runs there"), "{said}");
}

#[test]
fn a_wrong_collector_is_refused_without_its_password_and_the_variables_of_opentelemetry_are_no_settings() {
    let alone = ["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off"];
    let wrong = refusal(&alone, &[("TRUNK_SERVER_OTLP_ENDPOINT", "http://me:canary@127.0.0.1:4318")], 2);
    assert!(wrong.contains("`(hidden)`") && !wrong.contains("canary"), "{wrong}");
    let printed = configuration(&alone, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")]);
    assert!(printed.contains("# otlp_endpoint is not set\n"), "{printed}");
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let file_name = file.to_str().unwrap();
    // Key, value in the file, in the environment, as a flag; and as the configuration is printed.
    let keys = [
        ("listen", r#""127.0.0.1:1""#, "127.0.0.1:2", "127.0.0.1:3"),
        ("control_listen", r#""127.0.0.1:4""#, "off", "127.0.0.1:6"),
        ("database", r#""file.db""#, "environment.db", "flag.db"),
        ("demo", "true", "false", "true"),
        ("otlp_endpoint", r#""http://file.example""#, "http://environment.example", "http://flag.example"),
        ("public_url", r#""https://file.example""#, "https://environment.example", "https://flag.example"),
        ("log", r#""error""#, "debug", "trunk_server=trace"),
        ("log_format", r#""json""#, "text", "json"),
    ];
    for (key, in_file, in_environment, as_flag) in keys {
        fs::write(&file, format!("{key} = {in_file}\n")).unwrap();
        let variable = format!("TRUNK_SERVER_{}", key.to_uppercase());
        let flag = format!("--{}={as_flag}", key.replace('_', "-"));
        let printed = |value: &str| {
            let bare = value.trim_matches('"');
            if key == "demo" { format!("{key} = {bare}\n") } else { format!("{key} = \"{bare}\"\n") }
        };
        let environment = [(variable.as_str(), in_environment)];
        let by_file = configuration(&["--config", file_name], &[]);
        assert!(by_file.contains(&printed(in_file)), "{by_file}");
        let by_environment = configuration(&["--config", file_name], &environment);
        assert!(by_environment.contains(&printed(in_environment)), "{by_environment}");
        let by_flag = configuration(&["--config", file_name, &flag], &environment);
        assert!(by_flag.contains(&printed(as_flag)), "{by_flag}");
    }
    fs::write(&file, "ephemeral = true\n").unwrap();
    let named = [("TRUNK_SERVER_CONFIG", file_name)];
    assert!(configuration(&[], &named).contains("ephemeral = true\n"), "the file too can be named so");
    let by_flag = configuration(&["--database", "kept.db"], &named);
    assert!(by_flag.contains("database = \"kept.db\"\n") && !by_flag.contains("ephemeral"), "{by_flag}");
    let off = configuration(&["--ephemeral=false"], &named);
    assert!(off.contains("database = \"trunk-server.db\"\n"), "{off}");
    for (text, value) in [("1", true), ("yes", true), ("true", true), ("0", false), ("off", false)] {
        let printed = configuration(&[], &[("TRUNK_SERVER_DEMO", text)]);
        assert!(printed.contains(&format!("demo = {value}\n")), "{text}: {printed}");
    }
}

#[test]
fn the_printed_configuration_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let arguments =
        ["--listen=0.0.0.0:80", "--control-listen=off", "--database=a \"b\"\\c.db", "--demo", "--log=debug"];
    let printed = configuration(&arguments, &[]);
    fs::write(&file, &printed).unwrap();
    assert_eq!(configuration(&["--config", file.to_str().unwrap()], &[]), printed);
}

#[test]
fn a_wrong_setting_names_itself_and_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let file_name = file.to_str().unwrap();
    let cases = [
        (
            "\nlisten_on = \"127.0.0.1:1\"",
            vec!["line 2", "`listen_on`", "`listen`", "`control_listen`", "`database`"],
        ),
        ("listen = \"here\"", vec!["listen is `here`", "HOST:PORT"]),
        ("control_listen = \"there\"", vec!["control-listen is `there`", "HOST:PORT"]),
        ("demo = \"maybe\"", vec!["line 1", "maybe", "boolean"]),
        ("public_url = \"ftp://x\"", vec!["public-url is `ftp://x`", "https"]),
        ("log = \"a=b=c\"", vec!["log is `a=b=c`", "info"]),
        ("log_format = \"xml\"", vec!["line 1", "xml", "`text`", "`json`"]),
        ("database = \"a.db\"\nephemeral = true", vec!["database is `a.db`", "not both"]),
        ("listen = ", vec!["line 1"]),
    ];
    for (text, words) in cases {
        fs::write(&file, text).unwrap();
        let said = refusal(&["--config", file_name], &[], 2);
        assert!(said.contains(file_name) || said.contains(" is `"), "{said}");
        for word in words {
            assert!(said.contains(word), "{text}: {word} is not in {said}");
        }
    }
    assert!(refusal(&["--config", "missing.toml"], &[], 2).contains("missing.toml cannot be read"));
    assert!(refusal(&["--ephemeral", "--database", "a.db"], &[], 2).contains("not both"));
    assert!(refusal(&["--listne", "x"], &[], 2).contains("--listen"));
    assert!(refusal(&["--demo=maybe"], &[], 2).contains("maybe"));
    let said = refusal(&["--ephemeral"], &[("TRUNK_SERVER_LISTEN", "here")], 2);
    assert!(said.contains("listen is `here`"), "{said}");
    let said = refusal(&["--ephemeral", "--listen", "203.0.113.1:1", "--control-listen", "off"], &[], 1);
    assert!(said.contains("cannot listen on 203.0.113.1:1"), "{said}");
    let said = refusal(&["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "0.0.0.0:0"], &[], 2);
    assert!(said.contains("--control-token") && said.contains("--control-listen off"), "{said}");
}

#[test]
fn a_secret_is_in_no_printed_configuration_and_in_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let file_name = file.to_str().unwrap();
    let secrets = [("TRUNK_SERVER_API_KEY", "canary-1"), ("TRUNK_SERVER_CONTROL_TOKEN", "canary-2")];
    let printed = configuration(&[], &secrets);
    assert!(!printed.contains("canary") && printed.matches("(hidden)").count() == 2, "{printed}");
    let printed = configuration(&["--api-key=canary-1", "--control-token=canary-2"], &[]);
    assert!(!printed.contains("canary") && printed.matches("(hidden)").count() == 2, "{printed}");
    for text in [
        "api_key = canary-3",
        "api_key = [\"canary-3\"]",
        "api_key = { canary-3 = 1 }",
        "api_key = \"canary-3",
        "api_key = \"canary-3\" control_token = \"canary-4\"",
        "api_key = \"canary-3\"\napi_key = \"canary-4\"",
        "control_token = \"\\canary-4\"",
        "api_key = \"canary-3\"\nlisten = \"here\"",
    ] {
        fs::write(&file, text).unwrap();
        let said = refusal(&["--config", file_name], &[], 2);
        assert!(!said.contains("canary"), "{text}: {said}");
    }
    let key = ["--ephemeral", "--listen=127.0.0.1:0", "--control-listen=off", "--api-key=canary 5"];
    let said = refusal(&key, &[], 2);
    assert!(said.contains("api_key") && !said.contains("canary"), "{said}");
    let help = run(&["--help"], &secrets);
    assert!(!String::from_utf8(help.stdout).unwrap().contains("canary"));
}

#[tokio::test]
async fn a_given_key_belongs_to_an_account_that_can_call_out_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("given.db");
    let arguments = ["--database", database.to_str().unwrap(), "--api-key", "given-key"];
    let mut first_account = None;
    for _ in 0..2 {
        let binary = Binary::start(&arguments);
        assert!(!binary.greeting.contains("given-key"), "{}", binary.greeting);
        let control = Api::new(binary.control.clone().unwrap(), "").with_key(None).at(None);
        let accounts = control.get("/accounts").await.at("/accounts");
        assert_eq!(accounts.as_array().unwrap().len(), 1);
        assert_eq!((&accounts[0]["version"], &accounts[0]["features"]), (&json!(OLD), &json!(["outbound"])));
        let account = first_account.get_or_insert_with(|| accounts[0]["id"].clone());
        assert_eq!(*account, accounts[0]["id"]);
        assert_eq!(Api::new(&binary.base, "given-key").get("/voice_out_trunks").await.status, 200);
        assert_eq!(binary.terminate(), Some(0));
    }
    let binary = Binary::start(&["--database", database.to_str().unwrap(), "--api-key", "another-key"]);
    for key in ["given-key", "another-key"] {
        assert_eq!(Api::new(&binary.base, key).get("/voice_out_trunks").await.status, 200);
    }
}

#[tokio::test]
async fn the_first_start_says_the_key_that_it_made_and_the_second_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("made.db");
    let arguments = ["--database", database.to_str().unwrap()];
    let binary = Binary::start(&arguments);
    let line = binary.greeting.lines().find(|line| line.contains("API key:")).unwrap();
    let key = line.split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(key.len(), 32, "{line}");
    assert_eq!(Api::new(&binary.base, &key).get("/voice_out_trunks").await.status, 200);
    assert_eq!(binary.terminate(), Some(0));

    let again = Binary::start(&arguments);
    assert!(!again.greeting.contains(&key), "{}", again.greeting);
    assert!(again.greeting.contains("the ones made before"), "{}", again.greeting);
    assert_eq!(Api::new(&again.base, &key).get("/voice_out_trunks").await.status, 200);
}

#[tokio::test]
async fn a_new_database_can_begin_with_a_few_dids() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.db");
    let arguments = ["--database", database.to_str().unwrap(), "--api-key", "demo", "--demo"];
    for _ in 0..2 {
        let binary = Binary::start(&arguments);
        let api = Api::new(&binary.base, "demo");
        let total = api.get("/dids").await.at("/meta/total_records");
        assert!(total.as_u64().unwrap() >= 5, "{total}");
        assert_eq!(total, 6, "a second start adds none");
        let emergency = api.get("/dids?filter[emergency_enabled]=true").await;
        assert_eq!(emergency.at("/meta/total_records"), 1);
        for (feature, dids) in [("voice_out", 6), ("sms_in", 3), ("emergency", 2), ("a2p", 0)] {
            let found = api.get(&format!("/dids?filter[did_group.features]={feature}")).await;
            assert_eq!(found.at("/meta/total_records"), dids, "{feature}: {}", found.text);
        }
        let control = Api::new(binary.control.clone().unwrap(), "").with_key(None).at(None);
        let account = control.get("/accounts").await.at("/accounts/0/id").as_str().unwrap().to_owned();
        let secrets = control.get(&format!("/accounts/{account}/callback_secrets")).await;
        let secrets = secrets.at("/callback_secrets");
        assert_eq!((secrets.as_array().unwrap().len(), &secrets[0]["enabled"]), (1, &json!(true)));
        assert_eq!(binary.terminate(), Some(0));
    }
}

#[test]
fn a_database_that_another_server_has_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("used.db");
    let binary = Binary::start(&["--database", database.to_str().unwrap(), "--api-key", "used"]);
    let arguments =
        ["--listen", "127.0.0.1:0", "--control-listen", "off", "--database", database.to_str().unwrap()];
    let said = refusal(&arguments, &[], 1);
    assert!(said.contains("used.db is in use by another trunk-server; stop that one"), "{said}");
    assert_eq!(binary.terminate(), Some(0));
    let again = Binary::start(&["--database", database.to_str().unwrap()]);
    assert_eq!(again.terminate(), Some(0));
}

#[test]
fn a_file_of_another_program_is_refused_and_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "Dear diary").unwrap();
    let arguments =
        ["--listen", "127.0.0.1:0", "--control-listen", "off", "--database", notes.to_str().unwrap()];
    let said = refusal(&arguments, &[], 1);
    assert!(said.contains("notes.txt is not a database of trunk-server"), "{said}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "Dear diary");
}

#[test]
fn a_file_or_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // The superuser may write everywhere, so the server runs as user nobody, who may not read the build's
    // folder.
    let program = folder.path().join("trunk-server");
    fs::copy(path(), &program).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let as_nobody = |database: &Path| {
        let mut command = Command::new(&program);
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--control-listen",
            "off",
            "--api-key",
            "key",
            "--database",
        ]);
        command.arg(database).current_dir("/");
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(database.to_str().unwrap()), "{said}");
        said
    };
    let file = folder.path().join("locked.db");
    Binary::start(&["--database", file.to_str().unwrap(), "--api-key", "key"]).terminate();
    let before = fs::read(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    assert!(as_nobody(&file).contains("cannot be opened for reading and writing"));
    assert_eq!(fs::read(&file).unwrap(), before);

    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    assert!(as_nobody(&closed.join("new.db")).contains("cannot be opened for reading and writing"));
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 0);
}

/// The whole log at the most detailed level, while secrets pass through the server in every possible way.
async fn logged(format: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut server = command();
    server
        .args([
            "--listen",
            "127.0.0.1:0",
            "--control-listen",
            "127.0.0.1:0",
            "--sip-listen",
            "off",
            "--log",
            "trace",
            "--log-format",
            format,
        ])
        .args(["--api-key", "canary-key", "--control-token", "canary-token", "--database"])
        .arg(folder.path().join("secret.db"))
        .stderr(Stdio::from(fs::File::create(&log).unwrap()));
    let binary = Binary::launch(server);
    assert!(!binary.greeting.contains("canary"), "{}", binary.greeting);

    let api = Api::new(&binary.base, "canary-key");
    let method = |allowed: &Value| {
        let inner =
            json!({ "allowed_sip_ips": allowed, "username": "canary-user", "password": "canary-password" });
        json!({ "type": "credentials_and_ip", "attributes": inner })
    };
    let trunk = |name: &str, method: &Value| {
        let attributes =
            json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
        json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } })
    };
    let made = api.post("/voice_out_trunks", &trunk("a", &method(&json!(["203.0.113.5"])))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let inner = made.at("/data/attributes/authentication_method/attributes");
    let mut secrets = vec![inner["password"].as_str().unwrap().to_owned()];
    for wrong in [
        trunk("b", &method(&json!("nowhere"))),
        trunk("b", &json!({ "type": "canary-type", "attributes": { "password": "canary-password" } })),
        trunk("b", &json!("canary-password")),
        json!({ "data": { "type": "voice_out_trunks", "attributes": { "password": "canary-password" } } }),
        json!({ "data": "canary-password" }),
    ] {
        let refused = api.post("/voice_out_trunks", &wrong).await;
        assert!((400..500).contains(&refused.status), "{}", refused.text);
    }
    api.send(Method::POST, "/voice_out_trunks", "{\"password\": canary-password").await;
    let flat = json!({ "name": "c", "on_cli_mismatch_action": "reject_call", "allowed_sip_ips": ["203.0.113.5"],
        "username": "canary-user", "password": "canary-password" });
    api.at(None)
        .post("/voice_out_trunks", &json!({ "data": { "type": "voice_out_trunks", "attributes": flat } }))
        .await;
    assert_eq!(api.with_key(Some("canary-wrong")).get("/dids").await.status, 401);

    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let ask = async |method: Method, path: &str, token: &str, body: &str| {
        let request = control.request(method, path).header("Authorization", format!("Bearer {token}"));
        let answer = request.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask(Method::GET, "/accounts", "canary-guess", "").await.0, 401);
    let (status, made) =
        ask(Method::POST, "/accounts", "canary-token", r#"{"api_key":"canary-second"}"#).await;
    assert_eq!(status, 201, "{made}");
    let (_, made) = ask(Method::POST, "/accounts", "canary-token", "").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    secrets.push(made["api_key"].as_str().unwrap().to_owned());
    for wrong in
        [r#"{"api_key":"canary third"}"#, r#"{"api_key":["canary"]}"#, r#"{"api_key":"canary-second"}"#]
    {
        let (status, said) = ask(Method::POST, "/accounts", "canary-token", wrong).await;
        assert_eq!(status, 422);
        assert!(!said.contains("canary"), "{said}");
    }
    assert_eq!(binary.terminate(), Some(0));
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("TRACE") || text.contains("DEBUG"), "the log is talkative: {text}");
    for secret in secrets {
        assert!(!text.contains(&secret), "a secret that the server made is in its log");
    }
    text
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_its_most_talkative() {
    for format in ["text", "json"] {
        let log = logged(format).await;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("canary")).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

#[test]
fn a_log_filter_that_would_silence_everything_is_refused() {
    for text in ["warning", "loud", "", "info trunk"] {
        let said = refusal(&["--ephemeral", "--log", text], &[], 2);
        assert!(said.contains(&format!("log is `{text}`")) && said.contains("trunk_server=debug"), "{said}");
    }
}

#[test]
fn settings_that_would_start_and_mislead_are_refused() {
    for (arguments, words) in [
        (
            ["--public-url", "https://example.com/v3"],
            ["public-url is `https://example.com/v3`", "without the API's own path"],
        ),
        (["--public-url", "https://example.com/v3/"], ["public-url", "without the API's own path"]),
        (["--public-url", "https://example.com/?a=1"], ["public-url", "without a query"]),
        (["--control-token", ""], ["control-token", "leave the setting out"]),
        (["--api-key", " "], ["api-key", "leave the setting out"]),
    ] {
        let said = refusal(&["--ephemeral", arguments[0], arguments[1]], &[], 2);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.db");
    refusal(&["--database", file.to_str().unwrap(), "--api-key", ""], &[], 2);
    assert!(!file.exists(), "a refused start makes no database");
}

#[test]
fn a_misspelt_variable_is_named_in_the_log() {
    let mut server = command();
    server
        .args(["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off"])
        .env("TRUNK_SERVER_LISTN", "127.0.0.1:1")
        .env("TRUNK_SERVER_SERVICE_HOST", "10.0.0.1")
        .stderr(Stdio::piped());
    let server = Binary::launch(server);
    let log = server.log();
    assert!(log.contains("TRUNK_SERVER_LISTN") && log.contains("nearest=\"TRUNK_SERVER_LISTEN\""), "{log}");
    assert!(!log.contains("TRUNK_SERVER_SERVICE_HOST"), "{log}");
}

#[test]
fn the_greeting_says_where_the_database_is_and_whether_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunks.db");
    let named = file.to_str().unwrap();
    let made = Binary::start(&["--database", named, "--api-key", "first"]);
    assert!(made.greeting.contains(&format!("Database: {named} (made now)")), "{}", made.greeting);
    assert!(made.greeting.contains("API key:  the one given\n"), "{}", made.greeting);
    assert_eq!(made.terminate(), Some(0));
    let opened = Binary::start(&["--database", named, "--api-key", "second"]);
    assert!(opened.greeting.contains(&format!("Database: {named} (opened)")), "{}", opened.greeting);
    assert!(
        opened.greeting.contains("of a new account that is empty (1 were there before)"),
        "{}",
        opened.greeting
    );
    assert!(opened.log().contains("a new, empty account was made"), "{}", opened.log());
}

#[test]
fn a_greeting_among_json_lines_is_one_of_them() {
    let server = Binary::start(&["--ephemeral", "--api-key", "k", "--log-format", "json"]);
    let greeting: Value = serde_json::from_str(&server.greeting).unwrap();
    assert_eq!(greeting["message"], "trunk-server is ready");
    assert_eq!(greeting["api"], json!(server.base));
    assert_eq!(greeting["api_key"], "the one given");
}

#[test]
fn a_closed_standard_output_and_a_hangup_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut server = command();
    server
        .args(["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off"])
        .stdout(Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap()))
        .stderr(Stdio::from(fs::File::create(&log).unwrap()));
    let mut child = server.spawn().unwrap();
    let said = |word: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !fs::read_to_string(&log).unwrap().contains(word) {
            assert!(std::time::Instant::now() < deadline, "{}", fs::read_to_string(&log).unwrap());
            std::thread::yield_now();
        }
    };
    said("standard output takes nothing");
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    };
    signal("-HUP");
    said("were read again");
    signal("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    said("stopped");
}

/// Fills a pipe until nothing reads it any more. The thread ends with the reader.
async fn fill(mut pipe: std::io::PipeWriter) {
    let written = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&written);
    std::thread::spawn(move || {
        while pipe.write_all(b"x").is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = written.load(Ordering::Relaxed);
        if now > 0 && now == before {
            return;
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nothing_reads_halts_neither_requests_nor_the_stop() {
    let (reader, writer) = std::io::pipe().unwrap();
    let other_writer = writer.try_clone().unwrap();
    let mut server = command();
    server
        .args(["--ephemeral", "--api-key", "k", "--listen", "127.0.0.1:0"])
        .args(["--control-listen", "off", "--sip-listen", "off"])
        .stderr(Stdio::from(writer));
    let server = Binary::launch(server);
    fill(other_writer).await;
    let api = Api::new(&server.base, "k").at(Some(OLD));
    let wrong = api.with_key(Some("wrong"));
    for (api, status) in [(&wrong, 401), (&wrong, 401), (&wrong, 401), (&api, 200)] {
        let answer = tokio::time::timeout(Duration::from_secs(20), api.get("/dids")).await;
        assert_eq!(answer.expect("a refusal that is logged is answered").status, status);
    }
    assert_eq!(server.terminate(), Some(0));
    drop(reader);
}

/// The output of a start with a configuration file.
fn refused_file(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunk-server.toml");
    fs::write(&file, text).unwrap();
    refusal(&["--ephemeral", "--config", file.to_str().unwrap()], &[], 2)
}

#[test]
fn every_wrong_value_of_a_file_has_its_line() {
    for (text, words) in [
        ("demo = true\nlisten = \"nowhere\"\n", ["line 2: listen is `nowhere`", "HOST:PORT"]),
        ("\n\nlog = \"loud\"\n", ["line 3: log is `loud`", "give a level"]),
        ("[http]\nconnections = 0\n", ["line 2: http.connections is `0`", "give 1 or more"]),
        ("[accounts]\n\nrate_limit = 100001\n", ["line 3: accounts.rate_limit", "give 1 to 100000"]),
        ("[sip]\nchallenge_code = 403\n", ["line 2: sip.challenge_code is `403`", "401 or 407"]),
        ("[sip]\nrtp_ports = [20000]\n", ["line 2", "give two ports in brackets"]),
        (
            "[[sip.far_end]]\nprefix = \"1\"\nthen = \"nap\"\n",
            ["line 3: sip.far_end.then is `nap`", "give answer"],
        ),
        (
            "[voipbin.hosts]\n\"a.test\" = \"edge\"\n\"b.test\" = \"edgy\"\n",
            ["line 3: voipbin.hosts", "b.test = edgy"],
        ),
        ("listen = 127.0.0.1:24010\n", ["line 1", "a text needs quotation marks: listen = \"…\""]),
        ("listen = localhost:80\n", ["line 1", "a text needs quotation marks"]),
    ] {
        let said = refused_file(text);
        assert!(
            words.iter().all(|word| said.contains(word)) && said.contains("trunk-server.toml"),
            "{text}{said}"
        );
    }
    assert!(!refused_file("control_token = canary\n").contains("canary"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunk-server.toml");
    fs::write(&file, "log = \"info\"\n").unwrap();
    let said = refusal(&["--ephemeral", "--config", file.to_str().unwrap(), "--log", "loud"], &[], 2);
    assert!(
        said.contains("log is `loud`") && !said.contains("line"),
        "the flag is wrong, not the file: {said}"
    );
}

#[test]
fn a_refusal_that_nothing_takes_has_its_exit_code() {
    let code = |arguments: &[&str]| {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut refused = command();
        refused.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(full));
        refused.status().unwrap().code()
    };
    assert_eq!(code(&["--listen", "nowhere"]), Some(2));
    assert_eq!(code(&["--ephemeral", "--demo", "true"]), Some(2));
    assert_eq!(code(&["health", "--listen", "127.0.0.1:1"]), Some(1), "nothing listens there");
}

#[test]
fn mistakes_of_the_command_line_have_an_advice() {
    let said = refusal(&["--ephemeral", "--demo", "true"], &[], 2);
    assert!(said.contains("--demo=true, or --demo alone"), "{said}");
    for control in ["127.0.0.1:24080", "0.0.0.0:24080"] {
        let said =
            refusal(&["--ephemeral", "--listen", "127.0.0.1:24080", "--control-listen", control], &[], 2);
        assert!(said.contains("give another port than that of `listen`"), "{said}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refusal(
        &["--ephemeral", "--listen", &address, "--control-listen", "off", "--sip-listen", "off"],
        &[],
        1,
    );
    assert!(said.contains("another process has this port"), "{said}");
    let elsewhere =
        ["--ephemeral", "--listen", "[2001:db8::1]:0", "--control-listen", "off", "--sip-listen", "off"];
    let said = refusal(&elsewhere, &[], 1);
    assert!(said.contains("this machine has no such address") || said.contains("cannot listen on"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offer.sdp");
    fs::write(&file, "no offer").unwrap();
    let said = refusal(
        &["explain", "--source", "192.0.2.1", "--to", "1", "--from", "2", "--sdp", file.to_str().unwrap()],
        &[],
        1,
    );
    assert!(said.contains("which begins with the line `v=0`"), "{said}");
}
