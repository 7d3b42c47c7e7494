//! Decides whether one destination of a request becomes a call, in a fixed order of steps.
//!
//! No step runs after one has failed: a country that is not whitelisted is refused before its routes are
//! searched, and the source number is checked last. A failure for one destination does not affect the others.

use uuid::Uuid;
use voipbin_types::{Address, AddressKind, Anonymous};

use super::address::normalise_address;
use super::balance::Balance;
use super::closed_hosts::{Closed, ClosedHosts};
use super::country::{Country, country, route_target};
use super::dial::sip_uri;
use super::dialroute::{Dialroute, Route, forced, merge};
use super::sip_uri::SipUri;
use super::source::{NoSource, Source, choose_source};
use super::whitelist::is_whitelisted;

/// The customer that places the call.
#[derive(Debug, Clone, Copy)]
pub struct Customer<'a> {
    /// The customer's id, which its routes and numbers must name.
    pub id: Uuid,
    /// The status; only `active` customers may call.
    pub status: &'a str,
    /// The status of identity verification; only `verified` customers may call telephone numbers.
    pub identity_verification_status: &'a str,
}

/// The customer's outbound configuration. A customer without one has an empty one.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutboundConfig<'a> {
    /// Country codes that the customer may call.
    pub destination_whitelist: &'a [String],
    /// Codec names for `sip` destinations; may be empty.
    pub codecs: &'a str,
}

/// How the routes to a destination are found.
#[derive(Debug, Clone, Copy)]
pub enum Routing<'a> {
    /// From the stored routes. Routes of other customers and other targets may be included; they are ignored.
    Stored(&'a [Route]),
    /// Through these providers, in this order.
    Forced(&'a [Uuid]),
}

/// The state of the platform at the time of the decision.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The customer; `None` if it does not exist.
    pub customer: Option<Customer<'a>>,
    /// Whether the customer's balance covers a call.
    pub balance: Balance,
    /// The customer's whitelist and codecs; empty if it has no configuration.
    pub config: OutboundConfig<'a>,
    /// The routes that may be used.
    pub routing: Routing<'a>,
    /// Hosts that a `sip` destination must not name.
    pub closed_hosts: &'a ClosedHosts,
    /// The requested source, and the platform's records of the numbers involved.
    pub source: Source<'a>,
}

/// One destination of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The destination as sent; only `tel` and `sip` can become a call.
    pub destination: &'a Address,
    /// The request's `anonymous` value, if sent.
    pub anonymous: Option<&'a Anonymous>,
}

/// A call that may be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The destination, normalised: of a telephone number, the digits and a leading plus are kept.
    pub destination: Address,
    /// The caller number that the call presents, or withholds.
    pub source: Address,
    /// Whether the source is withheld.
    pub anonymous: Anonymous,
    /// The destination's country; `None` for `sip`.
    pub country: Option<Country>,
    /// The routes to try, at least one; empty for `sip`, which needs none.
    pub dialroutes: Vec<Dialroute>,
    /// The codecs for the call's metadata; only for `sip`, and only if configured.
    pub codecs: Option<String>,
}

/// A step of the decision. The steps run in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The destination is of a type that can be called.
    DestinationType,
    /// The customer that places the call exists.
    Customer,
    /// The customer's status is `active`; any other refuses every call.
    CustomerStatus,
    /// The customer's identity is verified.
    IdentityVerification,
    /// The customer's balance covers a call.
    Balance,
    /// The host of a `sip` destination is not closed.
    Host,
    /// The destination's country is whitelisted.
    Whitelist,
    /// At least one route leads to the destination.
    Dialroute,
    /// A source number may be presented.
    Source,
}

/// Why a destination does not become a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The destination type is neither `tel` nor `sip`.
    #[error("the destination type must be sip or tel, not \"{0}\"")]
    DestinationType(AddressKind),
    /// The customer does not exist.
    #[error("the customer was not found")]
    NoCustomer,
    /// The customer is not active.
    #[error("the customer is {0}, not active")]
    CustomerStatus(String),
    /// The customer's identity is not verified.
    #[error("customer identity verification is required to call telephone numbers")]
    IdentityVerification,
    /// The balance does not cover a call.
    #[error("the customer's balance does not cover a call to this destination")]
    Balance,
    /// The host of a `sip` destination can be reached only through a provider.
    #[error("calls to {host} must go through a provider, not to a SIP URI: {why}")]
    Host {
        /// The host of the SIP URI, as sent.
        host: String,
        /// Why the host is closed.
        why: Closed,
    },
    /// The country is not whitelisted, or the number belongs to no country.
    #[error("outbound destination country not whitelisted")]
    Whitelist {
        /// The number's country, if it has one.
        country: Option<Country>,
    },
    /// No route leads to the destination.
    #[error("no route leads to the destination")]
    NoDialroute,
    /// No source number may be presented.
    #[error(transparent)]
    Source(#[from] NoSource),
}

