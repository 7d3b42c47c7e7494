//! The price services: where each is served, and the plans that it answers from.

use std::sync::Arc;

use didww_types::Timestamp;
use didww_types::prices::{SmsInPrice, SmsOutPrice, VoiceInPrice, VoiceOutPrice, line};
use http::Request;
use http_listener::named_host;
use service_core::price_plans::AccountPlan;
use tokio::task::JoinError;
use trunk_rules::prices::voice_in_key;
use trunk_store::account::Account;

use super::own_plans::OwnPlans;
use super::plan::Plan;

/// A price service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceService {
    /// Prices of inbound calls, at `api-vin.didww.com`.
    VoiceIn,
    /// Prices of outbound calls, at `api-vout.didww.com`.
    VoiceOut,
    /// Prices of text messages, at `api-sms.didww.com`.
    Sms,
}

/// A kind of outbound text messages, with a plan of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// From applications to persons.
    A2p,
    /// From persons to persons.
    P2p,
    /// One-time passwords.
    Otp,
}

/// The prices of all plans. A plan without prices is one that no account has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PricePlans {
    /// Inbound calls.
    pub voice_in: Vec<VoiceInPrice>,
    /// Outbound calls.
    pub voice_out: Vec<VoiceOutPrice>,
    /// Outbound text messages from applications to persons.
    pub sms_out_a2p: Vec<SmsOutPrice>,
    /// Outbound text messages from persons to persons.
    pub sms_out_p2p: Vec<SmsOutPrice>,
    /// Outbound text messages with one-time passwords.
    pub sms_out_otp: Vec<SmsOutPrice>,
    /// Inbound text messages.
    pub sms_in: Vec<SmsInPrice>,
}

/// Where a price service is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PricePlace {
    /// The host that requests name. `None` at the API's listener is every host whose name begins with that of the
    /// service, such as `api-vin.localhost`, and at an own listener any host.
    pub host: Option<String>,
    /// Whether the service has a listener of its own. Otherwise the API's serves it.
    pub own_listener: bool,
}

/// The plans and places of all price services.
#[derive(Debug, Default)]
pub struct PriceServices {
    pub(super) voice_in: Option<Arc<Plan<VoiceInPrice>>>,
    /// Of the accounts that have no plan of their own.
    voice_out: Option<Arc<Plan<VoiceOutPrice>>>,
    own_voice_out: OwnPlans,
    sms_out: [Option<Arc<Plan<SmsOutPrice>>>; 3],
    pub(super) sms_in: Option<Arc<Plan<SmsInPrice>>>,
    /// In the order of [`PriceService::ALL`].
    places: [PricePlace; 3],
}

impl Traffic {
    pub(super) const ALL: [Self; 3] = [Self::A2p, Self::P2p, Self::Otp];

    /// The segment of its paths.
    pub(super) const fn segment(self) -> &'static str {
        match self {
            Self::A2p => "a2p",
            Self::P2p => "p2p",
            Self::Otp => "otp",
        }
    }
}

/// The beginning of the labels of all services.
const LABELS_BEGIN: &str = "api-";

impl PriceService {
    /// All services.
    pub const ALL: [Self; 3] = [Self::VoiceIn, Self::VoiceOut, Self::Sms];

