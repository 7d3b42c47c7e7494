//! The upper bound for HTTP: axum, a router with one route, and a body that is already in memory.

use std::path::Path;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use bytes::Bytes;
use didww_types::MEDIA_TYPE;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use crate::Outcome;
use crate::child::Running;

/// Serves a file's bytes, to every GET and to every POST once its body is read, until it is killed.
pub(crate) fn serve(file: &Path) -> Outcome<()> {
    let body = Bytes::from(std::fs::read(file)?);
    let written = body.clone();
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response() }
    };
    let post = move |_sent: Bytes| {
        let body = written.clone();
        async move { ([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response() }
    };
    listen(Router::new().route("/v3/{*path}", get(answer).post(post)))
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
