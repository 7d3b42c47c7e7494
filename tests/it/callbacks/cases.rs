//! The cases of callbacks in `docs/conformance.md`, each at both versions that it names.

use std::time::Duration;

use super::{
    Active, Answer, Blocked, NEW, Receiver, SECRET, TOKENS, deliveries, set, settings, start, states, trunk,
};

#[tokio::test]
async fn n75_a_block_and_an_activation_by_hand_are_two_events() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (server, api) = start(settings()).await;
    let url = receiver.url("/");
    let mut sent = 0;
    for version in [NEW, TOKENS] {
        let api = api.at(Some(version));
        let id = trunk(&api, version, &url).await;
        for (status, state) in [("blocked", Blocked), ("active", Active)] {
            set(&api, &id, status).await;
            let events = receiver.next().await.verified(&url, SECRET);
            assert_eq!(states(&events), [(state, false)], "{version}");
            assert_eq!(events[0].id.as_str(), id, "{version}");
            sent += 1;
            let delivered = deliveries(&server.control(), sent).await;
            assert_eq!((delivered.len(), delivered[sent - 1].events), (sent, 1), "{version}");
        }
    }
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn n76_the_status_298_is_success_and_299_and_302_are_repeated() {
    for version in [NEW, TOKENS] {
        for (status, is_success) in [(298, true), (299, false), (302, false)] {
            let mut receiver = Receiver::start(Answer::Status(status)).await;
            let (server, api) = start(settings()).await;
            let (api, control) = (api.at(Some(version)), server.control());
            let url = receiver.url("/");
            let id = trunk(&api, "Answered", &url).await;
            set(&api, &id, "blocked").await;
            assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Blocked, false)]);
            let first = deliveries(&control, 1).await;
            let error = (!is_success).then(|| format!("answered {status}"));
            assert_eq!((first[0].status, &first[0].error), (Some(status), &error), "{version}");
            control.clock().advance(Duration::from_mins(1));
            if is_success {
                // The next callback is another event, alone and sent for the first time.
                set(&api, &id, "active").await;
            }
            let state = if is_success { Active } else { Blocked };
            let events = receiver.next().await.verified(&url, SECRET);
            assert_eq!(states(&events), [(state, false)], "{version} {status}");
            let second = deliveries(&control, 2).await;
            let attempt = if is_success { 1 } else { 2 };
            let expected = (attempt, 1, Some(status));
            assert_eq!((second[1].attempt, second[1].events, second[1].status), expected, "{version}");
            assert_eq!(receiver.untaken(), 0);
        }
    }
}

#[tokio::test]
async fn n77_two_events_go_together_after_two_failures() {
    for version in [NEW, TOKENS] {
        let mut receiver = Receiver::start(Answer::Status(500)).await;
        let (server, api) = start(settings()).await;
        let (api, control) = (api.at(Some(version)), server.control());
        let url = receiver.url("/");
        let id = trunk(&api, "Failing", &url).await;
        set(&api, &id, "blocked").await;
        for attempt in 1..=2 {
            assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Blocked, false)]);
            let failed = deliveries(&control, attempt).await;
            assert_eq!((failed.len(), failed[attempt - 1].status), (attempt, Some(500)), "{version}");
            if attempt == 1 {
                control.clock().advance(Duration::from_mins(1));
            }
        }
        control.clock().advance(Duration::from_secs(1));
        set(&api, &id, "active").await;
        receiver.answers(Answer::Status(200));
        control.clock().advance(Duration::from_mins(10));
        let events = receiver.next().await.verified(&url, SECRET);
        assert_eq!(states(&events), [(Blocked, false), (Active, false)], "{version}");
        let delivered = deliveries(&control, 3).await;
        let last = (delivered[2].events, delivered[2].attempt, delivered[2].status);
        assert_eq!((delivered.len(), last), (3, (2, 3, Some(200))), "{version}");
        assert_eq!(receiver.untaken(), 0);
    }
}
