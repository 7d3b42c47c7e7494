use didww_types::Timestamp;
use serde_json::{Map, Value, json};
use trunk_store::{Change, Record, Scope, SqliteStore, Writes as _};

use super::*;

fn attributes(number: u16) -> Map<String, Value> {
    let attributes = json!({
        "name": format!("trunk {number}"), "status": "active", "on_cli_mismatch_action": "reject_call",
        "created_at": "2026-01-01T00:00:00.000Z", "allow_any_did_as_cli": false,
        "threshold_reached": false, "media_encryption_mode": "disabled", "default_dst_action": "allow_all",
        "dst_prefixes": [], "rtp_ping": false, "force_symmetric_rtp": false,
        "authentication_method": { "type": "credentials_and_ip", "attributes": {
            "allowed_sip_ips": ["192.0.2.0/24"], "username": format!("user {number}"), "password": "secret"
        } }
    });
    attributes.as_object().unwrap().clone()
}

/// The record of a trunk; that of number 77 cannot be read. Each fifth is linked to [`DID`].
fn stored(number: u16) -> StoredRecord {
    let attributes = if number == 77 { Map::new() } else { attributes(number) };
    let record = Record {
        number: i64::from(number),
        id: id_of(number),
        kind: VoiceOutTrunk::SPEC.name,
        revision: 0,
        attributes: Value::Object(attributes).to_string(),
        meta: None,
    };
    let links = if number.is_multiple_of(5) { vec![("dids", vec![id_of(DID)])] } else { Vec::new() };
    StoredRecord { account: i64::from(number % 3), record, links }
}

/// The number of the record of a DID.
const DID: u16 = 9_000;

/// The record of a DID of an account, with a telephone number.
fn stored_did(account: i64, telephone: &str, blocked: bool) -> StoredRecord {
    let attributes = json!({
        "blocked": blocked, "terminated": false, "awaiting_registration": false,
        "created_at": "2026-01-01T00:00:00.000Z", "number": telephone, "expires_at": null,
        "channels_included_count": 0, "dedicated_channels_count": 0, "emergency_enabled": false
    });
    let record = Record {
        number: i64::from(DID),
        id: id_of(DID),
        kind: Did::SPEC.name,
        revision: 0,
        attributes: attributes.to_string(),
        meta: None,
    };
    StoredRecord { account, record, links: Vec::new() }
}

/// Whether a trunk may present a telephone number.
fn may_present(state: &State, trunk: u16, telephone: &str) -> bool {
    let terms = state.index.get(&wire_id(id_of(trunk))).unwrap();
    let callers = terms.cli.callers(state.index.dids(&terms.account));
    callers.contains(telephone.parse().unwrap(), Timestamp::from_unix_millis(0))
}

fn id_of(number: u16) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

fn trunks() -> Trunks {
    Trunks::new("realm".to_owned(), vec![Algorithm::Md5])
}

fn name_of(state: &State, number: u16) -> Option<String> {
    state.index.get(&wire_id(id_of(number))).map(|terms| terms.name.to_string())
}

#[test]
fn several_threads_prepare_the_same_trunks_as_one() {
    let trunks = trunks();
    let page: Vec<StoredRecord> = (1..=300).map(stored).collect();
    let (mut one, mut many) = (State::default(), State::default());
    trunks.apply_trunks(&mut one, &page, 1);
    trunks.apply_trunks(&mut many, &page, 4);
    assert_eq!((one.index.len(), many.index.len()), (299, 299));
    for stored in &page {
        let id: Id<VoiceOutTrunk> = wire_id(stored.record.id);
        let of = |state: &State| {
            state.index.get(&id).map(|terms| (terms.name.to_string(), terms.account.to_string()))
        };
        assert_eq!(of(&one), of(&many));
        assert!(many.has(&id));
    }
    // Each fifth of them, because the DID is not known.
    assert_eq!((one.waiting.len(), many.waiting.len()), (60, 60));
    assert_eq!(many.unusable, HashMap::from([(Uuid::from_u128(77), 77 % 3)]));
    let named = many.index.with_username("user 300").map(|terms| terms.name.to_string());
    assert_eq!(named.as_deref(), Some("trunk 300"));
}

