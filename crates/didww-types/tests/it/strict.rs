//! Constructors and validation, at each limit and one step beyond it.

use didww_types::resources::{
    AuthenticationMethod, DefaultDstAction, DstPrefixes, MediaEncryptionMode, OnCliMismatchAction,
    VoiceOutTrunkStatus,
};
use didww_types::values::{
    AbsoluteCallbackUrl, BillingCycles, CallbackUrl, CapacityLimit, Date, DstPrefix, ExternalReference,
    IpNetworks, RtpTimeout, TechPrefix, ThresholdAmount, TwilioAccountSid, ValueError,
};
use didww_types::{Attribute, Feature, Flaw, Timestamp, Violation};
use serde_json::{Value, json};

const SID: &str = "AC22222222222222222222222222222222";

/// Asserts the message of a refused value, which states the value, the violation and the valid values.
fn refused<T>(built: Result<T, ValueError>, message: &str) {
    match built {
        Ok(_) => panic!("was accepted, expected: {message}"),
        Err(error) => assert_eq!(error.to_string(), message),
    }
}

fn validated<T: Attribute>(sent: Value) -> Value {
    T::validate(&sent).unwrap_or_else(|flaws| panic!("{sent}: {flaws:?}"))
}

/// The message for a value with one violation, which is of the whole value.
fn flaw<T: Attribute>(sent: Value) -> String {
    let flaws = T::validate(&sent).expect_err(&format!("{sent} was accepted"));
    assert_eq!(flaws.len(), 1, "{sent}");
    assert_eq!(flaws[0].pointer, "", "{sent}");
    flaws[0].violation.to_string()
}

#[test]
fn n56_a_tech_prefix_has_one_to_eight_digits_or_hashes() {
    for right in ["0", "123#", "0123456#", "########"] {
        assert_eq!(TechPrefix::new(right).unwrap().as_str(), right);
        assert_eq!(validated::<TechPrefix>(json!(right)), right);
    }
    let right = "1 to 8 of the characters 0 to 9 and #";
    let long = "is too long (maximum is 8 characters)";
    refused(TechPrefix::new("123456789"), &format!("tech prefix `123456789` {long}; {right}"));
    for wrong in ["", "+1", "*", "12 ", "a", "-", "１", "123456789x"] {
        refused(TechPrefix::new(wrong), &format!("tech prefix `{wrong}` is invalid; {right}"));
        assert_eq!(flaw::<TechPrefix>(json!(wrong)), "is invalid");
    }
    assert_eq!(flaw::<TechPrefix>(json!("123456789")), long);
    assert_eq!(validated::<TechPrefix>(json!(99)), "99");
    assert_eq!(validated::<Option<TechPrefix>>(Value::Null), Value::Null);
    assert_eq!(flaw::<TechPrefix>(json!(["1"])), "is invalid");
}

#[test]
fn an_rtp_timeout_is_30_to_600_seconds() {
    assert_eq!(RtpTimeout::new(30u32).unwrap(), RtpTimeout::MIN);
    assert_eq!(RtpTimeout::new(600u32).unwrap(), RtpTimeout::MAX);
    refused(
        RtpTimeout::new(29u32),
        "RTP timeout `29` must be greater than or equal to 30; 30 to 600 seconds",
    );
    refused(
        RtpTimeout::new(601u32),
        "RTP timeout `601` must be less than or equal to 600; 30 to 600 seconds",
    );
    assert_eq!(validated::<RtpTimeout>(json!(30)), 30);
    assert_eq!(validated::<RtpTimeout>(json!("600")), 600);
    assert_eq!(validated::<Option<RtpTimeout>>(Value::Null), Value::Null);
    assert_eq!(flaw::<RtpTimeout>(json!(29)), "must be greater than or equal to 30");
    assert_eq!(flaw::<RtpTimeout>(json!("601")), "must be less than or equal to 600");
}

