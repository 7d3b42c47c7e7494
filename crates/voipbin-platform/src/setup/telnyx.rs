//! The setup at Telnyx: an outbound voice profile, a connection with SIP credentials that uses it, and the
//! platform's public name on the connection.
//!
//! The requests are those of VoIPBIN's public source code; they were not tried against Telnyx itself. When a
//! request fails, the objects that the earlier ones created are deleted, the newest first.

mod client;

use std::collections::BTreeMap;

use didww_types::values::IpNetworks;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use service_base::ids::Ids;
use voipbin_types::ProviderSetup;

use self::client::{Client, Failure, PRODUCTION};
use super::carrier::{CarrierError, CarrierTrunk, metadata};
use crate::config::{CarrierTimeouts, PlatformConfig};
use crate::records::providers::SipCredentials;
use crate::sip_gateway::SipGateway;

/// The host that takes calls in the United States (documented at sip.telnyx.com).
const HOST: &str = "sip.telnyx.com";
/// The hosts that take calls in Telnyx's other regions.
const OTHER_HOSTS: [&str; 4] = ["sip.telnyx.eu", "sip.telnyx.com.au", "sip.telnyx.ca", "sip.telnyx.asia"];

const PROFILES: &str = "/outbound_voice_profiles";
const CONNECTIONS: &str = "/fqdn_connections";
const FQDNS: &str = "/fqdns";

pub(super) async fn set_up(
    setup: &ProviderSetup,
    config: &PlatformConfig,
    ids: &Ids,
) -> Result<CarrierTrunk, CarrierError> {
    if setup.credentials.trunk_id.as_deref().is_some_and(|id| !id.is_empty()) {
        let sentence =
            "credentials.trunk_id means nothing at telnyx, where a connection is always made; leave it out.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    }
    let Some(gateway) = &config.sip_gateway else {
        let sentence = "The server's setting voipbin.sip_gateway is missing: telnyx must be told where the platform takes calls.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    };
    let timeouts = config.carrier_timeouts;
    let (username, password) = ids.carrier_credentials();
    let sip = SipCredentials { username, password };
    let base = setup.credentials.base_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(PRODUCTION);
    let client = Client::open(base, &setup.credentials.api_key, &sip, timeouts.request)?;
    let mut transaction = Transaction { client, timeouts, created: Vec::new(), unclear: None };
    let steps = tokio::time::timeout(timeouts.setup, transaction.run(&setup.name, &sip, gateway));
    let error = match steps.await {
        Ok(Ok(metadata)) => {
            return Ok(CarrierTrunk {
                hostname: HOST,
                tech_prefix: String::new(),
                metadata,
                sip: Some(sip),
                // Telnyx's API does not state it.
                allowed_sip_ips: IpNetworks::default(),
                undo: transaction.undo().boxed(),
            });
        }
        Ok(Err(error)) => error,
        Err(_elapsed) => CarrierError::Failed(format!("no end within {:?}", timeouts.setup)),
    };
    if let Some(path) = transaction.unclear {
        let name = &setup.name;
        tracing::warn!(
            path,
            name,
            "telnyx did not confirm whether it created this object, which may be left unused"
        );
    }
    transaction.undo().await;
    Err(error)
}

/// A setup in progress, whose objects are deleted if it fails.
struct Transaction {
    client: Client,
    timeouts: CarrierTimeouts,
    /// The path and id of each object that was created at Telnyx, the newest last.
    created: Vec<(&'static str, String)>,
    /// The path of an object that may have been created: its creation was requested and not confirmed.
    unclear: Option<&'static str>,
}

impl Transaction {
    async fn run(
        &mut self,
        name: &str,
        sip: &SipCredentials,
        gateway: &SipGateway,
    ) -> Result<BTreeMap<String, Value>, CarrierError> {
        match self.client.check_key().await {
            // The request contains nothing but the key: every other failure is Telnyx's.
            Err(failure) if !failure.is_wrong_key() => {
                return Err(CarrierError::Failed(failure.to_string()));
            }
            checked => checked?,
        }
        let profile = self.create(
            PROFILES,
            json!({ "name": name, "traffic_type": "conversational", "service_plan": "global" }),
        );
        let profile = profile.await?;
        // Telnyx assigns no profile to a connection without credentials, so both are in one request.
        let connection = self.create(
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
        let fqdn = self.create(
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

    /// Creates an object and returns its id.
    async fn create(&mut self, path: &'static str, body: Value) -> Result<String, Failure> {
        // Set before the request: the time limit of the whole setup may cancel this at any point.
        self.unclear = Some(path);
        let created = self.client.create(path, &body).await;
        if created.as_ref().err().is_none_or(|failure| !failure.may_be_applied()) {
            self.unclear = None;
        }
        let id = created?;
        self.created.push((path, id.clone()));
        Ok(id)
    }

    /// Deletes the objects that were created. Objects that cannot be deleted are logged for the operator.
    async fn undo(self) {
        for (path, id) in self.created.iter().rev() {
            let deleted = tokio::time::timeout(self.timeouts.undo, self.client.delete(path, id)).await;
            let why = match deleted {
                Ok(Ok(())) => continue,
                Ok(Err(failure)) => failure.to_string(),
                Err(_elapsed) => format!("no answer within {:?}", self.timeouts.undo),
            };
            tracing::error!(why, path, id, "something was made at telnyx for nothing and stays there");
        }
    }
}

/// Whether a host is one of Telnyx's, which all accept the same connections.
pub(super) fn has_host(hostname: &str) -> bool {
    [HOST].iter().chain(&OTHER_HOSTS).any(|host| hostname.eq_ignore_ascii_case(host))
}

impl From<Failure> for CarrierError {
    fn from(failure: Failure) -> Self {
        if failure.is_wrong_key() {
            Self::Credentials
        } else if failure.is_refusal() {
            Self::Refused(failure.to_string())
        } else {
            Self::Failed(failure.to_string())
        }
    }
}
