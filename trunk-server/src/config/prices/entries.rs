//! The entries of the tables below `[prices]`, each a price of a plan.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use didww_types::prices::{SmsInPrice, SmsOutPrice, VoiceInPrice, line};
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use trunk_rules::carrier::Digits;
use trunk_rules::prices::{country_name, voice_in_key};

use super::super::error::ConfigError;

/// An entry of `[[prices.voice_in]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VoiceInEntry {
    destination: String,
    country: Option<String>,
    src_country: Option<String>,
    source_type: String,
    rate: Option<Money>,
    connection_fee: Option<Money>,
    #[serde(default = "one")]
    initial_interval: NonZeroU32,
    #[serde(default = "one")]
    next_interval: NonZeroU32,
    #[serde(default)]
    reject_calls: bool,
}

/// An entry of `[[prices.sms_out_a2p]]`, `[[prices.sms_out_p2p]]` or `[[prices.sms_out_otp]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmsOutEntry {
    source_prefix: Option<String>,
    destination_prefix: Option<String>,
    country: Option<String>,
    mcc: Option<u32>,
    mcc_name: Option<String>,
    mnc: Option<u32>,
    mnc_name: Option<String>,
    price: Option<Money>,
    #[serde(default)]
    reject_sms: bool,
}

/// An entry of `[[prices.sms_in]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmsInEntry {
    source_prefix: Option<String>,
    #[serde(default = "shortest")]
    source_number_length_min: u32,
    #[serde(default = "longest")]
    source_number_length_max: u32,
    destination_prefix: Option<String>,
    #[serde(default = "shortest")]
    destination_number_length_min: u32,
    #[serde(default = "longest")]
    destination_number_length_max: u32,
    country: Option<String>,
    price: Money,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

const fn shortest() -> u32 {
    1
}

const fn longest() -> u32 {
    15
}

/// The prices of inbound calls in a table.
pub(super) fn voice_in(entries: &[VoiceInEntry]) -> Result<Vec<VoiceInPrice>, ConfigError> {
    let prices =
        entries.iter().map(VoiceInEntry::price).collect::<Result<Vec<VoiceInPrice>, ConfigError>>()?;
    check_distinct("prices.voice_in", prices.iter().map(voice_in_key))?;
    Ok(prices)
}

/// The prices of outbound text messages in a table with these names.
pub(super) fn sms_out(entries: &[SmsOutEntry], names: &SmsOutNames) -> Result<Vec<SmsOutPrice>, ConfigError> {
    let prices = entries.iter().map(|entry| entry.price(names));
    let prices = prices.collect::<Result<Vec<SmsOutPrice>, ConfigError>>()?;
    check_distinct(names.table, prices.iter().map(line::<SmsOutPrice>))?;
    Ok(prices)
}

/// The prices of inbound text messages in a table.
pub(super) fn sms_in(entries: &[SmsInEntry]) -> Result<Vec<SmsInPrice>, ConfigError> {
    let prices = entries.iter().map(SmsInEntry::price).collect::<Result<Vec<SmsInPrice>, ConfigError>>()?;
    check_distinct("prices.sms_in", prices.iter().map(line::<SmsInPrice>))?;
    Ok(prices)
}

impl VoiceInEntry {
    fn price(&self) -> Result<VoiceInPrice, ConfigError> {
        check_destination("prices.voice_in.destination", Some(&self.destination))?;
        if self.source_type.trim().is_empty() {
            let expected = "give the kind of line that calls come from, such as fixed or cellular";
            return Err(ConfigError::value("prices.voice_in.source_type", "", expected));
        }
        check_priced("prices.voice_in.rate", self.rate, self.reject_calls)?;
        check_amount("prices.voice_in.connection_fee", self.connection_fee)?;
        if let Some(fee) = self.connection_fee.filter(|_| self.reject_calls) {
            let expected = "leave it out where calls are rejected";
            return Err(ConfigError::value("prices.voice_in.connection_fee", fee.to_string(), expected));
        }
        let connection_fee = self.connection_fee.unwrap_or_default();
        Ok(VoiceInPrice {
            destination: self.destination.clone(),
            country: named("prices.voice_in.country", self.country.as_deref())?,
            src_country_name: named("prices.voice_in.src_country", self.src_country.as_deref())?,
            source_type: self.source_type.clone(),
            rate: self.rate,
            connection_fee: (!self.reject_calls).then_some(connection_fee),
            initial_interval: self.initial_interval.get(),
            next_interval: self.next_interval.get(),
            reject_calls: self.reject_calls,
        })
    }
}

/// The names of the keys of a table of outbound text messages.
pub(super) struct SmsOutNames {
    table: &'static str,
    source_prefix: &'static str,
    destination_prefix: &'static str,
    country: &'static str,
    price: &'static str,
}

