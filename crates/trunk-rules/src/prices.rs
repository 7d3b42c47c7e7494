//! Look-ups in price plans: which prices cover a number or a country.
//!
//! A look-up reads the whole plan once, in its order, and answers in that order. A price that rejects is an answer.

use std::collections::BTreeMap;

use didww_types::prices::{SmsInPrice, SmsOutPrice, VoiceInPrice, VoiceOutPrice};
use didww_types::values::Money;
use sha1::{Digest as _, Sha1};
use uuid::Uuid;

use crate::carrier::RateCard;

/// Countries of ISO 3166-1 with their names, as the reference data has them: a line each, with the code and the name.
const COUNTRIES: &str = include_str!("prices/countries.txt");

/// The category of prices that hold for calls from anywhere.
const CATEGORY: &str = "International";

/// Returns the name of the country with an upper-case code of ISO 3166-1 alpha-2.
pub fn country_name(code: &str) -> Option<&'static str> {
    COUNTRIES.lines().find_map(|line| {
        let (known, name) = line.split_once(' ')?;
        (known == code).then_some(name)
    })
}

/// Whether a text is a number that can be looked up: 8 to 15 digits, the first of which is not zero.
pub fn is_number(text: &str) -> bool {
    (8..=15).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Makes the id of a price from the parts of its key: the same parts have the same id, in every build.
pub fn price_id(parts: &[&str]) -> Uuid {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0_u8]);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    for (byte, of_digest) in bytes.iter_mut().zip(digest.iter()) {
        *byte = *of_digest;
    }
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// The key of a price of inbound calls within its plan.
pub fn voice_in_key(price: &VoiceInPrice) -> String {
    let [country, source] = [&price.country, &price.src_country_name].map(Option::as_deref);
    let named = [country.unwrap_or_default(), source.unwrap_or_default()];
    format!("{}\n{}\n{}", price.destination, price.source_type, named.join("\n"))
}

/// The prices of outbound calls that a rate card states, in the order of their prefixes.
pub fn voice_out_plan(card: &RateCard) -> Vec<VoiceOutPrice> {
    let rows = card.rows().into_iter();
    let price = rows.map(|(prefix, rate)| VoiceOutPrice {
        category: CATEGORY.to_owned(),
        country: None,
        network: None,
        prefix: prefix.to_string(),
        rate: Some(Money::new(rate.per_minute)),
        connection_fee: Some(Money::default()),
        initial_increment: Some(rate.initial_interval.get()),
        recurring_increment: Some(rate.next_interval.get()),
        reject_calls: false,
        next_rate: None,
        next_connection_fee: None,
        next_initial_increment: None,
        next_recurring_increment: None,
        next_reject_calls: None,
        effective_at: None,
        comment: None,
    });
    price.collect()
}

/// Finds the prices of inbound calls to a number, for each type of source and country of destination the one with the
/// longest prefix. With the country of the callers, a price for calls from there goes before any price for calls from
/// anywhere.
///
/// Returns the places of the prices in the plan.
pub fn voice_in(plan: &[VoiceInPrice], number: &str, callers: Option<&str>) -> Vec<usize> {
    type Rank = (bool, usize);
    let mut best: BTreeMap<(&str, Option<&str>), (Rank, usize)> = BTreeMap::new();
    for (place, price) in plan.iter().enumerate() {
        let source = price.src_country_name.as_deref();
        let takes_part = source.is_none() || source == callers;
        if !takes_part || !number.starts_with(price.destination.as_str()) {
            continue;
        }
        let rank = (source.is_some(), price.destination.len());
        let known =
            best.entry((price.source_type.as_str(), price.country.as_deref())).or_insert((rank, place));
        if rank > known.0 {
            *known = (rank, place);
        }
    }
    let mut places: Vec<usize> = best.into_values().map(|(_, place)| place).collect();
    places.sort_unstable();
    places
}

/// Finds the price of outbound calls to a number: the one with the longest prefix, since a rate card has one set of
/// routing conditions. Returns its place in the plan.
pub fn voice_out(plan: &[VoiceOutPrice], number: &str) -> Vec<usize> {
    under_longest_prefix(plan.iter().map(|price| Some(price.prefix.as_str())).enumerate(), number)
}

/// Finds the prices of outbound text messages: all under the longest prefix of a number, or without one all of a
/// country. With both, the country narrows the prices first. Returns their places in the plan.
pub fn sms_out(plan: &[SmsOutPrice], number: Option<&str>, country: Option<&str>) -> Vec<usize> {
    let of_country = plan
        .iter()
        .enumerate()
        .filter(|(_, price)| country.is_none() || price.country.as_deref() == country)
        .map(|(place, price)| (place, price.destination_prefix.as_deref()));
    match number {
        Some(number) => under_longest_prefix(of_country, number),
        None => of_country.map(|(place, _)| place).collect(),
    }
}

/// Finds the prices of inbound text messages, as [`sms_out`] does; a number takes part where its length is in the
/// price's range.
pub fn sms_in(plan: &[SmsInPrice], number: Option<&str>, country: Option<&str>) -> Vec<usize> {
    let has_length = |price: &SmsInPrice| {
        number.is_none_or(|number| {
            let length = u32::try_from(number.len()).unwrap_or(u32::MAX);
            (price.destination_number_length_min..=price.destination_number_length_max).contains(&length)
        })
    };
    let of_country = plan
        .iter()
        .enumerate()
        .filter(|(_, price)| country.is_none() || price.country.as_deref() == country)
        .filter(|&(_, price)| has_length(price))
        .map(|(place, price)| (place, price.destination_prefix.as_deref()));
    match number {
        Some(number) => under_longest_prefix(of_country, number),
        None => of_country.map(|(place, _)| place).collect(),
    }
}

/// The places whose prefix is the longest that a number begins with. An absent prefix counts as one without digits.
fn under_longest_prefix<'a>(
    prefixes: impl Iterator<Item = (usize, Option<&'a str>)>,
    number: &str,
) -> Vec<usize> {
    let lengths = prefixes.filter_map(|(place, prefix)| {
        let prefix = prefix.unwrap_or_default();
        number.starts_with(prefix).then_some((place, prefix.len()))
    });
    let covering: Vec<(usize, usize)> = lengths.collect();
    let longest = covering.iter().map(|(_, length)| *length).max().unwrap_or_default();
    covering.into_iter().filter(|(_, length)| *length == longest).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests;