impl Failure {
    /// The step that failed; the steps after it were not tried.
    pub const fn step(&self) -> Step {
        match self {
            Self::DestinationType(_) => Step::DestinationType,
            Self::NoCustomer => Step::Customer,
            Self::CustomerStatus(_) => Step::CustomerStatus,
            Self::IdentityVerification => Step::IdentityVerification,
            Self::Balance => Step::Balance,
            Self::Host { .. } => Step::Host,
            Self::Whitelist { .. } => Step::Whitelist,
            Self::NoDialroute => Step::Dialroute,
            Self::Source(_) => Step::Source,
        }
    }
}

/// Decides on one destination: the plan of a call, or the first step that fails.
pub fn decide(snapshot: &Snapshot<'_>, request: &Request<'_>) -> Result<Plan, Failure> {
    let destination = request.destination;
    let is_telephone = match &destination.kind {
        AddressKind::Tel => true,
        AddressKind::Sip => false,
        other => return Err(Failure::DestinationType(other.clone())),
    };
    let customer = snapshot.customer.ok_or(Failure::NoCustomer)?;
    if customer.status != "active" {
        return Err(Failure::CustomerStatus(customer.status.to_owned()));
    }
    if is_telephone && customer.identity_verification_status != "verified" {
        return Err(Failure::IdentityVerification);
    }
    if !snapshot.balance.covers_a_call() {
        return Err(Failure::Balance);
    }
    let anonymous = request.anonymous.cloned().unwrap_or_default();
    if !is_telephone {
        // A text that is not a URI passes this step; it fails when the call is dialled.
        let uri = sip_uri(&destination.target).unwrap_or_default();
        let (host, port) = SipUri::parse(&uri).map(|uri| (uri.host, uri.port)).unwrap_or_default();
        if let Some(why) = snapshot.closed_hosts.closes(host, port) {
            return Err(Failure::Host { host: host.to_owned(), why });
        }
        let codecs = snapshot.config.codecs;
        return Ok(Plan {
            destination: destination.clone(),
            source: snapshot.source.requested.cloned().unwrap_or_default(),
            anonymous,
            country: None,
            dialroutes: Vec::new(),
            codecs: (!codecs.is_empty()).then(|| codecs.to_owned()),
        });
    }
    // The text is used as sent: with separators it belongs to no country, and is refused.
    let country = country(&destination.target);
    let whitelist = snapshot.config.destination_whitelist;
    if !country.is_some_and(|country| is_whitelisted(whitelist, country)) {
        return Err(Failure::Whitelist { country });
    }
    let target = route_target(&destination.target).ok_or(Failure::NoDialroute)?;
    let dialroutes = match snapshot.routing {
        Routing::Stored(routes) => merge(routes, customer.id, &target),
        Routing::Forced(provider_ids) => forced(provider_ids),
    };
    if dialroutes.is_empty() {
        return Err(Failure::NoDialroute);
    }
    let source = choose_source(&snapshot.source, customer.id)?;
    Ok(Plan {
        destination: normalise_address(destination),
        source,
        anonymous,
        country,
        dialroutes,
        codecs: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    const OWN: Uuid = Uuid::from_u128(7);
    const PROVIDER: Uuid = Uuid::from_u128(9);

    /// Returns the outcome of a request in which everything is valid except for the given steps.
    fn outcome(kind: &str, broken: &[Step]) -> Result<Plan, Failure> {
        let ok = |step| !broken.contains(&step);
        let either = |step, good, bad| if ok(step) { good } else { bad };
        let destination = Address {
            kind: if ok(Step::DestinationType) { kind.into() } else { AddressKind::Agent },
            target: if kind == "sip" { "bob@b.example".into() } else { "+821012345678".into() },
            ..Address::default()
        };
        let customer = Customer {
            id: OWN,
            status: either(Step::CustomerStatus, "active", "frozen"),
            identity_verification_status: either(Step::IdentityVerification, "verified", "pending"),
        };
        let whitelist = [either(Step::Whitelist, "KR", "us").to_owned()];
        let source = Address::tel("+14155551234");
        let closed = ClosedHosts::new([], (!ok(Step::Host)).then_some("B.example:5070"));
        let snapshot = Snapshot {
            customer: ok(Step::Customer).then_some(customer),
            balance: Balance {
                amount: Some(Decimal::from(u8::from(ok(Step::Balance)))),
                call_price: Decimal::ZERO,
            },
            config: OutboundConfig { destination_whitelist: &whitelist, codecs: "PCMU" },
            routing: if ok(Step::Dialroute) { Routing::Forced(&[PROVIDER]) } else { Routing::Stored(&[]) },
            closed_hosts: &closed,
            source: Source { requested: Some(&source), unchecked: ok(Step::Source), ..Source::default() },
        };
        decide(&snapshot, &Request { destination: &destination, anonymous: Some(&Anonymous::Yes) })
    }

    const STEPS: [Step; 8] = [
        Step::DestinationType,
        Step::Customer,
        Step::CustomerStatus,
        Step::IdentityVerification,
        Step::Balance,
        Step::Whitelist,
        Step::Dialroute,
        Step::Source,
    ];

    #[test]
    fn a_call_to_a_number_gets_its_routes_its_source_and_its_country() {
        let plan = outcome("tel", &[]).unwrap();
        assert_eq!(plan.dialroutes, [Dialroute { id: PROVIDER, provider_id: PROVIDER }]);
        assert_eq!(plan.source.target, "+14155551234");
        assert_eq!(plan.country.map(Country::as_str), Some("kr"));
        assert_eq!((plan.anonymous, plan.codecs), (Anonymous::Yes, None));
    }

    #[test]
    fn a_call_to_a_sip_address_needs_neither_whitelist_nor_route_nor_identity_nor_own_source() {
        let broken = [Step::IdentityVerification, Step::Whitelist, Step::Dialroute, Step::Source];
        let plan = outcome("sip", &broken).unwrap();
        assert_eq!(plan.codecs.as_deref(), Some("PCMU"));
        assert!(plan.dialroutes.is_empty() && plan.country.is_none());
        assert_eq!(plan.source.target, "+14155551234");
    }

    #[test]
    fn a_call_to_a_sip_address_at_a_providers_host_is_refused() {
        let failure = outcome("sip", &[Step::Host, Step::Whitelist]).unwrap_err();
        assert_eq!(failure.step(), Step::Host);
        let text =
            "calls to b.example must go through a provider, not to a SIP URI: it is the host of a provider";
        assert_eq!(failure.to_string(), text);
        assert_eq!(outcome("sip", &[Step::Host, Step::Balance]).unwrap_err().step(), Step::Balance);
        assert!(outcome("tel", &[Step::Host]).is_ok(), "a call to a number goes through the provider");
    }

    #[test]
    fn each_step_fails_with_its_text() {
        for (step, text) in [
            (Step::Whitelist, "outbound destination country not whitelisted"),
            (Step::Source, "no valid source number available for outgoing call"),
            (Step::CustomerStatus, "the customer is frozen, not active"),
        ] {
            assert_eq!(outcome("tel", &[step]).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_number_with_separators_is_of_no_country_and_refused() {
        let destination = Address::tel("+82 10-1234-5678");
        let whitelist = ["kr".to_owned()];
        let snapshot = Snapshot {
            customer: Some(Customer { id: OWN, status: "active", identity_verification_status: "verified" }),
            balance: Balance { amount: None, call_price: Decimal::ZERO },
            config: OutboundConfig { destination_whitelist: &whitelist, codecs: "" },
            routing: Routing::Forced(&[PROVIDER]),
            closed_hosts: &ClosedHosts::default(),
            source: Source { unchecked: true, ..Source::default() },
        };
        let outcome = decide(&snapshot, &Request { destination: &destination, anonymous: None });
        assert_eq!(outcome, Err(Failure::Whitelist { country: None }));
    }

    proptest! {
        #[test]
        fn whatever_is_broken_the_earliest_step_is_the_one_that_fails(
            broken in proptest::sample::subsequence(STEPS.to_vec(), 0..=STEPS.len())
        ) {
            let failed = outcome("tel", &broken).err().map(|failure| failure.step());
            prop_assert_eq!(failed, broken.first().copied());
        }
    }
}
