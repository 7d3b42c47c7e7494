use didww_types::Timestamp;
use serde_json::{Map, Value, json};
use trunk_store::{Change, Record, Scope, SqliteStore, Writes as _};

use super::*;

fn attributes(number: u16) -> Map<String, Value> {
    let attributes = json!({
        "name": format!("trunk {number}"), "status": "active", "on_cli_mismatch_action": "reject_call",
        "created_at": "2026-01-01T00:00:00.000Z", "allow_any_did_as_cli": number.is_multiple_of(5),
        "threshold_reached": false, "media_encryption_mode": "disabled", "default_dst_action": "allow_all",
        "dst_prefixes": [], "rtp_ping": false, "force_symmetric_rtp": false,
        "authentication_method": { "type": "credentials_and_ip", "attributes": {
            "allowed_sip_ips": ["192.0.2.0/24"], "username": format!("user {number}"), "password": "secret"
        } }
    });
    attributes.as_object().unwrap().clone()
}

/// The record of a trunk; that of number 77 cannot be read.
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
    StoredRecord { account: i64::from(number % 3), record, links: Vec::new() }
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
        let depends =
            |state: &State| state.accounts[&stored.account].dependent.contains_key(&stored.record.id);
        let expected = stored.record.number % 5 == 0 && stored.record.number != 77;
        assert_eq!((depends(&one), depends(&many)), (expected, expected));
    }
    assert_eq!(many.unusable, HashMap::from([(Uuid::from_u128(77), 77 % 3)]));
    let named = many.index.with_username("user 300").map(|terms| terms.name.to_string());
    assert_eq!(named.as_deref(), Some("trunk 300"));
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
    // Of the page that is visited, and of the one that is read meanwhile.
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