macro_rules! sms_out_names {
    ($table:literal) => {
        SmsOutNames {
            table: concat!("prices.", $table),
            source_prefix: concat!("prices.", $table, ".source_prefix"),
            destination_prefix: concat!("prices.", $table, ".destination_prefix"),
            country: concat!("prices.", $table, ".country"),
            price: concat!("prices.", $table, ".price"),
        }
    };
}

pub(super) const A2P: SmsOutNames = sms_out_names!("sms_out_a2p");
pub(super) const P2P: SmsOutNames = sms_out_names!("sms_out_p2p");
pub(super) const OTP: SmsOutNames = sms_out_names!("sms_out_otp");

impl SmsOutEntry {
    fn price(&self, names: &SmsOutNames) -> Result<SmsOutPrice, ConfigError> {
        check_digits(names.source_prefix, self.source_prefix.as_deref())?;
        check_destination(names.destination_prefix, self.destination_prefix.as_deref())?;
        check_priced(names.price, self.price, self.reject_sms)?;
        Ok(SmsOutPrice {
            source_prefix: self.source_prefix.clone(),
            destination_prefix: self.destination_prefix.clone(),
            country: named(names.country, self.country.as_deref())?,
            mcc: self.mcc,
            mcc_name: self.mcc_name.clone(),
            mnc: self.mnc,
            mnc_name: self.mnc_name.clone(),
            reject_sms: self.reject_sms,
            price: self.price,
        })
    }
}

impl SmsInEntry {
    fn price(&self) -> Result<SmsInPrice, ConfigError> {
        check_digits("prices.sms_in.source_prefix", self.source_prefix.as_deref())?;
        check_destination("prices.sms_in.destination_prefix", self.destination_prefix.as_deref())?;
        check_lengths(
            "prices.sms_in.source_number_length_max",
            self.source_number_length_min,
            self.source_number_length_max,
        )?;
        check_lengths(
            "prices.sms_in.destination_number_length_max",
            self.destination_number_length_min,
            self.destination_number_length_max,
        )?;
        check_amount("prices.sms_in.price", Some(self.price))?;
        Ok(SmsInPrice {
            source_prefix: self.source_prefix.clone(),
            source_number_length_min: self.source_number_length_min,
            source_number_length_max: self.source_number_length_max,
            destination_prefix: self.destination_prefix.clone(),
            destination_number_length_min: self.destination_number_length_min,
            destination_number_length_max: self.destination_number_length_max,
            country: named("prices.sms_in.country", self.country.as_deref())?,
            price: self.price,
        })
    }
}

/// Refuses a prefix that is not made of digits.
fn check_digits(name: &'static str, prefix: Option<&str>) -> Result<(), ConfigError> {
    match prefix {
        Some(text) if Digits::parse(text.as_bytes()).is_none() => {
            Err(ConfigError::value(name, text, "give 1 to 15 digits"))
        }
        _ => Ok(()),
    }
}

/// Refuses a prefix that no called number can have: numbers in a look-up never begin with zero.
fn check_destination(name: &'static str, prefix: Option<&str>) -> Result<(), ConfigError> {
    check_digits(name, prefix)?;
    match prefix {
        Some(text) if text.starts_with('0') => {
            Err(ConfigError::value(name, text, "give digits of numbers with their country code"))
        }
        _ => Ok(()),
    }
}

/// Refuses a range of lengths that no number can have.
fn check_lengths(name: &'static str, min: u32, max: u32) -> Result<(), ConfigError> {
    if max < min {
        return Err(ConfigError::value(name, max.to_string(), "give at least the least number of digits"));
    }
    Ok(())
}

/// Refuses two prices of a table with the same key: they would have the same id.
fn check_distinct(table: &'static str, keys: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for key in keys {
        let shown = key.trim().replace('\n', ", ");
        if !seen.insert(key) {
            return Err(ConfigError::value(table, shown, "state a price once"));
        }
    }
    Ok(())
}

fn check_amount(name: &'static str, amount: Option<Money>) -> Result<(), ConfigError> {
    match amount {
        Some(amount) if amount < Money::default() => {
            Err(ConfigError::value(name, amount.to_string(), "give US dollars from 0 up"))
        }
        _ => Ok(()),
    }
}

/// Refuses an entry that has both a price and a rejection, or neither.
fn check_priced(name: &'static str, amount: Option<Money>, rejects: bool) -> Result<(), ConfigError> {
    if amount.is_some() == rejects {
        let given = amount.map(|amount| amount.to_string()).unwrap_or_default();
        return Err(ConfigError::value(name, given, "give US dollars as text, or reject instead"));
    }
    check_amount(name, amount)
}

/// The name of the country with this ISO code.
fn named(name: &'static str, code: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(code) = code else { return Ok(None) };
    let expected = "give the upper-case code of a country, such as GB";
    let known = country_name(code).ok_or_else(|| ConfigError::value(name, code, expected))?;
    Ok(Some(known.to_owned()))
}
