//! The paths of the price services.

use std::collections::BTreeSet;

use super::services::{PriceService, Traffic};

/// The segment after `/v3` and, of text messages, their kind, for look-ups.
const LOOK_UP: [&str; 2] = ["lookup", "prices"];
/// The same for the price file.
const FILE: [&str; 1] = ["prices.csv.gz"];

/// The calls or text messages that the prices of a plan apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Inbound calls.
    VoiceIn,
    /// Outbound calls.
    VoiceOut,
    /// Outbound text messages of a kind.
    SmsOut(Traffic),
    /// Inbound text messages.
    SmsIn,
}

/// A path of a price service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) domain: Domain,
    /// Whether it is that of the file, and not of look-ups.
    pub(super) is_file: bool,
}

impl Target {
    /// Parses a path of a service; `None` if the service does not have it. Repeated slashes, and one at the end, make
    /// no difference.
    pub(super) fn parse(service: PriceService, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let below = segments.strip_prefix(&["v3"])?;
        let (domain, rest) = match (service, below) {
            (PriceService::VoiceIn, rest) => (Domain::VoiceIn, rest),
            (PriceService::VoiceOut, rest) => (Domain::VoiceOut, rest),
            (PriceService::Sms, ["sms_in", rest @ ..]) => (Domain::SmsIn, rest),
            (PriceService::Sms, ["sms_out", kind, rest @ ..]) => {
                let traffic = Traffic::ALL.into_iter().find(|traffic| traffic.segment() == *kind)?;
                (Domain::SmsOut(traffic), rest)
            }
            (PriceService::Sms, _) => return None,
        };
        let is_file = rest == FILE.as_slice();
        (is_file || rest == LOOK_UP.as_slice()).then_some(Self { domain, is_file })
    }
}

impl Domain {
    /// The path of look-ups, behind [`base`](Self::base).
    pub(crate) const LOOK_UP: &str = "/lookup/prices";
    /// The path of the file, behind [`base`](Self::base).
    pub(crate) const FILE: &str = "/prices.csv.gz";

    /// The path below `/v3` that those of its look-ups and of its file begin with.
    pub(crate) fn base(self) -> String {
        match self {
            Self::VoiceIn | Self::VoiceOut => String::new(),
            Self::SmsOut(traffic) => format!("/sms_out/{}", traffic.segment()),
            Self::SmsIn => "/sms_in".to_owned(),
        }
    }
}

/// The domains of a service's prices.
pub(crate) fn domains(service: PriceService) -> Vec<Domain> {
    match service {
        PriceService::VoiceIn => vec![Domain::VoiceIn],
        PriceService::VoiceOut => vec![Domain::VoiceOut],
        PriceService::Sms => {
            let outbound = Traffic::ALL.into_iter().map(Domain::SmsOut);
            outbound.chain([Domain::SmsIn]).collect()
        }
    }
}

/// The paths of all services.
pub(super) fn paths() -> Vec<String> {
    let bases: BTreeSet<String> = PriceService::ALL.into_iter().flat_map(domains).map(Domain::base).collect();
    let both = |base: String| [Domain::LOOK_UP, Domain::FILE].map(|path| format!("/v3{base}{path}"));
    bases.into_iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_its_service_alone() {
        let of = |service, path| Target::parse(service, path).map(|target| (target.domain, target.is_file));
        let a2p = Traffic::ALL.into_iter().find(|traffic| traffic.segment() == "a2p").unwrap();
        for (service, path, expected) in [
            (PriceService::VoiceIn, "/v3/lookup/prices", Some((Domain::VoiceIn, false))),
            (PriceService::VoiceOut, "/v3//lookup/prices/", Some((Domain::VoiceOut, false))),
            (PriceService::VoiceOut, "/v3/prices.csv.gz", Some((Domain::VoiceOut, true))),
            (PriceService::Sms, "/v3/sms_in/lookup/prices", Some((Domain::SmsIn, false))),
            (PriceService::Sms, "/v3/sms_out/a2p/prices.csv.gz", Some((Domain::SmsOut(a2p), true))),
            (PriceService::Sms, "/v3/lookup/prices", None),
            (PriceService::Sms, "/v3/sms_out/mms/lookup/prices", None),
            (PriceService::VoiceIn, "/v3/sms_in/lookup/prices", None),
            (PriceService::VoiceIn, "/v3/lookup/prices/1", None),
            (PriceService::VoiceIn, "/v3/prices", None),
            (PriceService::VoiceIn, "/lookup/prices", None),
        ] {
            assert_eq!(of(service, path), expected, "{path}");
        }
    }

    #[test]
    fn the_paths_of_a_service_lead_to_what_its_prices_are_for() {
        for service in PriceService::ALL {
            for domain in domains(service) {
                for (path, is_file) in [(Domain::LOOK_UP, false), (Domain::FILE, true)] {
                    let path = format!("/v3{}{path}", domain.base());
                    let found = Target::parse(service, &path).map(|target| (target.domain, target.is_file));
                    assert_eq!(found, Some((domain, is_file)), "{path}");
                }
            }
        }
    }

    #[test]
    fn every_path_is_that_of_some_service() {
        let paths = paths();
        assert_eq!(paths.len(), 10);
        for path in &paths {
            let served =
                PriceService::ALL.into_iter().filter(|service| Target::parse(*service, path).is_some());
            assert_eq!(served.count(), if path.contains("sms") { 1 } else { 2 }, "{path}");
        }
    }
}