#[test]
fn a_capacity_limit_is_0_to_32767_calls() {
    assert_eq!(CapacityLimit::new(0u32).unwrap(), CapacityLimit::MIN);
    assert_eq!(CapacityLimit::new(32_767u32).unwrap(), CapacityLimit::MAX);
    refused(
        CapacityLimit::new(32_768u32),
        "capacity limit `32768` must be less than or equal to 32767; 0 to 32767 simultaneous calls",
    );
    assert!(CapacityLimit::new(u32::MAX).is_err());
    assert_eq!(validated::<CapacityLimit>(json!(0)), 0);
    assert_eq!(validated::<CapacityLimit>(json!("32767")), 32_767);
    assert_eq!(validated::<CapacityLimit>(json!(7.0)), 7);
    for (wrong, message) in [
        (json!(32_768), "must be less than or equal to 32767"),
        (json!("32768"), "must be less than or equal to 32767"),
        (json!(u64::MAX), "must be less than or equal to 32767"),
        (json!("99999999999999999999999"), "must be less than or equal to 32767"),
        (json!(-1), "must be greater than or equal to 0"),
        (json!("-99999999999999999999999"), "must be greater than or equal to 0"),
        (json!(-1e300), "must be greater than or equal to 0"),
        (json!(1.5), "must be an integer"),
        (json!("1.5"), "must be an integer"),
        (json!("ten"), "is not a number"),
        (json!("NaN"), "is not a number"),
        (json!(""), "is not a number"),
        (json!(true), "is not a number"),
        (json!([1]), "is not a number"),
        (json!({}), "is not a number"),
        (Value::Null, "is not a number"),
    ] {
        assert_eq!(flaw::<CapacityLimit>(wrong.clone()), message, "{wrong}");
    }
    assert_eq!(validated::<Option<CapacityLimit>>(Value::Null), Value::Null);
}

#[test]
fn renewals_are_0_to_999() {
    assert_eq!(BillingCycles::new(999u32).unwrap().get(), 999);
    refused(
        BillingCycles::new(1000u32),
        "billing cycles count `1000` must be less than or equal to 999; 0 to 999 renewals",
    );
}

#[test]
fn a_threshold_is_0_to_100000_dollars_exactly() {
    for (given, written) in [
        ("0.0", "0.0"),
        ("0", "0.0"),
        ("-0", "0.0"),
        ("100000.0", "100000.0"),
        ("100000", "100000.0"),
        ("1000.50", "1000.5"),
        ("0.000000000000000000001", "0.000000000000000000001"),
        (" 7.25 ", "7.25"),
    ] {
        assert_eq!(given.parse::<ThresholdAmount>().unwrap().to_string(), written, "{given}");
        assert_eq!(validated::<ThresholdAmount>(json!(given)), written, "{given}");
    }
    let right = "0.0 to 100000.0 US dollars";
    for (wrong, message) in [
        ("100000.1", "must be less than or equal to 100000"),
        ("100000.000000000000000000001", "must be less than or equal to 100000"),
        ("-0.1", "must be greater than or equal to 0"),
        ("", "is not a number"),
        ("much", "is not a number"),
        ("1_000", "is not a number"),
        ("1,5", "is not a number"),
        ("NaN", "is not a number"),
    ] {
        refused(wrong.parse::<ThresholdAmount>(), &format!("threshold amount `{wrong}` {message}; {right}"));
        assert_eq!(flaw::<ThresholdAmount>(json!(wrong)), message);
    }
    assert_eq!(validated::<ThresholdAmount>(json!(9999)), "9999.0");
    assert_eq!(validated::<ThresholdAmount>(json!(0.1)), "0.1");
    assert_eq!(validated::<ThresholdAmount>(json!(0.000_01)), "0.00001", "JSON writes an exponent");
    assert_eq!(flaw::<ThresholdAmount>(json!(100_000.1)), "must be less than or equal to 100000");
    assert_eq!(flaw::<ThresholdAmount>(json!(1e300)), "must be less than or equal to 100000");
    assert_eq!(flaw::<ThresholdAmount>(json!(true)), "is not a number");
    assert_eq!(validated::<Option<ThresholdAmount>>(Value::Null), Value::Null);
}

#[test]
fn networks_are_normalised_and_keep_their_order() {
    let given =
        ["192.168.1.1", "10.11.12.13/32", "203.0.113.77/24", "2001:db8::1", "2001:DB8:0::ffff/32", "::/0"];
    let written =
        ["192.168.1.1/32", "10.11.12.13/32", "203.0.113.0/24", "2001:db8::1/128", "2001:db8::/32", "::/0"];
    let networks = IpNetworks::parse(given).unwrap();
    assert_eq!(networks.texts(), written);
    assert_eq!(validated::<IpNetworks>(json!(given)), json!(written));
    assert_eq!(IpNetworks::new(networks.networks()).unwrap(), networks);
    assert!(networks.contains("203.0.113.200".parse().unwrap()));
    assert!(!networks.contains("203.0.114.1".parse().unwrap()));
}

