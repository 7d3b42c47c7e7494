//! The rules of the carrier edge, one test each, through the one function that decides.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::{Id, Resource as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::digest::tests::with;
use super::super::index::IndexError;
use super::*;
use crate::carrier::{
    AccountDids, Admitted, Algorithm, Challenge, DidFacts, DigestFailure, HeaderFlaw, Identified, NonceKey,
    NoncesAt, Protection, TrunkLinks,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const OFFICE: &str = "203.0.113.5";
const OWN: &str = "442011111111";
const SECOND: &str = "442022222222";
const RESCUE: &str = "442099999999";
const SID: &str = "AC22222222222222222222222222222222";
const PLAIN: &str =
    "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

struct World {
    index: TrunkIndex,
    settings: Settings,
    key: NonceKey,
    rates: Option<RateCard>,
    random: u64,
}

/// What a test says of an attempt.
struct Try<'a> {
    source: &'a str,
    dialled: &'a str,
    from: &'a str,
    header: Option<String>,
    sdp: Option<&'a str>,
    more: fn(&mut Attempt<'_>),
}

fn a_try(dialled: &str) -> Try<'_> {
    Try { source: OFFICE, dialled, from: OWN, header: None, sdp: Some(PLAIN), more: |_| {} }
}

fn account() -> Arc<AccountDids> {
    let did = |id: &str, number: &str, emergency_enabled| DidFacts {
        id: id.into(),
        number: number.to_owned(),
        eligible: true,
        emergency_enabled,
        expires_at: None,
    };
    Arc::new(AccountDids::new([
        did("own", OWN, false),
        did("second", SECOND, false),
        did("rescue", RESCUE, true),
    ]))
}

fn links() -> TrunkLinks {
    TrunkLinks {
        dids: vec!["own".into(), "second".into()],
        default_did: Some("second".into()),
        emergency_dids: vec!["rescue".into()],
    }
}

fn decoded(id: &str, attributes: &Value) -> VoiceOutTrunk {
    let mut all = json!({
        "name": format!("trunk {id}"), "status": "active", "on_cli_mismatch_action": "reject_call",
        "created_at": "2026-01-01T00:00:00.000Z", "allow_any_did_as_cli": false, "threshold_reached": false,
        "media_encryption_mode": "disabled", "default_dst_action": "allow_all", "dst_prefixes": [],
        "authentication_method": credentials(id, &["203.0.113.0/24"], "")
    });
    for (name, value) in attributes.as_object().unwrap() {
        all[name] = value.clone();
    }
    let object =
        json!({ "type": "voice_out_trunks", "id": id, "attributes": all, "meta": { "spent_amount": "7.5" } });
    VoiceOutTrunk::decode(serde_json::from_value(object).unwrap()).unwrap()
}

fn terms(id: &str, attributes: &Value) -> TrunkTerms {
    let realm = Settings::default().realm;
    TrunkTerms::new(&decoded(id, attributes), &links(), "account".into(), &account(), &realm).unwrap()
}

fn credentials(user: &str, networks: &[&str], prefix: &str) -> Value {
    json!({ "type": "credentials_and_ip", "attributes": {
        "allowed_sip_ips": networks, "tech_prefix": prefix, "username": user, "password": "secret"
    }})
}

fn ip_only(networks: &[&str], prefix: &str) -> Value {
    json!({ "type": "ip_only", "attributes": { "allowed_sip_ips": networks, "tech_prefix": prefix } })
}

fn method(method: &Value) -> Value {
    json!({ "authentication_method": method })
}

impl World {
    fn of(trunks: &[(&str, Value)]) -> Self {
        let mut index = TrunkIndex::new();
        for (id, attributes) in trunks {
            index.insert(terms(id, attributes)).unwrap();
        }
        let key = NonceKey::new(&[9; 32]);
        Self { index, settings: Settings::default(), key, rates: None, random: 0 }
    }

