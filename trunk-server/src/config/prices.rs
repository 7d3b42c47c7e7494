//! The `[prices]` table of the configuration file: where the price services are served, and their plans.
//!
//! The prices of outbound calls are not among them: they are those that `[[sip.rates]]` sets, by which calls are charged.

use std::num::NonZeroU32;

use didww_api::{PricePlace, PricePlans, PriceService, PriceServices};
use didww_types::Timestamp;
use didww_types::prices::{SmsInPrice, SmsOutPrice, VoiceInPrice};
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use trunk_rules::carrier::{Digits, RateCard};
use trunk_rules::prices::{country_name, voice_out_plan};

use super::address::{check_address, is_same_port};
use super::error::ConfigError;

/// Where the price services are served, and their plans. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PricesConfig {
    /// The address of a listener for the prices of inbound calls, `HOST:PORT`. Default: that of the API.
    pub voice_in_listen: Option<String>,
    /// The host that requests for these prices name. Default: at the API's address a host that begins with `api-vin` or
    /// `api-vin-sandbox`, and at a listener of its own any.
    pub voice_in_host: Option<String>,
    /// The same address for the prices of outbound calls.
    pub voice_out_listen: Option<String>,
    /// The same for a host that begins with `api-vout` or `api-vout-sandbox`.
    pub voice_out_host: Option<String>,
    /// The same address for the prices of text messages.
    pub sms_listen: Option<String>,
    /// The same for a host that begins with `api-sms` or `api-sms-sandbox`.
    pub sms_host: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    voice_in: Vec<VoiceInEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sms_out_a2p: Vec<SmsOutEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sms_out_p2p: Vec<SmsOutEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sms_out_otp: Vec<SmsOutEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sms_in: Vec<SmsInEntry>,
}

/// An entry of `[[prices.voice_in]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct VoiceInEntry {
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
struct SmsOutEntry {
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
struct SmsInEntry {
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

/// The settings of a service: the names of its keys, its address and its host.
struct Settings<'a> {
    service: PriceService,
    names: [&'static str; 2],
    listen: Option<&'a String>,
    host: Option<&'a String>,
}

impl PricesConfig {
    fn settings(&self) -> [Settings<'_>; 3] {
        [
            Settings {
                service: PriceService::VoiceIn,
                names: ["prices.voice_in_listen", "prices.voice_in_host"],
                listen: self.voice_in_listen.as_ref(),
                host: self.voice_in_host.as_ref(),
            },
            Settings {
                service: PriceService::VoiceOut,
                names: ["prices.voice_out_listen", "prices.voice_out_host"],
                listen: self.voice_out_listen.as_ref(),
                host: self.voice_out_host.as_ref(),
            },
            Settings {
                service: PriceService::Sms,
                names: ["prices.sms_listen", "prices.sms_host"],
                listen: self.sms_listen.as_ref(),
                host: self.sms_host.as_ref(),
            },
        ]
    }

    /// Checks the table. `others` are the addresses of other listeners.
    pub(super) fn check(&self, others: &[&str]) -> Result<(), ConfigError> {
        let mut taken = others.to_vec();
        for Settings { names: [listen_name, host_name], listen, host, .. } in self.settings() {
            if let Some(own) = listen {
                check_address(listen_name, own)?;
                if taken.iter().any(|other| is_same_port(own, other)) {
                    let expected = "give another port than those of the other listeners, or leave it out: \
                                    the service is then served at the address of the API";
                    return Err(ConfigError::value(listen_name, own, expected));
                }
                taken.push(own);
            }
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-[:]".contains(&byte);
            if let Some(host) = host.filter(|host| host.is_empty() || !host.bytes().all(is_valid)) {
                let expected = "give a host name without scheme and path, such as prices.example.com";
                return Err(ConfigError::value(host_name, host, expected));
            }
        }
        self.plans(None).map(drop)
    }

    /// The services with listeners of their own, each with its address.
    pub(crate) fn own_listeners(&self) -> Vec<(PriceService, &str)> {
        let settings = self.settings().into_iter();
        settings.filter_map(|settings| Some((settings.service, settings.listen?.as_str()))).collect()
    }

