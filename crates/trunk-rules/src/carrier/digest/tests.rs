use super::*;
use proptest::prelude::*;

const REALM: &str = "out.didww.com";
const URI: &str = "sip:442012345678@nyc.us.out.didww.com";

fn fresh(_: &[u8]) -> NonceState {
    NonceState::Fresh
}

fn settings() -> Settings {
    Settings { algorithms: vec![Algorithm::Md5, Algorithm::Sha256], ..Settings::default() }
}

fn hex<D: sha2::Digest>(parts: &[&[u8]]) -> String {
    String::from_utf8(Hex::of(&hash::<D>(parts)).text().to_vec()).unwrap()
}

/// The client's side of the digest, written from RFC 7616 §3.4 and independent of the code under test.
fn header(change: impl Fn(&str) -> Option<String>) -> String {
    let value = |name: &str, default: &str| change(name).unwrap_or_else(|| default.to_owned());
    let (user, realm, uri) = (value("username", "user"), value("realm", REALM), value("uri", URI));
    let (nonce, cnonce) = (value("nonce", "n0nce"), value("cnonce", "c0nce"));
    let (nc, qop) = (value("nc", "00000001"), value("qop", "auth"));
    let algorithm = value("algorithm", "MD5");
    let md5 = !algorithm.starts_with("SHA");
    let h =
        |text: String| if md5 { hex::<Md5>(&[text.as_bytes()]) } else { hex::<Sha256>(&[text.as_bytes()]) };
    let mut secret = h(format!("{user}:{realm}:{}", value("password", "secret")));
    if algorithm.ends_with("-sess") {
        secret = h(format!("{secret}:{nonce}:{cnonce}"));
    }
    let about = if qop == "auth-int" {
        h(format!("INVITE:{uri}:{}", h("v=0\r\n".to_owned())))
    } else {
        h(format!("INVITE:{uri}"))
    };
    let response = if qop.is_empty() {
        h(format!("{secret}:{nonce}:{about}"))
    } else {
        h(format!("{secret}:{nonce}:{nc}:{cnonce}:{qop}:{about}"))
    };
    let response = value("response", &response);
    let counted =
        if qop.is_empty() { String::new() } else { format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\"") };
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={algorithm}{counted}"
    )
}

pub(in crate::carrier) fn with(changes: &[(&str, &str)]) -> String {
    header(|name| changes.iter().find(|(changed, _)| *changed == name).map(|(_, to)| (*to).to_owned()))
}

fn verify(headers: &[&str], settings: &Settings, nonces: &dyn Nonces) -> Result<u32, (DigestFailure, bool)> {
    let password = PasswordHash::new("user", REALM, &"secret".into());
    let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
    let request = SignedRequest { method: b"INVITE", body: b"v=0\r\n" };
    verify_digest(&headers, request, settings, nonces, |name| (name == b"user").then_some(((), &password)))
        .map(|ok| ok.count)
        .map_err(|refusal| (refusal.failure, refusal.stale))
}

fn failure(header: &str) -> DigestFailure {
    verify(&[header], &settings(), &fresh).unwrap_err().0
}

#[test]
fn a_request_claims_the_username_of_its_digest_for_this_realm_alone() {
    let settings = settings();
    let of_realm = |realm: &str| header(|name| (name == "realm").then(|| realm.to_owned()));
    let (own, foreign) = (of_realm(REALM), of_realm("elsewhere"));
    let claimed = |headers: &[&str]| {
        let sent = SentDigest::of(headers.iter().map(|header| header.as_bytes()), &settings);
        assert_eq!(sent.is_absent(), headers.is_empty());
        assert_eq!(sent.nonce().is_some(), headers.iter().any(|header| header.starts_with("Digest")));
        sent.username().map(Cow::into_owned)
    };
    assert_eq!(claimed(&["Basic dTpw", &foreign, &own]), Some(b"user".to_vec()));
    for others in [&["Basic dTpw"][..], &[], &["", foreign.as_str()]] {
        assert_eq!(claimed(others), None, "{others:?}");
    }
    assert!(SentDigest::NONE.is_absent() && SentDigest::NONE.username().is_none());
}

