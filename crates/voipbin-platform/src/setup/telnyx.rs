//! Setting up at Telnyx: an outbound voice profile, a connection with SIP credentials that uses it, and the
//! platform's public name on the connection.
//!
//! The requests are those of the running platform's public source; they were not tried against Telnyx itself. What
//! was made is taken away again, the newest first, when a later request fails.

mod api;

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use voipbin_types::ProviderSetup;

use self::api::{Api, Failure};
use super::super::platform::{CarrierPatience, PlatformConfig};
use super::super::providers::SipCredentials;
use super::super::sip_gateway::SipGateway;
use super::{CarrierError, Ready, metadata};
use service_base::ids::Ids;

/// Where the API is.
const PRODUCTION: &str = "https://api.telnyx.com/v2";

/// Where Telnyx takes calls in the United States, and in its other regions (sip.telnyx.com).
const HOST: &str = "sip.telnyx.com";
const OTHER_HOSTS: [&str; 4] = ["sip.telnyx.eu", "sip.telnyx.com.au", "sip.telnyx.ca", "sip.telnyx.asia"];

const PROFILES: &str = "/outbound_voice_profiles";
const CONNECTIONS: &str = "/fqdn_connections";
const FQDNS: &str = "/fqdns";

pub(super) async fn set_up(
    setup: &ProviderSetup,
    config: &PlatformConfig,
    ids: &Ids,
) -> Result<Ready, CarrierError> {
    if setup.credentials.trunk_id.as_deref().is_some_and(|id| !id.is_empty()) {
        let sentence =
            "credentials.trunk_id means nothing at telnyx, where a connection is always made; leave it out.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    }
    let Some(gateway) = &config.sip_gateway else {
        let sentence = "The server's setting voipbin.sip_gateway is missing: telnyx must be told where the platform takes calls.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    };
    let patience = config.carrier_patience;
    let (username, password) = ids.carrier_credentials();
    let sip = SipCredentials { username, password };
    let base = setup.credentials.base_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(PRODUCTION);
    let api = Api::open(base, &setup.credentials.api_key, &sip, patience.request)?;
    let mut work = Work { api, patience, made: Vec::new(), unclear: None };
    let steps = tokio::time::timeout(patience.setup, work.steps(&setup.name, &sip, gateway));
    let error = match steps.await {
        Ok(Ok(metadata)) => {
            return Ok(Ready {
                hostname: HOST,
                tech_prefix: String::new(),
                metadata,
                sip: Some(sip),
                undo: work.undo().boxed(),
            });
        }
        Ok(Err(error)) => error,
        Err(_elapsed) => CarrierError::Failed(format!("no end within {:?}", patience.setup)),
    };
    if let Some(path) = work.unclear {
        let name = &setup.name;
        tracing::warn!(path, name, "telnyx did not say whether it made this, so it may be there for nothing");
    }
    work.undo().await;
    Err(error)
}

/// What is at Telnyx so far.
struct Work {
    api: Api,
    patience: CarrierPatience,
    /// Path and id of what was made, the newest last.
    made: Vec<(&'static str, String)>,
    /// The path of what may have been made: it was asked for, and no answer says so.
    unclear: Option<&'static str>,
}

impl Work {
    async fn steps(
        &mut self,
        name: &str,
        sip: &SipCredentials,
        gateway: &SipGateway,
    ) -> Result<BTreeMap<String, Value>, CarrierError> {
        match self.api.check_key().await {
            // Nothing was asked for yet that could be wrong.
            Err(failure) if !failure.is_about_the_key() => {
                return Err(CarrierError::Failed(failure.to_string()));
            }
            checked => checked?,
        }
        let profile = self.make(
            PROFILES,
            json!({ "name": name, "traffic_type": "conversational", "service_plan": "global" }),
        );
        let profile = profile.await?;
        // A connection without credentials is given no profile, so both are in one request.
        let connection = self.make(
            CONNECTIONS,
            json!({
                "connection_name": name,
                "user_name": sip.username,
                "password": sip.password.expose(),
                "inbound": { "ani_number_format": "+E.164", "dnis_number_format": "+e164" },
                "outbound": { "outbound_voice_profile_id": profile },
            }),
        );
        let connection = connection.await?;
        let fqdn = self.make(
            FQDNS,
            json!({
                "connection_id": connection,
                "fqdn": gateway.host(),
                "port": gateway.port(),
                "dns_record_type": "a",
            }),
        );
        let fqdn = fqdn.await?;
        Ok(metadata([
            ("telnyx_profile_id", profile),
            ("telnyx_connection_id", connection),
            ("telnyx_fqdn_id", fqdn),
            ("telnyx_fqdn", gateway.to_string()),
        ]))
    }

    /// Makes something and gives its id.
    async fn make(&mut self, path: &'static str, body: Value) -> Result<String, Failure> {
        // Said first: this may end at any moment, when the time for everything is over.
        self.unclear = Some(path);
        let made = self.api.make(path, &body).await;
        if made.as_ref().err().is_none_or(|failure| !failure.may_be_done()) {
            self.unclear = None;
        }
        let id = made?;
        self.made.push((path, id.clone()));
        Ok(id)
    }

    /// Takes away what was made. What stays all the same is logged: nobody else hears of it.
    async fn undo(self) {
        for (path, id) in self.made.iter().rev() {
            let taken = tokio::time::timeout(self.patience.undo, self.api.take_away(path, id)).await;
            let why = match taken {
                Ok(Ok(())) => continue,
                Ok(Err(failure)) => failure.to_string(),
                Err(_elapsed) => format!("no answer within {:?}", self.patience.undo),
            };
            tracing::error!(why, path, id, "something was made at telnyx for nothing and stays there");
        }
    }
}

/// Whether a host is one of Telnyx's, which all know the same connections.
pub(super) fn has_host(hostname: &str) -> bool {
    [HOST].iter().chain(&OTHER_HOSTS).any(|host| hostname.eq_ignore_ascii_case(host))
}

impl From<Failure> for CarrierError {
    fn from(failure: Failure) -> Self {
        if failure.is_about_the_key() {
            Self::Credentials
        } else if failure.is_refusal() {
            Self::Refused(failure.to_string())
        } else {
            Self::Failed(failure.to_string())
        }
    }
}
