//! INVITEs of arbitrary bytes.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_bytes_of_an_invite_make_it_panic(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 8),
        text in "[ -~]{0,60}"
    ) {
        let edge = TestEdge::of(&[("a", method(&ip_only(&["0.0.0.0/0"], "")))]);
        let nonces = NoncesAt { key: &edge.key, now: NOW, ttl: Duration::from_mins(5) };
        let snapshot = Snapshot {
            trunks: &edge.index, settings: &edge.settings, nonces: &nonces, rates: None, funds: None, now: NOW, random: 3,
        };
        let uri = format!("sip:{text}@h");
        for uri in [parts[0].as_slice(), uri.as_bytes(), b"sip:442012345678@h"] {
            let credentials = SentDigest::of([parts[2].as_slice(), text.as_bytes()], &edge.settings);
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
