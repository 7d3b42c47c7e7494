//! `trunkctl prices`: the prices of calls and text messages in the account's plans.

use std::io::Read as _;

use clap::{Args, Subcommand, ValueEnum};
use didww_client::prices::Price;
use didww_client::{
    ClientBuilder, Error, ExportFile, SmsDestination, SmsPrices, SmsTraffic, VoiceInPrices, VoiceOutPrices,
};
use serde::Serialize;
use serde_json::Value;

use crate::context::{PriceService, Target};
use crate::exit::{Exit, Failure};
use crate::output::{self, Format, Row};
use crate::service_error::failure;
use crate::terminal::print;

const VOICE_IN: PriceService = PriceService {
    production: VoiceInPrices::PRODUCTION,
    sandbox: VoiceInPrices::SANDBOX,
    host: "api-vin.didww.com",
};
const VOICE_OUT: PriceService = PriceService {
    production: VoiceOutPrices::PRODUCTION,
    sandbox: VoiceOutPrices::SANDBOX,
    host: "api-vout.didww.com",
};
const SMS: PriceService = PriceService {
    production: SmsPrices::PRODUCTION,
    sandbox: SmsPrices::SANDBOX,
    host: "api-sms.didww.com",
};

const VOICE_IN_COLUMNS: [&str; 9] = [
    "destination",
    "country",
    "src_country_name",
    "source_type",
    "rate",
    "connection_fee",
    "initial_interval",
    "next_interval",
    "reject_calls",
];
const VOICE_OUT_COLUMNS: [&str; 11] = [
    "prefix",
    "category",
    "country",
    "network",
    "rate",
    "connection_fee",
    "initial_increment",
    "recurring_increment",
    "reject_calls",
    "next_rate",
    "effective_at",
];
const SMS_OUT_COLUMNS: [&str; 9] = [
    "source_prefix",
    "destination_prefix",
    "country",
    "mcc",
    "mcc_name",
    "mnc",
    "mnc_name",
    "reject_sms",
    "price",
];
const SMS_IN_COLUMNS: [&str; 5] = [
    "source_prefix",
    "destination_prefix",
    "destination_number_length_min",
    "destination_number_length_max",
    "price",
];

/// The subcommands of `trunkctl prices`.
#[derive(Debug, Clone, Subcommand)]
pub enum PricesCommand {
    /// Look up the prices of calls to one of your numbers
    VoiceIn {
        /// The called number, 8 to 15 digits
        number: String,
        /// The country that calls come from, such as `CA`
        #[arg(long, value_name = "COUNTRY")]
        from: Option<String>,
        /// Where the service is
        #[command(flatten)]
        place: Place,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Look up the price of calls from your trunks, by which a trunk-server charges them
    VoiceOut {
        /// The called number, 8 to 15 digits
        number: String,
        /// Where the service is
        #[command(flatten)]
        place: Place,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Look up the prices of text messages that you send
    SmsOut {
        /// The kind of the messages
        #[arg(value_enum)]
        traffic: Traffic,
        /// To which numbers
        #[command(flatten)]
        destination: Destination,
        /// Where the service is
        #[command(flatten)]
        place: Place,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Look up the prices of text messages that you receive
    SmsIn {
        /// To which numbers
        #[command(flatten)]
        destination: Destination,
        /// Where the service is
        #[command(flatten)]
        place: Place,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Print all prices of a plan as CSV, in the columns of the service
    File {
        /// The plan
        #[arg(value_enum)]
        plan: Plan,
        /// Where the service is
        #[command(flatten)]
        place: Place,
    },
}

/// A kind of outbound text messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Traffic {
    /// From applications to persons
    A2p,
    /// From persons to persons
    P2p,
    /// One-time passwords
    Otp,
}

impl Traffic {
    fn of_client(self) -> SmsTraffic {
        match self {
            Self::A2p => SmsTraffic::A2p,
            Self::P2p => SmsTraffic::P2p,
            Self::Otp => SmsTraffic::Otp,
        }
    }
}

/// A plan of prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Plan {
    /// Calls to your numbers
    VoiceIn,
    /// Calls from your trunks
    VoiceOut,
    /// Text messages that you send from applications to persons
    SmsOutA2p,
    /// Text messages that you send from persons to persons
    SmsOutP2p,
    /// One-time passwords that you send
    SmsOutOtp,
    /// Text messages that you receive
    SmsIn,
}

/// The destination of text messages.
#[derive(Debug, Clone, Args)]
pub struct Destination {
    /// The receiving number, 8 to 15 digits: the prices under the longest prefix
    #[arg(long, required_unless_present = "country")]
    number: Option<String>,
    /// The country of the receiving numbers, such as `GB`: without a number all of its prices
    #[arg(long)]
    country: Option<String>,
}

impl Destination {
    fn of_client(&self) -> Result<SmsDestination<'_>, Failure> {
        match (self.number.as_deref(), self.country.as_deref()) {
            (Some(number), Some(country)) => Ok(SmsDestination::NumberIn { number, country }),
            (Some(number), None) => Ok(SmsDestination::Number(number)),
            (None, Some(country)) => Ok(SmsDestination::Country(country)),
            (None, None) => Err(Failure::usage("say which messages: --number, --country, or both")),
        }
    }
}

/// Where a price service is.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Reach the price service at this base URL, such as `http://127.0.0.1:8083/v3` [default: DIDWW's own for
    /// `production` and `sandbox`, else the address of the API]
    #[arg(long, env = "TRUNKCTL_PRICES_URL", value_name = "URL")]
    prices_url: Option<String>,
    /// Name this host in requests [default: DIDWW's own at the address of the API, else that of the URL]
    #[arg(long, env = "TRUNKCTL_PRICES_HOST", value_name = "HOST")]
    prices_host: Option<String>,
}