    /// One trunk that takes calls from the office by address alone: what follows the digest is tested on it.
    fn open(mut attributes: Value) -> Self {
        attributes["authentication_method"] = ip_only(&["203.0.113.0/24"], "");
        Self::of(&[("t", attributes)])
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn signed(&self, user: &str, changes: &[(&str, &str)]) -> String {
        let nonce = self.key.issue(NOW, 1);
        let mut all = vec![("username", user), ("nonce", nonce.as_str())];
        all.splice(0..0, changes.iter().copied());
        with(&all)
    }

    fn decide_and_hold(&self, call: &Try<'_>) -> (Verdict, Option<Channel>) {
        let nonces = NoncesAt { key: &self.key, now: NOW, ttl: self.settings.nonce_ttl };
        let snapshot = Snapshot {
            trunks: &self.index,
            settings: &self.settings,
            nonces: &nonces,
            rates: self.rates.as_ref(),
            now: NOW,
            random: self.random,
        };
        let uri = format!("sip:{}@nyc.us.out.didww.com;user=phone", call.dialled);
        let from = format!("\"Somebody\" <sip:{}@customer.example>;tag=1", call.from);
        let header = call.header.as_ref().map(String::as_bytes);
        let mut attempt = Attempt::new(call.source.parse().unwrap(), uri.as_bytes(), from.as_bytes());
        attempt.credentials = header.as_slice();
        attempt.sdp = call.sdp.map(str::as_bytes);
        (call.more)(&mut attempt);
        admit_and_hold(&snapshot, &attempt)
    }

    fn decide(&self, call: &Try<'_>) -> Verdict {
        self.decide_and_hold(call).0
    }

    fn admitted(&self, call: &Try<'_>) -> Admitted {
        match self.decide(call) {
            Verdict::Admitted(admitted) => *admitted,
            other => panic!("{other:?}"),
        }
    }

    fn challenged(&self, call: &Try<'_>) -> Challenge {
        match self.decide(call) {
            Verdict::Challenged(challenge) => *challenge,
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self, call: &Try<'_>) -> Refusal {
        match self.decide(call) {
            Verdict::Refused(refusal) => *refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Check, cause and code of a refusal.
    fn refusal(&self, call: &Try<'_>) -> (Check, Cause, u16) {
        let refusal = self.refused(call);
        (refusal.check, refusal.cause, refusal.code)
    }
}

// Section 4: selection

#[test]
fn an_address_that_no_trunk_allows_is_refused_without_a_challenge() {
    let world = World::of(&[("a", json!({}))]);
    let call = Try { source: "198.51.100.7", header: Some(world.signed("a", &[])), ..a_try("442012345678") };
    let refusal = world.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Source, Cause::NoCustomer, 403));
    assert_eq!((refusal.phrase, refusal.received.as_str()), ("Forbidden", "198.51.100.7"));
    assert!(!refusal.is_recorded() && refusal.trunk.is_none());
    assert_eq!(world.index.nearest_network("198.51.100.7".parse().unwrap()), "203.0.113.0/24".parse().ok());
}

#[test]
fn credentials_need_both_the_address_and_the_digest() {
    let world = World::of(&[("a", json!({}))]);
    let challenge = world.challenged(&a_try("442012345678"));
    assert_eq!((challenge.code, challenge.failure), (401, DigestFailure::NoHeader));
    let admitted = world.admitted(&Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") });
    assert!(matches!(admitted.identified, Identified::Digest { count: 1, .. }));
    assert_eq!(admitted.trunk.id.as_str(), "a");
}

#[test]
fn a_trunk_by_address_is_accepted_by_the_address_alone() {
    let world = World::open(json!({}));
    assert_eq!(world.admitted(&a_try("442012345678")).identified, Identified::Address);
}

#[test]
fn a_header_for_another_realm_does_not_hinder_a_trunk_by_address() {
    let world = World::open(json!({}));
    for header in [with(&[("realm", "pbx.example")]), "nonsense".to_owned()] {
        let admitted = world.admitted(&Try { header: Some(header), ..a_try("442012345678") });
        assert_eq!(admitted.identified, Identified::Address);
    }
}

#[test]
fn a_wrong_digest_for_this_realm_is_challenged_even_where_the_address_would_do() {
    let world = World::open(json!({}));
    let call = Try { header: Some(world.signed("nobody", &[])), ..a_try("442012345678") };
    assert_eq!(world.challenged(&call).failure, DigestFailure::UserUnknown);
}

#[test]
fn a_right_digest_names_its_trunk_even_where_another_one_goes_by_address_with_a_longer_mask() {
    let world = World::of(&[
        ("a", method(&credentials("a", &["0.0.0.0/0"], ""))),
        ("open", method(&ip_only(&["203.0.113.5/32"], ""))),
    ]);
    let signed = Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") };
    assert_eq!(world.admitted(&signed).trunk.id.as_str(), "a");
    assert_eq!(world.admitted(&a_try("442012345678")).trunk.id.as_str(), "open");
}

#[test]
fn a_trunk_without_credentials_yet_takes_no_call_and_none_can_be_selected_by_an_unknown_method() {
    let unfinished =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["0.0.0.0/0"] } });
    let unknown = json!({ "type": "certificate", "attributes": { "allowed_sip_ips": ["0.0.0.0/0"] } });
    let world = World::of(&[("a", method(&unfinished)), ("b", method(&unknown))]);
    assert_eq!(world.refused(&a_try("442012345678")).check, Check::Source);
}

