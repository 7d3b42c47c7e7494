//! Prices: the responses of the price services, which have their own hosts, and the rows of their files.
//!
//! They are not part of the registry, because the API itself does not have the type `prices`: each of the three
//! services has it with other attributes, answers look-ups without pages, and has no record that could be read by its
//! id.
//!
//! Amounts are US dollars without VAT and never rounded. Attributes that this crate does not know are ignored.

use serde::{Deserialize, Serialize};

use crate::csv::join_values;
use crate::values::Money;

/// The name of the type.
pub const PRICES: &str = "prices";

/// A price, as a look-up answers it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Price<A> {
    /// The id. No request reads a price by it.
    pub id: String,
    /// The attributes: the destination of the price, and its amount.
    pub attributes: A,
}

/// A price as a row of a price file.
pub trait PriceRow {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];

    /// The cells of the row, in the order of the columns; empty where the price does not say.
    fn cells(&self) -> Vec<String>;
}

/// The header of a price file, with its line end.
pub fn header_line<P: PriceRow>() -> String {
    join_values(P::COLUMNS.iter().copied()) + "\n"
}

/// A row of a price file, with its line end.
pub fn line<P: PriceRow>(price: &P) -> String {
    let cells = price.cells();
    join_values(cells.iter().map(String::as_str)) + "\n"
}

/// The price of inbound calls, of the service at `api-vin.didww.com`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceInPrice {
    /// The first digits of the called numbers.
    pub destination: String,
    /// The name of the destination's country; `None` for a price that is not tied to one.
    pub country: Option<String>,
    /// The name of the country that calls come from; `None` for calls from any country.
    pub src_country_name: Option<String>,
    /// The kind of line that calls come from, such as `cellular` or `fixed`.
    pub source_type: String,
    /// US dollars a minute; `None` for rejected calls.
    pub rate: Option<Money>,
    /// US dollars of each call; `None` for rejected calls.
    pub connection_fee: Option<Money>,
    /// The length of the first billing interval in seconds.
    pub initial_interval: u32,
    /// The length of each further billing interval in seconds.
    pub next_interval: u32,
    /// Whether calls are rejected instead of charged.
    pub reject_calls: bool,
}

/// The price of outbound calls, of the service at `api-vout.didww.com`, and its next scheduled change.
///
/// DIDWW's public pages do not show the names of the attributes that begin with `next_`; these are formed after the
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceOutPrice {
    /// `International`, `Origin based` or `Local`.
    pub category: String,
    /// The name of the prefix's country.
    pub country: Option<String>,
    /// The name of the prefix's network.
    pub network: Option<String>,
    /// The first digits of the called numbers.
    pub prefix: String,
    /// US dollars a minute; `None` for rejected calls.
    pub rate: Option<Money>,
    /// US dollars of each call; `None` for rejected calls.
    pub connection_fee: Option<Money>,
    /// The length of the first billing interval in seconds.
    pub initial_increment: Option<u32>,
    /// The length of each further billing interval in seconds.
    pub recurring_increment: Option<u32>,
    /// Whether calls are rejected instead of charged.
    pub reject_calls: bool,
    /// US dollars a minute after the scheduled change.
    pub next_rate: Option<Money>,
    /// US dollars of each call after the scheduled change.
    pub next_connection_fee: Option<Money>,
    /// The first billing interval after the scheduled change, in seconds.
    pub next_initial_increment: Option<u32>,
    /// Each further billing interval after the scheduled change, in seconds.
    pub next_recurring_increment: Option<u32>,
    /// Whether calls are rejected after the scheduled change.
    pub next_reject_calls: Option<bool>,
    /// When the scheduled change takes effect.
    pub effective_at: Option<String>,
    /// A text about the scheduled change.
    pub comment: Option<String>,
}

/// The price of an outbound text message, of the service at `api-sms.didww.com`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsOutPrice {
    /// The first digits of the sending numbers; `None` for any number.
    pub source_prefix: Option<String>,
    /// The first digits of the receiving numbers; `None` for any number.
    pub destination_prefix: Option<String>,
    /// The name of the destination's country.
    pub country: Option<String>,
    /// The mobile country code of the destination's network; `None` for any network.
    pub mcc: Option<u32>,
    /// The name of the mobile country code.
    pub mcc_name: Option<String>,
    /// The mobile network code of the destination's network; `None` for any network of the country.
    pub mnc: Option<u32>,
    /// The name of the network.
    pub mnc_name: Option<String>,
    /// Whether messages are rejected instead of charged.
    pub reject_sms: bool,
    /// US dollars of each message; `None` for rejected messages.
    pub price: Option<Money>,
}

/// The price of an inbound text message, of the service at `api-sms.didww.com`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsInPrice {
    /// The first digits of the sending numbers; `None` for any number.
    pub source_prefix: Option<String>,
    /// The least number of digits of a sending number.
    pub source_number_length_min: u32,
    /// The greatest number of digits of a sending number.
    pub source_number_length_max: u32,
    /// The first digits of the receiving numbers; `None` for any number.
    pub destination_prefix: Option<String>,
    /// The least number of digits of a receiving number.
    pub destination_number_length_min: u32,
    /// The greatest number of digits of a receiving number.
    pub destination_number_length_max: u32,
    /// The name of the receiving number's country.
    pub country: Option<String>,
    /// US dollars of each message.
    pub price: Money,
}

