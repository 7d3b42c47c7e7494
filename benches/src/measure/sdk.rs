//! The time that the SDK adds to a request.

use didww_client::resources::VoiceOutTrunk;
use didww_client::{ApiVersion, Client, Id};
use serde::Deserialize;

use super::read::first;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, Trunk, VERSION};
use crate::{Outcome, seed};

/// Requests in a turn. Many short turns keep single disturbances out of the median.
const REQUESTS_PER_TURN: u32 = 100;

/// The smallest struct that a program without the SDK would define.
#[derive(Debug, Deserialize)]
struct Document {
    data: Plain,
}

#[derive(Debug, Deserialize)]
struct Plain {
    id: String,
    attributes: Attributes,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "a program has the fields that it may need; decoding them is what is measured")]
struct Attributes {
    allowed_rtp_ips: Option<Vec<String>>,
    allow_any_did_as_cli: bool,
    status: String,
    on_cli_mismatch_action: String,
    name: String,
    capacity_limit: Option<u32>,
    created_at: String,
    threshold_reached: bool,
    threshold_amount: Option<String>,
    media_encryption_mode: String,
    default_dst_action: String,
    dst_prefixes: Vec<String>,
    force_symmetric_rtp: bool,
    rtp_ping: bool,
    callback_url: Option<String>,
    external_reference_id: Option<String>,
    authentication_method: Method,
    emergency_enable_all: bool,
    rtp_timeout: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Method {
    #[serde(rename = "type")]
    kind: String,
    attributes: Credentials,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Credentials {
    allowed_sip_ips: Vec<String>,
    tech_prefix: Option<String>,
    username: String,
    password: String,
}

pub(crate) fn get(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work, 50)?)?;
    let url = first(&trunk.trunks())?;
    let id = url.rsplit('/').next().unwrap_or_default().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let http = reqwest::Client::new();
    let client = Client::builder(trunk.base.clone(), KEY)
        .http_client(http.clone())
        .api_version(ApiVersion::V2026_04_16)
        .no_rate_limit()
        .build()?;
    let (trunks, id) = (client.voice_out_trunks(), Id::<VoiceOutTrunk>::new(id));

    let ours = || {
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..REQUESTS_PER_TURN {
                let trunk = trunks.get(&id).await?;
                assert_eq!(trunk.id, id);
            }
            Outcome::Ok(())
        })?;
        Ok(watch.seconds() / f64::from(REQUESTS_PER_TURN))
    };
    let theirs = || {
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..REQUESTS_PER_TURN {
                let request = http
                    .get(&url)
                    .header("Api-Key", KEY)
                    .header("X-DIDWW-API-Version", VERSION)
                    .header("Accept", didww_types::MEDIA_TYPE);
                let body = request.send().await?.error_for_status()?.bytes().await?;
                let document: Document = serde_json::from_slice(&body)?;
                assert!(!document.data.attributes.name.is_empty() && document.data.id == id.as_str());
            }
            Outcome::Ok(())
        })?;
        Ok(watch.seconds() / f64::from(REQUESTS_PER_TURN))
    };
    ours()?;
    theirs()?;
    let compared = compare(plan.rounds * 20, ours, theirs)?;
    Ok(Row::times(name, &compared, 1, Target::AtMost(1.05, 1.02)))
}