#[test]
fn a_twilio_trunk_is_selected_by_the_account_sid() {
    let twilio = json!({ "type": "twilio", "attributes": { "twilio_account_sid": SID } });
    let world = World::of(&[("t", method(&twilio))]);
    let call =
        Try { more: |attempt| attempt.twilio_account_sid = Some(SID.as_bytes()), ..a_try("442012345678") };
    assert_eq!(world.admitted(&call).identified, Identified::TwilioAccount);
    let other =
        Try { more: |attempt| attempt.twilio_account_sid = Some(b"ACother"), ..a_try("442012345678") };
    assert_eq!(world.refused(&other).check, Check::Source);
}

#[test]
fn everybody_may_call_where_everybody_is_allowed_but_only_of_that_family() {
    let world = World::of(&[("a", method(&ip_only(&["0.0.0.0/0"], "")))]);
    assert!(matches!(world.decide(&a_try("442012345678")), Verdict::Admitted(_)));
    let v6 = Try { source: "2001:db8::1", ..a_try("442012345678") };
    assert_eq!(world.refused(&v6).check, Check::Source);
}

#[test]
fn of_several_candidates_the_longest_mask_wins_and_then_the_longest_prefix() {
    let world = World::of(&[
        ("wide", method(&ip_only(&["203.0.0.0/16"], "12"))),
        ("near", method(&ip_only(&["203.0.113.0/24"], ""))),
        ("near with prefix", method(&ip_only(&["203.0.113.0/24"], "9"))),
    ]);
    let trunk = |dialled| world.admitted(&a_try(dialled)).trunk.id.to_string();
    assert_eq!(trunk("12442012345678"), "near");
    assert_eq!(trunk("9442012345678"), "near with prefix");
    let far = Try { source: "203.0.9.9", ..a_try("12442012345678") };
    assert_eq!(world.admitted(&far).trunk.id.as_str(), "wide");
}

#[test]
fn a_dialled_text_without_any_tech_prefix_of_the_address_is_refused() {
    let world = World::of(&[("a", method(&credentials("a", &["203.0.113.0/24"], "123#")))]);
    assert_eq!(world.refusal(&a_try("442012345678")), (Check::TechPrefix, Cause::NoCustomer, 403));
}

#[test]
fn good_credentials_with_a_wrong_tech_prefix_are_refused_and_not_challenged() {
    let world = World::of(&[
        ("a", method(&credentials("a", &["203.0.113.0/24"], "123#"))),
        ("b", method(&credentials("b", &["203.0.113.0/24"], ""))),
    ]);
    let call = Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") };
    let refusal = world.refused(&call);
    assert_eq!(
        (refusal.check, refusal.code, refusal.configured.as_str()),
        (Check::Trunk, 403, "tech_prefix 123#")
    );
    assert_eq!(refusal.trunk.unwrap().id.as_str(), "a");
}

#[test]
fn good_credentials_from_an_address_of_another_trunk_are_refused_with_the_nearest_entry() {
    let world = World::of(&[
        ("a", method(&credentials("a", &["198.51.100.0/24", "203.0.112.0/24"], ""))),
        ("b", json!({})),
    ]);
    let refusal = world.refused(&Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") });
    assert_eq!(refusal.check, Check::Trunk);
    assert_eq!(refusal.configured, "2 allowed_sip_ips, the nearest 203.0.112.0/24");
    assert_eq!(refusal.passed.iter().collect::<Vec<_>>(), [Check::Source, Check::TechPrefix, Check::Digest]);
}

#[test]
fn the_tech_prefix_is_stripped_exactly_once_and_the_record_keeps_it() {
    let world = World::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "123#")))]);
    for dialled in ["123#442012345678", "123%23442012345678", "123#+442012345678", "123#00442012345678"] {
        let admitted = world.admitted(&a_try(dialled));
        assert_eq!(admitted.destination.to_string(), "442012345678", "{dialled}");
        assert_eq!(admitted.dialled, dialled.replace("%23", "#"));
    }
    assert_eq!(world.refused(&a_try("123#123#442012345678")).check, Check::Number);
    let digits = World::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "44")))]);
    assert_eq!(digits.admitted(&a_try("444420123456")).destination.to_string(), "4420123456");
}

#[test]
fn a_username_belongs_to_one_trunk() {
    let mut world = World::of(&[("a", json!({}))]);
    let twin = terms("b", &method(&credentials("a", &["203.0.113.0/24"], "")));
    let error = IndexError { trunk: "b".into(), owner: "a".into() };
    assert_eq!(world.index.insert(twin), Err(error));
    assert!(world.index.insert(terms("a", &json!({}))).is_ok(), "its own trunk may be written again");
}

