//! Clients of the price services, which have hosts and access tokens of their own.

use std::fmt;

use didww_types::prices::{Price, SmsInPrice, SmsOutPrice, VoiceInPrice, VoiceOutPrice};
use reqwest::Method;
use serde::de::DeserializeOwned;

use crate::{Client, ClientBuilder, Error, Secret};

/// The audience of tokens for prices of inbound calls.
const VOICE_IN: &str = "api-vin.didww.com";
/// The audience of tokens for prices of outbound calls.
const VOICE_OUT: &str = "api-vout.didww.com";
/// The audience of tokens for prices of text messages.
const SMS: &str = "api-sms.didww.com";

/// The base URLs of the services in the sandbox.
pub(crate) const SANDBOXES: [&str; 3] = [VoiceInPrices::SANDBOX, VoiceOutPrices::SANDBOX, SmsPrices::SANDBOX];
/// The base URLs of the services in production.
pub(crate) const PRODUCTIONS: [&str; 3] =
    [VoiceInPrices::PRODUCTION, VoiceOutPrices::PRODUCTION, SmsPrices::PRODUCTION];

/// A client of the service with the prices of inbound calls, of the plan that is assigned to the account.
///
/// Its tokens have the scope `read`, and the newest version. 404 has the code `price_plan_not_assigned` or
/// `price_not_found`: see [`ErrorCode`](didww_types::ErrorCode).
///
/// ```
/// # async fn f() -> Result<(), didww_client::Error> {
/// use didww_client::VoiceInPrices;
///
/// let prices = VoiceInPrices::production("your API key")?;
/// for price in prices.look_up("18005550123", Some("CA")).await? {
///     println!("{}: {:?} USD a minute", price.attributes.source_type, price.attributes.rate);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VoiceInPrices(pub(crate) Client);

/// A client of the service with the prices of outbound calls; see [`VoiceInPrices`].
#[derive(Clone)]
pub struct VoiceOutPrices(pub(crate) Client);

/// A client of the service with the prices of text messages; see [`VoiceInPrices`].
#[derive(Clone)]
pub struct SmsPrices(pub(crate) Client);

/// A kind of outbound text messages, each with a plan of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmsTraffic {
    /// From applications to persons.
    A2p,
    /// From persons to persons.
    P2p,
    /// One-time passwords.
    Otp,
}

/// The search key of the prices of text messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsDestination<'a> {
    /// The receiving number, 8 to 15 digits: the prices under the longest prefix.
    Number(&'a str),
    /// The code of a country in ISO 3166-1, such as `GB`: all of its prices.
    Country(&'a str),
    /// A number, and the code of the country whose prices alone take part.
    NumberIn {
        /// The receiving number.
        number: &'a str,
        /// The code of the country.
        country: &'a str,
    },
}

macro_rules! services {
    ($($name:ident, $audience:ident, $production:literal, $sandbox:literal;)+) => {
        $(
            impl $name {
                /// The base URL of the production environment.
                pub const PRODUCTION: &'static str = $production;
                /// The base URL of the sandbox.
                pub const SANDBOX: &'static str = $sandbox;

                /// Creates a client of the production environment with default settings.
                ///
                /// # Errors
                /// Returns the errors of [`ClientBuilder::build`].
                pub fn production(key: impl Into<Secret>) -> Result<Self, Error> {
                    Self::new(Client::builder(Self::PRODUCTION, key))
                }

                /// Creates a client of the sandbox with default settings.
                ///
                /// # Errors
                /// Returns the errors of [`ClientBuilder::build`].
                pub fn sandbox(key: impl Into<Secret>) -> Result<Self, Error> {
                    Self::new(Client::builder(Self::SANDBOX, key))
                }

                /// Creates a client with the settings of a builder, whose base URL is that of the service, such as
                /// `http://127.0.0.1:8083/v3`. For other hosts than DIDWW's the builder needs the URL of the token
                /// service as well, unless that is `/token` beside `/v3`.
                ///
                /// # Errors
                /// Returns the errors of [`ClientBuilder::build`].
                pub fn new(builder: ClientBuilder) -> Result<Self, Error> {
                    builder.build_for($audience).map(Self)
                }

                async fn get<A: DeserializeOwned>(
                    &self,
                    path: &str,
                    filters: &[(&str, Option<&str>)],
                ) -> Result<Vec<Price<A>>, Error> {
                    let mut request = self.0.raw(Method::GET, path);
                    for &(name, value) in filters {
                        if let Some(value) = value {
                            request = request.query(name, value);
                        }
                    }
                    Ok(request.send().await?.document::<Vec<Price<A>>>()?.data)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_tuple(stringify!($name)).field(&self.0).finish()
                }
            }
        )+
    };
}

services! {
    VoiceInPrices, VOICE_IN, "https://api-vin.didww.com/v3", "https://api-vin-sandbox.didww.com/v3";
    VoiceOutPrices, VOICE_OUT, "https://api-vout.didww.com/v3", "https://api-vout-sandbox.didww.com/v3";
    SmsPrices, SMS, "https://api-sms.didww.com/v3", "https://api-sms-sandbox.didww.com/v3";
}

/// The path of look-ups.
const LOOK_UP: &str = "/lookup/prices";

impl VoiceInPrices {
    /// Looks up the prices of calls to a number, 8 to 15 digits: one for each type of source and country of
    /// destination. `callers` is the code of the country in ISO 3166-1 that calls come from, whose prices then go
    /// before those for calls from anywhere.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no price or no plan, and those of every request.
    pub async fn look_up(
        &self,
        number: &str,
        callers: Option<&str>,
    ) -> Result<Vec<Price<VoiceInPrice>>, Error> {
        self.get(LOOK_UP, &[("filter[number]", Some(number)), ("filter[src_country_iso]", callers)]).await
    }
}

impl VoiceOutPrices {
    /// Looks up the prices of calls to a number, 8 to 15 digits: one for each set of routing conditions.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no price or no plan, and those of every request.
    pub async fn look_up(&self, number: &str) -> Result<Vec<Price<VoiceOutPrice>>, Error> {
        self.get(LOOK_UP, &[("filter[number]", Some(number))]).await
    }
}

impl SmsPrices {
    /// Looks up the prices of outbound text messages of a kind.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no price or no plan of the kind, and those of every request.
    pub async fn sms_out(
        &self,
        traffic: SmsTraffic,
        destination: SmsDestination<'_>,
    ) -> Result<Vec<Price<SmsOutPrice>>, Error> {
        self.get(&format!("{}{LOOK_UP}", traffic.base()), &destination.filters()).await
    }

    /// Looks up the prices of inbound text messages.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no price or no plan, and those of every request.
    pub async fn sms_in(&self, destination: SmsDestination<'_>) -> Result<Vec<Price<SmsInPrice>>, Error> {
        self.get(&format!("/sms_in{LOOK_UP}"), &destination.filters()).await
    }
}

impl SmsTraffic {
    pub(crate) const fn base(self) -> &'static str {
        match self {
            Self::A2p => "/sms_out/a2p",
            Self::P2p => "/sms_out/p2p",
            Self::Otp => "/sms_out/otp",
        }
    }
}

impl<'a> SmsDestination<'a> {
    fn filters(self) -> [(&'static str, Option<&'a str>); 2] {
        let (number, country) = match self {
            Self::Number(number) => (Some(number), None),
            Self::Country(country) => (None, Some(country)),
            Self::NumberIn { number, country } => (Some(number), Some(country)),
        };
        [("filter[dst_number]", number), ("filter[dst_country_iso]", country)]
    }
}
