//! Guesses at passwords and tokens, and legitimate logins during them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use trunk_server::{Proxies, ProxyHeader};

use super::caller::{Answer, Caller};
use super::refusal::*;
use super::stage::*;

/// A server behind a proxy on this machine, so that a test can be any client.
async fn behind_a_proxy() -> Stage {
    let networks = didww_types::values::IpNetworks::parse(["127.0.0.1"]).unwrap();
    Stage::with(|config| config.http.proxies = Proxies::new(&networks, ProxyHeader::Either)).await
}

fn client(stage: &Stage, address: &str) -> Caller {
    stage.anonymous().header(format!("X-Forwarded-For: {address}"))
}

async fn log_in_from(stage: &Stage, address: &str, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password });
    client(stage, address).below("").post("/auth/login", &body).await
}

/// Number of guessing clients.
const GUESSERS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_who_guess_at_a_password_keep_nobody_from_logging_in() {
    let stage = Arc::new(behind_a_proxy().await);
    // A user who shares an address with guessers, and has logged in from there before.
    log_in_from(&stage, "198.51.100.7", "root", "correct horse").await.ok();
    let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let guessers: Vec<_> = (0..GUESSERS)
        .map(|n| {
            let (stage, over, refused) = (Arc::clone(&stage), Arc::clone(&over), Arc::clone(&refused));
            // Half of them from one address, with various names; half from different addresses.
            let (address, name) = match n % 2 {
                0 => ("198.51.100.7".to_owned(), format!("name{}", n % 10)),
                _ => (format!("203.0.{}.{}", 113 + n / 256, n % 256), "root".to_owned()),
            };
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let status = log_in_from(&stage, &address, &name, "wrong").await.status;
                    assert!([400, 429, 503].contains(&status), "{status}");
                    refused.fetch_add(usize::from(status != 400), Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    while refused.load(Ordering::Relaxed) < GUESSERS {
        tokio::task::yield_now().await;
    }
    for _ in 0..4 {
        log_in_from(&stage, "198.51.100.7", "root", "correct horse").await.ok();
    }
    over.store(true, Ordering::Relaxed);
    for guesser in guessers {
        guesser.await.unwrap();
    }
    log_in_from(&stage, "192.0.2.1", "root", "correct horse").await.ok();
}

#[tokio::test]
async fn who_fails_to_log_in_too_often_learns_nothing_more_and_others_log_in_with_the_same_name() {
    let networks = didww_types::values::IpNetworks::parse(["127.0.0.1"]).unwrap();
    let stage = Stage::with(|config| {
        config.http.proxies = Proxies::new(&networks, ProxyHeader::Either);
        config.voipbin.platform.login_rate = (0, 0);
    })
    .await;
    stage.control().clock().freeze(None);
    // An existing name and an unknown one.
    for (address, name) in [("198.51.100.7", "root"), ("198.51.100.9", "nobody")] {
        for n in 0..20 {
            let answer = log_in_from(&stage, address, name, &format!("wrong {n}")).await;
            assert_eq!((answer.status, answer.text.as_str()), (400, ""), "{name}");
        }
        for password in ["wrong", "correct horse"] {
            let answer = log_in_from(&stage, address, name, password).await;
            answer.refused(&too_many("ip"));
            assert_eq!(answer.header("retry-after"), Some("3"), "{name}");
        }
    }
    log_in_from(&stage, "198.51.100.8", "root", "correct horse").await.ok();
    stage.control().clock().advance(std::time::Duration::from_secs(3));
    log_in_from(&stage, "198.51.100.7", "root", "correct horse").await.ok();
}

#[tokio::test]
async fn tokens_and_access_keys_are_not_guessed_at_without_end() {
    let stage = behind_a_proxy().await;
    stage.control().clock().freeze(None);
    let guesser = client(&stage, "198.51.100.7");
    for n in 0..60 {
        let guess = format!("guess{n}");
        let asked = if n % 2 == 0 { guesser.token(&guess) } else { guesser.key(&guess) };
        asked.get("/providers").await.refused(&invalid_credentials());
    }
    let key = stage.key(stage.admin, Some(SUPER_ADMIN)).await;
    let guess = guesser.key("guess").get("/providers").await;
    guess.refused(&too_many("ip"));
    assert_eq!(guess.header("retry-after"), Some("1"));
    key.header("X-Forwarded-For: 198.51.100.7").get("/providers").await.refused(&too_many("ip"));
    key.header("X-Forwarded-For: 198.51.100.8").get("/providers").await.ok();
    stage.anonymous().get("/providers").await.refused(&authentication_required());
}
