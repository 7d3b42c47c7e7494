//! `trunk-server call`: places a test call through a running server's edge or one of its providers, and prints the
//! result.
//!
//! A call through the edge is sent from this process over the network, by the dialler's SIP client. Its messages are
//! stored in this process, so that the ladder does not depend on the control API, which is only used to find the
//! reason. A call through a provider is placed by the running server (`provider`).

mod arguments;
mod error;
mod provider;
mod reason;
mod report;
mod trunk;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Secret;
use serde_json::{Value, json};
use service_base::clock::Clock;
use service_base::ids::Ids;
use sip_dialler::{
    CallMessages, Dialler, DiallerConfig, Egress, Invitation, Leg, LegEnd, LegEvent, MessageLog,
    MessageLogLimits, SipCredentials,
};
use trunk_rules::carrier::Codec;

use reason::FinalResponse;
use report::{Report, Step};

pub use arguments::{G711, PlaceCall, Transport};
pub use error::CallError;

/// The outcome of a placed call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Whether the call was answered.
    pub answered: bool,
    /// The text to print, which ends with a newline.
    pub text: String,
}

impl PlaceCall {
    /// Places the call, and returns when it has ended.
    ///
    /// # Errors
    /// If the number or the address is not valid, the trunk or the provider cannot be found, the platform places no
    /// call, or no SIP client can be started.
    pub async fn place(self) -> Result<Placed, CallError> {
        let report = match (&self.provider, &self.access_key) {
            (Some(provider), Some(key)) => {
                check_number(&self.to)?;
                provider::place(&self, provider, key).await?
            }
            _ => self.place_at_edge().await?,
        };
        Ok(Placed { answered: report.answered, text: self.render(report) })
    }

    /// Places the call from this process through the edge.
    async fn place_at_edge(&self) -> Result<Report, CallError> {
        let (credentials, to, from) = self.parties().await?;
        check_number(&to)?;
        let (at, local) = self.far_and_near_address().await?;
        let username = credentials.as_ref().map(|credentials| credentials.username.clone());
        let clock = Clock::system();
        let messages = MessageLog::new(MessageLogLimits::default(), clock.clone());
        let codecs = self.codec.iter().map(|codec| match codec {
            G711::Pcma => Codec::Pcma,
            G711::Pcmu => Codec::Pcmu,
        });
        let config = DiallerConfig {
            codecs: codecs.collect(),
            tls_roots: self.tls_roots.clone(),
            user_agent: concat!("trunk-server-call/", env!("CARGO_PKG_VERSION")).to_owned(),
            messages: Some(Arc::clone(&messages)),
            ..DiallerConfig::new(local)
        };
        let dialler = Dialler::start(config, clock.clone(), Ids::system()).await?;
        // `#` is not allowed in a URI, but a tech prefix may contain it.
        let uri = format!("sip:{}@{at};transport={}", to.replace('#', "%23"), self.transport);
        let mut steps = vec![Step { at: Duration::ZERO, event: format!("calling {uri} as {from}") }];
        let start = clock.stopwatch();
        let leg = dialler.call(Invitation {
            uri,
            from_display: String::new(),
            from_user: from.clone(),
            headers: Vec::new(),
            codecs: Vec::new(),
            egress: Egress::Anywhere,
            credentials,
        });
        let report = |event| steps.push(Step { at: clock.stopwatch().saturating_sub(start), event });
        let (answered, end) = self.follow(leg, report).await;
        dialler.stop().await;
        let call_id = messages.call_ids().into_iter().next();
        let found = call_id.and_then(|call_id| messages.of(&call_id));
        let response = found.as_ref().and_then(FinalResponse::of);
        let question = reason::Question { local, to: &to, from: &from, username: username.as_deref() };
        let why = reason::find(self, found.as_ref(), response.as_ref(), answered, &question).await;
        let no_audio = match &found {
            Some(found) if answered => reason::no_audio(self, &found.call_id).await,
            _ => None,
        };
        Ok(Report {
            steps,
            answered,
            end: end_text(end),
            response: response.map(|response| (response.code, response.phrase)),
            call_id: found.as_ref().map(|found| found.call_id.clone()),
            tries: Vec::new(),
            ladder: found.as_ref().map(CallMessages::ladder).unwrap_or_default(),
            why,
            no_audio,
        })
    }

    /// The credentials, the number with its tech prefix, and the caller number.
    async fn parties(&self) -> Result<(Option<SipCredentials>, String, String), CallError> {
        let found = match (&self.trunk, &self.api_key) {
            (Some(trunk), Some(key)) => Some(trunk::find(&self.listen, key, trunk).await?),
            _ => None,
        };
        let given = self.username.as_ref().zip(self.password.as_ref());
        let given = given.map(|(username, password)| SipCredentials {
            username: username.clone(),
            password: Secret::from(password.clone()),
        });
        let Some(trunk) = found else {
            let from = self.from.clone().unwrap_or_else(|| "anonymous".to_owned());
            return Ok((given, self.to.clone(), from));
        };
        let to = match &trunk.tech_prefix {
            Some(prefix) if !self.to.starts_with(prefix.as_str()) => format!("{prefix}{}", self.to),
            _ => self.to.clone(),
        };
        let from = self.from.clone().or(trunk.did).unwrap_or_else(|| "anonymous".to_owned());
        Ok((trunk.credentials, to, from))
    }

