//! `trunk-server call`: places a test call through a running server's edge or one of its providers, and prints what
//! happened.
//!
//! A call through the edge is sent from this process over the network, by the dialler's SIP client. Its messages are
//! stored in this process, so that the ladder does not depend on the control API. That API is only asked for the reason.
//! A call through a provider is placed by the running server (`provider`).

mod provider;
mod reason;
mod trunk;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
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

/// Places a test call through a running server's edge or one of its providers, and prints the steps, the SIP messages and
/// the reason.
///
/// The exit code is 0 if the call was answered, 1 if it was not, and 2 if it could not be placed.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
#[non_exhaustive]
pub struct PlaceCall {
    /// The number to dial
    #[arg(long, value_name = "NUMBER")]
    pub to: String,

    /// The caller number [default: the first DID of the account with --trunk, none with --provider, else anonymous]
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<String>,

    /// Use the credentials and the tech prefix of this trunk, which the API returns for --api-key
    #[arg(long, value_name = "NAME|ID", conflicts_with = "username", requires = "api_key")]
    pub trunk: Option<String>,

    /// Place the call through this provider of the platform: the running server dials it
    #[arg(long, value_name = "NAME|ID", conflicts_with_all = ["trunk", "username"], requires = "access_key")]
    pub provider: Option<String>,

    /// An access key of the platform with a super admin's permission, for --provider
    #[arg(long, env = "TRUNK_SERVER_CALL_ACCESS_KEY", value_name = "KEY", hide_env_values = true)]
    pub access_key: Option<String>,

    /// Answer the digest challenge with this username
    #[arg(long, value_name = "USERNAME", requires = "password")]
    pub username: Option<String>,

    /// The password that belongs to the username
    #[arg(long, env = "TRUNK_SERVER_CALL_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub password: Option<String>,

    /// The codecs to offer, the preferred one first
    #[arg(long, value_name = "CODEC", value_delimiter = ',', default_values_t = [G711::Pcma, G711::Pcmu])]
    pub codec: Vec<G711>,

    /// Hang up this many seconds after the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub duration: u32,

    /// The transport of SIP
    #[arg(long, value_name = "TRANSPORT", default_value_t = Transport::Udp)]
    pub transport: Transport,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// The SIP address of the running server over UDP and TCP
    #[arg(long, env = "TRUNK_SERVER_SIP_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    pub sip_listen: String,

    /// The same over TLS
    #[arg(
        long,
        env = "TRUNK_SERVER_SIP_TLS_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:5061"
    )]
    pub sip_tls_listen: String,

    /// The certificates of authorities that the server's may come from, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub tls_roots: Option<PathBuf>,

    /// The API of the running server, for --trunk and --provider
    #[arg(long, env = "TRUNK_SERVER_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// The API key of the trunk's account, for --trunk
    #[arg(long, env = "TRUNK_SERVER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// The control API of the running server, for the reason of a refusal, and with --provider for the SIP messages
    #[arg(
        long,
        env = "TRUNK_SERVER_CONTROL_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub control_listen: String,

    /// The token that the control API requires
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,
}

const EXAMPLES: &str = "Examples:
  trunk-server call --to 442079460018 --trunk PBX --api-key test-key
  trunk-server call --to 442079460018 --from 12025550143 --username U --password P --transport tcp
  trunk-server call --to 9990486 --trunk PBX --api-key test-key --json
  trunk-server call --to 442079460018 --provider Main --access-key vb_KEY";

/// A codec whose silence the call can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum G711 {
    /// A-law.
    Pcma,
    /// mu-law.
    Pcmu,
}

/// A transport of SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// An encrypted connection.
    Tls,
}

impl std::fmt::Display for G711 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
        })
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Why a call was not placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The number contains a character that no SIP URI can have there.
    #[error("--to {0:?}: a number has digits, letters and + - . * # _ only")]
    Number(String),
    /// The address has no host, no port, or a host without an address.
    #[error("the SIP address {at} cannot be used: {why}")]
    Address {
        /// The configured address.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// The API could not be asked for the trunk.
    #[error(
        "the API at {at} cannot be asked for the trunk: {why}; set --listen to the address of the running server"
    )]
    Api {
        /// The address, `HOST:PORT`.
        at: String,
        /// Why the request failed.
        why: String,
    },
    /// The platform did not place the call, or could not be asked for it.
    #[error(
        "the platform at {at} cannot place the call: {why}; --listen is the address of the running server, and \
         --access-key a key with the permission of a super admin"
    )]
    Platform {
        /// The address, `HOST:PORT`.
        at: String,
        /// Why the request failed.
        why: String,
    },
    /// There is no such trunk or provider, or several.
    #[error("{0}")]
    Named(String),
    /// No SIP client could be started.
    #[error(transparent)]
    Dialler(#[from] sip_dialler::DiallerError),
}

/// The outcome of a placed call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Whether the call was answered.
    pub answered: bool,
    /// The text to print, which ends with a newline.
    pub text: String,
}

/// An event of the call, with its time since the beginning.
struct Step {
    at: Duration,
    event: String,
}

/// What happened to a call.
struct Report {
    steps: Vec<Step>,
    answered: bool,
    /// How the call ended.
    end: String,
    /// The code and the reason phrase of the final response.
    response: Option<(u16, String)>,
    call_id: Option<String>,
    /// What the running server tried at carriers, oldest first; empty for a call through the edge.
    tries: Vec<Value>,
    /// The SIP messages as a diagram.
    ladder: String,
    /// Why the call was not answered.
    why: Option<String>,
}

impl PlaceCall {
    /// Places the call, and returns when it has ended.
    ///
    /// # Errors
    /// If the number or the address is not valid, the trunk or the provider cannot be found, the platform places no call,
    /// or no SIP client can be started.
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
        // `#` is no character of a URI; a tech prefix may contain it.
        let uri = format!("sip:{}@{at};transport={}", to.replace('#', "%23"), self.transport);
        let mut steps = vec![Step { at: Duration::ZERO, event: format!("calling {uri} as {from}") }];
        let start = clock.stopwatch();
        let leg = dialler.call(Invitation {
            uri,
            from_display: String::new(),
            from_user: from.clone(),
            headers: Vec::new(),
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
        Ok(Report {
            steps,
            answered,
            end: end_text(end),
            response: response.map(|response| (response.code, response.phrase)),
            call_id: found.as_ref().map(|found| found.call_id.clone()),
            tries: Vec::new(),
            ladder: found.as_ref().map(CallMessages::ladder).unwrap_or_default(),
            why,
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

    /// The SIP address of the server, and an own address from which it can be reached.
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
        let Report { steps, answered, end, response, call_id, tries, ladder, why } = report;
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

/// What the end of a call means to its caller.
fn end_text(end: LegEnd) -> String {
    match end {
        LegEnd::Refused(code) => format!("refused with {code}"),
        LegEnd::NoResponse => "no response, or the server cannot be reached".to_owned(),
        LegEnd::RingTimeout => "not answered in time".to_owned(),
        LegEnd::Cancelled => "cancelled".to_owned(),
        LegEnd::HungUp => "hung up by the far end".to_owned(),
        LegEnd::HungUpByUs => "hung up".to_owned(),
    }
}
