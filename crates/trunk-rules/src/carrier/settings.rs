//! Behaviour that DIDWW does not document and that is therefore configurable.

use std::time::Duration;

use rust_decimal::Decimal;

use super::{Algorithm, Cause, Codec, EmergencyNumbers, Qop, reason_phrase};

/// The header that the caller number is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CliHeader {
    /// The `From` header, whatever the identity headers contain.
    #[default]
    From,
    /// `P-Preferred-Identity`, else `P-Asserted-Identity`, else `From`.
    Identity,
}

/// The settings of the carrier edge. The defaults are those of the switch that DIDWW's traffic suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, named as in the manual")]
pub struct Settings {
    /// The response code of a digest challenge: 401, or 407 to test peers that expect it.
    pub challenge_code: u16,
    /// The digest realm, the same on every host.
    pub realm: String,
    /// The lifetime of a nonce.
    pub nonce_ttl: Duration,
    /// The digest algorithms offered, in order of preference.
    pub algorithms: Vec<Algorithm>,
    /// The qualities of protection offered. A client that sends none is accepted.
    pub qop: Vec<Qop>,
    /// The response code when no trunk allows the source address and tech prefix.
    pub ip_reject_code: u16,
    /// The response code when the trunk is blocked.
    pub blocked_code: u16,
    /// The response code when the caller number is refused.
    pub cli_reject_code: u16,
    /// The response code when the destination is refused.
    pub dst_reject_code: u16,
    /// The response code when the dialled text is not a number.
    pub bad_number_code: u16,
    /// The response code when the rate card has no rate for the destination.
    pub no_route_code: u16,
    /// The response code when all channels of the trunk are in use: 480, 503 or 403.
    pub capacity_reject_code: u16,
    /// The response code when no stream matches the media encryption mode: 488 or 500. The switch that
    /// DIDWW's traffic suggests answers 500, after which clients do not retry with a different encryption;
    /// after 488 they do.
    pub media_profile_reject_code: u16,
    /// The response code when no codec is accepted.
    pub codec_reject_code: u16,
    /// The response code when the offer cannot be parsed.
    pub sdp_reject_code: u16,
    /// The header that the caller number is taken from.
    pub cli_header: CliHeader,
    /// Whether a DID of the trunk in `Diversion` satisfies the CLI check.
    pub diversion_satisfies_cli: bool,
    /// Whether a refusal carries the cause's text instead of the reason phrase of RFC 3261.
    pub engine_reason_phrase: bool,
    /// Whether a refusal carries a `Reason` header and an `X-Refusal` header that names the failed check.
    pub diagnostic_headers: bool,
    /// Whether the nonce count must increase with every request.
    pub strict_nc: bool,
    /// Whether the challenge for an expired nonce carries `stale=true`.
    pub stale_flag: bool,
    /// Whether emergency calls skip the threshold, the destination rule and the capacity limit.
    pub emergency_bypass: bool,
    /// The emergency numbers by calling code.
    pub emergency: EmergencyNumbers,
    /// The codecs that offers are searched for; an offer with none of them is refused.
    pub codecs: Vec<Codec>,
    /// Whether calls on trunks with `srtp_dtls`, whose media is not implemented, are connected without media.
    pub dtls_signalling_only: bool,
    /// Whether manual blocking and unblocking also trigger the callback.
    pub callback_on_manual_block: bool,
    /// The factor by which the delays between callback attempts are multiplied.
    pub retry_clock_factor: Decimal,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            challenge_code: 401,
            realm: "out.didww.com".to_owned(),
            nonce_ttl: Duration::from_mins(5),
            algorithms: vec![Algorithm::Md5],
            qop: vec![Qop::Auth],
            ip_reject_code: 403,
            blocked_code: 403,
            cli_reject_code: 403,
            dst_reject_code: 403,
            bad_number_code: 484,
            no_route_code: 404,
            capacity_reject_code: 480,
            media_profile_reject_code: 488,
            codec_reject_code: 488,
            sdp_reject_code: 500,
            cli_header: CliHeader::From,
            diversion_satisfies_cli: false,
            engine_reason_phrase: false,
            diagnostic_headers: true,
            strict_nc: false,
            stale_flag: false,
            emergency_bypass: true,
            emergency: EmergencyNumbers::default(),
            codecs: Codec::ALL.to_vec(),
            dtls_signalling_only: false,
            callback_on_manual_block: true,
            retry_clock_factor: Decimal::ONE,
        }
    }
}

