//! Secrets are printed nowhere.

use serde_json::json;
use voipbin_client::types::{LoginBody, ProviderBody, ProviderCredentials, ProviderSetup, TechHeaders};
use voipbin_client::{Client, Error, Method, RetryPolicy, Uuid};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::canaries::Canaries;
use crate::raw_server::{raw_response, raw_server, unreachable_url};
use crate::support::{ID, builder, error, ok};
use crate::trace_log::Log;

/// Texts that no output may contain.
const CANARIES: Canaries<7> = Canaries([
    "canary-token",
    "canary-accesskey",
    "canary-password",
    "canary-api-key",
    "canary-header",
    "canary-fresh",
    "4711471147",
]);

/// The id of a provider that no other test reads, because the log is that of the whole process.
const TRACED: Uuid = Uuid::from_u128(0x007a_ced0);

fn by_key(base: &str) -> Client {
    builder(base).access_key("canary-accesskey").build().unwrap()
}

fn setup() -> ProviderSetup {
    ProviderSetup { credentials: ProviderCredentials::new("canary-api-key"), ..ProviderSetup::default() }
}

#[tokio::test]
async fn no_secret_is_in_a_debug_text_or_a_trace() {
    let log = Log::begin();
    let server = MockServer::start().await;
    let record = json!({"id": ID, "tech_headers": {"X-Key": "canary-header"}, "later": "canary-header"});
    Mock::given(path("/auth/login"))
        .respond_with(ok(&json!({"username": "u", "token": "canary-fresh"})))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(error(400, "INVALID_ARGUMENT", "no")).mount(&server).await;
    Mock::given(any()).respond_with(ok(&record).insert_header("x-request-id", "req_7")).mount(&server).await;

    let logged_in = builder(&server.uri()).login("u", "canary-password").await.unwrap();
    let client = by_key(&server.uri());
    client.calls().get(ID).await.unwrap_err();
    client.providers().get(TRACED).await.unwrap();
    for client in [&logged_in, &client] {
        let provider = client.providers().get(ID).await.unwrap();
        assert!(format!("{provider:?}").contains("X-Key"));
        CANARIES.assert_absent_from(&format!(
            "{provider:?} {:?} {client:?}",
            ProviderBody::from(provider.clone())
        ));
        client.providers().setup(setup()).await.unwrap_err();
        CANARIES.assert_absent_from(&format!("{:?} {:?}", client.providers(), client.providers().list()));
        let raw = client.raw(Method::GET, "/providers").query("token", "canary-token");
        CANARIES.assert_absent_from(&format!("{raw:?}"));
        CANARIES.assert_absent_from(&format!("{:?}", raw.await.unwrap()));
    }
    let text = log.text();
    CANARIES.assert_absent_from(&text);
    let path = format!("url.path=\"/providers/{TRACED}\"");
    let span = text.lines().find(|line| line.contains(&path) && line.contains("close")).unwrap();
    for field in [
        "voipbin{",
        "http.request.method=\"GET\"",
        "url.template=\"/providers/{id}\"",
        "http.response.status_code=200",
        "voipbin.attempts=1",
        "voipbin.request_id=\"req_7\"",
    ] {
        assert!(span.contains(field), "`{field}` is not in {span}");
    }
}

#[tokio::test]
async fn no_secret_is_in_an_error() {
    let server = MockServer::start().await;
    let wrong = json!({"id": ID, "tech_headers": {"X-Key": 4_711_471_147_u64}});
    Mock::given(path("/auth/login"))
        .respond_with(ok(&json!({"username": "u", "token": 4_711_471_147_u64})))
        .mount(&server)
        .await;
    Mock::given(method("GET")).respond_with(ok(&wrong)).mount(&server).await;
    Mock::given(any()).respond_with(error(400, "INVALID_ARGUMENT", "no")).mount(&server).await;

    let decode = by_key(&server.uri()).providers().get(ID).await.unwrap_err();
    assert!(matches!(decode, Error::Decode(_)));
    CANARIES.assert_absent_from_error(&decode);
    let login = builder(&server.uri()).login("u", "canary-password").await.unwrap_err();
    assert!(matches!(login, Error::Decode(_)));
    CANARIES.assert_absent_from_error(&login);
    CANARIES.assert_absent_from_error(&by_key(&server.uri()).providers().setup(setup()).await.unwrap_err());
}

#[tokio::test]
async fn the_access_key_is_in_no_transport_error() {
    let truncated = raw_server(vec![raw_response("200 OK", 100, "{")]).await;
    let garbage = raw_server(vec!["no http at all\r\n\r\n".to_owned()]).await;
    for base in [unreachable_url().await, truncated, garbage] {
        let client =
            builder(&base).access_key("canary-accesskey").retry(RetryPolicy::none()).build().unwrap();
        let error = client.calls().get(ID).await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error}");
        CANARIES.assert_absent_from_error(&error);
        let login = builder(&base).timeout(std::time::Duration::from_millis(50)).retry(RetryPolicy::none());
        CANARIES.assert_absent_from_error(&login.login("u", "canary-password").await.unwrap_err());
    }
}

#[test]
fn values_built_by_a_program_hide_their_secrets() {
    let login = LoginBody { username: "u".to_owned(), password: "canary-password".into() };
    let headers = TechHeaders::from_iter([("X-Key", "canary-header")]);
    let builder = Client::builder().access_key("canary-accesskey");
    CANARIES.assert_absent_from(&format!(
        "{login:?} {headers:?} {:?} {builder:?} {:?}",
        setup(),
        Client::builder().token("canary-token")
    ));
    let refused = Client::builder().base_url("http://user:canary-password@127.0.0.1/v1.0").token("t");
    CANARIES.assert_absent_from_error(&refused.build().unwrap_err());
}