    /// The services, with plans that hold since `now`. Without a rate card there is no plan of outbound calls.
    ///
    /// # Errors
    /// If a price is not valid; the error names its key.
    pub(crate) fn services(
        &self,
        card: Option<&RateCard>,
        now: Timestamp,
    ) -> Result<PriceServices, ConfigError> {
        let mut services = PriceServices::new(self.plans(card)?, now);
        for Settings { service, listen, host, .. } in self.settings() {
            let place = PricePlace { host: host.cloned(), own_listener: listen.is_some() };
            services = services.at(service, place);
        }
        Ok(services)
    }

    fn plans(&self, card: Option<&RateCard>) -> Result<PricePlans, ConfigError> {
        let sms_out = |entries: &[SmsOutEntry], names: &SmsOutNames| {
            entries.iter().map(|entry| entry.price(names)).collect::<Result<Vec<_>, _>>()
        };
        Ok(PricePlans {
            voice_in: self.voice_in.iter().map(VoiceInEntry::price).collect::<Result<_, _>>()?,
            voice_out: card.map(voice_out_plan).unwrap_or_default(),
            sms_out_a2p: sms_out(&self.sms_out_a2p, &A2P)?,
            sms_out_p2p: sms_out(&self.sms_out_p2p, &P2P)?,
            sms_out_otp: sms_out(&self.sms_out_otp, &OTP)?,
            sms_in: self.sms_in.iter().map(SmsInEntry::price).collect::<Result<_, _>>()?,
        })
    }

    /// Renders the table as TOML; `None` if every key has its default.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            prices: &'a PricesConfig,
        }
        if *self == Self::default() {
            return None;
        }
        toml::to_string(&File { prices: self }).ok()
    }
}