#[test]
fn a_change_is_met_by_the_next_call_and_calls_in_progress_keep_their_channels() {
    let mut world = World::open(json!({ "capacity_limit": 1 }));
    let (verdict, channel) = world.decide_and_hold(&a_try("442012345678"));
    let Verdict::Admitted(before) = verdict else { panic!() };
    let moved = method(&ip_only(&["198.51.100.0/24"], "9"));
    world.index.insert(terms("t", &moved)).unwrap();
    assert_eq!(world.refused(&a_try("442012345678")).check, Check::Source);
    assert_eq!(before.trunk.capacity, Some(1));
    assert_eq!(world.index.channels(&"t".into()).unwrap().held(), 1);
    assert_eq!(world.index.remove(&"t".into()).unwrap().id.as_str(), "t");
    drop(channel);
    assert!(world.index.is_clean());
}

// Section 5: digest

/// What a client does wrong, the cause, and whether the trunk is known by then.
type Case<'a> = (&'a [(&'a str, &'a str)], DigestFailure, bool);

#[test]
fn every_failure_is_challenged_again_with_its_cause_and_the_trunk_if_it_was_named() {
    let world = World::of(&[("a", json!({}))]);
    let old = world.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let cases: [Case<'_>; 8] = [
        (&[("algorithm", "SHA-256")], DigestFailure::UnsupportedAlgorithm, false),
        (&[("realm", "nyc.us.out.didww.com")], DigestFailure::RealmMismatch, false),
        (&[("response", "00")], DigestFailure::ResponseLength { received: 2, expected: 32 }, false),
        (&[("username", "nobody")], DigestFailure::UserUnknown, false),
        (&[("nonce", "made up")], DigestFailure::NonceForeign, true),
        (&[("nonce", &old)], DigestFailure::NonceExpired, true),
        (&[("nc", "zzzzzzzz")], DigestFailure::NonceCountUnparsable, true),
        (&[("password", "wrong")], DigestFailure::ResponseMismatch, true),
    ];
    for (changes, failure, named) in cases {
        let challenge =
            world.challenged(&Try { header: Some(world.signed("a", changes)), ..a_try("442012345678") });
        assert_eq!((challenge.failure, challenge.code, challenge.stale), (failure, 401, false));
        assert_eq!(challenge.trunk.is_some(), named, "{failure}");
    }
    let basic = Try { header: Some("Basic eA==".to_owned()), ..a_try("442012345678") };
    assert_eq!(world.challenged(&basic).failure, DigestFailure::Unparsable(HeaderFlaw::Scheme));
}

#[test]
fn stale_is_said_only_where_it_is_set() {
    let old = |world: &World| world.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.stale_flag = true);
    let header = Some(world.signed("a", &[("nonce", &old(&world))]));
    assert!(world.challenged(&Try { header, ..a_try("442012345678") }).stale);
}

#[test]
fn the_challenge_can_be_407_and_is_never_a_refusal() {
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.challenge_code = 407);
    let challenge = world.challenged(&a_try("442012345678"));
    assert_eq!((challenge.code, challenge.phrase), (407, "Proxy Authentication Required"));
}

#[test]
fn sha_256_is_accepted_where_it_is_offered() {
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.algorithms.push(Algorithm::Sha256));
    let header = Some(world.signed("a", &[("algorithm", "SHA-256")]));
    assert!(matches!(world.decide(&Try { header, ..a_try("442012345678") }), Verdict::Admitted(_)));
}

#[test]
fn wrong_credentials_of_a_blocked_trunk_are_still_challenged() {
    let world = World::of(&[("a", json!({ "status": "blocked" }))]);
    let wrong = Try { header: Some(world.signed("a", &[("password", "wrong")])), ..a_try("442012345678") };
    assert_eq!(world.challenged(&wrong).failure, DigestFailure::ResponseMismatch);
    let right = Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") };
    assert_eq!(world.refusal(&right), (Check::Status, Cause::RejectedByAuthRecord, 403));
}

// Section 9.2 at the door

#[test]
fn a_trunk_blocked_by_hand_and_one_blocked_by_spending_say_which() {
    let by_hand = World::open(json!({ "status": "blocked" })).refused(&a_try("442012345678"));
    assert_eq!(by_hand.configured, "status blocked");
    assert!(by_hand.is_recorded());
    let spent = json!({ "status": "blocked", "threshold_reached": true, "threshold_amount": "7.0" });
    let spent = World::open(spent).refused(&a_try("442012345678"));
    assert_eq!(
        (spent.configured.as_str(), spent.received.as_str()),
        ("threshold_amount 7.0", "spent_amount 7.5")
    );
}