#[test]
fn a_trunk_that_was_read_before_its_did_has_its_number_once_the_did_is_known() {
    let trunks = trunks();
    let mut state = State::default();
    let (of_account, of_another) = (30, 31 * 5);
    for number in [of_account, of_another] {
        trunks.apply_stored(&mut state, &stored(number));
        assert!(!may_present(&state, number, "442011111111"));
    }
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    assert!(may_present(&state, of_account, "442011111111"));
    assert!(!may_present(&state, of_another, "442011111111"), "it belongs to another account");
    assert_eq!(state.waiting.len(), 1);
    let deleted = Committed::Deleted { account: 2, kind: VoiceOutTrunk::SPEC.name, id: id_of(of_another) };
    trunks.apply(&mut state, &deleted);
    assert_eq!(state.waiting.len(), 0);
}

#[test]
fn a_change_of_a_did_prepares_no_trunk_again() {
    let trunks = trunks();
    let mut state = State::default();
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    trunks.apply_stored(&mut state, &stored(30));
    let before = Arc::clone(state.index.get(&wire_id(id_of(30))).unwrap());
    let steps = [
        (Some(("442011111111", true)), [false, false]),
        (Some(("442011111111", false)), [true, false]),
        (Some(("442022222222", false)), [false, true]),
        (None, [false, false]),
    ];
    for (did, expected) in steps {
        let effect = match did {
            Some((telephone, blocked)) => Committed::Stored(stored_did(0, telephone, blocked)),
            None => Committed::Deleted { account: 0, kind: Did::SPEC.name, id: id_of(DID) },
        };
        trunks.apply(&mut state, &effect);
        let found = ["442011111111", "442022222222"].map(|number| may_present(&state, 30, number));
        assert_eq!(found, expected, "{did:?}");
    }
    assert!(Arc::ptr_eq(&before, state.index.get(&wire_id(id_of(30))).unwrap()));
}

/// The record of a trunk that spent this amount.
fn spending(number: u16, amount: &str) -> StoredRecord {
    let mut stored = stored(number);
    stored.record.meta = Some(json!({ "spent_amount": amount }).to_string());
    stored
}

fn spent_by(state: &State, number: u16) -> Option<String> {
    state.index.get(&wire_id(id_of(number))).map(|terms| terms.spent.to_string())
}

#[test]
fn a_write_of_what_a_trunk_spent_changes_nothing_else_and_every_other_write_is_applied_whole() {
    let trunks = trunks();
    let mut state = State::default();
    let is_spending_alone = |state: &State, stored: &StoredRecord| {
        state.written.is(stored.record.id, state.written.source(stored, 0))
    };
    assert!(!is_spending_alone(&state, &spending(1, "1.5")), "it is new");
    trunks.apply_stored(&mut state, &spending(1, "1.5"));
    assert!(is_spending_alone(&state, &spending(1, "2.5")));
    trunks.apply_stored(&mut state, &spending(1, "2.5"));
    assert_eq!(spent_by(&state, 1).as_deref(), Some("2.5"));
    let mut renamed = spending(1, "3.5");
    let mut changed = attributes(1);
    changed["name"] = json!("renamed 1");
    renamed.record.attributes = Value::Object(changed).to_string();
    assert!(!is_spending_alone(&state, &renamed));
    trunks.apply_stored(&mut state, &renamed);
    let found = (name_of(&state, 1), spent_by(&state, 1));
    assert_eq!(found, (Some("renamed 1".to_owned()), Some("3.5".to_owned())));
    let mut unreadable = renamed.clone();
    unreadable.record.meta = Some(json!({ "spent_amount": [] }).to_string());
    trunks.apply_stored(&mut state, &unreadable);
    assert_eq!(name_of(&state, 1), None, "it admits no calls");
    trunks.apply_stored(&mut state, &renamed);
    assert_eq!(name_of(&state, 1).as_deref(), Some("renamed 1"));
    let deleted = Committed::Deleted { account: 1, kind: VoiceOutTrunk::SPEC.name, id: id_of(1) };
    trunks.apply(&mut state, &deleted);
    assert!(!is_spending_alone(&state, &renamed));
    trunks.apply_stored(&mut state, &renamed);
    assert_eq!(name_of(&state, 1).as_deref(), Some("renamed 1"));
}

#[test]
fn a_trunk_whose_did_was_removed_and_added_again_is_linked_again_by_its_next_write() {
    let trunks = trunks();
    let mut state = State::default();
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    trunks.apply_stored(&mut state, &spending(30, "1.5"));
    let deleted = Committed::Deleted { account: 0, kind: Did::SPEC.name, id: id_of(DID) };
    trunks.apply(&mut state, &deleted);
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    assert!(!may_present(&state, 30, "442011111111"), "the links went with the DID");
    trunks.apply_stored(&mut state, &spending(30, "1.5"));
    assert!(may_present(&state, 30, "442011111111"));
}

