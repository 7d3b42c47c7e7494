//! How long a decision takes among a million trunks.
//!
//! `cargo run --release -p trunk-rules --example admit_bench [trunks]`

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use didww_types::resources::{AuthenticationMethod, VoiceOutTrunk};
use didww_types::values::{DstPrefix, IpNetworks, TechPrefix};
use didww_types::{Resource as _, Timestamp};
use md5::{Digest as _, Md5};
use serde_json::json;
use trunk_rules::carrier::{
    AccountDids, Attempt, DidFacts, NonceKey, NoncesAt, Settings, Snapshot, TrunkIndex, TrunkLinks,
    TrunkTerms, Verdict, admit_and_hold,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const ROUNDS: usize = 200_000;
const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let settings = Settings::default();
    let index = index(count, &settings.realm)?;
    println!("{count} trunks, {ROUNDS} calls each:");

    let key = NonceKey::new(&[1; 32]);
    let nonces = NoncesAt { key: &key, now: NOW, ttl: settings.nonce_ttl };
    let snapshot =
        Snapshot { trunks: &index, settings: &settings, nonces: &nonces, rates: None, now: NOW, random: 1 };
    let big = header("big", &key.issue(NOW, 7));
    let small = header(&format!("user{}", count / 2), &key.issue(NOW, 8));
    let wrong = small.replace("response=\"", "response=\"0");
    let (near, far) = (IpAddr::from([203, 0, 113, 59]), IpAddr::from([198, 51, 100, 1]));
    for (name, source, header, sdp) in [
        ("digest, 60 networks, 1,000 prefixes, SDP", near, Some(&big), Some(SDP)),
        ("digest, 60 networks, 1,000 prefixes, late offer", near, Some(&big), None),
        ("digest, open to everybody", far, Some(&small), Some(SDP)),
        ("no digest: challenge", far, None, Some(SDP)),
        ("malformed digest: challenge", far, Some(&wrong), Some(SDP)),
        ("address that nobody allows", IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]), None, Some(SDP)),
    ] {
        let header = header.map(String::as_bytes);
        let uri = b"sip:123#442012345678@nyc.us.out.didww.com;user=phone";
        let mut attempt = Attempt::new(source, uri, b"\"A\" <sip:+442011111111@a.example>;tag=1");
        attempt.credentials = header.as_slice();
        attempt.sdp = sdp;
        report(name, &snapshot, &attempt);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this program measures")]
fn report(name: &str, snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) {
    let mut times: Vec<u128> = Vec::with_capacity(ROUNDS);
    let mut outcome = "";
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (verdict, channel) = admit_and_hold(snapshot, attempt);
        times.push(start.elapsed().as_nanos());
        outcome = match &verdict {
            Verdict::Admitted(_) => "admitted",
            Verdict::Challenged(_) => "challenged",
            Verdict::Refused(refusal) => refusal.check.name(),
        };
        drop(channel);
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 1000).copied().unwrap_or_default();
    println!("{name}: {outcome}, median {} ns, 99.9 % {} ns", at(500), at(999));
}

/// One big trunk among small ones, of which half allow everybody.
fn index(count: u32, realm: &str) -> Result<TrunkIndex, Box<dyn std::error::Error>> {
    let dids = Arc::new(AccountDids::new([DidFacts {
        id: "own".into(),
        number: "442011111111".to_owned(),
        eligible: true,
        emergency_enabled: false,
        expires_at: None,
    }]));
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
    let mut insert = |trunk: &VoiceOutTrunk| -> Result<(), Box<dyn std::error::Error>> {
        index.insert(TrunkTerms::new(trunk, &links, Arc::clone(&account), &dids, realm)?)?;
        Ok(())
    };
    for number in 0..count {
        let own = format!("{}/32", Ipv4Addr::from(0x0A00_0000 + number));
        let network = if number % 2 == 0 { "0.0.0.0/0" } else { own.as_str() };
        set_credentials(&mut trunk, &format!("user{number}"), &IpNetworks::parse([network])?);
        trunk.id = format!("trunk-{number}").into();
        insert(&trunk)?;
    }
    let networks = (0..60).map(|low| format!("203.0.113.{low}/32"));
    set_credentials(&mut trunk, "big", &IpNetworks::parse(networks)?);
    trunk.dst_prefixes = didww_types::resources::DstPrefixes::new(
        (0..1_000).filter_map(|low| DstPrefix::new(format!("99{low:03}")).ok()),
    )?;
    trunk.id = "big".into();
    insert(&trunk)?;
    Ok(index)
}

fn set_credentials(trunk: &mut VoiceOutTrunk, user: &str, networks: &IpNetworks) {
    if let AuthenticationMethod::CredentialsAndIp(method) = &mut trunk.authentication_method {
        method.allowed_sip_ips = networks.clone();
        method.tech_prefix = TechPrefix::new("123#").ok();
        method.username = Some(user.to_owned());
        method.password = Some("secret".into());
    }
}

fn header(user: &str, nonce: &str) -> String {
    let hash = |text: String| format!("{:032x}", u128::from_be_bytes(Md5::digest(text).into()));
    let (realm, uri) = ("out.didww.com", "sip:123%23442012345678@nyc.us.out.didww.com");
    let secret = hash(format!("{user}:{realm}:secret"));
    let about = hash(format!("INVITE:{uri}"));
    let response = hash(format!("{secret}:{nonce}:00000001:c0nce:auth:{about}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c0nce\""
    )
}