#[test]
fn a_threshold_of_zero_refuses_every_call() {
    let world = World::open(json!({ "threshold_amount": "0.0" }));
    assert_eq!(world.refusal(&a_try("442012345678")), (Check::Status, Cause::RejectedByAuthRecord, 403));
}

// Section 6: numbers

#[test]
fn what_was_dialled_and_is_no_number_is_an_incomplete_address() {
    let world = World::open(json!({}));
    for dialled in ["", "alice", "0442012345678", "011442012345678", "44-20-1234", "4420123456789012", "%2"] {
        assert_eq!(world.refusal(&a_try(dialled)), (Check::Number, Cause::NumberMalformed, 484), "{dialled}");
    }
    assert_eq!(world.refused(&a_try("")).phrase, "Address Incomplete");
}

#[test]
fn a_tel_uri_is_accepted_by_its_number() {
    let world = World::open(json!({}));
    let call =
        Try { more: |attempt| attempt.request_uri = b"tel:+442012345678;phone-context=x", ..a_try("") };
    assert_eq!(world.admitted(&call).destination.to_string(), "442012345678");
}

// Section 7: CLI

#[test]
fn the_cli_is_that_of_from_and_an_asserted_identity_does_not_help() {
    let world = World::open(json!({}));
    let call = Try {
        from: "anonymous",
        more: |attempt| {
            attempt.asserted_identity = Some(b"<tel:+442011111111>");
            attempt.privacy = Some(b"id");
        },
        ..a_try("442012345678")
    };
    let refusal = world.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Cli, Cause::SourceBlacklisted, 403));
    assert_eq!(refusal.received, "anonymous");
    assert!(refusal.explanation.contains("P-Asserted-Identity has 442011111111"));
    let world = world.set(|settings| settings.cli_header = CliHeader::Identity);
    let admitted = world.admitted(&call);
    assert!(admitted.cli.restricted && admitted.cli.presented == OWN);
}

#[test]
fn a_sip_username_in_from_is_named_as_the_mistake() {
    let refusal = World::open(json!({})).refused(&Try { from: "extension7", ..a_try("442012345678") });
    assert!(refusal.explanation.contains("not a username"), "{}", refusal.explanation);
}

#[test]
fn each_mismatch_action_does_what_it_says() {
    let world = |action: &str| World::open(json!({ "on_cli_mismatch_action": action }));
    let call = Try { from: "+15550100", ..a_try("442012345678") };
    let presented = |action: &str| world(action).admitted(&call).cli.presented;
    assert_eq!(presented("send_original_cli"), "15550100");
    assert_eq!(presented("replace_cli"), SECOND);
    assert_eq!(presented("randomize_cli"), OWN);
    assert_eq!(world("reject_call").refused(&call).configured, "reject_call with 2 numbers");
    assert_eq!(world("something new").refused(&call).check, Check::Cli);
    let mut random = world("randomize_cli");
    random.random = 1;
    assert_eq!(random.admitted(&call).cli.presented, SECOND);
}

#[test]
fn with_allow_any_did_as_cli_every_eligible_did_of_the_account_is_a_cli() {
    let call = Try { from: RESCUE, ..a_try("442012345678") };
    assert_eq!(World::open(json!({})).refused(&call).check, Check::Cli);
    assert!(World::open(json!({ "allow_any_did_as_cli": true })).admitted(&call).cli.action.is_none());
}

#[test]
fn a_did_in_diversion_satisfies_the_check_only_where_that_is_set() {
    let call = Try {
        from: "15550100",
        more: |attempt| attempt.diversion = Some(b"<sip:+442011111111@h>;reason=unconditional"),
        ..a_try("442012345678")
    };
    let world = World::open(json!({}));
    assert_eq!(world.refused(&call).check, Check::Cli);
    assert!(world.set(|settings| settings.diversion_satisfies_cli = true).admitted(&call).cli.diverted);
}

// Section 8: destinations

#[test]
fn the_destination_rule_is_asked_before_the_caller_number() {
    let world = World::open(json!({ "dst_prefixes": ["4420"] }));
    let refusal = world.refused(&Try { from: "15550100", ..a_try("+442012345678") });
    assert_eq!(
        (refusal.check, refusal.cause, refusal.code),
        (Check::Destination, Cause::DestinationBlacklisted, 403)
    );
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("allow_all except 4420", "442012345678")
    );
    let only = World::open(json!({ "default_dst_action": "reject_all", "dst_prefixes": ["4420"] }));
    assert!(matches!(only.decide(&a_try("442012345678")), Verdict::Admitted(_)));
    assert_eq!(only.refused(&a_try("33123456789")).configured, "reject_all except 1 prefixes");
}

