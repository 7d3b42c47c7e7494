use proptest::prelude::*;

use super::*;
use crate::carrier::Rate;

fn inbound(destination: &str, source_type: &str, source: Option<&str>) -> VoiceInPrice {
    VoiceInPrice {
        destination: destination.to_owned(),
        country: Some("United States".to_owned()),
        src_country_name: source.map(str::to_owned),
        source_type: source_type.to_owned(),
        rate: Some(Money::default()),
        connection_fee: Some(Money::default()),
        initial_interval: 1,
        next_interval: 1,
        reject_calls: false,
    }
}

fn outbound_sms(prefix: Option<&str>, source: Option<&str>, country: &str) -> SmsOutPrice {
    SmsOutPrice {
        source_prefix: source.map(str::to_owned),
        destination_prefix: prefix.map(str::to_owned),
        country: Some(country.to_owned()),
        mcc: None,
        mcc_name: None,
        mnc: None,
        mnc_name: None,
        reject_sms: false,
        price: Some(Money::default()),
    }
}

fn inbound_sms(prefix: Option<&str>, lengths: (u32, u32), country: &str) -> SmsInPrice {
    SmsInPrice {
        source_prefix: None,
        source_number_length_min: 1,
        source_number_length_max: 15,
        destination_prefix: prefix.map(str::to_owned),
        destination_number_length_min: lengths.0,
        destination_number_length_max: lengths.1,
        country: Some(country.to_owned()),
        price: Money::default(),
    }
}

#[test]
fn each_type_of_source_has_the_price_of_its_longest_prefix() {
    let plan = [
        inbound("1", "fixed", None),
        inbound("1800", "fixed", None),
        inbound("1800", "cellular", None),
        inbound("44", "fixed", None),
        inbound("1800555", "fixed", Some("Canada")),
    ];
    assert_eq!(
        voice_in(&plan, "18005550123", None),
        [1, 2],
        "a price for calls from a country takes no part"
    );
    assert_eq!(voice_in(&plan, "12025550123", None), [0]);
    assert_eq!(voice_in(&plan, "33123456789", None), [0_usize; 0]);
    let mut elsewhere = inbound("18", "fixed", None);
    elsewhere.country = None;
    let plan = [inbound("1800", "fixed", None), elsewhere];
    assert_eq!(voice_in(&plan, "18005550123", None), [0, 1], "each country of destination has its own");
}

#[test]
fn a_price_for_the_callers_country_goes_before_a_longer_prefix_for_anywhere() {
    let plan = [
        inbound("1800555", "fixed", None),
        inbound("1", "fixed", Some("Canada")),
        inbound("1800", "fixed", Some("Canada")),
        inbound("1800555", "cellular", None),
    ];
    assert_eq!(voice_in(&plan, "18005550123", Some("Canada")), [2, 3]);
    assert_eq!(voice_in(&plan, "18005550123", Some("Mexico")), [0, 3]);
}

#[test]
fn text_messages_have_every_price_under_the_longest_prefix_or_of_the_country() {
    let plan = [
        outbound_sms(Some("44"), None, "United Kingdom"),
        outbound_sms(Some("447"), None, "United Kingdom"),
        outbound_sms(Some("447"), Some("1"), "United Kingdom"),
        outbound_sms(None, None, "Spain"),
        outbound_sms(Some("4477"), None, "Jersey"),
    ];
    assert_eq!(sms_out(&plan, Some("447700900123"), None), [4]);
    assert_eq!(sms_out(&plan, Some("447700900123"), Some("United Kingdom")), [1, 2]);
    assert_eq!(sms_out(&plan, Some("34612345678"), None), [3], "no prefix covers every number");
    assert_eq!(sms_out(&plan, None, Some("United Kingdom")), [0, 1, 2]);
    assert_eq!(sms_out(&plan, None, Some("France")), [0_usize; 0]);
}