    /// The audience of its tokens: its production host name, in the sandbox too.
    pub const fn audience(self) -> &'static str {
        match self {
            Self::VoiceIn => "api-vin.didww.com",
            Self::VoiceOut => "api-vout.didww.com",
            Self::Sms => "api-sms.didww.com",
        }
    }

    /// The first labels of its host names, in production and in the sandbox.
    const fn labels(self) -> [&'static str; 2] {
        match self {
            Self::VoiceIn => ["api-vin", "api-vin-sandbox"],
            Self::VoiceOut => ["api-vout", "api-vout-sandbox"],
            Self::Sms => ["api-sms", "api-sms-sandbox"],
        }
    }

    /// The service whose host a request to the API's listener names. A configured host takes precedence over a host
    /// that begins like that of another service.
    pub(crate) fn of_request<B>(services: &PriceServices, request: &Request<B>) -> Option<Self> {
        let host = named_host(request.headers(), request.uri())?;
        let beside = || Self::ALL.into_iter().filter(move |service| !services.place(*service).own_listener);
        let is_configured = |service: &Self| {
            services.place(*service).host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host))
        };
        let is_like = |service: &Self| services.place(*service).host.is_none() && service.has_label_of(host);
        // Almost no host begins so, and the others are compared with no label.
        let may_be_like_one =
            host.get(..LABELS_BEGIN.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(LABELS_BEGIN));
        beside().find(is_configured).or_else(|| may_be_like_one.then(|| beside().find(is_like)).flatten())
    }

    /// Whether the first label of a host is one of the service's.
    fn has_label_of(self, host: &str) -> bool {
        let first = host.split('.').next().unwrap_or_default();
        self.labels().iter().any(|label| label.eq_ignore_ascii_case(first))
    }
}

impl PriceServices {
    /// Makes the services of these plans, which hold since `now`, all at the API's listener.
    pub fn new(plans: PricePlans, now: Timestamp) -> Self {
        let sms_out = [
            Plan::new("sms_out_a2p_prices.csv.gz", plans.sms_out_a2p, line::<SmsOutPrice>, now).map(Arc::new),
            Plan::new("sms_out_p2p_prices.csv.gz", plans.sms_out_p2p, line::<SmsOutPrice>, now).map(Arc::new),
            Plan::new("sms_out_otp_prices.csv.gz", plans.sms_out_otp, line::<SmsOutPrice>, now).map(Arc::new),
        ];
        Self {
            voice_in: Plan::new("voice_in_prices.csv.gz", plans.voice_in, voice_in_key, now).map(Arc::new),
            voice_out: Plan::of_voice_out(plans.voice_out, now).map(Arc::new),
            own_voice_out: OwnPlans::default(),
            sms_out,
            sms_in: Plan::new("sms_in_prices.csv.gz", plans.sms_in, line::<SmsInPrice>, now).map(Arc::new),
            places: <[PricePlace; 3]>::default(),
        }
    }

    /// Sets where a service is served.
    #[must_use]
    pub fn at(mut self, service: PriceService, place: PricePlace) -> Self {
        let [voice_in, voice_out, sms] = &mut self.places;
        match service {
            PriceService::VoiceIn => *voice_in = place,
            PriceService::VoiceOut => *voice_out = place,
            PriceService::Sms => *sms = place,
        }
        self
    }

    fn place(&self, service: PriceService) -> &PricePlace {
        let [voice_in, voice_out, sms] = &self.places;
        match service {
            PriceService::VoiceIn => voice_in,
            PriceService::VoiceOut => voice_out,
            PriceService::Sms => sms,
        }
    }

    /// The plan of outbound calls of an account, and since when the account has it. `own` is its plan in place of the
    /// server's.
    ///
    /// # Errors
    /// If its own plan could not be made.
    pub(super) async fn voice_out_of(
        &self,
        account: &Account,
        own: Option<Arc<AccountPlan>>,
    ) -> Result<(Option<Arc<Plan<VoiceOutPrice>>>, Timestamp), JoinError> {
        let Some(own) = own else { return Ok((self.voice_out.clone(), account.created_at)) };
        let assigned_at = own.changed_at.max(account.created_at);
        if own.rates.is_none() {
            return Ok((self.voice_out.clone(), assigned_at));
        }
        Ok((self.own_voice_out.of(account.number, own).await?, assigned_at))
    }

    pub(super) fn sms_out(&self, traffic: Traffic) -> Option<&Arc<Plan<SmsOutPrice>>> {
        let [of_applications, of_persons, one_time] = &self.sms_out;
        let plan = match traffic {
            Traffic::A2p => of_applications,
            Traffic::P2p => of_persons,
            Traffic::Otp => one_time,
        };
        plan.as_ref()
    }