#[test]
fn at_most_60_networks_are_taken() {
    let many = |count: u8| (0..count).map(|last| format!("192.0.2.{last}"));
    assert_eq!(IpNetworks::parse(many(60)).unwrap().texts().len(), 60);
    let right = "IPv4 or IPv6 addresses or subnets such as 203.0.113.5 or 2001:db8::/32, at most 60";
    refused(
        IpNetworks::parse(many(61)),
        &format!("list of networks `61 entries` is too long (maximum is 60 items); {right}"),
    );
    assert!(IpNetworks::parse(Vec::<String>::new()).unwrap().texts().is_empty());
    let sent = |count| json!(many(count).collect::<Vec<_>>());
    assert_eq!(validated::<IpNetworks>(sent(60)).as_array().unwrap().len(), 60);
    assert_eq!(flaw::<IpNetworks>(sent(61)), "is too long (maximum is 60 items)");
    assert_eq!(validated::<IpNetworks>(json!([])), json!([]));
}

#[test]
fn texts_that_are_not_networks_are_refused() {
    let right = "IPv4 or IPv6 addresses or subnets such as 203.0.113.5 or 2001:db8::/32, at most 60";
    for wrong in [
        "",
        "localhost",
        "10.0.0",
        "10/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/8/8",
        "256.0.0.1",
        "::1/129",
        "[::1]",
        "10.0.0.1:5060",
        " 10.0.0.1",
    ] {
        refused(IpNetworks::parse([wrong]), &format!("list of networks `{wrong}` is invalid; {right}"));
        assert_eq!(flaw::<IpNetworks>(json!([wrong])), "is invalid", "{wrong}");
    }
    assert_eq!(flaw::<IpNetworks>(json!("10.0.0.1")), "is invalid");
    assert_eq!(flaw::<IpNetworks>(json!([1])), "is invalid");
    assert_eq!(flaw::<IpNetworks>(Value::Null), "can't be blank");
    assert_eq!(validated::<Option<IpNetworks>>(Value::Null), Value::Null);
}

#[test]
fn n58_a_twilio_account_sid_has_two_letters_and_32_hexadecimal_digits() {
    assert_eq!(TwilioAccountSid::new(SID).unwrap().as_str(), SID);
    let right = "two letters and 32 hexadecimal digits, such as AC22222222222222222222222222222222";
    let wrong = [
        &SID[..33],
        &format!("{SID}2"),
        &SID.replace('C', "-"),
        &format!("{}é", &SID[..32]),
        &format!("{}g", &SID[..33]),
        &SID.replace("AC", "A2"),
    ];
    for wrong in wrong {
        refused(TwilioAccountSid::new(wrong), &format!("Twilio account SID `{wrong}` is invalid; {right}"));
        assert_eq!(flaw::<TwilioAccountSid>(json!(wrong)), "is invalid");
    }
    refused(TwilioAccountSid::new(""), &format!("Twilio account SID `` can't be blank; {right}"));
    assert_eq!(flaw::<TwilioAccountSid>(json!("")), "can't be blank");
    assert_eq!(flaw::<TwilioAccountSid>(Value::Null), "can't be blank");
}

#[test]
fn an_external_reference_has_at_most_100_characters_not_bytes() {
    for most in ["x".repeat(100), "é".repeat(100), "漢".repeat(100), "📞".repeat(100), String::new()] {
        assert_eq!(ExternalReference::new(most.as_str()).unwrap().as_str(), most);
        assert_eq!(validated::<ExternalReference>(json!(most)), most.as_str());
    }
    for more in ["x".repeat(101), "漢".repeat(101)] {
        refused(
            ExternalReference::new(more.as_str()),
            &format!(
                "external reference `{more}` is too long (maximum is 100 characters); at most 100 characters, \
                 none of them a control character"
            ),
        );
        assert_eq!(flaw::<ExternalReference>(json!(more)), "is too long (maximum is 100 characters)");
    }
    assert_eq!(validated::<Option<ExternalReference>>(Value::Null), Value::Null);
}