#[test]
fn the_length_of_a_number_decides_which_inbound_prices_take_part() {
    let plan = [
        inbound_sms(Some("44"), (1, 15), "United Kingdom"),
        inbound_sms(Some("447"), (11, 11), "United Kingdom"),
    ];
    assert_eq!(sms_in(&plan, Some("447700900123"), None), [0], "the number has twelve digits");
    assert_eq!(sms_in(&plan, Some("44770090012"), None), [1]);
    assert_eq!(sms_in(&plan, None, Some("United Kingdom")), [0, 1]);
}

#[test]
fn the_plan_of_outbound_calls_is_the_rate_card_in_the_order_of_its_prefixes() {
    let rate = |cents: i64| Rate {
        per_minute: rust_decimal::Decimal::new(cents, 2),
        initial_interval: 60_u32.try_into().unwrap(),
        next_interval: 6_u32.try_into().unwrap(),
    };
    let rates = [("447", rate(3)), ("1", rate(1)), ("44", rate(1))];
    let card = RateCard::new(rates.map(|(prefix, rate)| (prefix.parse().unwrap(), rate)));
    let plan = voice_out_plan(&card);
    let prefixes: Vec<&str> = plan.iter().map(|price| price.prefix.as_str()).collect();
    assert_eq!(prefixes, ["1", "44", "447"]);
    assert_eq!(plan[2].rate.unwrap().to_string(), "0.03");
    assert_eq!((plan[2].initial_increment, plan[2].recurring_increment), (Some(60), Some(6)));
    assert_eq!(voice_out(&plan, "447700900123"), [2]);
    assert_eq!(voice_out(&plan, "33123456789"), [0_usize; 0]);
    assert!(voice_out_plan(&RateCard::default()).is_empty());
}

#[test]
fn a_number_has_8_to_15_digits_and_no_zero_at_its_beginning() {
    for number in ["18005550123", "12345678", "123456789012345"] {
        assert!(is_number(number), "{number}");
    }
    for text in ["", "0123", "01234567", "1234567", "1234567890123456", "+12345678", "1234567a", "١٢٣٤٥٦٧٨"]
    {
        assert!(!is_number(text), "{text}");
    }
}

#[test]
fn a_country_has_its_name_and_other_codes_have_none() {
    assert_eq!(country_name("GB"), Some("United Kingdom"));
    for unknown in ["gb", "XX", "", "G", "GB ", "United Kingdom"] {
        assert_eq!(country_name(unknown), None, "{unknown}");
    }
    assert_eq!(COUNTRIES.lines().filter(|line| country_name(&line[..2]) == Some(&line[3..])).count(), 249);
}

#[test]
fn an_id_follows_from_its_parts_and_their_borders() {
    assert_eq!(price_id(&["a", "b"]), price_id(&["a", "b"]));
    assert_ne!(price_id(&["a", "b"]), price_id(&["ab", ""]));
    assert_eq!(price_id(&[]).get_version_num(), 5);
}

proptest! {
    #[test]
    fn the_price_of_a_look_up_is_the_one_that_charges_the_call(
        prefixes in prop::collection::vec("[1-9][0-9]{0,5}", 1..20), number in "[1-9][0-9]{7,14}"
    ) {
        let rate = |seconds: usize| Rate {
            per_minute: rust_decimal::Decimal::ONE,
            initial_interval: u32::try_from(seconds + 1).unwrap().try_into().unwrap(),
            next_interval: 1_u32.try_into().unwrap(),
        };
        let rows = prefixes.iter().enumerate();
        let card = RateCard::new(rows.map(|(at, prefix)| (prefix.parse().unwrap(), rate(at))));
        let plan = voice_out_plan(&card);
        let found: Vec<_> = voice_out(&plan, &number).into_iter().map(|place| plan[place].clone()).collect();
        let charged = card.find(number.parse().unwrap());
        prop_assert_eq!(found.first().map(|price| price.prefix.clone()), charged.map(|(prefix, _)| prefix.to_string()));
        prop_assert_eq!(found.first().and_then(|price| price.initial_increment), charged.map(|(_, rate)| rate.initial_interval.get()));
        prop_assert!(found.len() <= 1);
    }
}