    /// Whether a request at the service's listener names its host.
    pub(super) fn takes<B>(&self, service: PriceService, request: &Request<B>) -> bool {
        let Some(own) = &self.place(service).host else { return true };
        named_host(request.headers(), request.uri()).is_some_and(|host| own.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use http::header;
    use token_service::AUDIENCES;

    use super::*;

    fn request(uri: &str, host: Option<&str>) -> Request<()> {
        let request = Request::builder().uri(uri);
        let request = match host {
            Some(host) => request.header(header::HOST, host),
            None => request,
        };
        request.body(()).unwrap()
    }

    fn named(services: &PriceServices, host: &str) -> Option<PriceService> {
        PriceService::of_request(services, &request("/v3/lookup/prices", Some(host)))
    }

    #[test]
    fn tokens_can_be_for_every_service() {
        for service in PriceService::ALL {
            assert!(AUDIENCES.contains(&service.audience()));
        }
    }

    #[test]
    fn the_first_label_of_a_host_selects_the_service_unless_another_name_is_set() {
        let services = PriceServices::default();
        for (host, service) in [
            ("api-vin.didww.com", Some(PriceService::VoiceIn)),
            ("API-VIN-Sandbox.didww.com:443", Some(PriceService::VoiceIn)),
            ("api-vout.localhost:8080", Some(PriceService::VoiceOut)),
            ("api-sms", Some(PriceService::Sms)),
            ("api.didww.com", None),
            ("127.0.0.1:8080", None),
            ("[::1]:8080", None),
            ("api-vinyl.example.com", None),
            ("www.api-vin.example.com", None),
            ("", None),
        ] {
            assert_eq!(named(&services, host), service, "{host}");
        }
        let place = PricePlace { host: Some("rates.example.com".to_owned()), own_listener: false };
        let services = services.at(PriceService::VoiceIn, place);
        assert_eq!(named(&services, "Rates.example.com:8080"), Some(PriceService::VoiceIn));
        assert_eq!(named(&services, "api-vin.didww.com"), None);
        assert_eq!(named(&services, "api-vout.didww.com"), Some(PriceService::VoiceOut));
    }

    #[test]
    fn all_labels_begin_alike() {
        let mut labels = PriceService::ALL.into_iter().flat_map(PriceService::labels);
        assert!(labels.all(|label| label.starts_with(LABELS_BEGIN)));
    }

    #[test]
    fn a_configured_host_goes_before_one_that_begins_like_that_of_another_service() {
        let place = PricePlace { host: Some("api-vin.example.com".to_owned()), own_listener: false };
        let services = PriceServices::default().at(PriceService::Sms, place);
        assert_eq!(named(&services, "api-vin.example.com"), Some(PriceService::Sms));
        assert_eq!(named(&services, "api-vin.example.org"), Some(PriceService::VoiceIn));
    }

    #[test]
    fn a_service_with_a_listener_of_its_own_leaves_that_of_the_api() {
        let place = |host: Option<&str>| PricePlace { host: host.map(str::to_owned), own_listener: true };
        let services = PriceServices::default().at(PriceService::Sms, place(None));
        assert_eq!(named(&services, "api-sms.didww.com"), None);
        assert!(services.takes(PriceService::Sms, &request("/", Some("127.0.0.1:9"))));
        let services = services.at(PriceService::Sms, place(Some("sms.test")));
        assert!(services.takes(PriceService::Sms, &request("/", Some("SMS.test:9"))));
        assert!(!services.takes(PriceService::Sms, &request("/", Some("127.0.0.1:9"))));
    }

    #[test]
    fn a_whole_uri_names_the_host_whatever_the_header_has() {
        let services = PriceServices::default();
        for header in [None, Some("api.didww.com"), Some("api-sms.didww.com")] {
            let found = PriceService::of_request(&services, &request("https://api-vin.test:1/v3", header));
            assert_eq!(found, Some(PriceService::VoiceIn), "{header:?}");
        }
        assert_eq!(PriceService::of_request(&services, &request("/v3", None)), None);
    }
}