impl VoiceInEntry {
    fn price(&self) -> Result<VoiceInPrice, ConfigError> {
        check_digits("prices.voice_in.destination", Some(&self.destination))?;
        if self.source_type.trim().is_empty() {
            let expected = "give the kind of line that calls come from, such as fixed or cellular";
            return Err(ConfigError::value("prices.voice_in.source_type", "", expected));
        }
        check_priced("prices.voice_in.rate", self.rate, self.reject_calls)?;
        check_amount("prices.voice_in.connection_fee", self.connection_fee)?;
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
struct SmsOutNames {
    source_prefix: &'static str,
    destination_prefix: &'static str,
    country: &'static str,
    price: &'static str,
}

macro_rules! sms_out_names {
    ($table:literal) => {
        SmsOutNames {
            source_prefix: concat!("prices.", $table, ".source_prefix"),
            destination_prefix: concat!("prices.", $table, ".destination_prefix"),
            country: concat!("prices.", $table, ".country"),
            price: concat!("prices.", $table, ".price"),
        }
    };
}

const A2P: SmsOutNames = sms_out_names!("sms_out_a2p");
const P2P: SmsOutNames = sms_out_names!("sms_out_p2p");
const OTP: SmsOutNames = sms_out_names!("sms_out_otp");

impl SmsOutEntry {
    fn price(&self, names: &SmsOutNames) -> Result<SmsOutPrice, ConfigError> {
        check_digits(names.source_prefix, self.source_prefix.as_deref())?;
        check_digits(names.destination_prefix, self.destination_prefix.as_deref())?;
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
        check_digits("prices.sms_in.destination_prefix", self.destination_prefix.as_deref())?;
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

/// Refuses a prefix that no number begins with.
fn check_digits(name: &'static str, prefix: Option<&str>) -> Result<(), ConfigError> {
    match prefix {
        Some(text) if Digits::parse(text.as_bytes()).is_none() => {
            Err(ConfigError::value(name, text, "give 1 to 15 digits"))
        }
        _ => Ok(()),
    }
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

/// The name of the country with a code.
fn named(name: &'static str, code: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(code) = code else { return Ok(None) };
    let expected = "give the upper-case code of a country, such as GB";
    let known = country_name(code).ok_or_else(|| ConfigError::value(name, code, expected))?;
    Ok(Some(known.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn checked(text: &str) -> Result<PricesConfig, String> {
        let table: PricesConfig = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        table.check(&["127.0.0.1:8080", "127.0.0.1:8081"]).map_err(|error| error.to_string())?;
        Ok(table)
    }

    #[test]
    fn a_table_sets_places_and_plans_and_is_written_as_it_was_read() {
        let text = "voice_in_listen = \"127.0.0.1:8083\"\nsms_host = \"sms.example.com\"\n\
                    [[voice_in]]\ndestination = \"1800\"\ncountry = \"US\"\nsource_type = \"fixed\"\nrate = \"0.02\"\n\
                    [[voice_in]]\ndestination = \"1900\"\nsource_type = \"fixed\"\nreject_calls = true\n\
                    [[sms_out_otp]]\ndestination_prefix = \"44\"\ncountry = \"GB\"\nprice = \"0.05\"\n\
                    [[sms_in]]\nprice = \"0\"\n";
        let table = checked(text).unwrap();
        assert_eq!(table.own_listeners(), [(PriceService::VoiceIn, "127.0.0.1:8083")]);
        let plans = table.plans(None).unwrap();
        let [priced, rejected] = plans.voice_in.as_slice() else { panic!("{plans:?}") };
        assert_eq!(priced.country.as_deref(), Some("United States"));
        assert_eq!((priced.connection_fee, priced.initial_interval), (Some(Money::default()), 1));
        assert_eq!((rejected.rate, rejected.connection_fee), (None, None));
        assert_eq!((plans.sms_out_otp.len(), plans.sms_out_a2p.len(), plans.voice_out.len()), (1, 0, 0));
        assert_eq!(plans.sms_in[0].destination_number_length_max, 15);
        let written = table.to_toml().unwrap();
        let again: std::collections::BTreeMap<String, PricesConfig> = toml::from_str(&written).unwrap();
        assert_eq!(again["prices"], table, "{written}");
        assert_eq!(checked("").unwrap().to_toml(), None);
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("voice_in_listen = \"here\"", "prices.voice_in_listen is `here`"),
            ("sms_listen = \"127.0.0.1:8081\"", "another port"),
            ("sms_listen = \"127.0.0.1:8090\"\nvoice_out_listen = \"127.0.0.1:8090\"", "prices.sms_listen"),
            ("voice_out_host = \"https://x\"", "prices.voice_out_host"),
            ("rates = []", "rates"),
            ("[[voice_in]]\ndestination = \"1800\"\nsource_type = \"fixed\"", "prices.voice_in.rate"),
            (
                "[[voice_in]]\ndestination = \"x\"\nsource_type = \"fixed\"\nrate = \"1\"",
                "voice_in.destination",
            ),
            ("[[voice_in]]\ndestination = \"1\"\nsource_type = \"\"\nrate = \"1\"", "voice_in.source_type"),
            ("[[sms_in]]\nprice = \"-1\"", "prices.sms_in.price"),
            ("[[sms_in]]\nprice = \"1\"\ncountry = \"gb\"", "prices.sms_in.country"),
            ("[[sms_out_a2p]]\nprice = \"1\"\nreject_sms = true", "prices.sms_out_a2p.price"),
            ("[[sms_out_p2p]]\nprice = \"1\"\nsource_prefix = \"\"", "prices.sms_out_p2p.source_prefix"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn countries_have_the_names_of_the_reference_data() {
        let lines = include_str!("../../reference.jsonl").lines();
        let countries: BTreeSet<(String, String)> = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|record| record["type"] == "countries")
            .map(|record| {
                let text = |name: &str| record["attributes"][name].as_str().unwrap().to_owned();
                (text("iso"), text("name"))
            })
            .collect();
        assert_eq!(countries.len(), 249);
        for (code, name) in &countries {
            assert_eq!(country_name(code), Some(name.as_str()));
        }
    }
}
