//! Tests of the sender against a local listener, and with URLs and host names that it must refuse.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use didww_types::Secret;
use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use trunk_store::EventForm;
use uuid::Uuid;

use super::*;
use crate::policy::policy;
use crate::resolve::{Lookup, Resolver};

/// A resolver that returns the next of its results for each look-up, and repeats the last one.
#[derive(Debug)]
struct ScriptedResolver {
    results: Mutex<VecDeque<Vec<SocketAddr>>>,
    lookups: Mutex<Vec<String>>,
}

impl ScriptedResolver {
    fn new(results: impl IntoIterator<Item = Vec<SocketAddr>>) -> Arc<Self> {
        Arc::new(Self { results: Mutex::new(results.into_iter().collect()), lookups: Mutex::default() })
    }

    fn lookup_count(&self) -> usize {
        self.lookups.lock().unwrap().len()
    }
}

impl Resolver for ScriptedResolver {
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a> {
        self.lookups.lock().unwrap().push(host.to_owned());
        let mut results = self.results.lock().unwrap();
        let result = if results.len() > 1 { results.pop_front() } else { results.front().cloned() };
        let result = result.ok_or_else(|| io::Error::other("there is no such host"));
        Box::pin(std::future::ready(result))
    }
}

fn sender(resolver: &Arc<ScriptedResolver>, allow_loopback: bool) -> Sender {
    let resolver = Arc::clone(resolver) as Arc<dyn Resolver>;
    Sender::new(&Settings { allow_loopback, resolver, ..Settings::default() }, OwnSockets::default())
}

/// Sends a JSON array as a trunk's callback.
async fn send_callback(sender: &Sender, key: &Secret, url: &str, body: &str) -> Outcome {
    let request = Request::callback(key, url, body.to_owned()).unwrap();
    sender.send(policy(&EventForm::Trunk { account: 1 }), request).await
}

/// Sends an event as a customer's webhook.
async fn send_webhook(sender: &Sender, method: &str, url: &str) -> Outcome {
    let form = EventForm::Webhook { customer: Uuid::nil(), method: method.to_owned(), signature: None };
    let request = Request::webhook(method, url, Some("sha256=00"), r#"{"type":"t"}"#.to_owned()).unwrap();
    sender.send(policy(&form), request).await
}

/// A response that redirects to a URL.
fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts a connection and reads one request.
async fn receive(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !is_complete(&request) {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the connection ended within a request");
    }
    (stream, String::from_utf8(request).unwrap())
}

/// Reads one request, sends this response, and returns the request.
async fn serve(listener: &TcpListener, response: &str) -> String {
    let (mut stream, request) = receive(listener).await;
    stream.write_all(response.as_bytes()).await.unwrap();
    request
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

const DONE: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

#[derive(Deserialize)]
struct Vector {
    key: Secret,
    url: String,
    parameters: Option<Value>,
    events: Option<Value>,
    signature: String,
    valid: bool,
}

#[tokio::test]
async fn what_the_sender_puts_on_the_wire_has_the_signatures_of_the_official_vectors() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../../../../fixtures/callbacks/signatures.json")).unwrap();
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]);
    let sender = sender(&resolver, true);
    let mut sent = 0;
    for vector in vectors.iter().filter(|vector| vector.valid) {
        let url = Url::parse(&vector.url).unwrap();
        // The listener has no certificate, and only serves URLs with a name and the default port.
        if url.scheme() != "http"
            || vector.url.contains(":80")
            || vector.url.contains(":443")
            || url.domain().is_none()
            || url.port().is_some()
        {
            continue;
        }
        let body =
            vector.events.clone().unwrap_or_else(|| Value::Array(vec![vector.parameters.clone().unwrap()]));
        let text = body.to_string();
        let (outcome, request) =
            tokio::join!(send_callback(&sender, &vector.key, &vector.url, &text), serve(&listener, DONE));
        assert_eq!(outcome, Outcome::answered(204, None), "{}", vector.url);
        let (head, payload) = request.split_once("\r\n\r\n").unwrap();
        let signature = format!("x-didww-signature: {}", vector.signature);
        assert!(head.lines().any(|line| line.eq_ignore_ascii_case(&signature)), "{}: {head}", vector.url);
        assert!(head.lines().any(|line| line.eq_ignore_ascii_case("content-type: application/json")));
        assert!(head.starts_with("POST /") && !head.contains('#') && !head.contains('@'), "{head}");
        assert_eq!(head.contains("uthorization: Basic dXNlcjpwYXNz"), vector.url.contains("user:pass@"));
        assert_eq!(serde_json::from_str::<Value>(payload).unwrap(), body);
        sent += 1;
    }
    assert!(sent >= 10, "{sent} vectors");
}

