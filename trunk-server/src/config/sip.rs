//! The `[sip]` table of the configuration file: properties of the carrier edge that neither DIDWW's documentation nor a
//! recording determines.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use carrier_edge::{EdgeConfig, FarEnd, FarEndRule, MessageLogLimits, Outcome, Then};
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use trunk_rules::carrier::{Algorithm, CliHeader, Digits, Rate, RateCard, Settings};

use super::error::ConfigError;
use super::port_range::PortRange;

/// The keys of the table. An absent key keeps its default.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SipTable {
    advertise: Option<IpAddr>,
    server_name: Option<String>,
    rtp_ports: Option<PortRange>,
    media_bytes_per_second: Option<u64>,
    ring_timeout: Option<u64>,
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    calls: Option<usize>,
    calls_per_account: Option<usize>,
    keep_months: Option<u32>,
    refusals_recorded: Option<u32>,
    message_bytes: Option<usize>,
    cost_step_seconds: Option<u64>,
    threshold_ends_calls: Option<bool>,
    unrecorded_seconds: Option<u64>,
    unacknowledged_answers: Option<u32>,
    challenge_code: Option<u16>,
    realm: Option<String>,
    nonce_ttl: Option<u64>,
    algorithms: Option<Vec<String>>,
    ip_reject_code: Option<u16>,
    blocked_code: Option<u16>,
    cli_reject_code: Option<u16>,
    dst_reject_code: Option<u16>,
    bad_number_code: Option<u16>,
    no_route_code: Option<u16>,
    capacity_reject_code: Option<u16>,
    // The aliases are names that an earlier release documented.
    #[serde(alias = "media_profile_reject")]
    media_profile_reject_code: Option<u16>,
    #[serde(alias = "codec_reject")]
    codec_reject_code: Option<u16>,
    #[serde(alias = "sdp_reject")]
    sdp_reject_code: Option<u16>,
    cli_header: Option<String>,
    diversion_satisfies_cli: Option<bool>,
    engine_reason_phrase: Option<bool>,
    diagnostic_headers: Option<bool>,
    strict_nc: Option<bool>,
    stale_flag: Option<bool>,
    emergency_bypass: Option<bool>,
    callback_on_manual_block: Option<bool>,
    dtls_signalling_only: Option<bool>,
    dtmf_digits: Option<bool>,
    retry_clock_factor: Option<Money>,
    far_end: Option<Vec<FarEndEntry>>,
    rates: Option<Vec<RateEntry>>,
}

/// An entry of `[[sip.far_end]]`: how the simulated callee behaves for a range of numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FarEndEntry {
    /// The first digits of the numbers.
    prefix: String,
    /// Seconds that the callee rings.
    #[serde(default)]
    ring: f64,
    #[serde(default)]
    early_media: bool,
    /// The outcome after ringing: `answer` (the default), `no_answer`, `busy`, `decline`, or a SIP response code.
    #[serde(default)]
    then: Option<String>,
    /// Seconds from the answer until the callee hangs up; by default it does not.
    #[serde(default)]
    hang_up_after: Option<f64>,
}

/// An entry of `[[sip.rates]]`: the price of calls to a range of numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RateEntry {
    /// The first digits of the numbers.
    prefix: String,
    /// US dollars per minute, as text.
    per_minute: Money,
    /// Minimum number of seconds that are billed.
    #[serde(default = "one")]
    initial_interval: NonZeroU32,
    /// Number of seconds in each further billing interval.
    #[serde(default = "one")]
    next_interval: NonZeroU32,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// The table with its name, for serialization.
#[derive(Serialize)]
struct Named<'a> {
    sip: &'a SipTable,
}

impl SipTable {
    /// Renders the table as TOML; `None` if it has no keys.
    pub(crate) fn to_toml(&self) -> Option<String> {
        let text = toml::to_string(&Named { sip: self }).ok()?;
        (text.lines().count() > 1).then_some(text)
    }