    /// The SIP address of the server, and a local address from which it can be reached.
    async fn far_and_near_address(&self) -> Result<(String, IpAddr), CallError> {
        let at = if self.transport == Transport::Tls { &self.sip_tls_listen } else { &self.sip_listen };
        let wrong = |why: &str| CallError::Address { at: at.clone(), why: why.to_owned() };
        let mut found =
            tokio::net::lookup_host(at.as_str()).await.map_err(|error| wrong(&error.to_string()))?;
        let address = found.next().ok_or_else(|| wrong("the name has no address"))?;
        // A server that listens on all addresses is reached on loopback.
        let (at, ip) = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                (format!("127.0.0.1:{}", address.port()), IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
            IpAddr::V6(ip) if ip.is_unspecified() => {
                (format!("[::1]:{}", address.port()), IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
            ip => (at.clone(), ip),
        };
        let local = match ip {
            IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok((at, local))
    }

    /// Follows the call to its end, and hangs up after the duration. Returns whether it was answered, and its end.
    async fn follow(&self, mut leg: Leg, mut report: impl FnMut(String)) -> (bool, LegEnd) {
        let mut answered = false;
        let mut until_hang_up = None;
        loop {
            let duration_passed = async {
                match until_hang_up.as_mut() {
                    Some(sleep) => sleep.await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                event = leg.next() => event,
                () = duration_passed => {
                    until_hang_up = None;
                    leg.hang_up();
                    continue;
                }
            };
            match event {
                Some(LegEvent::Ringing) => report("ringing".to_owned()),
                Some(LegEvent::Progress) => report("early media".to_owned()),
                Some(LegEvent::Answered) => {
                    answered = true;
                    report("answered".to_owned());
                    let duration = Duration::from_secs(self.duration.into());
                    until_hang_up = Some(Box::pin(tokio::time::sleep(duration)));
                }
                Some(LegEvent::Ended(end)) => {
                    report(end_text(end));
                    return (answered, end);
                }
                None => return (answered, LegEnd::NoResponse),
            }
        }
    }

    fn render(&self, report: Report) -> String {
        let Report { steps, answered, end, response, call_id, tries, ladder, why, no_audio } = report;
        let (code, phrase) = response.unzip();
        if self.json {
            let steps: Vec<Value> = steps
                .iter()
                .map(|step| json!({ "at_ms": u64::try_from(step.at.as_millis()).ok(), "event": step.event }))
                .collect();
            let outcome = json!({
                "answered": answered,
                "call_id": call_id,
                "code": code,
                "phrase": phrase,
                "end": end,
                "reason": why,
                "no_audio": no_audio,
                "steps": steps,
                "tries": tries,
                "ladder": ladder,
            });
            return format!("{outcome}\n");
        }
        let mut text = String::new();
        for Step { at, event } in steps {
            let _infallible = writeln!(text, "{:>8.3}  {event}", at.as_secs_f64());
        }
        for tried in &tries {
            let _infallible = writeln!(text, "{}", provider::line(tried));
        }
        let _infallible = writeln!(text, "\n{ladder}");
        let verdict = if answered { "answered" } else { "not answered" };
        match (code, phrase) {
            (Some(code), Some(phrase)) => {
                let _infallible = writeln!(text, "{code} {phrase}: {verdict}");
            }
            _ => {
                let _infallible = writeln!(text, "{verdict}: {end}");
            }
        }
        if let Some(why) = why {
            let _infallible = writeln!(text, "  why: {why}");
        }
        if let Some(no_audio) = no_audio {
            let _infallible = writeln!(text, "  {no_audio}");
        }
        text
    }
}

/// Checks a number, which becomes the user part of a SIP URI.
fn check_number(to: &str) -> Result<(), CallError> {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.*#_".contains(&byte);
    if to.is_empty() || !to.bytes().all(is_valid) {
        return Err(CallError::Number(to.to_owned()));
    }
    Ok(())
}

/// Describes the end of a call from the caller's point of view.
fn end_text(end: LegEnd) -> String {
    match end {
        LegEnd::Refused(code) => format!("refused with {code}"),
        LegEnd::NoResponse => "no response, or the server cannot be reached".to_owned(),
        LegEnd::NoPort => "not sent: no port for media is free here".to_owned(),
        LegEnd::RingTimeout => "not answered in time".to_owned(),
        LegEnd::Cancelled => "cancelled".to_owned(),
        LegEnd::HungUp => "hung up by the far end".to_owned(),
        LegEnd::Expired => "hung up here: the far end no longer responded".to_owned(),
        LegEnd::HungUpByUs => "hung up".to_owned(),
    }
}