#[test]
fn the_example_of_rfc_2617_is_accepted() {
    let header = br#"Digest username="Mufasa", realm="testrealm@host.com",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001,
        cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let settings = Settings { realm: "testrealm@host.com".to_owned(), ..Settings::default() };
    let password = PasswordHash::new("Mufasa", &settings.realm, &"Circle Of Life".into());
    let request = SignedRequest { method: b"GET", body: b"" };
    let accepted = verify_digest(&[header], request, &settings, &fresh, |_| Some(((), &password)));
    assert_eq!(accepted.unwrap().count, 1);
}

#[test]
fn the_examples_of_rfc_7616_are_accepted_with_md5_and_with_sha_256() {
    let realm = "http-auth@example.org";
    let settings = Settings { realm: realm.to_owned(), ..settings() };
    let password = PasswordHash::new("Mufasa", realm, &"Circle of Life".into());
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let header = format!(
            "Digest username=\"Mufasa\", realm=\"{realm}\", uri=\"/dir/index.html\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let request = SignedRequest { method: b"GET", body: b"" };
        let accepted =
            verify_digest(&[header.as_bytes()], request, &settings, &fresh, |_| Some(((), &password)));
        assert!(accepted.is_ok(), "{algorithm}");
    }
}

#[test]
fn a_hash_sign_in_the_uri_is_hashed_as_it_was_sent_raw_or_escaped() {
    for uri in ["sip:123#442@h", "sip:123%23442@h", "sip:442@H:5060;transport=tcp;user=phone"] {
        assert_eq!(verify(&[&with(&[("uri", uri)])], &settings(), &fresh), Ok(1), "{uri}");
    }
}

#[test]
fn the_uri_is_not_compared_with_the_request_uri() {
    assert_eq!(verify(&[&with(&[("uri", "sip:somewhere.else")])], &settings(), &fresh), Ok(1));
}

#[test]
fn a_nonce_count_above_255_is_as_good_as_any_and_in_either_case() {
    for (nc, count) in [("00000100", 0x100), ("0000FFff", 0xffff), ("ffffffff", u32::MAX)] {
        assert_eq!(verify(&[&with(&[("nc", nc)])], &settings(), &fresh), Ok(count));
    }
}

#[test]
fn session_variants_and_clients_without_qop_are_accepted() {
    for changes in [&[("algorithm", "MD5-sess")], &[("algorithm", "SHA-256-sess")], &[("qop", "")]] {
        assert!(verify(&[&with(changes)], &settings(), &fresh).is_ok(), "{changes:?}");
    }
}

#[test]
fn a_password_that_was_not_hashed_under_an_algorithm_verifies_none_of_its_digests() {
    let settings = settings();
    let request = SignedRequest { method: b"INVITE", body: b"v=0\r\n" };
    let verify_with = |password: &PasswordHash, algorithm: &str| {
        let header = with(&[("algorithm", algorithm)]);
        let found = verify_digest(&[header.as_bytes()], request, &settings, &fresh, |_| Some(((), password)));
        found.map(|ok| ok.count).map_err(|refusal| refusal.failure)
    };
    let only_md5 = PasswordHash::under(&[Algorithm::Md5], "user", REALM, &"secret".into());
    assert_eq!(verify_with(&only_md5, "MD5"), Ok(1));
    assert_eq!(verify_with(&only_md5, "SHA-256"), Err(DigestFailure::UnsupportedAlgorithm));
    let both = PasswordHash::under(&settings.algorithms, "user", REALM, &"secret".into());
    assert_eq!(verify_with(&both, "SHA-256"), Ok(1));
}

#[test]
fn auth_int_is_refused_unless_it_was_offered_and_then_protects_the_body() {
    let header = with(&[("qop", "auth-int")]);
    assert_eq!(failure(&header), DigestFailure::UnsupportedQop);
    let offered = Settings { qop: vec![Qop::Auth, Qop::AuthInt], ..settings() };
    assert_eq!(verify(&[&header], &offered, &fresh), Ok(1));
}