#[test]
fn a_destination_without_a_rate_is_not_found() {
    let mut world = World::open(json!({}));
    let one = NonZeroU32::MIN;
    let rate = Rate { per_minute: Decimal::ONE, initial_interval: one, next_interval: one };
    world.rates = Some(RateCard::new([("44".parse().unwrap(), rate)]));
    assert_eq!(world.admitted(&a_try("442012345678")).rate, Some(rate));
    assert_eq!(world.refusal(&a_try("33123456789")), (Check::Route, Cause::NoDestinationPrefix, 404));
}

// Section 10: media

#[test]
fn an_offer_that_does_not_fit_the_encryption_mode_names_both() {
    let secure = PLAIN.replace("RTP/AVP", "RTP/SAVP");
    let call = Try { sdp: Some(&secure), ..a_try("442012345678") };
    let refusal = World::open(json!({})).refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Media, Cause::NoSuitableMedia, 500));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("media_encryption_mode disabled", "RTP/SAVP")
    );
    let world = World::open(json!({})).set(|settings| settings.media_profile_reject = 488);
    assert_eq!(world.refused(&call).phrase, "Not Acceptable Here");
}

#[test]
fn an_offer_without_a_common_codec_or_that_cannot_be_read_has_a_cause_of_its_own() {
    let world = World::open(json!({}));
    let opus = PLAIN.replace("RTP/AVP 8", "RTP/AVP 96");
    let call = Try { sdp: Some(&opus), ..a_try("442012345678") };
    assert_eq!(world.refusal(&call), (Check::Media, Cause::CodecsNotMatched, 488));
    let call = Try { sdp: Some("<xml/>"), ..a_try("442012345678") };
    assert_eq!(world.refusal(&call), (Check::Media, Cause::SdpUnparsable, 500));
}

#[test]
fn a_late_offer_is_admitted_without_media() {
    assert!(World::open(json!({})).admitted(&Try { sdp: None, ..a_try("442012345678") }).media.is_none());
}

#[test]
fn what_was_chosen_from_the_offer_goes_on_with_the_call() {
    let media = World::open(json!({})).admitted(&a_try("442012345678")).media.unwrap();
    assert_eq!((media.payload_type, media.telephone_event, media.port), (8, Some(101), 40_000));
    assert_eq!(media.protection, Protection::Plain);
}

// Section 9.1: capacity

#[test]
fn the_call_over_the_limit_is_refused_at_once_and_a_channel_comes_back_with_its_call() {
    let world = World::open(json!({ "capacity_limit": 2 }));
    let call = a_try("442012345678");
    let held: Vec<_> = (0..2).map(|_| world.decide_and_hold(&call).1.unwrap()).collect();
    let refusal = world.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Capacity, Cause::Overloaded, 480));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("capacity_limit 2", "2 calls in progress")
    );
    drop(held);
    assert!(matches!(world.decide(&call), Verdict::Admitted(_)));
}

#[test]
fn a_limit_of_zero_refuses_every_call_with_the_code_that_is_set() {
    let world =
        World::open(json!({ "capacity_limit": 0 })).set(|settings| settings.capacity_reject_code = 503);
    assert_eq!(world.refusal(&a_try("442012345678")), (Check::Capacity, Cause::Overloaded, 503));
}

#[test]
fn an_explained_call_takes_no_channel() {
    let world = World::open(json!({ "capacity_limit": 1 }));
    let nonces = |_: &[u8]| crate::carrier::NonceState::Foreign;
    let snapshot = Snapshot {
        trunks: &world.index,
        settings: &world.settings,
        nonces: &nonces,
        rates: None,
        now: NOW,
        random: 0,
    };
    let attempt = Attempt::new(OFFICE.parse().unwrap(), b"sip:442012345678@h", b"<sip:442011111111@h>");
    for _ in 0..3 {
        assert!(matches!(admit(&snapshot, &attempt), Verdict::Admitted(_)));
    }
    assert_eq!(world.index.channels(&"t".into()).unwrap().held(), 0);
}

// Section 11: emergency calls

fn rescue(dialled: &str) -> Try<'_> {
    Try { from: RESCUE, ..a_try(dialled) }
}