/// A URL, the addresses that its host resolves to, and a part of the error with which it is refused.
const HOSTILE: &[(&str, &[&str], &str)] = &[
    ("http://127.0.0.1/", &[], "loopback"),
    ("http://127.0.0.1:8081/control/v1/reset", &[], "loopback"),
    ("https://127.0.0.1/", &[], "loopback"),
    ("http://127.1/", &[], "loopback"),
    ("http://127.0.1/", &[], "loopback"),
    ("http://127.255.255.255/", &[], "loopback"),
    ("http://2130706433/", &[], "loopback"),
    ("http://0x7f000001/", &[], "loopback"),
    ("http://0x7F.0.0.1/", &[], "loopback"),
    ("http://0x7f.1/", &[], "loopback"),
    ("http://0177.0.0.1/", &[], "loopback"),
    ("http://017700000001/", &[], "loopback"),
    ("http://127.0.0.1./", &[], "loopback"),
    ("http://%31%32%37.0.0.1/", &[], "loopback"),
    ("http://①②⑦.⓪.⓪.①/", &[], "loopback"),
    ("http://127。0。0。1/", &[], "loopback"),
    ("http://user:pass@127.0.0.1/", &[], "loopback"),
    ("http://example.com@127.0.0.1/", &[], "loopback"),
    ("http://example.com%2f@127.0.0.1/", &[], "loopback"),
    ("http://127.0.0.1\\@example.com/", &[], "loopback"),
    ("http://[::1]/", &[], "loopback"),
    ("http://[0:0:0:0:0:0:0:1]/", &[], "loopback"),
    ("http://[::]/", &[], "unspecified"),
    ("http://0.0.0.0/", &[], "this network"),
    ("http://0/", &[], "this network"),
    ("http://0x0/", &[], "this network"),
    ("http://0.1.2.3/", &[], "this network"),
    ("http://10.0.0.1/", &[], "private"),
    ("http://167772161/", &[], "private"),
    ("http://0xa.0.0.1/", &[], "private"),
    ("http://012.0.0.1/", &[], "private"),
    ("http://172.16.0.1/", &[], "private"),
    ("http://172.31.255.255/", &[], "private"),
    ("http://192.168.1.1/", &[], "private"),
    ("http://192.168.257/", &[], "private"),
    ("http://169.254.169.254/latest/meta-data/", &[], "link-local"),
    ("http://2852039166/", &[], "link-local"),
    ("http://0xa9fea9fe/", &[], "link-local"),
    ("http://0251.0376.0251.0376/", &[], "link-local"),
    ("http://169.254.170.2/v2/credentials", &[], "link-local"),
    ("http://[fd00:ec2::254]/latest/meta-data/", &[], "private"),
    ("http://168.63.129.16/machine", &[], "cloud"),
    ("http://100.100.100.200/latest/meta-data/", &[], "NAT"),
    ("http://100.64.0.1/", &[], "NAT"),
    ("http://192.0.0.192/opc/v1/instance/", &[], "IETF protocol assignments"),
    ("http://192.0.2.1/", &[], "documentation"),
    ("http://198.51.100.1/", &[], "documentation"),
    ("http://203.0.113.1/", &[], "documentation"),
    ("http://198.18.0.1/", &[], "benchmarking"),
    ("http://198.19.255.255/", &[], "benchmarking"),
    ("http://192.88.99.1/", &[], "6to4"),
    ("http://224.0.0.1/", &[], "multicast"),
    ("http://239.255.255.250:1900/", &[], "multicast"),
    ("http://240.0.0.1/", &[], "reserved"),
    ("http://255.255.255.255/", &[], "broadcast"),
    ("http://4294967295/", &[], "broadcast"),
    ("http://[::ffff:127.0.0.1]/", &[], "IPv6 form"),
    ("http://[::ffff:7f00:1]/", &[], "IPv6 form"),
    ("http://[::ffff:8.8.8.8]/", &[], "IPv6 form"),
    ("http://[::127.0.0.1]/", &[], "IPv6 form"),
    ("http://[::ffff:0:127.0.0.1]/", &[], "not on the public internet"),
    ("http://[64:ff9b::7f00:1]/", &[], "NAT64"),
    ("http://[64:ff9b::169.254.169.254]/", &[], "NAT64"),
    ("http://[64:ff9b:1::a00:1]/", &[], "NAT64"),
    ("http://[2002:7f00:1::]/", &[], "6to4"),
    ("http://[2002:a9fe:a9fe::1]/", &[], "6to4"),
    ("http://[2001:0:7f00:1::]/", &[], "Teredo"),
    ("http://[2001:2::1]/", &[], "IETF protocol assignments"),
    ("http://[2001:10::1]/", &[], "IETF protocol assignments"),
    ("http://[2001:db8::1]/", &[], "documentation"),
    ("http://[3fff::1]/", &[], "documentation"),
    ("http://[100::1]/", &[], "discard-only"),
    ("http://[fc00::1]/", &[], "private"),
    ("http://[fd12:3456:789a::1]/", &[], "private"),
    ("http://[fe80::1]/", &[], "link-local"),
    ("http://[fec0::1]/", &[], "site-local"),
    ("http://[ff02::1]/", &[], "multicast"),
    ("http://[5f00::1]/", &[], "not on the public internet"),
    ("http://[4000::1]/", &[], "not on the public internet"),
    ("http://localhost/", &["127.0.0.1"], "loopback"),
    ("http://localhost./", &["127.0.0.1"], "loopback"),
    ("http://ip6-localhost/", &["::1"], "loopback"),
    ("http://LOCALHOST:8081/", &["::1"], "loopback"),
    ("http://metadata.google.internal/", &["169.254.169.254"], "link-local"),
    ("http://intranet.example/", &["10.1.2.3"], "private"),
    ("https://intranet.example/", &["10.1.2.3"], "private"),
    ("http://127.0.0.1.nip.example/", &["127.0.0.1"], "loopback"),
    ("http://mixed.example/", &["93.184.216.34", "192.168.0.1"], "private"),
    ("http://mixed.example/", &["192.168.0.1", "93.184.216.34"], "private"),
    ("http://mapped.example/", &["::ffff:10.0.0.1"], "IPv6 form"),
    ("http://nat64.example/", &["2606:4700:4700::1111", "64:ff9b::a00:1"], "NAT64"),
    ("http://router.example/", &["fe80::1"], "link-local"),
    ("http://cgnat.example/", &["100.127.255.255"], "NAT"),
    ("http://nowhere.example/", &[], "no address"),
    ("http://example.com:22/", &["93.184.216.34"], "port 22"),
    ("http://example.com:25/", &["93.184.216.34"], "port 25"),
    ("https://example.com:53/", &["93.184.216.34"], "port 53"),
    ("http://example.com:1023/", &["93.184.216.34"], "port 1023"),
    ("http://8.8.8.8:6/", &[], "port 6"),
    ("http://example.com:0/", &["93.184.216.34"], "port 0"),
    ("ftp://example.com/", &["93.184.216.34"], "not an http"),
    ("file:///etc/passwd", &[], "not an http"),
    ("gopher://127.0.0.1:6379/_FLUSHALL", &[], "not an http"),
    ("http://", &[], "not an http"),
    ("http://256.256.256.256/", &[], "not an http"),
    ("//127.0.0.1/", &[], "not an http"),
];