/// The cell of a value that may be absent.
fn cell<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}

impl PriceRow for VoiceInPrice {
    const COLUMNS: &'static [&'static str] = &[
        "Country",
        "Src country name",
        "Source type",
        "Destination",
        "Rate",
        "Connection fee",
        "Initial interval",
        "Next interval",
        "Reject calls",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            cell(self.country.as_ref()),
            cell(self.src_country_name.as_ref()),
            self.source_type.clone(),
            self.destination.clone(),
            cell(self.rate.as_ref()),
            cell(self.connection_fee.as_ref()),
            self.initial_interval.to_string(),
            self.next_interval.to_string(),
            self.reject_calls.to_string(),
        ]
    }
}

impl PriceRow for VoiceOutPrice {
    const COLUMNS: &'static [&'static str] = &[
        "Category",
        "Country",
        "Network",
        "Prefix",
        "Rate",
        "Connection fee",
        "Initial increment",
        "Recurring increment",
        "Reject calls",
        "Next rate",
        "Next connection fee",
        "Next initial increment",
        "Next recurring increment",
        "Next reject calls",
        "Effective at",
        "Comment",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.category.clone(),
            cell(self.country.as_ref()),
            cell(self.network.as_ref()),
            self.prefix.clone(),
            cell(self.rate.as_ref()),
            cell(self.connection_fee.as_ref()),
            cell(self.initial_increment.as_ref()),
            cell(self.recurring_increment.as_ref()),
            self.reject_calls.to_string(),
            cell(self.next_rate.as_ref()),
            cell(self.next_connection_fee.as_ref()),
            cell(self.next_initial_increment.as_ref()),
            cell(self.next_recurring_increment.as_ref()),
            cell(self.next_reject_calls.as_ref()),
            cell(self.effective_at.as_ref()),
            cell(self.comment.as_ref()),
        ]
    }
}

impl PriceRow for SmsOutPrice {
    const COLUMNS: &'static [&'static str] = &[
        "Source prefix",
        "Destination prefix",
        "Country",
        "MCC",
        "MCC name",
        "MNC",
        "MNC name",
        "Reject SMS",
        "Price",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            cell(self.source_prefix.as_ref()),
            cell(self.destination_prefix.as_ref()),
            cell(self.country.as_ref()),
            cell(self.mcc.as_ref()),
            cell(self.mcc_name.as_ref()),
            cell(self.mnc.as_ref()),
            cell(self.mnc_name.as_ref()),
            self.reject_sms.to_string(),
            cell(self.price.as_ref()),
        ]
    }
}

impl PriceRow for SmsInPrice {
    const COLUMNS: &'static [&'static str] = &[
        "Source prefix",
        "Source number length min",
        "Source number length max",
        "Destination prefix",
        "Destination number length min",
        "Destination number length max",
        "Country",
        "Price",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            cell(self.source_prefix.as_ref()),
            self.source_number_length_min.to_string(),
            self.source_number_length_max.to_string(),
            cell(self.destination_prefix.as_ref()),
            self.destination_number_length_min.to_string(),
            self.destination_number_length_max.to_string(),
            cell(self.country.as_ref()),
            self.price.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> VoiceInPrice {
        VoiceInPrice {
            destination: "1800".to_owned(),
            country: Some("Korea, Republic of".to_owned()),
            src_country_name: None,
            source_type: "fixed".to_owned(),
            rate: None,
            connection_fee: None,
            initial_interval: 60,
            next_interval: 1,
            reject_calls: true,
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_column_and_quotes_a_comma() {
        assert_eq!(line(&rejected()), "\"Korea, Republic of\",,fixed,1800,,,60,1,true\n");
        assert_eq!(rejected().cells().len(), VoiceInPrice::COLUMNS.len());
        let priced = VoiceInPrice {
            country: None,
            rate: Some("0.0020".parse().unwrap()),
            connection_fee: Some(Money::default()),
            reject_calls: false,
            ..rejected()
        };
        assert_eq!(line(&priced), ",,fixed,1800,0.002,0.0,60,1,false\n");
        assert!(header_line::<SmsInPrice>().starts_with("Source prefix,Source number length min,"));
    }

    #[test]
    fn an_answer_is_read_without_what_it_leaves_out_and_with_what_it_adds() {
        let text = r#"{"id":"a","type":"prices","attributes":{"category":"Local","prefix":"44","rate":"0.01",
            "connection_fee":"0.0","reject_calls":false,"days":["Monday"]}}"#;
        let price: Price<VoiceOutPrice> = serde_json::from_str(text).unwrap();
        assert_eq!((price.id.as_str(), price.attributes.prefix.as_str()), ("a", "44"));
        assert_eq!((price.attributes.network, price.attributes.next_rate), (None, None));
        assert_eq!(price.attributes.rate, Some("0.01".parse().unwrap()));
    }
}