#[test]
fn each_way_to_fail_is_a_cause_of_its_own() {
    assert_eq!(verify(&[], &settings(), &fresh), Err((DigestFailure::NoHeader, false)));
    assert_eq!(failure("Basic eA=="), DigestFailure::Unparsable(HeaderFlaw::Scheme));
    assert_eq!(failure(&with(&[("algorithm", "SHA-512-256")])), DigestFailure::UnsupportedAlgorithm);
    assert_eq!(failure(&with(&[("realm", "nyc.us.out.didww.com")])), DigestFailure::RealmMismatch);
    let short = failure(&with(&[("response", "abc")]));
    assert_eq!(short, DigestFailure::ResponseLength { received: 3, expected: 32 });
    assert_eq!(failure(&with(&[("username", "unknown")])), DigestFailure::UserUnknown);
    assert_eq!(failure(&with(&[("nc", "1")])), DigestFailure::NonceCountUnparsable);
    assert_eq!(failure(&with(&[("nc", "0000000g")])), DigestFailure::NonceCountUnparsable);
    assert_eq!(failure(&with(&[("password", "wrong")])), DigestFailure::ResponseMismatch);
    let good = with(&[]);
    for (state, cause) in [
        (NonceState::Foreign, DigestFailure::NonceForeign),
        (NonceState::Expired, DigestFailure::NonceExpired),
    ] {
        assert_eq!(verify(&[&good], &settings(), &move |_: &[u8]| state).unwrap_err().0, cause);
    }
}

#[test]
fn sha_256_is_refused_unless_it_was_offered() {
    let header = with(&[("algorithm", "SHA-256")]);
    assert_eq!(
        verify(&[&header], &Settings::default(), &fresh),
        Err((DigestFailure::UnsupportedAlgorithm, false))
    );
}

#[test]
fn only_a_digest_that_is_right_but_for_its_age_is_stale() {
    let expired = |_: &[u8]| NonceState::Expired;
    assert_eq!(verify(&[&with(&[])], &settings(), &expired), Err((DigestFailure::NonceExpired, true)));
    let wrong = with(&[("password", "wrong")]);
    assert_eq!(verify(&[&wrong], &settings(), &expired), Err((DigestFailure::NonceExpired, false)));
}

#[test]
fn a_nonce_count_must_grow_in_strict_mode_only() {
    struct Used(u32);
    impl Nonces for Used {
        fn state(&self, _: &[u8]) -> NonceState {
            NonceState::Fresh
        }
        fn last_count(&self, _: &[u8]) -> Option<u32> {
            Some(self.0)
        }
    }
    let strict = Settings { strict_nc: true, ..settings() };
    let second = with(&[("nc", "00000002")]);
    assert_eq!(verify(&[&second], &strict, &Used(1)), Ok(2));
    assert_eq!(verify(&[&second], &strict, &Used(2)), Err((DigestFailure::NonceCountReplayed, false)));
    assert_eq!(verify(&[&second], &settings(), &Used(2)), Ok(2));
    let wrong = with(&[("nc", "00000002"), ("password", "wrong")]);
    assert_eq!(verify(&[&wrong], &strict, &Used(2)), Err((DigestFailure::ResponseMismatch, false)));
}

#[test]
fn of_several_headers_the_one_for_this_realm_and_algorithm_counts() {
    let other = with(&[("realm", "other.example")]);
    let newer = with(&[("algorithm", "SHA-512-256")]);
    let good = with(&[]);
    assert_eq!(verify(&["Basic eA==", &other, &newer, &good], &settings(), &fresh), Ok(1));
    assert_eq!(
        verify(&["Basic eA==", &other], &settings(), &fresh).unwrap_err().0,
        DigestFailure::RealmMismatch
    );
    assert_eq!(
        verify(&[&other, &newer], &settings(), &fresh).unwrap_err().0,
        DigestFailure::UnsupportedAlgorithm,
        "what is wrong is stated of the one for this realm"
    );
}

#[test]
fn password_hashes_are_not_printed() {
    let hash = PasswordHash::new("user", REALM, &"secret".into());
    assert_eq!(format!("{hash:?}"), "PasswordHash(hidden)");
}

proptest! {
    #[test]
    fn a_response_changed_in_one_place_is_refused(place in 0usize..32, digit in "[0-9a-f]") {
        let good = with(&[]);
        let at = good.find("response=\"").unwrap() + 10 + place;
        let mut changed = good.clone();
        changed.replace_range(at..=at, &digit);
        let accepted = verify(&[&changed], &settings(), &fresh).is_ok();
        prop_assert_eq!(accepted, changed == good);
    }

    #[test]
    fn no_bytes_make_it_panic(
        header in proptest::collection::vec(any::<u8>(), 0..100),
        nc in "[ -~]{0,10}", qop in "[a-z-]{0,10}", response in "[ -!#-~]{0,70}"
    ) {
        let crafted = with(&[("nc", &nc), ("qop", &qop), ("response", &response)]);
        let _ = verify(&[&String::from_utf8_lossy(&header), &crafted], &settings(), &fresh);
    }
}
