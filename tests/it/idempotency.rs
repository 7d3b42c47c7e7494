//! Idempotency keys on the three APIs: a POST that is repeated has one effect, and the first response.

mod crash;
pub mod door;
mod sdk;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use trunk_server::Clock;

use self::door::{Answered, Door, Doors};

const KEY: &str = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"";

#[track_caller]
fn is_replay(first: &Answered, repeated: &Answered, door: &Door) {
    assert_eq!((repeated.status, &repeated.body), (first.status, &first.body), "{}", door.name);
    assert_eq!(repeated.header("content-type"), first.header("content-type"), "{}", door.name);
    assert_eq!(first.header("idempotency-replayed"), None, "{}", door.name);
    assert_eq!(repeated.header("idempotency-replayed"), Some("true"), "{}", door.name);
}

#[tokio::test]
async fn a_repeated_request_has_one_effect_and_the_first_response() {
    let doors = Doors::start().await;
    for door in doors.all() {
        let before = door.count().await;
        let first = door.post(KEY, &door.body).await;
        assert_eq!(first.status, door.created, "{}: {}", door.name, first.body);
        for _ in 0..3 {
            is_replay(&first, &door.post(KEY, &door.body).await, door);
        }
        assert_eq!(door.count().await, before + 1, "{}", door.name);
        let other = door.post("\"another\"", &door.other_body).await;
        assert_eq!(other.header("idempotency-replayed"), None);
        assert_eq!(door.count().await, before + 2, "{}: another key is another request", door.name);
    }
}

#[tokio::test]
async fn a_refused_request_is_refused_again_in_the_same_words() {
    let doors = Doors::start().await;
    for door in doors.all() {
        let first = door.post(KEY, &door.wrong_body).await;
        assert!((400..500).contains(&first.status), "{}: {}", door.name, first.body);
        is_replay(&first, &door.post(KEY, &door.wrong_body).await, door);
    }
}

#[tokio::test]
async fn a_key_with_another_body_or_path_is_refused_in_the_words_of_the_api() {
    let doors = Doors::start().await;
    for door in doors.all() {
        assert_eq!(door.post(KEY, &door.body).await.status, door.created);
        let before = door.count().await;
        for (url, body) in [(&door.url, &door.other_body), (&door.other_url, &door.body)] {
            let refused = door.post_to(url, KEY, body).await;
            door.is_error(&refused, 422, "has been used by a request with another");
        }
        assert_eq!(door.count().await, before, "{}", door.name);
    }
}

#[tokio::test]
async fn a_malformed_key_is_refused_in_the_words_of_the_api_and_only_on_a_post() {
    let doors = Doors::start().await;
    for door in doors.all() {
        let before = door.count().await;
        for key in ["", "8e03978e", "\"\"", "\"a\"; b", &format!("\"{}\"", "k".repeat(256))] {
            door.is_error(&door.post(key, &door.body).await, 400, "in double quotes");
        }
        assert_eq!(door.count().await, before, "{}", door.name);
        assert_eq!(door.get("malformed").await.status, 200, "{}: a GET has no key", door.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_parallel_duplicates_one_has_an_effect() {
    let doors = Doors::start().await;
    for door in doors.all() {
        let before = door.count().await;
        let answers = join_all((0..100).map(|_| door.post(KEY, &door.body))).await;
        let mut firsts = Vec::new();
        for answer in &answers {
            match (answer.status, answer.header("idempotency-replayed")) {
                (409, None) => {
                    door.is_error(answer, 409, "is in progress");
                    assert_eq!(answer.header("retry-after"), Some("1"), "{}", door.name);
                }
                (_, None) => firsts.push(answer),
                (_, Some(_)) => {}
            }
        }
        let [first] = firsts.as_slice() else { panic!("{}: {firsts:?}", door.name) };
        assert_eq!(first.status, door.created, "{}", door.name);
        for replay in answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some()) {
            is_replay(first, replay, door);
        }
        is_replay(first, &door.post(KEY, &door.body).await, door);
        assert_eq!(door.count().await, before + 1, "{}", door.name);
    }
}

#[tokio::test]
async fn the_same_key_of_two_apis_and_of_two_accounts_is_two_keys() {
    let doors = Doors::start().await;
    let mut statuses = BTreeMap::new();
    for door in doors.all() {
        statuses.insert(door.name, door.post(KEY, &door.body).await.status);
    }
    assert!(doors.all().all(|door| statuses[door.name] == door.created), "{statuses:?}");
    let other = doors.other_account().await;
    let answer = other.post(KEY, &other.body).await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, None), "{}", answer.body);
}

#[tokio::test]
async fn an_account_does_not_share_its_keys_between_versions() {
    let doors = Doors::start().await;
    let door = &doors.didww;
    assert_eq!(door.post(KEY, &door.body).await.status, 201);
    let older = Door { headers: door.headers_at("2022-05-10"), ..door.clone() };
    older.is_error(&older.post(KEY, &door.body).await, 422, "version");
}

#[tokio::test]
async fn members_are_added_once_and_the_empty_response_is_replayed() {
    let doors = Doors::start().await;
    let door = &doors.didww;
    let trunk = door.post("\"trunk\"", &door.body).await.json()["data"]["id"].as_str().unwrap().to_owned();
    let did = doors.did().await;
    let url = format!("{}/{trunk}/relationships/dids", door.url);
    let linkage = json!({ "data": [{ "type": "dids", "id": did }] });
    let first = door.post_to(&url, KEY, &linkage).await;
    assert_eq!((first.status, first.body.as_str()), (204, ""));
    is_replay(&first, &door.post_to(&url, KEY, &linkage).await, door);
}

#[tokio::test]
async fn a_key_is_valid_for_a_day_on_the_servers_clock() {
    let clock = Clock::system();
    let doors = Doors::with_clock(clock.clone()).await;
    clock.freeze(None);
    for door in doors.all() {
        assert_eq!(door.post(KEY, &door.body).await.status, door.created);
    }
    clock.advance(Duration::from_hours(24) - Duration::from_millis(1));
    for door in doors.all() {
        let repeated = door.post(KEY, &door.body).await;
        assert_eq!(repeated.header("idempotency-replayed"), Some("true"), "{}", door.name);
    }
    clock.advance(Duration::from_millis(1));
    for door in doors.all() {
        let anew = door.post(KEY, &door.other_body).await;
        assert_eq!((anew.status, anew.header("idempotency-replayed")), (door.created, None), "{}", anew.body);
    }
}

#[tokio::test]
async fn a_reset_forgets_the_keys_of_its_account_and_not_its_own() {
    let doors = Doors::start().await;
    let (didww, control) = (&doors.didww, &doors.control);
    assert_eq!(didww.post(KEY, &didww.body).await.status, 201);
    let reset = control.url.replace("/accounts", "/reset");
    let first = control.post_to(&reset, KEY, &json!({})).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let anew = didww.post(KEY, &didww.body).await;
    assert_eq!((anew.status, anew.header("idempotency-replayed")), (201, None), "{}", anew.body);
    is_replay(&first, &control.post_to(&reset, KEY, &json!({})).await, control);
    assert_eq!(didww.count().await, 1, "the repeated reset has reset nothing");
}