#[tokio::test]
async fn no_hostile_url_is_connected_to() {
    for (url, resolved, why) in HOSTILE {
        let addresses = resolved.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        let resolver = ScriptedResolver::new([addresses]);
        let outcome = send_callback(&sender(&resolver, false), &Secret::new("k"), url, "[]").await;
        assert_eq!(outcome.status, None, "{url}");
        let error = outcome.error.unwrap_or_else(|| panic!("{url} was sent"));
        assert!(error.contains(why), "{url}: {error}");
        // The error must come from the check, and not from a failed connection.
        assert!(!error.contains("no connection") && !error.contains("no answer"), "{url}: {error}");
    }
    assert!(HOSTILE.len() >= 60, "{} rows", HOSTILE.len());
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_connected_to_where_it_was_checked() {
    let ((first, first_at), (second, second_at)) = (listener().await, listener().await);
    let resolver = ScriptedResolver::new([vec![first_at], vec![second_at]]);
    let sender = sender(&resolver, true);
    let key = Secret::new("k");
    let (outcome, _) =
        tokio::join!(send_callback(&sender, &key, "http://rebinding.example/", "[]"), serve(&first, DONE));
    assert_eq!(outcome.status, Some(204));
    assert_eq!(resolver.lookup_count(), 1, "one look-up for an attempt");
    assert!(second.accept().now_or_never().is_none());
}

#[tokio::test]
async fn a_name_is_checked_again_at_each_attempt() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address], vec![SocketAddr::from(([10, 0, 0, 1], 0))]]);
    let sender = sender(&resolver, true);
    let (key, url) = (Secret::new("k"), "http://rebinding.example/");
    let failing = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (outcome, _) = tokio::join!(send_callback(&sender, &key, url, "[]"), serve(&listener, failing));
    assert_eq!(outcome, Outcome::answered(500, Some("answered 500".to_owned())));
    let outcome = send_callback(&sender, &key, url, "[]").await;
    assert_eq!(outcome, Outcome::failed("10.0.0.1 is not allowed: it is private"));
}

