use super::*;

/// A write that differs from others only in its account.
fn write(account: i64) -> Write {
    Arc::new([Committed::Account { account }])
}

/// The accounts of a follower's changes; `None` if it must reload.
fn accounts(follower: &mut Follower) -> Option<Vec<i64>> {
    let Changes::Since(writes) = follower.changes() else { return None };
    let account = |effect: &Committed| match effect {
        Committed::Account { account } => *account,
        other => panic!("{other:?}"),
    };
    Some(writes.iter().flat_map(|write| write.iter()).map(account).collect())
}

fn kept(feed: &Feed) -> usize {
    feed.lock().writes.len()
}

#[test]
fn a_follower_sees_each_write_once_from_its_own_position_on() {
    let feed = Arc::new(Feed::default());
    let mut first = feed.follow(Interest::Everything);
    feed.append(write(1));
    let mut second = feed.follow(Interest::Everything);
    feed.append(write(2));
    assert!(!first.is_current() && !second.is_current());
    assert_eq!(accounts(&mut first), Some(vec![1, 2]));
    assert_eq!(accounts(&mut second), Some(vec![2]));
    assert!(first.is_current() && second.is_current());
    feed.append(Arc::new([]));
    assert!(first.is_current(), "a write without effects has no position");
    assert_eq!(accounts(&mut first), Some(vec![]));
}

#[test]
fn what_every_follower_has_passed_is_not_kept() {
    let feed = Arc::new(Feed::default());
    feed.append(write(1));
    assert_eq!(kept(&feed), 0, "nothing follows");
    let (mut quick, slow) = (feed.follow(Interest::Everything), feed.follow(Interest::Everything));
    feed.append(write(1));
    feed.append(write(2));
    assert_eq!(accounts(&mut quick), Some(vec![1, 2]));
    assert_eq!(kept(&feed), 2, "the slow one has not seen them");
    drop(slow);
    assert_eq!(kept(&feed), 0);
    drop(quick);
    feed.append(write(3));
    assert_eq!(kept(&feed), 0);
}

#[test]
fn a_follower_that_fell_behind_must_reload_and_is_current_then() {
    let feed = Arc::new(Feed::default());
    let mut follower = feed.follow(Interest::Everything);
    (0..).take(MAX_WRITES + 1).for_each(|account| feed.append(write(account)));
    assert_eq!(kept(&feed), MAX_WRITES);
    assert_eq!(accounts(&mut follower), None);
    assert!(follower.is_current());
    assert_eq!(kept(&feed), 0);
    feed.append(write(7));
    assert_eq!(accounts(&mut follower), Some(vec![7]));
}

#[test]
fn a_write_of_unknown_effects_makes_followers_reload() {
    let feed = Arc::new(Feed::default());
    let mut follower = feed.follow(Interest::Everything);
    feed.append(write(1));
    feed.lose();
    let mut later = feed.follow(Interest::Everything);
    feed.append(write(2));
    assert_eq!(accounts(&mut follower), None);
    assert_eq!(accounts(&mut later), Some(vec![2]), "it follows since after that write");
}

#[test]
fn what_a_loss_must_not_take_is_seen_once_behind_it_by_those_that_it_met() {
    let feed = Arc::new(Feed::default());
    let (mut first, mut second) = (feed.follow(Interest::Everything), feed.follow(Interest::AllButRecords));
    let besides = |account| vec![Committed::Account { account }];
    feed.append(write(1));
    feed.lose_but(besides(2));
    feed.append(write(3));
    assert_eq!(accounts(&mut first), None);
    assert!(!first.is_current());
    assert_eq!(accounts(&mut first), Some(vec![2]), "what was written since then is in what it loads");
    assert!(first.is_current());
    feed.lose_but(besides(4));
    feed.lose();
    let mut later = feed.follow(Interest::Everything);
    feed.append(write(5));
    // The first one sees the 2 again, because the second one has not seen it yet.
    for follower in [&mut first, &mut second] {
        assert_eq!(accounts(follower), None);
        feed.append(write(6));
        assert_eq!(accounts(follower), Some(vec![2, 4, 6]));
        assert_eq!(accounts(follower), Some(vec![]));
    }
    assert_eq!(accounts(&mut later), Some(vec![5, 6, 6]));
    feed.lose_but(besides(7));
    assert_eq!(feed.lock().besides.1.len(), 1, "what every follower has met is not kept");
    assert_eq!(accounts(&mut first), None);
    feed.lose_but(besides(8));
    assert_eq!(accounts(&mut first), None);
    let seen = accounts(&mut first).unwrap();
    assert!(seen.contains(&7) && seen.contains(&8), "it met two losses before it looked: {seen:?}");
}

#[test]
fn owners_are_woken_at_64_writes_and_when_one_must_reload() {
    let feed = Arc::new(Feed::default());
    let mut follower = feed.follow(Interest::Everything);
    let mut wakes = feed.wakes();
    (1..64).for_each(|account| feed.append(write(account)));
    assert!(!wakes.has_changed().unwrap());
    feed.append(write(64));
    assert!(wakes.has_changed().unwrap());
    wakes.mark_unchanged();
    assert_eq!(accounts(&mut follower).map(|all| all.len()), Some(64));
    feed.lose();
    assert!(wakes.has_changed().unwrap());
    wakes.mark_unchanged();
    assert_eq!(accounts(&mut follower), None);
    assert!(wakes.has_changed().unwrap(), "the changes may have been read where nothing can be loaded");
}

#[test]
fn owners_are_woken_at_once_when_records_are_deleted() {
    let feed = Arc::new(Feed::default());
    let mut follower = feed.follow(Interest::Everything);
    let mut wakes = feed.wakes();
    feed.append(write(1));
    assert!(!wakes.has_changed().unwrap());
    for effect in [
        Committed::Deleted { account: 1, kind: "voice_out_trunks", id: Uuid::nil() },
        Committed::Reset { account: Some(1), accounts: false },
    ] {
        feed.append(Arc::new([effect]));
        assert!(wakes.has_changed().unwrap());
        wakes.mark_unchanged();
    }
    assert!(matches!(follower.changes(), Changes::Since(writes) if writes.len() == 3));
}

#[test]
fn records_are_collected_only_for_followers_that_want_them() {
    let feed = Arc::new(Feed::default());
    let other = feed.follow(Interest::AllButRecords);
    assert!(!feed.follows_records());
    let follower = feed.follow(Interest::Everything);
    assert!(feed.follows_records());
    drop(follower);
    assert!(!feed.follows_records());
    feed.append(write(1));
    assert!(!other.is_current());
}
