//! The limits of requests of a key and of an account, which are one for both servers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::Pair;
use crate::sip::edge::{Edge, until};
use crate::support::api::{Answer, Api, http_client};

/// Requests a second.
const LIMIT: usize = 40;
/// The number of requests that each server admits without a share.
const SLICE: usize = 2;
/// The longest time of requests at the system's speed.
const DRIVEN_FOR: Duration = Duration::from_secs(4);
/// The time between two attempts with a key that a server does not know yet, which stays below the limit of wrong keys.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
/// Number of clients at each server.
const CLIENTS: usize = 4;

/// Creates an account with a limit and a key, and waits until both servers know it. Returns a client of each, and the
/// number of requests that the second server has admitted by then.
async fn limited(pair: &Pair) -> ([Api; 2], usize) {
    let account = json!({ "name": "limited", "rate_limit": LIMIT, "api_key": "limited" });
    pair.one.control_request("/accounts", "POST", &account).await;
    let of = |edge: &Edge| edge.api.with_key(Some("limited"));
    let other = of(&pair.other);
    until("the other server knows the key", async || {
        let admitted = is_admitted(&other).await;
        if admitted.is_none() {
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        }
        admitted
    })
    .await;
    ([of(&pair.one), other], 1)
}

/// Sends a request. Returns whether it is within the limit; `None` if the key is not known yet.
async fn is_admitted(api: &Api) -> Option<bool> {
    let answer = api.get("/dids").await;
    match answer.status {
        401 => return None,
        429 => {
            assert_eq!(answer.text, r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#);
            assert_eq!(answer.headers.get("Retry-After"), None);
        }
        status => assert_eq!(status, 200, "{}", answer.text),
    }
    Some(answer.status == 200)
}

/// Sends requests at once. Returns how many are admitted.
async fn admitted(api: &Api, requests: usize) -> usize {
    let sent = join_all((0..requests).map(|_| is_admitted(api))).await;
    sent.iter().filter(|admitted| **admitted == Some(true)).count()
}

/// Sends requests at these servers until as many as the limit are admitted, with those before, and some more then.
/// Returns how many were admitted in all.
async fn drive(servers: &[&Api], before: usize) -> usize {
    let mut all = before;
    let mut round = async || {
        for now in join_all(servers.iter().map(|api| admitted(api, 10))).await {
            all += now;
        }
        all
    };
    until("the limit is used", async || (round().await >= LIMIT).then_some(())).await;
    for _ in 0..20 {
        round().await;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_second_is_one_for_both_servers_and_all_of_it_is_for_the_one_that_needs_it() {
    let pair = Pair::start().await;
    // The second lasts as long as the test needs.
    for edge in [&pair.one, &pair.other] {
        edge.freeze().await;
    }
    let ([one, other], known) = limited(&pair).await;
    assert_eq!(admitted(&one, 2 * LIMIT).await, LIMIT, "an only server in use admits all at once");
    let mut at_other = known;
    for _ in 0..20 {
        at_other += admitted(&other, 5).await;
    }
    assert_eq!(at_other, SLICE);

    let next_second = async || {
        for edge in [&pair.one, &pair.other] {
            edge.advance(1).await;
        }
    };
    next_second().await;
    assert_eq!(drive(&[&other], 0).await, LIMIT, "what the first server held is free");
    next_second().await;
    let all = drive(&[&one, &other], 0).await;
    assert!((LIMIT..=LIMIT + 2 * SLICE).contains(&all), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_above_its_limit_is_served_at_the_limit_by_both_servers_together() {
    let pair = Pair::start().await;
    let (servers, known) = limited(&pair).await;
    let all = AtomicUsize::new(known);
    let began = Instant::now();
    let drive = async |api: &Api| {
        while began.elapsed() < DRIVEN_FOR {
            all.fetch_add(usize::from(is_admitted(api).await == Some(true)), Ordering::Relaxed);
        }
    };
    join_all(servers.iter().flat_map(|api| std::iter::repeat_n(api, CLIENTS)).map(drive)).await;
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let all = all.into_inner();
    println!("{all} requests were admitted in {:?}", began.elapsed());
    // A second that has begun has all of its requests.
    assert!(all <= (LIMIT + 2 * SLICE) * (seconds + 1), "{all} in {seconds} s");
    assert!(all >= LIMIT * (seconds - 2), "{all} in {seconds} s");
}

/// A price service.
const VOUT: &str = "api-vout.didww.com";

/// What has a budget of the account of its own.
#[derive(Clone, Copy)]
enum Asked<'a> {
    /// Requests for tokens.
    Tokens(&'a Api),
    /// Requests to the price service, with this token.
    Prices(&'a Edge, &'a str),
}

impl Asked<'_> {
    /// Sends a request. Returns whether it is within the limit.
    async fn is_admitted(self) -> bool {
        let answer = match self {
            Self::Tokens(api) => api.mint(&json!({ "aud": "api.didww.com" })).await,
            Self::Prices(edge, token) => {
                let url = format!("{}/lookup/prices?filter[number]=442079460018", edge.binary.base);
                let request = http_client().get(url).header("Host", VOUT);
                let request = request.header("Accept", "application/vnd.api+json").bearer_auth(token);
                Answer::of(request.send().await.unwrap()).await
            }
        };
        assert!(matches!(answer.status, 200 | 429), "{} {}", answer.status, answer.text);
        assert_eq!(answer.status == 429, answer.headers.contains_key("Retry-After"), "{}", answer.text);
        answer.status == 200
    }

    /// Sends requests at once. Returns how many are admitted.
    async fn admitted(self, requests: usize) -> usize {
        let sent = join_all((0..requests).map(|_| self.is_admitted())).await;
        sent.into_iter().filter(|admitted| *admitted).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budgets_of_tokens_and_of_prices_are_one_for_both_servers() {
    let pair = Pair::start().await;
    // The second lasts as long as the test needs.
    for edge in [&pair.one, &pair.other] {
        edge.freeze().await;
    }
    let ([one, other], _) = limited(&pair).await;
    let next_second = async || {
        for edge in [&pair.one, &pair.other] {
            edge.advance(1).await;
        }
    };
    let of_prices = json!({ "aud": VOUT, "scope": "read" });
    let tokens = [one.token(&of_prices).await, other.token(&of_prices).await];
    let of_tokens = [Asked::Tokens(&one), Asked::Tokens(&other)];
    let of_prices = [Asked::Prices(&pair.one, &tokens[0]), Asked::Prices(&pair.other, &tokens[1])];
    for (what, [at_one, at_other]) in [("tokens", of_tokens), ("prices", of_prices)] {
        // Neither has counted anything in this second.
        next_second().await;
        assert_eq!(
            at_one.admitted(2 * LIMIT).await,
            LIMIT,
            "{what}: an only server in use admits all at once"
        );
        let mut second = 0;
        for _ in 0..20 {
            second += at_other.admitted(5).await;
        }
        assert_eq!(second, SLICE, "{what}: the other one has its slice");
        next_second().await;
        let mut all = 0;
        let mut round = async || {
            let (now_one, now_other) = tokio::join!(at_one.admitted(10), at_other.admitted(10));
            all += now_one + now_other;
            all
        };
        until("the limit is used", async || (round().await >= LIMIT).then_some(())).await;
        for _ in 0..20 {
            round().await;
        }
        assert!((LIMIT..=LIMIT + 2 * SLICE).contains(&all), "{what}: {all}");
    }
}