#[test]
fn n50_and_n51_a_callback_goes_to_http_or_https_and_without_a_scheme_to_http() {
    let longest = format!("https://example.com/{}", "x".repeat(2_028));
    for right in [
        "http://example.com",
        "https://example.com/didww?opaque=123#x",
        "HTTP://example.com/",
        "http://user:word@example.com:8080/a%2Fb",
        "http://[::1]:9090/bar",
        "http://127.0.0.1/",
        longest.as_str(),
    ] {
        assert_eq!(CallbackUrl::new(right).unwrap().as_str(), right, "the text is kept");
        assert_eq!(validated::<CallbackUrl>(json!(right)), right);
    }
    for (text, sent) in [
        ("example.com", "http://example.com"),
        ("example.com:8080/cb?u=https://x", "http://example.com:8080/cb?u=https://x"),
        ("user:word@example.com/a", "http://user:word@example.com/a"),
        ("HTTPS://example.com/", "HTTPS://example.com/"),
    ] {
        assert_eq!(CallbackUrl::new(text).unwrap().with_scheme(), sent);
        assert_eq!(validated::<CallbackUrl>(json!(text)), text, "the text is kept");
        let older = if text == sent { None } else { Some("is invalid".to_owned()) };
        let refusal = AbsoluteCallbackUrl::validate(&json!(text)).err();
        assert_eq!(refusal.map(|flaws| flaws[0].violation.to_string()), older);
    }
    let form = "an http or https URL of at most 2048 characters";
    for wrong in [
        "",
        "//example.com",
        "http:",
        "example.com:/x",
        "/callbacks",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:/example.com",
        "http:example.com",
        "http:///example.com",
        "http://exa mple.com",
        "http://example.com/\n",
        " http://example.com",
    ] {
        refused(CallbackUrl::new(wrong), &format!("callback URL `{wrong}` is invalid; {form}"));
        assert_eq!(flaw::<CallbackUrl>(json!(wrong)), "is invalid");
    }
    assert_eq!(flaw::<CallbackUrl>(json!(format!("{longest}x"))), "is too long (maximum is 2048 characters)");
    assert_eq!(validated::<Option<CallbackUrl>>(Value::Null), Value::Null);
}

#[test]
fn a_destination_prefix_has_1_to_15_digits() {
    for right in ["0", "370", "123456789012345"] {
        assert_eq!(DstPrefix::new(right).unwrap().as_str(), right);
    }
    for wrong in ["", "1234567890123456", "+370", "37 0", "37#", "٣"] {
        refused(DstPrefix::new(wrong), &format!("destination prefix `{wrong}` is invalid; 1 to 15 digits"));
    }
    assert_eq!(validated::<DstPrefixes>(json!(["23", 45])), json!(["23", "45"]));
    assert_eq!(validated::<DstPrefixes>(Value::Null), json!([]));
    assert_eq!(flaw::<DstPrefixes>(json!(["23", "+45"])), "is invalid");
    assert_eq!(flaw::<DstPrefixes>(json!("23")), "is invalid");
    let many = |count: u32| (0..count).map(|n| DstPrefix::new(n.to_string()).unwrap());
    assert_eq!(DstPrefixes::new(many(1000)).unwrap().as_slice().len(), 1000);
    refused(
        DstPrefixes::new(many(1001)),
        "list `1001 items` is too long (maximum is 1000 items); use fewer items",
    );
    assert_eq!(flaw::<DstPrefixes>(json!(vec!["1"; 1001])), "is too long (maximum is 1000 items)");
}

#[test]
fn only_the_declared_texts_of_an_enumeration_are_valid() {
    fn check<T: Attribute>(texts: &[&str]) {
        for text in texts {
            assert_eq!(validated::<T>(json!(text)), *text);
            assert_eq!(flaw::<T>(json!(text.to_uppercase())), "is not included in the list");
        }
        assert_eq!(flaw::<T>(json!("of_tomorrow")), "is not included in the list");
        assert_eq!(flaw::<T>(json!(1)), "is not included in the list");
        assert_eq!(flaw::<T>(Value::Null), "can't be blank");
    }
    check::<VoiceOutTrunkStatus>(&["active", "blocked"]);
    check::<OnCliMismatchAction>(&["send_original_cli", "reject_call", "replace_cli", "randomize_cli"]);
    check::<DefaultDstAction>(&["allow_all", "reject_all"]);
    check::<MediaEncryptionMode>(&["disabled", "srtp_sdes", "srtp_dtls", "zrtp"]);
}

#[test]
fn booleans_and_texts_are_cast_as_the_service_casts_them() {
    for yes in [json!(true), json!("true"), json!("1"), json!(1)] {
        assert_eq!(validated::<bool>(yes), true);
    }
    for no in [json!(false), json!("false"), json!("0"), json!(0)] {
        assert_eq!(validated::<bool>(no), false);
    }
    for wrong in [json!("yes"), json!(""), json!(2), json!([]), Value::Null] {
        assert_eq!(flaw::<bool>(wrong), "is not included in the list");
    }
    assert_eq!(validated::<String>(json!(7)), "7");
    assert_eq!(validated::<String>(json!("x".repeat(255))).as_str().unwrap().len(), 255);
    assert_eq!(flaw::<String>(json!("é".repeat(256))), "is too long (maximum is 255 characters)");
    assert_eq!(flaw::<String>(json!({})), "is invalid");
    assert_eq!(flaw::<String>(Value::Null), "can't be blank");
    assert_eq!(validated::<Timestamp>(json!("2026-04-08T08:57:33+02:00")), "2026-04-08T06:57:33.000Z");
    assert_eq!(flaw::<Timestamp>(json!("tomorrow")), "is invalid");
}