#[tokio::test]
async fn the_checked_resolver_returns_a_public_address_and_refuses_a_private_one_after_it() {
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    let resolver = ScriptedResolver::new([
        vec![SocketAddr::new(public, 0)],
        vec![SocketAddr::from(([127, 0, 0, 1], 0))],
    ]);
    let filter = EgressFilter { allow_loopback: false, own: OwnSockets::default() };
    let checked = CheckedResolver { resolver, filter };
    let lookup = || reqwest::dns::Resolve::resolve(&checked, "rebinding.example".parse().unwrap());
    let found: Vec<SocketAddr> = lookup().await.unwrap().collect();
    assert_eq!(found, [SocketAddr::new(public, 0)]);
    assert!(lookup().await.is_err_and(|error| error.is::<Forbidden>()));
}

#[tokio::test]
async fn a_redirect_of_a_trunks_callback_is_not_followed() {
    let ((first, first_at), (second, second_at)) = (listener().await, listener().await);
    let resolver = ScriptedResolver::new([vec![first_at]]);
    let sender = sender(&resolver, true);
    let response = redirect(307, &format!("http://{second_at}/"));
    let key = Secret::new("k");
    let (outcome, _) =
        tokio::join!(send_callback(&sender, &key, "http://example.com/", "[]"), serve(&first, &response));
    assert_eq!(outcome.status, Some(307));
    assert_eq!(outcome.error.as_deref(), Some("answered 307"));
    assert!(second.accept().now_or_never().is_none());
}

#[tokio::test]
async fn a_webhook_is_sent_as_the_customer_set_it() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]);
    let sender = sender(&resolver, true);
    for method in ["POST", "GET", "PUT", "DELETE"] {
        let (outcome, request) = tokio::join!(
            send_webhook(&sender, method, "http://u:p@example.com/a?b=c#d"),
            serve(&listener, DONE)
        );
        assert_eq!(outcome, Outcome::answered(204, None), "{method}");
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("{method} /a?b=c HTTP/1.1\r\n")), "{head}");
        for line in ["content-type: application/json", "x-voipbin-signature: sha256=00"] {
            assert!(head.lines().any(|other| other.eq_ignore_ascii_case(line)), "{line}: {head}");
        }
        assert!(head.contains("uthorization: Basic dTpw"), "{head}");
        assert_eq!(body, r#"{"type":"t"}"#, "{method}");
    }
}

