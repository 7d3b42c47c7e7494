//! The `[prices]` table of the configuration file: where the price services are served, and their plans.
//!
//! The prices of outbound calls are not among them: they are those that `[[sip.rates]]` sets, by which calls are
//! charged.

mod entries;

use didww_api::{PricePlace, PricePlans, PriceService, PriceServices};
use didww_types::Timestamp;
use serde::{Deserialize, Serialize};
use trunk_rules::carrier::RateCard;
use trunk_rules::prices::voice_out_plan;

use super::address::{check_address, check_host, is_same_port};
use super::error::ConfigError;
use entries::{A2P, OTP, P2P, SmsInEntry, SmsOutEntry, VoiceInEntry};

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
    /// The address of a listener for the prices of outbound calls, as `voice_in_listen`.
    pub voice_out_listen: Option<String>,
    /// As `voice_in_host`, for a host that begins with `api-vout` or `api-vout-sandbox`.
    pub voice_out_host: Option<String>,
    /// The address of a listener for the prices of text messages, as `voice_in_listen`.
    pub sms_listen: Option<String>,
    /// As `voice_in_host`, for a host that begins with `api-sms` or `api-sms-sandbox`.
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
        let mut hosts: Vec<&str> = Vec::new();
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
            let Some(host) = host else { continue };
            check_host(host_name, host)?;
            // Requests for a service with its own listener need no host name.
            if listen.is_none() {
                if hosts.iter().any(|other| other.eq_ignore_ascii_case(host)) {
                    let expected = "give another host than those of the other price services, or a listener";
                    return Err(ConfigError::value(host_name, host, expected));
                }
                hosts.push(host);
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
        Ok(PricePlans {
            voice_in: entries::voice_in(&self.voice_in)?,
            voice_out: card.map(voice_out_plan).unwrap_or_default(),
            sms_out_a2p: entries::sms_out(&self.sms_out_a2p, &A2P)?,
            sms_out_p2p: entries::sms_out(&self.sms_out_p2p, &P2P)?,
            sms_out_otp: entries::sms_out(&self.sms_out_otp, &OTP)?,
            sms_in: entries::sms_in(&self.sms_in)?,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use didww_types::values::Money;
    use serde_json::Value;
    use trunk_rules::prices::country_name;

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
            ("voice_out_host = \"rates.test:8080\"", "prices.voice_out_host"),
            ("voice_out_host = \"rates.test.\"", "prices.voice_out_host"),
            ("voice_in_host = \"a.test\"\nsms_host = \"A.test\"", "prices.sms_host"),
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
            ("[[sms_out_p2p]]\nprice = \"1\"\ndestination_prefix = \"04\"", "sms_out_p2p.destination_prefix"),
            (
                "[[voice_in]]\ndestination = \"1\"\nsource_type = \"a\"\nreject_calls = true\nconnection_fee = \"0\"",
                "prices.voice_in.connection_fee",
            ),
            (
                "[[sms_in]]\nprice = \"1\"\ndestination_number_length_min = 16",
                "prices.sms_in.destination_number_length_max is `15`",
            ),
            (
                "[[sms_in]]\nprice = \"1\"\nsource_number_length_max = 0",
                "prices.sms_in.source_number_length_max is `0`",
            ),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn the_least_range_of_lengths_and_the_same_host_at_listeners_of_their_own_are_valid() {
        for text in [
            "[[sms_in]]\nprice = \"1\"\ndestination_number_length_min = 15\nsource_number_length_max = 1",
            "voice_in_host = \"a.test\"\nsms_host = \"a.test\"\nsms_listen = \"127.0.0.1:0\"",
        ] {
            assert!(checked(text).is_ok(), "{text}: {:?}", checked(text));
        }
    }

    #[test]
    fn two_prices_that_would_have_the_same_id_are_refused() {
        let calls = "[[voice_in]]\ndestination = \"1\"\nsource_type = \"fixed\"\ncountry = \"US\"\n";
        let messages = "[[sms_out_a2p]]\ndestination_prefix = \"44\"\nprice = \"0.05\"\n";
        let inbound = "[[sms_in]]\nprice = \"0\"\n";
        for (first, second, refused) in [
            (
                format!("{calls}rate = \"1\"\n"),
                format!("{calls}rate = \"2\"\n"),
                Some("prices.voice_in is `1, fixed"),
            ),
            (format!("{calls}rate = \"1\"\n"), format!("{calls}rate = \"1\"\nsrc_country = \"CA\"\n"), None),
            (messages.to_owned(), messages.to_owned(), Some("prices.sms_out_a2p is `,44,")),
            (messages.to_owned(), format!("{messages}mnc = 1\n"), None),
            (messages.to_owned(), messages.replace("a2p", "otp"), None),
            (inbound.to_owned(), inbound.to_owned(), Some("prices.sms_in is `,1,15,")),
        ] {
            let outcome = checked(&format!("{first}{second}"));
            match refused {
                Some(named) => assert!(outcome.unwrap_err().contains(named), "{second}"),
                None => assert!(outcome.is_ok(), "{second}"),
            }
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