#[test]
fn an_emergency_call_must_show_an_emergency_did_whatever_the_mismatch_action_is() {
    for action in ["send_original_cli", "reject_call", "replace_cli", "randomize_cli"] {
        let world = World::open(json!({ "on_cli_mismatch_action": action }));
        assert_eq!(world.refusal(&a_try("112")), (Check::Emergency, Cause::SourceBlacklisted, 403));
        let anonymous = Try { from: "anonymous", ..a_try("112") };
        assert_eq!(world.refused(&anonymous).check, Check::Emergency);
        let admitted = world.admitted(&rescue("112"));
        assert!(!admitted.emergency.unwrap().test);
        assert_eq!(
            (admitted.destination.to_string().as_str(), admitted.cli.presented.as_str()),
            ("112", RESCUE)
        );
    }
}

#[test]
fn with_emergency_enable_all_every_emergency_enabled_did_counts() {
    let mut index = TrunkIndex::new();
    for (id, all) in [("all", true), ("none", false)] {
        let network = if all { "203.0.113.0/24" } else { "198.51.100.0/24" };
        let mut attributes = method(&ip_only(&[network], ""));
        attributes["emergency_enable_all"] = json!(all);
        let trunk = decoded(id, &attributes);
        let terms = TrunkTerms::new(&trunk, &TrunkLinks::default(), "a".into(), &account(), "r").unwrap();
        index.insert(terms).unwrap();
    }
    let world = World { index, ..World::of(&[]) };
    assert!(matches!(world.decide(&rescue("112")), Verdict::Admitted(_)));
    let none = Try { source: "198.51.100.1", ..rescue("112") };
    assert_eq!(world.refused(&none).check, Check::Emergency);
}

#[test]
fn an_emergency_call_skips_destination_threshold_and_capacity_but_no_block_by_hand() {
    let full = json!({
        "capacity_limit": 0, "default_dst_action": "reject_all", "status": "blocked", "threshold_reached": true
    });
    let world = World::open(full.clone());
    let admitted = world.admitted(&rescue("999"));
    for skipped in [Check::Destination, Check::Cli, Check::Route, Check::Capacity] {
        assert!(!admitted.passed.contains(skipped));
    }
    assert_eq!(World::open(json!({ "status": "blocked" })).refused(&rescue("999")).check, Check::Status);
    let strict = World::open(full).set(|settings| settings.emergency_bypass = false);
    assert_eq!(strict.refused(&rescue("999")).check, Check::Status);
}

#[test]
fn an_emergency_number_needs_the_tech_prefix_too() {
    let world = World::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "123#")))]);
    assert_eq!(world.admitted(&rescue("123#112")).dialled, "123#112");
    assert_eq!(world.refused(&rescue("112")).check, Check::TechPrefix);
}

#[test]
fn the_test_number_is_admitted_and_marked() {
    assert!(World::open(json!({})).admitted(&rescue("933")).emergency.unwrap().test);
}

// What a verdict says

#[test]
fn the_engine_texts_are_sent_only_where_that_is_set() {
    let world =
        World::open(json!({ "capacity_limit": 0 })).set(|settings| settings.engine_reason_phrase = true);
    assert_eq!(world.refused(&a_try("442012345678")).phrase, "Trunk overloaded");
}

#[test]
fn an_admitted_call_passed_every_check() {
    let world = World::of(&[("a", json!({ "capacity_limit": 1 }))]);
    let admitted = world.admitted(&Try { header: Some(world.signed("a", &[])), ..a_try("+442012345678") });
    assert_eq!(admitted.passed.iter().collect::<Vec<_>>(), Check::ALL);
    assert_eq!(admitted.cli.original, OWN);
}

#[test]
fn no_verdict_prints_a_password_or_a_digest() {
    let world = World::of(&[("a", json!({}))]);
    let header = Some(world.signed("a", &[("password", "wrong")]));
    let response = header.as_ref().unwrap().split("response=\"").nth(1).unwrap()[..32].to_owned();
    let verdict = format!("{:?}", world.decide(&Try { header, ..a_try("442012345678") }));
    assert!(!verdict.contains(&response) && !verdict.contains("secret"));
}

#[test]
fn terms_that_no_call_could_meet_are_refused_by_name() {
    let error = |attributes: Value| {
        let trunk = decoded("a", &attributes);
        TrunkTerms::new(&trunk, &links(), "a".into(), &account(), "r").unwrap_err().to_string()
    };
    assert!(error(method(&credentials("a", &["localhost"], ""))).contains("`localhost` in allowed_sip_ips"));
    assert!(error(method(&credentials("a", &["10.0.0.1"], "+1"))).contains("tech prefix `+1`"));
    assert!(error(json!({ "dst_prefixes": ["4x"] })).contains("destination prefix `4x`"));
}