    /// Applies the table to an edge's default configuration.
    pub(crate) fn apply(&self, edge: &mut EdgeConfig) -> Result<(), ConfigError> {
        edge.advertise = self.advertise.or(edge.advertise);
        if let Some(name) = &self.server_name {
            edge.server_name.clone_from(name);
        }
        if let Some(ports) = self.rtp_ports {
            edge.rtp_ports = ports.checked("sip.rtp_ports")?;
        }
        if let Some(bytes) = self.media_bytes_per_second {
            if bytes < 1_500 {
                return Err(ConfigError::value(
                    "sip.media_bytes_per_second",
                    bytes.to_string(),
                    "give 1500 bytes or more",
                ));
            }
            edge.media_bytes_per_second = bytes;
        }
        if let Some(seconds) = self.ring_timeout {
            edge.ring_timeout = Duration::from_secs(seconds);
        }
        edge.connections.all = self.connections.unwrap_or(edge.connections.all);
        edge.connections.of_one_address =
            self.connections_per_address.unwrap_or(edge.connections.of_one_address);
        edge.calls = self.calls.unwrap_or(edge.calls);
        edge.calls_per_account = self.calls_per_account.or(edge.calls_per_account);
        edge.refusals_recorded = self.refusals_recorded.unwrap_or(edge.refusals_recorded);
        edge.dtmf_digits = self.dtmf_digits.unwrap_or(edge.dtmf_digits);
        if let Some(bytes) = self.message_bytes {
            if bytes != 0 && bytes < MessageLogLimits::MIN_BYTES {
                let given = bytes.to_string();
                return Err(ConfigError::value(
                    "sip.message_bytes",
                    given,
                    "give 4194304 bytes or more, or 0",
                ));
            }
            edge.message_bytes = bytes;
        }
        self.apply_charging(edge)?;
        if let Some(months) = self.keep_months {
            if !(1..=1_200).contains(&months) {
                return Err(ConfigError::value(
                    "sip.keep_months",
                    months.to_string(),
                    "give 1 to 1200 months",
                ));
            }
            edge.keep_months = months;
        }
        self.apply_settings(&mut edge.settings)?;
        if let Some(rows) = &self.far_end {
            edge.far_end = FarEnd::new(rows.iter().map(FarEndEntry::rule).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(rows) = &self.rates {
            edge.rates = RateCard::new(rows.iter().map(RateEntry::rate).collect::<Result<Vec<_>, _>>()?);
        }
        edge.settings.check().map_err(|error| ConfigError::Value {
            name: in_table(error.setting),
            given: error.given,
            expected: error.expected,
        })
    }

    /// Applies the keys for charging calls.
    fn apply_charging(&self, edge: &mut EdgeConfig) -> Result<(), ConfigError> {
        if let Some(seconds) = self.cost_step_seconds {
            if !(1..=3_600).contains(&seconds) {
                let given = seconds.to_string();
                return Err(ConfigError::value("sip.cost_step_seconds", given, "give 1 to 3600 seconds"));
            }
            edge.cost_step = Duration::from_secs(seconds);
        }
        if let Some(count) = self.unacknowledged_answers {
            if count == 0 {
                return Err(ConfigError::value("sip.unacknowledged_answers", "0", "give 1 or more"));
            }
            edge.unacknowledged_answers = count;
        }
        edge.threshold_ends_calls = self.threshold_ends_calls.unwrap_or(edge.threshold_ends_calls);
        edge.unrecorded_grace = self.unrecorded_seconds.map_or(edge.unrecorded_grace, Duration::from_secs);
        Ok(())
    }

    /// Applies the keys for admitting calls.
    fn apply_settings(&self, settings: &mut Settings) -> Result<(), ConfigError> {
        macro_rules! override_settings {
            ($($name:ident),+) => { $(if let Some(value) = self.$name { settings.$name = value; })+ };
        }
        override_settings!(
            challenge_code,
            ip_reject_code,
            blocked_code,
            cli_reject_code,
            dst_reject_code,
            bad_number_code
        );
        override_settings!(
            no_route_code,
            capacity_reject_code,
            media_profile_reject_code,
            codec_reject_code,
            sdp_reject_code
        );
        override_settings!(
            diversion_satisfies_cli,
            engine_reason_phrase,
            diagnostic_headers,
            strict_nc,
            stale_flag
        );
        override_settings!(emergency_bypass, callback_on_manual_block, dtls_signalling_only);
        if let Some(factor) = self.retry_clock_factor {
            settings.retry_clock_factor = factor.amount();
        }
        if let Some(realm) = &self.realm {
            settings.realm.clone_from(realm);
        }
        if let Some(seconds) = self.nonce_ttl {
            settings.nonce_ttl = Duration::from_secs(seconds);
        }
        if let Some(names) = &self.algorithms {
            let algorithm = |name: &String| match name.to_ascii_uppercase().as_str() {
                "MD5" => Ok(Algorithm::Md5),
                "SHA-256" => Ok(Algorithm::Sha256),
                _ => Err(ConfigError::value("sip.algorithms", name, "give MD5 or SHA-256")),
            };
            settings.algorithms = names.iter().map(algorithm).collect::<Result<_, _>>()?;
        }
        if let Some(name) = &self.cli_header {
            settings.cli_header = match name.as_str() {
                "from" => CliHeader::From,
                "identity" => CliHeader::Identity,
                _ => return Err(ConfigError::value("sip.cli_header", name, "give from or identity")),
            };
        }
        Ok(())
    }
}

/// Returns the name of a checked setting with its table.
fn in_table(setting: &'static str) -> &'static str {
    macro_rules! names {
        ($($name:ident),+ $(,)?) => {
            match setting {
                $(stringify!($name) => concat!("sip.", stringify!($name)),)+
                other => other,
            }
        };
    }
    names!(
        challenge_code,
        capacity_reject_code,
        media_profile_reject_code,
        ip_reject_code,
        blocked_code,
        cli_reject_code,
        dst_reject_code,
        bad_number_code,
        no_route_code,
        codec_reject_code,
        sdp_reject_code,
        realm,
        algorithms,
        nonce_ttl,
        qop,
        retry_clock_factor,
    )
}

fn digits(name: &'static str, text: &str) -> Result<Digits, ConfigError> {
    Digits::parse(text.as_bytes()).ok_or_else(|| ConfigError::value(name, text, "give 1 to 15 digits"))
}

fn seconds(name: &'static str, value: f64) -> Result<Duration, ConfigError> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| ConfigError::value(name, value.to_string(), "give seconds from 0 up"))
}

impl FarEndEntry {
    fn rule(&self) -> Result<FarEndRule, ConfigError> {
        let hang_up_after =
            self.hang_up_after.map(|value| seconds("sip.far_end.hang_up_after", value)).transpose()?;
        let expected = "give answer, no_answer, busy, decline, or a SIP response from 300 to 699";
        let then = match self.then.as_deref() {
            None | Some("answer") => Then::Answer(hang_up_after),
            Some("no_answer") => Then::NoAnswer,
            Some("busy") => Then::Refuse(486),
            Some("decline") => Then::Refuse(603),
            Some(text) => match text.parse() {
                Ok(code) if (300..700).contains(&code) => Then::Refuse(code),
                _ => return Err(ConfigError::value("sip.far_end.then", text, expected)),
            },
        };
        Ok(FarEndRule {
            prefix: digits("sip.far_end.prefix", &self.prefix)?,
            outcome: Outcome {
                ring: seconds("sip.far_end.ring", self.ring)?,
                early_media: self.early_media,
                then,
            },
        })
    }
}

impl RateEntry {
    fn rate(&self) -> Result<(Digits, Rate), ConfigError> {
        if self.per_minute < Money::default() {
            return Err(ConfigError::value(
                "sip.rates.per_minute",
                self.per_minute.to_string(),
                "give US dollars from 0 up",
            ));
        }
        let rate = Rate {
            per_minute: self.per_minute.amount(),
            initial_interval: self.initial_interval,
            next_interval: self.next_interval,
        };
        Ok((digits("sip.rates.prefix", &self.prefix)?, rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Result<EdgeConfig, String> {
        let table: SipTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut edge = EdgeConfig::new("127.0.0.1:0".parse().unwrap());
        table.apply(&mut edge).map_err(|error| error.to_string()).map(|()| edge)
    }

    #[test]
    fn a_table_overrides_the_defaults() {
        let edge = applied(
            "capacity_reject_code = 503\nrealm = \"example.net\"\nrtp_ports = [20000, 20100]\n\
             [[far_end]]\nprefix = \"44\"\nring = 0.5\nthen = \"busy\"\n\
             [[rates]]\nprefix = \"1\"\nper_minute = \"0.02\"\ninitial_interval = 60\n",
        )
        .unwrap();
        assert_eq!((edge.settings.capacity_reject_code, edge.settings.challenge_code), (503, 401));
        assert_eq!(edge.settings.realm, "example.net");
        assert_eq!(edge.rtp_ports, 20_000..20_100);
        let outcome = edge.far_end.outcome("442079460018".parse().unwrap());
        assert_eq!((outcome.then, outcome.ring), (Then::Refuse(486), Duration::from_millis(500)));
        assert_eq!(edge.rates.find("12025550143".parse().unwrap()).unwrap().1.initial_interval.get(), 60);
        assert!(edge.rates.find("44".parse().unwrap()).is_none());
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("challenge_code = 403", "challenge_code"),
            ("cost_step_seconds = 0", "cost_step_seconds"),
            ("unacknowledged_answers = 0", "unacknowledged_answers"),
            ("message_bytes = 4194303", "message_bytes"),
            ("reject_code = 403", "reject_code"),
            ("rtp_ports = [80, 90]", "rtp_ports"),
            ("media_bytes_per_second = 0", "media_bytes_per_second"),
            ("cli_header = \"to\"", "cli_header"),
            ("[[far_end]]\nprefix = \"x\"", "far_end.prefix"),
            ("[[far_end]]\nprefix = \"1\"\nthen = \"maybe\"", "far_end.then"),
            ("[[rates]]\nprefix = \"1\"\nper_minute = \"-1\"", "rates.per_minute"),
        ] {
            let error = applied(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
