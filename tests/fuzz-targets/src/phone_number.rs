//! Telephone numbers as they are dialled: in URIs, with and without prefixes.

use std::sync::LazyLock;

use trunk_rules::carrier::{
    Caller, Digits, EmergencyNumbers, address_uri, normalise, presentation_is_restricted, user_part,
};
use trunk_rules::outbound::{calling_code, country, is_route_target, normalise_tel, route_target};

use crate::fixtures;

static EMERGENCY: LazyLock<EmergencyNumbers> = LazyLock::new(EmergencyNumbers::default);

/// Numbers of many countries, and URIs.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tables = fixtures::files("numbering", ".tsv");
    let table = tables.first().map(|table| String::from_utf8_lossy(table).into_owned()).unwrap_or_default();
    let numbers = table.lines().filter_map(|line| line.split_once('\t')).step_by(7);
    let mut seeds: Vec<Vec<u8>> = numbers.map(|(_, number)| number.as_bytes().to_vec()).collect();
    for uri in [
        "sip:123%23+442079460018;npdi@nyc.us.out.didww.com;user=phone",
        "\"A <sip:1@x> \\\" B\" <sip:+442012345678@h;x=y>;tag=9",
        "tel:(20)7946.0018;ext=1;Phone-Context=+4-4",
        "tel:0018;phone-context=pbx.example.com",
        "SIPS:442:secret@h",
        "00442079460018",
        "011442079460018",
        "112",
        "id;user",
    ] {
        seeds.push(uri.as_bytes().to_vec());
    }
    seeds
}

/// A normal form stays as it is, and digits keep their text.
pub fn phone_number(data: &[u8]) {
    if let Some(digits) = Digits::parse(data) {
        assert_eq!(digits.to_string().as_bytes(), data);
        assert_eq!(digits.len(), data.len());
    }
    let user = user_part(address_uri(data));
    for text in [Some(data), user.as_deref()].into_iter().flatten() {
        let number = normalise(text);
        if let Ok(number) = number {
            let shown = number.to_string();
            assert!((1..=15).contains(&shown.len()) && !shown.starts_with('0'));
            assert_eq!(normalise(shown.as_bytes()), Ok(number));
            assert!(number.starts_with(number));
        }
        for caller in [None, Digits::parse(b"442079460018"), number.ok()] {
            if let Some(call) = EMERGENCY.find(text, caller) {
                assert!(text.len() <= call.number.len() + 3, "at most a plus or 00 is removed");
            }
        }
    }
    let (caller, identity) = (Caller::of_header(data), Caller::of_identity(data));
    assert!([caller.text(), identity.text()].iter().all(|text| text.len() <= 3 * data.len()));
    let _restricted = presentation_is_restricted(data);
    let text = String::from_utf8_lossy(data);
    let normal = normalise_tel(&text);
    assert_eq!(normalise_tel(&normal), normal);
    let _country = country(&text);
    assert_eq!(route_target(&text), calling_code(&text).map(|code| format!("+{code}")));
    assert!(route_target(&text).is_none_or(|target| is_route_target(&target)));
}