#[test]
fn a_blank_text_is_null_where_texts_are_cast_and_null_is_valid() {
    for blank in ["", " "] {
        assert_eq!(validated::<Option<CapacityLimit>>(json!(blank)), Value::Null);
        assert_eq!(validated::<Option<ThresholdAmount>>(json!(blank)), Value::Null);
        assert_eq!(validated::<Option<bool>>(json!(blank)), Value::Null);
        assert_eq!(validated::<Option<Date>>(json!(blank)), Value::Null);
        assert_eq!(validated::<Option<Timestamp>>(json!(blank)), Value::Null);
        assert_eq!(validated::<Option<ExternalReference>>(json!(blank)), blank);
        assert_eq!(flaw::<CapacityLimit>(json!(blank)), "is not a number");
        assert_eq!(flaw::<Option<OnCliMismatchAction>>(json!(blank)), "is not included in the list");
    }
    assert_eq!(flaw::<Option<Date>>(json!("x")), "is invalid");
}

#[test]
fn an_authentication_method_is_normalised_and_loses_its_generated_credentials() {
    let sent = json!({"type": "credentials_and_ip", "attributes": {
        "allowed_sip_ips": ["192.168.1.1"], "tech_prefix": 12, "username": "mine", "password": "mine"
    }});
    assert_eq!(
        validated::<AuthenticationMethod>(sent),
        json!({"type": "credentials_and_ip", "attributes": {
            "allowed_sip_ips": ["192.168.1.1/32"], "tech_prefix": "12"
        }})
    );
    let twilio = json!({"type": "twilio", "attributes": {"twilio_account_sid": SID}});
    assert_eq!(validated::<AuthenticationMethod>(twilio.clone()), twilio);
}

#[test]
fn a_broken_authentication_method_is_invalid_as_a_whole() {
    for wrong in [
        json!({"type": "credentials_and_ip", "attributes": {}}),
        json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": []}}),
        json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": null}}),
        json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["10.0.0.1"], "more": 1}}),
        json!({"type": "credentials_and_ip"}),
        json!({"type": "of_tomorrow", "attributes": {}}),
        json!({"type": 1, "attributes": {}}),
        json!({"attributes": {"allowed_sip_ips": ["10.0.0.1"]}}),
        json!({"type": "twilio", "attributes": {"twilio_account_sid": SID, "more": 1}}),
        json!({}),
        json!([]),
        json!("twilio"),
    ] {
        assert_eq!(flaw::<AuthenticationMethod>(wrong), "is invalid");
    }
    assert_eq!(flaw::<AuthenticationMethod>(Value::Null), "can't be blank");
}

#[test]
fn a_violation_inside_an_authentication_method_has_a_pointer() {
    let flaws = |sent: Value| AuthenticationMethod::validate(&sent).unwrap_err();
    assert_eq!(
        flaws(json!({"type": "twilio", "attributes": {}})),
        [Flaw { pointer: "/attributes/twilio_account_sid".to_owned(), violation: Violation::Blank }]
    );
    let both = json!({"type": "credentials_and_ip", "attributes": {
        "allowed_sip_ips": ["localhost"], "tech_prefix": "123456789"
    }});
    assert_eq!(
        flaws(both),
        [
            Flaw { pointer: "/attributes/allowed_sip_ips".to_owned(), violation: Violation::Invalid },
            Flaw { pointer: "/attributes/tech_prefix".to_owned(), violation: Violation::TooLong(8) },
        ]
    );
}

#[test]
fn a_feature_is_read_by_its_name_and_a_refusal_lists_all_names() {
    for feature in Feature::ALL {
        assert_eq!(feature.to_string().parse::<Feature>().unwrap(), feature);
    }
    let known = Feature::ALL.map(Feature::as_str).join(", ");
    for wrong in ["", "Outbound", " outbound", "replace-cli"] {
        let refusal = wrong.parse::<Feature>().unwrap_err().to_string();
        assert_eq!(refusal, format!("`{wrong}` is not a feature; known are {known}"));
    }
}
