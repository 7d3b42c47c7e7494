//! The upper bound for HTTP: axum, a router with one route, and an answer that is already in memory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use didww_types::MEDIA_TYPE;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;

use crate::Outcome;
use crate::child::Running;

/// An answer to repeat, in a file for its body and one for its headers.
#[derive(Clone)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn read(file: &Path) -> Outcome<Self> {
        let body = Bytes::from(std::fs::read(file)?);
        let mut headers = HeaderMap::new();
        for line in std::fs::read_to_string(headers_of(file))?.lines() {
            let (name, value) = line.split_once(": ").ok_or("a line is not a header")?;
            headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
        }
        Ok(Self { headers, body })
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// The file of the headers of an answer.
fn headers_of(file: &Path) -> PathBuf {
    file.with_extension("headers")
}

/// Stores an answer for [`start`], with all headers but those that each HTTP server writes itself.
pub(crate) fn store(file: &Path, headers: &HeaderMap, body: &[u8]) -> Outcome<()> {
    let own = [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING];
    let mut lines = String::new();
    for (name, value) in headers.iter().filter(|(name, _)| !own.contains(name)) {
        writeln!(lines, "{name}: {}", value.to_str()?)?;
    }
    std::fs::write(headers_of(file), lines)?;
    std::fs::write(file, body)?;
    Ok(())
}

/// The headers of an answer of which only the content type is compared.
pub(crate) fn content_type() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))])
}

/// Serves a stored answer, to every GET and to every POST once its body is read, until it is killed.
pub(crate) fn serve(file: &Path) -> Outcome<()> {
    let answer = Answer::read(file)?;
    let posted = answer.clone();
    let get_answer = move || {
        let response = answer.response();
        async move { response }
    };
    let post_answer = move |_sent: Bytes| {
        let response = posted.response();
        async move { response }
    };
    listen(Router::new().route("/v3/{*path}", get(get_answer).post(post_answer)))
}

/// Serves a router on a random port of loopback, and prints the port's URL.
pub(crate) fn listen(router: Router) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        // `trunk-server` sets `TCP_NODELAY` on its connections too.
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _best_effort = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// Starts this program as the bare server. Returns the process and its base URL.
pub(crate) fn start(file: &Path) -> Outcome<(Running, String)> {
    child("--bare", file)
}

/// Starts this program with a flag that takes the file of an answer. Returns the process and its base URL.
pub(crate) fn child(flag: &str, file: &Path) -> Outcome<(Running, String)> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.arg(flag).arg(file);
    Running::announced(&mut command, |line| line.starts_with("http://").then(|| format!("{line}/v3")))
}
