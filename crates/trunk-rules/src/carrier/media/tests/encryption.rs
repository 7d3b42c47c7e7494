//! Which keys, fingerprints and profiles are accepted in which mode of encryption.

use super::*;
use crate::carrier::Cause;

#[test]
fn a_trunk_without_encryption_refuses_encrypted_profiles() {
    for profile in ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"] {
        assert_eq!(
            refused(&MediaEncryptionMode::Disabled, &offer(profile, "8", &[])),
            MediaRefusal::Profile(profile.to_owned())
        );
    }
}

#[test]
fn sdes_needs_savp_and_a_supported_suite_with_a_whole_key() {
    let mode = MediaEncryptionMode::SrtpSdes;
    let line = |suite: &str, key: &str| format!("crypto:2 {suite} inline:{key}|2^20|1:4");
    let good =
        offer("RTP/SAVP", "8", &["crypto:1 AES_256_CM_HMAC_SHA1_80 inline:x", &line(SRTP_SUITES[1], KEY)]);
    let expected = sdes_key(2, SRTP_SUITES[1], false, false);
    assert_eq!(check(&mode, &good).unwrap().protection, expected);
    assert_eq!(refused(&mode, &offer("RTP/SAVP", "8", &[])), MediaRefusal::NoKey);
    assert_eq!(
        refused(&mode, &offer("RTP/SAVP", "8", &[&line(SRTP_SUITES[0], "short")])),
        MediaRefusal::NoKey
    );
    assert_eq!(refused(&mode, &offer("RTP/SAVP", "8", &[&line("F8_128", KEY)])), MediaRefusal::NoKey);
    assert!(matches!(refused(&mode, &offer("RTP/AVP", "8", &[])), MediaRefusal::Profile(_)));
}

fn sdes_key(tag: u32, suite: &'static str, is_plain: bool, unencrypted_rtcp: bool) -> Protection {
    Protection::Sdes { tag, suite, key: KEY.into(), is_plain, unencrypted_rtcp }
}

#[test]
fn a_key_whose_parameters_would_turn_encryption_off_or_are_unknown_is_not_taken() {
    let mode = MediaEncryptionMode::SrtpSdes;
    let suite = SRTP_SUITES[0];
    let line = |tag: u32, parameters: &str| format!("crypto:{tag} {suite} inline:{KEY} {parameters}");
    for parameter in ["UNENCRYPTED_SRTP", "WSH=64 UNAUTHENTICATED_SRTP", "NEW=1"] {
        let alone = offer("RTP/SAVP", "8", &[&line(1, parameter)]);
        assert_eq!(refused(&mode, &alone), MediaRefusal::NoKey, "{parameter}");
        let further = offer("RTP/SAVP", "8", &[&line(1, parameter), &line(2, "")]);
        assert_eq!(check(&mode, &further).unwrap().protection, sdes_key(2, suite, true, false));
    }
    for (parameters, unencrypted_rtcp) in [("KDR=1 WSH=64 -NEW=1", false), ("UNENCRYPTED_SRTCP", true)] {
        let sdp = offer("RTP/SAVP", "8", &[&line(1, parameters)]);
        assert_eq!(check(&mode, &sdp).unwrap().protection, sdes_key(1, suite, false, unencrypted_rtcp));
    }
}

#[test]
fn encryption_that_is_offered_as_optional_is_taken() {
    let line = format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[0]);
    let sdp = offer("RTP/AVP", "8", &[&line]);
    let expected = sdes_key(1, SRTP_SUITES[0], true, false);
    assert_eq!(check(&MediaEncryptionMode::SrtpSdes, &sdp).unwrap().protection, expected);
    assert_eq!(check(&MediaEncryptionMode::Disabled, &sdp).unwrap().protection, Protection::Plain);
}

#[test]
fn the_key_of_an_offer_is_not_printed() {
    let sdp = offer("RTP/SAVP", "8", &[&format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[0])]);
    assert!(!format!("{:?}", check(&MediaEncryptionMode::SrtpSdes, &sdp)).contains(KEY));
}

#[test]
fn dtls_is_not_implemented_unless_signalling_alone_is_wanted() {
    let good = offer("UDP/TLS/RTP/SAVP", "0", &["fingerprint:sha-256 AB:cd:01", "setup:actpass"]);
    let refusal = refused(&MediaEncryptionMode::SrtpDtls, &good);
    assert_eq!(refusal, MediaRefusal::DtlsNotImplemented);
    let settings = Settings::default();
    assert_eq!((refusal.cause(), refusal.code(&settings)), (Cause::DtlsNotImplemented, 488));
}

#[test]
fn dtls_needs_its_profile_a_fingerprint_and_a_setup() {
    let mode = MediaEncryptionMode::SrtpDtls;
    let check = |mode: &MediaEncryptionMode, sdp: &str| {
        negotiate(mode, &signalling_only(), Some(sdp.as_bytes())).map(Option::unwrap)
    };
    let refused = |mode: &MediaEncryptionMode, sdp: &str| check(mode, sdp).unwrap_err();
    for profile in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"] {
        let good = offer(profile, "0", &["fingerprint:sha-256 AB:cd:01", "setup:actpass"]);
        let expected = Protection::Dtls { fingerprint: "sha-256 AB:cd:01".to_owned(), setup: Setup::ActPass };
        assert_eq!(check(&mode, &good).unwrap().protection, expected);
        for lacking in
            [&["setup:active"][..], &["fingerprint:sha-256 AB"], &["fingerprint:x", "setup:active"]]
        {
            assert_eq!(refused(&mode, &offer(profile, "0", lacking)), MediaRefusal::NoFingerprint);
        }
    }
    assert!(matches!(refused(&mode, &offer("RTP/SAVP", "0", &[])), MediaRefusal::Profile(_)));
}

#[test]
fn a_fingerprint_of_the_session_counts_for_its_streams() {
    let sdp = offer("UDP/TLS/RTP/SAVP", "0", &["setup:passive"])
        .replace("t=0 0\r\n", "t=0 0\r\na=fingerprint:sha-256 AB:CD\r\n");
    assert!(negotiate(&MediaEncryptionMode::SrtpDtls, &signalling_only(), Some(sdp.as_bytes())).is_ok());
}

#[test]
fn zrtp_is_agreed_on_in_a_stream_whose_profile_needs_no_key() {
    let mode = MediaEncryptionMode::Zrtp;
    for profile in ["RTP/AVP", "RTP/AVPF"] {
        let sdp = offer(profile, "8", &["zrtp-hash:1.10 fe30"]);
        assert_eq!(check(&mode, &sdp).unwrap().protection, Protection::Zrtp);
    }
    let key = format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[0]);
    for profile in ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"] {
        let sdp = offer(profile, "8", &[&key, "fingerprint:sha-256 AB:CD", "setup:actpass"]);
        assert_eq!(refused(&mode, &sdp), MediaRefusal::Profile(profile.to_owned()));
    }
    // A client that offers the stream in both ways has the one without a key answered.
    let both = offer("RTP/SAVP", "8", &[&key]) + "m=audio 40002 RTP/AVP 8\r\n";
    let media = check(&mode, &both).unwrap();
    assert_eq!((media.stream, media.profile, media.protection), (1, Profile::Avp, Protection::Zrtp));
}