/// A setting has an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{setting}` is {given}; it must be {expected}")]
pub struct SettingsError {
    /// The name of the setting, a field of [`Settings`].
    pub setting: &'static str,
    /// The value that is not valid, as text.
    pub given: String,
    /// The valid values, as text.
    pub expected: &'static str,
}

impl Settings {
    /// Checks all settings.
    ///
    /// # Errors
    ///
    /// The first setting with an invalid value.
    pub fn check(&self) -> Result<(), SettingsError> {
        let error = |setting, given: &dyn ToString, expected| {
            Err(SettingsError { setting, given: given.to_string(), expected })
        };
        if !matches!(self.challenge_code, 401 | 407) {
            return error("challenge_code", &self.challenge_code, "401 or 407");
        }
        if !matches!(self.capacity_reject_code, 480 | 503 | 403) {
            return error("capacity_reject_code", &self.capacity_reject_code, "480, 503 or 403");
        }
        if !matches!(self.media_profile_reject_code, 500 | 488) {
            return error("media_profile_reject_code", &self.media_profile_reject_code, "488 or 500");
        }
        let codes = [
            ("ip_reject_code", self.ip_reject_code),
            ("blocked_code", self.blocked_code),
            ("cli_reject_code", self.cli_reject_code),
            ("dst_reject_code", self.dst_reject_code),
            ("bad_number_code", self.bad_number_code),
            ("no_route_code", self.no_route_code),
            ("codec_reject_code", self.codec_reject_code),
            ("sdp_reject_code", self.sdp_reject_code),
        ];
        for (setting, code) in codes {
            // A refusal with a challenge's code would make the client authenticate again without end.
            if !(400..700).contains(&code) || matches!(code, 401 | 407) {
                return error(
                    setting,
                    &code,
                    "a final SIP response code from 400 to 699 other than 401 and 407",
                );
            }
        }
        if self.realm.is_empty()
            || self.realm.bytes().any(|b| !matches!(b, b' '..=b'~') || b"\"\\".contains(&b))
        {
            return error(
                "realm",
                &self.realm.escape_default(),
                "printable ASCII text without quotes and backslashes",
            );
        }
        if self.nonce_ttl.as_millis() == 0 {
            return error("nonce_ttl", &"0", "at least one millisecond");
        }
        if self.algorithms.is_empty() {
            return error("algorithms", &"empty", "one or both of MD5 and SHA-256");
        }
        if self.qop.is_empty() {
            return error("qop", &"empty", "one or both of auth and auth-int");
        }
        if self.codecs.is_empty() {
            return error("codecs", &"empty", "at least one codec");
        }
        if self.retry_clock_factor < Decimal::ZERO {
            return error("retry_clock_factor", &self.retry_clock_factor, "zero or more");
        }
        Ok(())
    }

    /// The reason phrase of a refusal.
    pub(super) const fn phrase(&self, cause: Cause, code: u16) -> &'static str {
        if self.engine_reason_phrase { cause.text() } else { reason_phrase(code) }
    }

    /// The request header that answers a challenge: `Authorization`, or `Proxy-Authorization` with 407.
    pub const fn credentials_header(&self) -> &'static str {
        if self.challenge_code == 407 { "Proxy-Authorization" } else { "Authorization" }
    }

    /// The response header that carries a challenge: `WWW-Authenticate`, or `Proxy-Authenticate` with 407.
    pub const fn challenge_header(&self) -> &'static str {
        if self.challenge_code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn an_invalid_setting_is_named_with_what_would_be_valid() {
        type Spoil = fn(&mut Settings);
        let wrong: [(&str, Spoil); 9] = [
            ("challenge_code", |s| s.challenge_code = 403),
            ("capacity_reject_code", |s| s.capacity_reject_code = 486),
            ("media_profile_reject_code", |s| s.media_profile_reject_code = 415),
            ("blocked_code", |s| s.blocked_code = 200),
            ("ip_reject_code", |s| s.ip_reject_code = 401),
            ("realm", |s| s.realm = "a\"b\r\n".to_owned()),
            ("nonce_ttl", |s| s.nonce_ttl = Duration::ZERO),
            ("algorithms", |s| s.algorithms.clear()),
            ("retry_clock_factor", |s| s.retry_clock_factor = -Decimal::ONE),
        ];
        for (name, spoil) in wrong {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let error = settings.check().unwrap_err();
            assert_eq!(error.setting, name);
            assert!(error.to_string().contains(error.expected));
        }
    }
}
