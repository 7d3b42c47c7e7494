//! Tests of the carrier edge's rules, one each, through [`admit_and_hold`].

mod capacity;
mod cli;
mod destination;
mod digest;
mod emergency;
mod hostile;
mod in_dialog;
mod media;
mod number;
mod order;
mod selection;
mod status;
mod terms;
mod verdict;

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use serde_json::{Value, json};

use super::super::digest::tests::with;
use super::*;
use crate::carrier::{
    Admitted, Challenge, DidFacts, DigestFailure, NonceKey, NoncesAt, RateCard, SentDigest, TrunkIndex,
    TrunkLinks,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const OFFICE_ADDRESS: &str = "203.0.113.5";
const FIRST_DID: &str = "442011111111";
const SECOND_DID: &str = "442022222222";
const EMERGENCY_DID: &str = "442099999999";
const PLAIN_OFFER: &str =
    "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

struct TestEdge {
    index: TrunkIndex,
    settings: Settings,
    key: NonceKey,
    rates: Option<RateCard>,
    random: u64,
    funds: TestFunds,
}

/// The spending of every trunk of a test.
#[derive(Default)]
struct TestFunds {
    /// The amount spent, if it leaves no room for another call.
    exhausted: Option<Money>,
    /// Whether charges cannot be stored.
    cannot_record: bool,
}

impl Funds for TestFunds {
    fn exhausted(&self, _: &TrunkTerms) -> Option<Money> {
        self.exhausted
    }

    fn are_recorded(&self, _: &TrunkTerms) -> bool {
        !self.cannot_record
    }
}

/// The INVITE of a test.
struct Invite<'a> {
    source: &'a str,
    dialled: &'a str,
    from: &'a str,
    header: Option<String>,
    sdp: Option<&'a str>,
    modify: fn(&mut Attempt<'_>),
}

fn invite_to(dialled: &str) -> Invite<'_> {
    Invite {
        source: OFFICE_ADDRESS,
        dialled,
        from: FIRST_DID,
        header: None,
        sdp: Some(PLAIN_OFFER),
        modify: |_| {},
    }
}

fn did(id: &str, number: &str) -> DidFacts {
    DidFacts {
        id: id.into(),
        number: number.to_owned(),
        eligible: true,
        emergency_enabled: number == EMERGENCY_DID,
        expires_at: None,
    }
}

fn account() -> AccountDids {
    AccountDids::new([did("own", FIRST_DID), did("second", SECOND_DID), did("rescue", EMERGENCY_DID)])
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

impl TestEdge {
    fn of(trunks: &[(&str, Value)]) -> Self {
        let mut index = TrunkIndex::new();
        *index.dids_mut(&"account".into()) = account();
        for (id, attributes) in trunks {
            index.insert(terms(id, attributes)).unwrap();
        }
        let key = NonceKey::new(&[9; 32]);
        Self {
            index,
            settings: Settings::default(),
            key,
            rates: None,
            random: 0,
            funds: TestFunds::default(),
        }
    }

    /// An edge with one trunk that accepts calls from the office by address alone, for tests of the later
    /// checks.
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

    fn decide_and_hold(&self, call: &Invite<'_>) -> (Verdict, Option<Channel>) {
        let nonces = NoncesAt { key: &self.key, now: NOW, ttl: self.settings.nonce_ttl };
        let snapshot = Snapshot {
            trunks: &self.index,
            settings: &self.settings,
            nonces: &nonces,
            rates: self.rates.as_ref().map(|rates| rates as &dyn Rates),
            funds: Some(&self.funds),
            now: NOW,
            random: self.random,
        };
        let uri = format!("sip:{}@nyc.us.out.didww.com;user=phone", call.dialled);
        let from = format!("\"Alice\" <sip:{}@customer.example>;tag=1", call.from);
        let header = call.header.as_ref().map(String::as_bytes);
        let sent = SentDigest::of(header, &self.settings);
        let mut attempt = Attempt::new(call.source.parse().unwrap(), uri.as_bytes(), from.as_bytes());
        attempt.credentials = &sent;
        attempt.sdp = call.sdp.map(str::as_bytes);
        (call.modify)(&mut attempt);
        admit_and_hold(&snapshot, &attempt)
    }

    fn decide(&self, call: &Invite<'_>) -> Verdict {
        self.decide_and_hold(call).0
    }

    fn admitted(&self, call: &Invite<'_>) -> Admitted {
        match self.decide(call) {
            Verdict::Admitted(admitted) => *admitted,
            other => panic!("{other:?}"),
        }
    }

    fn challenged(&self, call: &Invite<'_>) -> Challenge {
        match self.decide(call) {
            Verdict::Challenged(challenge) => *challenge,
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self, call: &Invite<'_>) -> Refusal {
        match self.decide(call) {
            Verdict::Refused(refusal) => *refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the check, the cause and the code of a refusal.
    fn refusal(&self, call: &Invite<'_>) -> (Check, Cause, u16) {
        let refusal = self.refused(call);
        (refusal.check, refusal.cause, refusal.code)
    }
}