impl Place {
    fn builder(&self, target: &Target, service: PriceService) -> Result<ClientBuilder, Failure> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        target.price_service(service, set(&self.prices_url).as_deref(), set(&self.prices_host).as_deref())
    }

    fn voice_in(&self, target: &Target) -> Result<VoiceInPrices, Failure> {
        VoiceInPrices::new(self.builder(target, VOICE_IN)?).map_err(|error| unusable(&error))
    }

    fn voice_out(&self, target: &Target) -> Result<VoiceOutPrices, Failure> {
        VoiceOutPrices::new(self.builder(target, VOICE_OUT)?).map_err(|error| unusable(&error))
    }

    fn sms(&self, target: &Target) -> Result<SmsPrices, Failure> {
        SmsPrices::new(self.builder(target, SMS)?).map_err(|error| unusable(&error))
    }
}

fn unusable(error: &Error) -> Failure {
    Failure::usage(error.to_string())
}

impl PricesCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        match self {
            Self::VoiceIn { number, from, place, output } => {
                let found = place.voice_in(target)?.look_up(number, from.as_deref()).await;
                print_prices(found, &VOICE_IN_COLUMNS, *output)
            }
            Self::VoiceOut { number, place, output } => {
                let found = place.voice_out(target)?.look_up(number).await;
                print_prices(found, &VOICE_OUT_COLUMNS, *output)
            }
            Self::SmsOut { traffic, destination, place, output } => {
                let destination = destination.of_client()?;
                let found = place.sms(target)?.sms_out(traffic.of_client(), destination).await;
                print_prices(found, &SMS_OUT_COLUMNS, *output)
            }
            Self::SmsIn { destination, place, output } => {
                let found = place.sms(target)?.sms_in(destination.of_client()?).await;
                print_prices(found, &SMS_IN_COLUMNS, *output)
            }
            Self::File { plan, place } => print_file(&file(*plan, place, target).await?),
        }
    }
}

async fn file(plan: Plan, place: &Place, target: &Target) -> Result<ExportFile, Failure> {
    let file = match plan {
        Plan::VoiceIn => place.voice_in(target)?.file().await,
        Plan::VoiceOut => place.voice_out(target)?.file().await,
        Plan::SmsOutA2p => place.sms(target)?.sms_out_file(SmsTraffic::A2p).await,
        Plan::SmsOutP2p => place.sms(target)?.sms_out_file(SmsTraffic::P2p).await,
        Plan::SmsOutOtp => place.sms(target)?.sms_out_file(SmsTraffic::Otp).await,
        Plan::SmsIn => place.sms(target)?.sms_in_file().await,
    };
    file.map_err(|error| failure(&error))
}

/// Prints the text of a file.
fn print_file(file: &ExportFile) -> Result<(), Failure> {
    let mut text = String::new();
    file.csv()
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Failed, format!("the price file cannot be read: {error}")))?;
    print(&text)
}

/// Prints the prices of a look-up: the id, then these members, which are the columns of a table, then the others.
fn print_prices<A: Serialize>(
    found: Result<Vec<Price<A>>, Error>,
    columns: &[&str],
    format: Format,
) -> Result<(), Failure> {
    let found = found.map_err(|error| failure(&error))?;
    let mut rows = Vec::with_capacity(found.len());
    for price in found {
        let attributes = serde_json::to_value(price.attributes)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let mut row = Row::default();
        row.push("id", price.id);
        for (name, value) in Row::of(&attributes, columns).members() {
            row.push(name, Value::clone(value));
        }
        rows.push(row);
    }
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    print(&output::list(&rows, &columns, format)?)
}
