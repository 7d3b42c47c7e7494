//! Calls to DIDs in the files of exports, which the SDK reads as typed rows.

use std::time::Duration;

use didww_client::resources::{Export, ExportFilters, ExportType};
use didww_client::{ApiVersion, Client, InboundCallRow};
use didww_types::Timestamp;
use serde_json::json;
use trunk_server::control::AccountPatch;
use trunk_server::inbound::{InboundCall, InboundStatus};

use super::place::*;
use crate::outbound::sipp_carrier::{Sipp, Steps};

const HOUR: Duration = Duration::from_hours(1);

/// The rows of a file with the calls that began in the hour from the beginning of this one on, which is over.
async fn rows(place: &Place, first: &InboundCall, filters: &[(&str, &str)]) -> Vec<InboundCallRow> {
    let began = first.time_start.as_unix_millis();
    let second = Timestamp::from_unix_millis(began - began.rem_euclid(1_000));
    let range = ExportFilters::between(second, second.after(HOUR));
    let filters = filters.iter().fold(range, |range, (name, value)| range.with(*name, *value));
    let server = &place.world.server;
    let version = ApiVersion::V2026_11_19;
    let client = Client::builder(server.base_url(), server.api_key()).api_version(version).build().unwrap();
    let exports = client.exports();
    let export = exports.create(Export::create(ExportType::CdrIn, filters)).await.unwrap();
    place.control.clock().advance(Duration::from_secs(5));
    let waiting = exports.wait_until_completed(&export.id).every(Duration::from_millis(10));
    let file = exports.download(&waiting.await.unwrap()).await.unwrap();
    file.rows::<InboundCallRow>().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn each_attempt_of_a_call_is_a_row_of_the_file_of_its_time() {
    let place = Place::start().await;
    let busy = Sipp::start(&Steps::invited().refused(486), 1);
    let free = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let first = place.trunk_of(&busy.host(), json!({ "priority": 1 }), json!({})).await;
    let second = place.trunk_of(&free.host(), json!({ "priority": 2 }), json!({})).await;
    place.grouped(&[&first, &second], json!({})).await;
    let placed = place.call().await;
    place.wait_for(placed.id, InboundStatus::Answered).await;
    place.control.end_inbound_call(placed.id).await.unwrap();
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    busy.went_as_written().await;
    free.went_as_written().await;
    place.control.clock().advance(2 * HOUR);
    let rows = rows(&place, &ended, &[]).await;
    let [refused, answered] = rows.as_slice() else { panic!("{rows:?}") };
    for (row, attempt) in rows.iter().zip(&ended.attempts) {
        assert_eq!((row.source.as_str(), row.destination_did.as_str()), (CALLER, NUMBER));
        assert_eq!((&row.source_number_out, row.source_country.as_str()), (&attempt.cli, "United Kingdom"));
        assert_eq!(row.voice_in_trunk, attempt.trunk_name);
        assert_eq!(Some(row.destination.as_str()), attempt.uri.as_deref());
        assert_eq!(Some(row.call_id.as_str()), attempt.call_id.as_deref());
        assert_eq!(row.trunk_group, "All");
        assert_eq!(row.total.map(|total| total.to_string()).as_deref(), Some("0.0"));
        assert!(row.started_at.is_some() && row.ended_at.is_some() && row.extra.is_empty(), "{row:?}");
    }
    assert_eq!((refused.attempt, refused.status.as_str()), (Some(1), "Failed"));
    assert_eq!((refused.disconnect_code, refused.disconnect_initiator.as_str()), (Some(486), "Destination"));
    assert_eq!((refused.connected_at, refused.duration), (None, Some(0)));
    assert_eq!((answered.attempt, answered.status.as_str()), (Some(2), "Success"));
    assert_eq!((answered.disconnect_code, answered.response.as_str()), (Some(200), "Bye"));
    assert_eq!(answered.disconnect_initiator, "Origination");
    assert_eq!(answered.duration, Some(ended.duration));
    assert!(answered.connected_at.is_some());
}

#[tokio::test]
async fn a_file_has_the_calls_that_its_filters_select() {
    let place = Place::start().await;
    // The DID is routed nowhere, so that each call is refused at once.
    let first = place.called().await;
    place.control.clock().advance(2 * HOUR);
    let all = rows(&place, &first, &[]).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].call_id, first.id.to_string(), "it was sent nowhere");
    assert_eq!((all[0].attempt, all[0].disconnect_code), (None, Some(480)));
    assert_eq!(all[0].response, first.reason.clone().unwrap());
    for (filter, found) in [
        (("did_number", NUMBER), 1),
        (("did_number", "442079460017"), 0),
        (("source_number", CALLER), 1),
        (("source_number", "442079460998"), 0),
        (("source_country_iso", "GB"), 1),
        (("source_country_iso", "US"), 0),
        (("source_number_out", "442079460999"), 0),
    ] {
        assert_eq!(rows(&place, &first, &[filter]).await.len(), found, "{filter:?}");
    }
    // A call of another hour is in no file of this one.
    place.called().await;
    assert_eq!(rows(&place, &first, &[]).await, all);
}

#[tokio::test]
async fn a_call_is_a_row_of_a_plain_file_of_the_oldest_versions() {
    let place = Place::start().await;
    let call = place.called().await;
    place.control.clock().advance(2 * HOUR);
    let server = &place.world.server;
    let mut oldest = AccountPatch::default();
    oldest.version = Some(ApiVersion::V2017_09_18);
    place.control.update_account(server.account(), oldest).await.unwrap();
    let began = call.time_start.to_string();
    let month = ExportFilters::month(began[..4].parse().unwrap(), began[5..7].parse().unwrap());
    for version in [ApiVersion::V2017_09_18, ApiVersion::V2021_04_19] {
        let client =
            Client::builder(server.base_url(), server.api_key()).api_version(version).build().unwrap();
        let exports = client.exports();
        for (number, found) in [(NUMBER, 1), ("442079460017", 0)] {
            let filters = month.clone().with("did_number", number);
            let export = exports.create(Export::create(ExportType::CdrIn, filters)).await.unwrap();
            place.control.clock().advance(Duration::from_secs(5));
            let waiting = exports.wait_until_completed(&export.id).every(Duration::from_millis(10));
            let file = exports.download(&waiting.await.unwrap()).await.unwrap();
            let rows: Vec<InboundCallRow> = file.rows().collect::<Result<_, _>>().unwrap();
            assert_eq!(rows.len(), found, "{version} {number}");
            for row in rows {
                assert_eq!((row.source.as_str(), row.destination_did.as_str()), (CALLER, NUMBER));
                assert_eq!((row.disconnect_code, Some(&row.response)), (Some(480), call.reason.as_ref()));
                assert_eq!((row.disconnect_initiator.as_str(), row.duration), ("System", Some(0)));
                assert!(row.started_at.is_some() && row.ended_at.is_none() && row.call_id.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn after_a_reset_no_file_has_the_calls_of_before() {
    for all in [false, true] {
        let place = Place::start().await;
        let first = place.called().await;
        place.control.clock().advance(2 * HOUR);
        assert_eq!(rows(&place, &first, &[]).await.len(), 1);
        let account = place.world.server.account();
        place.control.reset((!all).then_some(account)).await.unwrap();
        assert!(rows(&place, &first, &[]).await.is_empty(), "all: {all}");
    }
}