#[tokio::test]
async fn three_redirects_of_a_webhook_are_followed_and_a_fourth_is_a_failure() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]);
    let sender = sender(&resolver, true);
    let fourth = redirect(308, "/hop/4");
    let cases =
        [(DONE, Outcome::answered(204, None)), (&fourth, Outcome::failed("redirected more than 3 times"))];
    for (last, expected) in cases {
        let serving = async {
            for hop in 0..3 {
                let request = serve(&listener, &redirect(308, &format!("/hop/{}", hop + 1))).await;
                assert!(request.starts_with(&format!("POST /hop/{hop} ")), "{request}");
                assert!(request.ends_with(r#"{"type":"t"}"#), "{request}");
            }
            serve(&listener, last).await
        };
        let (outcome, request) =
            tokio::join!(send_webhook(&sender, "POST", "http://example.com/hop/0"), serving);
        assert_eq!(outcome, expected);
        assert!(request.starts_with("POST /hop/3 "), "{request}");
    }
    assert!(listener.accept().now_or_never().is_none());
}

#[tokio::test]
async fn a_redirect_takes_the_body_and_its_signature_along_or_neither() {
    let ((first, first_at), (second, second_at)) = (listener().await, listener().await);
    for (status, repeated) in [(301, false), (302, false), (303, false), (307, true), (308, true)] {
        let resolver = ScriptedResolver::new([vec![first_at], vec![second_at]]);
        let sender = sender(&resolver, true);
        let elsewhere = redirect(status, "http://second.example/x?y");
        let (outcome, _, request) = tokio::join!(
            send_webhook(&sender, "PUT", "http://u:p@first.example/"),
            serve(&first, &elsewhere),
            serve(&second, DONE)
        );
        assert_eq!(outcome, Outcome::answered(204, None), "{status}");
        let method = if repeated { "PUT" } else { "GET" };
        assert!(request.starts_with(&format!("{method} /x?y HTTP/1.1\r\n")), "{status}: {request}");
        assert_eq!(request.contains("x-voipbin-signature: "), repeated, "{status}");
        assert_eq!(request.contains("content-type: "), repeated, "{status}");
        assert_eq!(request.ends_with(r#"{"type":"t"}"#), repeated, "{status}");
        assert!(!request.contains("uthorization"), "the password of one host went to another");
        assert_eq!(*resolver.lookups.lock().unwrap(), ["first.example", "second.example"]);
    }
}

#[tokio::test]
async fn no_redirect_to_a_refused_url_is_followed() {
    let (listener, address) = listener().await;
    for (target, resolved, why) in HOSTILE {
        // Loopback is allowed here, for the listener. All other targets must be refused.
        if *why == "loopback" || target.starts_with("//") {
            continue;
        }
        let addresses = resolved.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        let resolver = ScriptedResolver::new([vec![address], addresses]);
        let sender = sender(&resolver, true);
        let response = redirect(307, target);
        let (outcome, _) = tokio::join!(
            send_webhook(&sender, "POST", "http://public.example/"),
            serve(&listener, &response)
        );
        let error = outcome.error.unwrap_or_else(|| panic!("{target} was followed"));
        assert!(error.starts_with("redirected: ") && error.contains(why), "{target}: {error}");
        assert!(!error.contains("no connection") && !error.contains("no answer"), "{target}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_is_judged_by_its_status() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]);
    let sender = sender(&resolver, true);
    for reply in ["302 Found", "304 Not Modified", "300 Multiple Choices"] {
        let text = format!("HTTP/1.1 {reply}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (outcome, _) =
            tokio::join!(send_webhook(&sender, "POST", "http://example.com/"), serve(&listener, &text));
        assert_eq!(outcome.status, reply[..3].parse().ok());
        assert_eq!(outcome.error, None, "{reply}");
    }
}

#[tokio::test]
async fn the_deadline_of_a_webhook_spans_its_redirects() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]) as Arc<dyn Resolver>;
    let webhook_timeout = Duration::from_millis(300);
    let settings = Settings { allow_loopback: true, resolver, webhook_timeout, ..Settings::default() };
    let sender = Sender::new(&settings, OwnSockets::default());
    let serving = async {
        serve(&listener, &redirect(307, "/next")).await;
        receive(&listener).await
    };
    let (outcome, _hanging) = tokio::join!(send_webhook(&sender, "POST", "http://example.com/"), serving);
    assert_eq!(outcome, Outcome::failed("no answer within 300 ms"));
}

#[tokio::test]
async fn an_endless_response_is_read_to_a_limit_only() {
    let (listener, address) = listener().await;
    let resolver = ScriptedResolver::new([vec![address]]);
    let sender = sender(&resolver, true);
    let endless = async {
        let (mut stream, _) = receive(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").await.unwrap();
        let mut written = 0_usize;
        while stream.write_all(&vec![b'x'; 65_536]).await.is_ok() {
            written += 65_536;
        }
        written
    };
    let key = Secret::new("k");
    let (outcome, written) = tokio::join!(send_callback(&sender, &key, "http://example.com/", "[]"), endless);
    assert_eq!(outcome, Outcome::answered(200, None));
    // The sockets' buffers hold some more than the limit.
    assert!(written < 64 << 20, "{written} bytes were taken");
}

#[test]
fn errors_and_records_never_contain_user_and_password() {
    assert_eq!(
        without_secrets("https://user:pa%40ss@example.com:444/a?b#c"),
        "https://example.com:444/a?b#c"
    );
    assert_eq!(without_secrets("http://only@example.com/"), "http://example.com/");
    assert_eq!(without_secrets("http://a@h/?token=t&b=c"), "http://h/?token=(hidden)&b=c");
    assert_eq!(without_secrets("http://h/?b=c&api%5Fkey=k#d"), "http://h/?b=c&api%5Fkey=(hidden)#d");
    assert_eq!(without_secrets("http://example.com/a%2Fb?x=@"), "http://example.com/a%2Fb?x=@");
}

#[test]
fn a_reason_that_quotes_the_receiver_is_short_and_has_no_control_characters() {
    assert_eq!(shortened("no answer: \0\n\u{1b}ü"), "no answer: ???ü");
    assert_eq!(shortened(&"x".repeat(500)), "x".repeat(500));
    assert_eq!(shortened(&"ü".repeat(60_000)), format!("{}…", "ü".repeat(500)));
}
