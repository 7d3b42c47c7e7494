//! The time of one decision about a call, without network I/O.

use std::net::Ipv4Addr;
use std::sync::Arc;

use didww_types::resources::{AuthenticationMethod, DstPrefixes, VoiceOutTrunk};
use didww_types::values::{DstPrefix, IpNetworks};
use didww_types::{Resource as _, Timestamp};
use serde_json::json;
use trunk_rules::carrier::{
    Attempt, DidFacts, NonceKey, NoncesAt, PasswordHash, SentDigest, Settings, Snapshot, TrunkIndex,
    TrunkLinks, TrunkTerms, Verdict, admit_and_hold,
};

use crate::Outcome;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{median, spread};
use crate::stopwatch::Stopwatch;

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const USER: &str = "big";
const PASSWORD: &str = "secret";
const URI: &str = "sip:442012345678@out.didww.com";
const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";
/// Number of decisions that are timed.
const DECISIONS: usize = 100_000;

pub(crate) fn decision(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunks = u32::try_from(plan.records.1)?;
    let times = decisions(trunks)?;
    let late = times.get(DECISIONS * 999 / 1_000).copied().unwrap_or(f64::NAN);
    let spread = spread(&times);
    let figure = median(times);
    Ok(Row {
        name,
        ours: format!("{figure:.2} µs, 99.9 % within {late:.2} µs, among {trunks} trunks"),
        reference: "–".to_owned(),
        figure,
        spread: Some(spread),
        unit: " µs",
        target: Target::AtMost(1.2, 1.0),
    })
}

/// The time of each of many decisions among this number of trunks, in microseconds and ascending.
pub(crate) fn decisions(trunks: u32) -> Outcome<Vec<f64>> {
    let settings = Settings::default();
    let index = index(trunks, &settings.realm)?;
    let key = NonceKey::new(&[1; 32]);
    let nonces = NoncesAt { key: &key, now: NOW, ttl: settings.nonce_ttl };
    let snapshot = Snapshot {
        trunks: &index,
        settings: &settings,
        nonces: &nonces,
        rates: None,
        funds: None,
        now: NOW,
        random: 1,
    };
    let hash = PasswordHash::new(USER, &settings.realm, &PASSWORD.into());
    let digest = hash.authorization(USER, &settings.realm, &key.issue(NOW, 7), "INVITE", URI);
    let source = Ipv4Addr::new(203, 0, 113, 59).into();
    let mut received = Attempt::new(source, URI.as_bytes(), b"\"A\" <sip:+442011111111@a.example>;tag=1");
    received.sdp = Some(SDP);
    let mut times = Vec::with_capacity(DECISIONS);
    for _ in 0..DECISIONS {
        let watch = Stopwatch::start();
        let credentials = SentDigest::of([digest.as_bytes()], &settings);
        let attempt = Attempt { credentials: &credentials, ..received };
        let (verdict, channel) = admit_and_hold(&snapshot, &attempt);
        times.push(watch.seconds() * 1e6);
        if !matches!(verdict, Verdict::Admitted(_)) || channel.is_none() {
            return Err(format!("the call was not let through: {verdict:?}").into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// An index with one large trunk among `count` small ones, half of which allow every source address.
fn index(count: u32, realm: &str) -> Outcome<TrunkIndex> {
    let did = DidFacts {
        id: "own".into(),
        number: "442011111111".to_owned(),
        eligible: true,
        emergency_enabled: false,
        expires_at: None,
    };
    let links = TrunkLinks { dids: vec!["own".into()], ..TrunkLinks::default() };
    let account: Arc<str> = "account".into();
    let mut trunk = VoiceOutTrunk::decode(serde_json::from_value(json!({
        "type": "voice_out_trunks", "id": "small", "attributes": {
            "name": "small", "status": "active", "on_cli_mismatch_action": "reject_call",
            "created_at": "2026-01-01T00:00:00.000Z", "media_encryption_mode": "disabled",
            "default_dst_action": "allow_all", "dst_prefixes": [],
            "authentication_method": { "type": "credentials_and_ip", "attributes": {} }
        }
    }))?)?;
    let mut index = TrunkIndex::new();
    index.dids_mut(&account).set(&did);
    let mut insert = |trunk: &VoiceOutTrunk| -> Outcome<()> {
        let terms = TrunkTerms::new(trunk, &links, Arc::clone(&account), index.dids(&account), realm)?;
        index.insert(terms)?;
        Ok(())
    };
    for number in 1..count {
        let own = format!("{}/32", Ipv4Addr::from(0x0A00_0000 + number));
        let network = if number % 2 == 0 { "0.0.0.0/0" } else { own.as_str() };
        set_credentials(&mut trunk, &format!("user{number}"), &IpNetworks::parse([network])?);
        trunk.id = format!("trunk-{number}").into();
        insert(&trunk)?;
    }
    let networks = (0..60).map(|low| format!("203.0.113.{low}/32"));
    set_credentials(&mut trunk, USER, &IpNetworks::parse(networks)?);
    let prefixes = (0..1_000).filter_map(|low| DstPrefix::new(format!("99{low:03}")).ok());
    trunk.dst_prefixes = DstPrefixes::new(prefixes)?;
    trunk.id = USER.into();
    insert(&trunk)?;
    Ok(index)
}

fn set_credentials(trunk: &mut VoiceOutTrunk, user: &str, networks: &IpNetworks) {
    if let AuthenticationMethod::CredentialsAndIp(method) = &mut trunk.authentication_method {
        method.allowed_sip_ips = networks.clone();
        method.username = Some(user.to_owned());
        method.password = Some(PASSWORD.into());
    }
}
