//! The limit of requests a second, at its documented figure, in every version.

use std::time::Duration;

use didww_types::{ApiVersion, Patch};
use http::header;
use trunk_server::control::AccountPatch;

use crate::docs::pages::read;
use crate::support::api::Answer;
use crate::support::engine;
use crate::support::world::*;

/// Requests a second. DIDWW documents this figure until 2026-04-16; of the budget since then it documents no figure.
const DOCUMENTED: u32 = 20;

/// Checks the refusal of a request that is one too many.
#[track_caller]
fn is_one_too_many(answer: &Answer, version: ApiVersion) {
    if version.uses_tokens() {
        refused(answer, &[error(429, "too_many_requests", "Too Many Requests", "Too Many Requests")]);
        assert_eq!(answer.headers[header::RETRY_AFTER], "1", "{version}");
    } else {
        assert_eq!(answer.text, r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#, "{version}");
        assert_eq!((answer.status, answer.headers.get(header::RETRY_AFTER)), (429, None), "{version}");
        refusal_headers(answer);
    }
}

#[tokio::test]
async fn each_version_admits_its_documented_requests_in_any_second_and_not_one_more() {
    for version in ApiVersion::ALL {
        let world = World::of(engine::builder().version(version)).await;
        let control = world.server.control();
        let clock = control.clock().clone();
        clock.freeze(None);
        let api = world.api.at(Some(version.as_str()));
        // Without a limit so far, nothing is counted. The newest version mints its token here.
        assert_eq!(api.get(DIDS).await.at("/meta/api_version"), version.as_str());
        let mut limit = AccountPatch::default();
        limit.rate_limit = Patch::Set(DOCUMENTED);
        control.update_account(world.server.account(), limit).await.unwrap();
        let admitted = async |requests: usize| {
            let mut admitted = 0;
            for _ in 0..requests {
                let answer = api.get(DIDS).await;
                if answer.status == 200 {
                    admitted += 1;
                } else {
                    is_one_too_many(&answer, version);
                }
            }
            admitted
        };
        // Half of the second's requests now, and the other half in the middle of the second.
        assert_eq!(admitted(10).await, 10, "{version}");
        clock.advance(Duration::from_millis(500));
        assert_eq!(admitted(15).await, 10, "{version}");
        clock.advance(Duration::from_millis(499));
        assert_eq!(admitted(1).await, 0, "{version}: the first ten are less than a second old");
        clock.advance(Duration::from_millis(1));
        assert_eq!(admitted(15).await, 10, "{version}: a refused request is not counted");
        clock.advance(Duration::from_millis(500));
        assert_eq!(admitted(15).await, 10, "{version}");

        let (_, second) = control.add_key(world.server.account(), None).await.unwrap();
        let answer = api.with_key(Some(second.expose())).get(DIDS).await;
        if version.uses_tokens() {
            // The budget is the account's.
            is_one_too_many(&answer, version);
        } else {
            assert_eq!(answer.status, 200, "{version}: each key has its own limit");
        }
    }
}

#[test]
fn the_tested_rate_is_the_one_on_the_page_of_choices() {
    let row = format!("| Rate limit until 2026-04-16 | {DOCUMENTED} requests a second of each key");
    assert!(read("docs/differences.md").contains(&row), "{row}");
}
