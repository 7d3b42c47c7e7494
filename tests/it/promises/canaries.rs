//! Secrets that are easy to recognise are searched for wherever the server shows, logs or prints something.

use std::fs;
use std::process::Stdio;

use http::Method;
use serde_json::{Value, json};
use trunk_server::control::customers::{CUSTOMER_ADMIN, NewAccessKey, NewCustomer};
use trunk_server::control::{NewCallbackSecret, openapi};

use crate::support::api::{Api, http_client};
use crate::support::binary::{Binary, command};
use crate::support::engine;
use crate::support::receiver::{Answer, Receiver};
use crate::support::world::{TRUNKS, UNKNOWN, credentials, patch, with};

/// The text that every secret of these tests contains, unless it is generated.
const CANARY: &str = "canary";

/// Checks that a text has neither a canary nor one of the generated secrets.
#[track_caller]
fn has_no_secret(what: &str, text: &str, generated: &[String]) {
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(CANARY)).take(5).collect();
    assert!(lines.is_empty(), "{what}: {lines:#?}");
    for secret in generated {
        assert!(secret.len() >= 10 && !text.contains(secret.as_str()), "{what} has a generated secret");
    }
}

/// The ends of paths whose answers have no end.
const STREAMS: [&str; 3] = ["/stream", "/follow", "/events"];

#[tokio::test]
async fn no_read_of_the_control_api_and_no_debug_text_has_a_secret() {
    let server = engine::builder()
        .api_key("canary-api-key")
        .callback_secret("canary-callback-secret")
        .control_listener()
        .sip()
        .start()
        .await;
    let (control, account) = (server.control(), server.account());
    let mut generated = Vec::new();
    let made = Api::new(server.base_url(), server.api_key()).post(TRUNKS, &credentials("A")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let password = made.at("/data/attributes/authentication_method/attributes/password");
    let trunk = made.id();
    generated.push(password.as_str().unwrap().to_owned());
    generated.push(control.add_key(account, None).await.unwrap().1.expose().to_owned());
    let second = NewCallbackSecret::default().disabled();
    generated.push(control.add_callback_secret(account, second).await.unwrap().secret.expose().to_owned());
    let customer = NewCustomer::named("Acme");
    let customer =
        customer.webhook("https://example.com/hook", Some("canary-webhook-secret".to_owned().into()));
    let customer = control.create_customer(customer).await.unwrap().id;
    let password = "canary-agent-password".to_owned().into();
    control.create_agent(customer, "ann", password, CUSTOMER_ADMIN).await.unwrap();
    let (_, key) = control.create_access_key(customer, NewAccessKey::default()).await.unwrap();
    generated.push(key.expose().to_owned());

    let at = server.server().control_address().unwrap();
    let api = Api::new(format!("http://{at}/control/v1"), "").with_key(None).at(None);
    let (document, mut read) = (openapi(), 0);
    for (template, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() || STREAMS.iter().any(|end| template.ends_with(end)) {
            continue;
        }
        let id = if template.starts_with("/customers") { customer } else { account };
        let path = template.replace("{id}", &id.to_string());
        let path = path.replace("{call}", UNKNOWN).replace("{call_id}", UNKNOWN);
        let path = path.replace("{type}", "voice_out_trunks").replace("{record}", &trunk);
        let answer = api.get(&path).await;
        has_no_secret(&path, &answer.text, &generated);
        read += usize::from(answer.status == 200);
    }
    assert!(read >= 15, "only {read} reads succeeded");

    has_no_secret("the server", &format!("{server:?}"), &generated);
    has_no_secret("the keys", &format!("{:?}", control.keys(account).await.unwrap()), &generated);
    let secrets = control.callback_secrets(account).await.unwrap();
    assert_eq!(secrets.len(), 2);
    has_no_secret("the callback secrets", &format!("{secrets:?}"), &generated);
}

/// A body that creates a trunk with a callback URL that has a user and a password.
fn notified_at(receiver: &Receiver) -> Value {
    let url = format!("http://ann:canary-url-password@{}/", receiver.address());
    with(credentials("A"), json!({ "callback_url": url }))
}

#[tokio::test]
async fn the_secrets_of_callbacks_and_customers_are_in_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let mut server = command();
    server
        .args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--sip-listen", "off"])
        .args(["--log", "trace", "--allow-loopback-callbacks", "--api-key", "canary-key"])
        .args(["--callback-secret", "canary-callback-secret", "--voipbin-admin", "root:canary-root-password"])
        .arg("--database")
        .arg(folder.path().join("secrets.db"))
        .stderr(Stdio::from(fs::File::create(&log).unwrap()));
    let binary = Binary::launch(server);
    let mut generated = Vec::new();

    let api = Api::new(&binary.base, "canary-key");
    let made = api.post(TRUNKS, &notified_at(&receiver)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let password = made.at("/data/attributes/authentication_method/attributes/password");
    generated.push(password.as_str().unwrap().to_owned());
    let (id, one) = (made.id(), format!("{TRUNKS}/{}", made.id()));
    assert_eq!(api.patch(&one, &patch(&id, json!({ "status": "blocked" }))).await.status, 200);
    // It fails, and the failure is logged.
    let callback = receiver.next().await;
    assert!(callback.header("authorization").is_some() && callback.header("x-didww-signature").is_some());

    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None).at(None);
    let customer = json!({ "name": "Acme", "webhook_secret": "canary-webhook-secret" });
    let customer = control.post("/customers", &customer).await;
    assert_eq!(customer.status, 201, "{}", customer.text);
    let customer = format!("/customers/{}", customer.at("/id").as_str().unwrap());
    let agent = json!({ "username": "ann", "password": "canary-agent-password" });
    assert_eq!(control.post(&format!("{customer}/agents"), &agent).await.status, 201);
    let key = control.post(&format!("{customer}/accesskeys"), &json!({ "name": "scripts" })).await;
    generated.push(key.at("/accesskey").as_str().unwrap().to_owned());
    let wrong = json!({ "username": "bob", "password": ["canary-wrong-password"] });
    assert_eq!(control.post(&format!("{customer}/agents"), &wrong).await.status, 422);

    let platform = binary.base.trim_end_matches("/v3").to_owned();
    let log_in = async |username: &str, password: &str| {
        let body = json!({ "username": username, "password": password }).to_string();
        let request = http_client().request(Method::POST, format!("{platform}/auth/login")).body(body);
        crate::support::api::Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(log_in("ann", "canary-wrong-password").await.status, 400);
    for (username, password) in [("ann", "canary-agent-password"), ("root", "canary-root-password")] {
        let answer = log_in(username, password).await;
        generated.push(answer.at("/token").as_str().unwrap().to_owned());
    }
    assert_eq!(binary.terminate(), Some(0));
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("TRACE") || text.contains("DEBUG"), "the log is talkative: {text}");
    has_no_secret("the log", &text, &generated);
}

#[test]
fn the_secrets_of_callbacks_and_customers_are_in_no_printed_configuration() {
    let settings =
        ["--ephemeral", "--callback-secret=canary-1", "--voipbin-admin=root:canary-2", "--print-config"];
    let output = command().args(settings).stdin(Stdio::null()).output().unwrap();
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(printed.contains("ephemeral") || printed.contains("listen"), "{printed}");
    has_no_secret("the configuration", &printed, &[]);
    has_no_secret("standard error", &said, &[]);
}