#[test]
fn links_are_known_only_of_a_trunk_that_was_read_with_them() {
    assert_eq!(TrunkLinks::loaded(&decoded("a", &json!({}))), None);
}

/// A call that fails the chosen checks and no others, and how many channels it holds while it is up.
fn faulty(faults: &[Check]) -> (Verdict, u32) {
    let fails = |check| faults.contains(&check);
    let mut trunk = method(&credentials("a", &["203.0.113.0/24"], "12#"));
    if fails(Check::Status) {
        trunk["status"] = json!("blocked");
    }
    if fails(Check::Destination) {
        trunk["dst_prefixes"] = json!(["44"]);
    }
    if fails(Check::Capacity) {
        trunk["capacity_limit"] = json!(0);
    }
    let other = method(&credentials("b", &["198.51.100.0/24"], "12#"));
    let mut world = World::of(&[("a", trunk), ("b", other)]);
    let prefix = if fails(Check::Route) { "33" } else { "44" };
    let one = NonZeroU32::MIN;
    let rate = Rate { per_minute: Decimal::ONE, initial_interval: one, next_interval: one };
    world.rates = Some(RateCard::new([(prefix.parse().unwrap(), rate)]));
    let secure = PLAIN.replace("RTP/AVP", "RTP/SAVP");
    let dialled = format!(
        "{}{}",
        if fails(Check::TechPrefix) { "" } else { "12#" },
        if fails(Check::Number) {
            "0442012345678"
        } else if fails(Check::Emergency) {
            "112"
        } else {
            "442012345678"
        }
    );
    let call = Try {
        source: if fails(Check::Source) {
            "192.0.2.1"
        } else if fails(Check::Trunk) {
            "198.51.100.1"
        } else {
            OFFICE
        },
        from: if fails(Check::Cli) { "15550100" } else { OWN },
        header: Some(world.signed("a", if fails(Check::Digest) { &[("password", "wrong")] } else { &[] })),
        sdp: Some(if fails(Check::Media) { &secure } else { PLAIN }),
        ..a_try(&dialled)
    };
    let (verdict, channel) = world.decide_and_hold(&call);
    let held = world.index.channels(&Id::from("a")).unwrap().held();
    drop(channel);
    assert_eq!(world.index.channels(&Id::from("a")).unwrap().held(), 0);
    (verdict, held)
}

#[test]
fn the_order_of_checks_is_total_and_a_refused_call_never_holds_a_channel() {
    for bits in 0u16..1 << Check::ALL.len() {
        let mut faults: Vec<Check> =
            Check::ALL.into_iter().filter(|check| bits & (1 << *check as u8) != 0).collect();
        // A malformed number is no emergency number, and 112 is none where the foreign caller is.
        if faults.contains(&Check::Number) || faults.contains(&Check::Cli) {
            faults.retain(|check| *check != Check::Emergency);
        }
        let first = faults.first().copied();
        let (verdict, held) = faulty(&faults);
        let (failed, passed) = match verdict {
            Verdict::Admitted(admitted) => (None, admitted.passed),
            Verdict::Challenged(challenge) => (Some(Check::Digest), challenge.passed),
            Verdict::Refused(refusal) => (Some(refusal.check), refusal.passed),
        };
        assert_eq!(failed, first, "{faults:?}");
        assert_eq!(held, u32::from(first.is_none()), "{faults:?}");
        let before = Check::ALL.into_iter().take_while(|check| Some(*check) != first);
        assert_eq!(passed, Checks::of(before), "{faults:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_of_an_invite_make_it_panic(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 8),
        text in "[ -~]{0,60}"
    ) {
        let world = World::of(&[("a", method(&ip_only(&["0.0.0.0/0"], "")))]);
        let nonces = NoncesAt { key: &world.key, now: NOW, ttl: Duration::from_mins(5) };
        let snapshot = Snapshot {
            trunks: &world.index, settings: &world.settings, nonces: &nonces, rates: None, now: NOW, random: 3,
        };
        let uri = format!("sip:{text}@h");
        for uri in [parts[0].as_slice(), uri.as_bytes(), b"sip:442012345678@h"] {
            let credentials = [parts[2].as_slice(), text.as_bytes()];
            let attempt = Attempt {
                credentials: &credentials,
                twilio_account_sid: Some(&parts[3]),
                asserted_identity: Some(&parts[4]),
                diversion: Some(&parts[5]),
                privacy: Some(&parts[6]),
                sdp: Some(&parts[7]),
                ..Attempt::new(IpAddr::from([10, 0, 0, 1]), uri, &parts[1])
            };
            let _ = admit_and_hold(&snapshot, &attempt);
        }
    }
}