#[test]
fn a_trunk_that_waits_for_its_did_has_spent_what_was_stored_last() {
    let trunks = trunks();
    let mut state = State::default();
    for amount in ["1.5", "2.5"] {
        trunks.apply_stored(&mut state, &spending(30, amount));
    }
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    assert_eq!(spent_by(&state, 30).as_deref(), Some("2.5"));
}

#[test]
fn an_account_that_is_reset_leaves_no_did_and_no_waiting_trunk() {
    let trunks = trunks();
    let mut state = State::default();
    trunks.apply_stored(&mut state, &stored(30));
    trunks.apply_stored(&mut state, &stored(31 * 5));
    trunks.apply(&mut state, &Committed::Reset { account: Some(0), accounts: false });
    assert_eq!((state.index.len(), state.waiting.len()), (1, 1));
    trunks.apply_stored(&mut state, &stored_did(0, "442011111111", false));
    assert_eq!(state.index.len(), 1, "a trunk of before is not there again");
    trunks.apply(&mut state, &Committed::Reset { account: Some(0), accounts: false });
    trunks.apply_stored(&mut state, &stored(30));
    assert!(!may_present(&state, 30, "442011111111"));
}

#[test]
fn a_load_leaves_the_processors_to_the_calls_that_are_served() {
    let trunks = trunks();
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    assert_eq!(trunks.threads_of_a_load(), all);
    trunks.insert_stored(&stored(1));
    assert_eq!(trunks.threads_of_a_load(), 1);
}

#[test]
fn a_trunk_whose_meta_cannot_be_read_admits_no_calls() {
    let of = |meta: Option<&str>| {
        let mut stored = stored(1);
        stored.record.meta = meta.map(str::to_owned);
        let (trunks, mut state) = (trunks(), State::default());
        trunks.apply_stored(&mut state, &stored);
        assert!(state.has(&wire_id(id_of(1))));
        (state.index.len(), state.unusable.len())
    };
    for meta in [None, Some("null"), Some("{}"), Some(r#"{"spent_amount":"1.5","later":1}"#)] {
        assert_eq!(of(meta), (1, 0), "{meta:?}");
    }
    for meta in ["", "{", "1", r#"{"spent_amount":"much"}"#, r#"{"spent_amount":"1.5"}}"#] {
        assert_eq!(of(Some(meta)), (0, 1), "{meta:?}");
    }
}

/// More trunks than a page has.
const MANY: u16 = 1_050;

#[tokio::test]
async fn trunks_that_change_while_a_page_is_read_ahead_are_as_they_became() {
    let (store, trunks) = (SqliteStore::in_memory().unwrap(), trunks());
    let scope = Scope { account: 1, spec: VoiceOutTrunk::SPEC };
    let created_at = Timestamp::from_unix_millis(0);
    let insert = |number: u16| {
        let (id, attributes, links) = (id_of(number), attributes(number), Vec::new());
        Change::Insert { scope, id, created_at, attributes, links, meta: None }
    };
    let made = store.commit((1..=MANY).map(insert).collect()).await.unwrap();
    let rename = |number: u16| {
        let mut attributes = attributes(number);
        attributes["name"] = json!(format!("renamed {number}"));
        let before = made[usize::from(number) - 1].clone();
        Change::Replace { scope, before, attributes, links: Vec::new(), meta: None }
    };
    let delete = |number: u16| Change::Delete { scope, id: id_of(number) };
    // Trunks of the visited page, and of the page that is read meanwhile.
    let changes = vec![rename(2), delete(3), rename(MANY), delete(MANY - 1), insert(MANY + 1)];
    let mut changes = Some(changes);
    let visit = |_: &StoredRecord| {
        let Some(changes) = changes.take() else { return };
        let store = &store;
        std::thread::scope(|scope| {
            let commit = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(store.commit(changes)).unwrap()
            };
            scope.spawn(commit).join().unwrap();
        });
    };
    trunks.load(&store, visit).await.unwrap();
    let state = trunks.read();
    assert_eq!(state.index.len(), usize::from(MANY) - 1);
    let names = |number: u16| name_of(&state, number);
    for number in [2, MANY] {
        assert_eq!(names(number), Some(format!("renamed {number}")));
    }
    for number in [3, MANY - 1] {
        assert_eq!(names(number), None);
    }
    for number in [1, MANY - 2, MANY + 1] {
        assert_eq!(names(number), Some(format!("trunk {number}")));
    }
}
