//! The record of an answered call as it is stored in the call's row: only the members that differ between calls. The
//! members that are the same for every call whose server died are added when the row is read. Each answered call has
//! such a row.
//!
//! The server that reads a row may be of the release before or after the one that wrote it: a release may leave out no
//! more than the release before it adds.

use std::borrow::Cow;
use std::net::IpAddr;

use didww_types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use trunk_rules::carrier::Cause;
use uuid::Uuid;

use super::call_type_of;
use crate::call_state::{CallState, Origin};
use crate::stored_text::stored_text;

/// The members that differ between calls. Those without a value are left out.
#[derive(Serialize)]
struct Own<'a> {
    id: Uuid,
    time_start: Timestamp,
    src_number: &'a str,
    original_src_number: &'a str,
    dst_number: &'a str,
    call_type: &'static str,
    trunk_name: &'a str,
    trunk_id: &'a str,
    call_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_charge_info: Option<&'a str>,
    source_ip: IpAddr,
    source_port: u16,
    source_protocol: &'static str,
    pop: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_billing_interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_billing_interval: Option<u32>,
}

/// The JSON that the row of an answered call stores. It is made of the call itself: a whole
/// [`CallRecord`](super::CallRecord) would copy each text of it.
pub(crate) fn running_json(pop: &str, call_state: &CallState) -> Option<String> {
    let CallState { key, origin, trunk, dialled, cli, rate, .. } = call_state;
    let Origin { id, started, source, protocol, user_agent, p_charge_info } = origin;
    let own = Own {
        id: *id,
        time_start: *started,
        src_number: &cli.presented,
        original_src_number: &cli.original,
        dst_number: dialled,
        call_type: call_type_of(call_state),
        trunk_name: &trunk.name,
        trunk_id: trunk.id.as_str(),
        call_id: stored_text(&key.call_id),
        user_agent: user_agent.as_deref(),
        p_charge_info: p_charge_info.as_deref(),
        source_ip: source.ip(),
        source_port: source.port(),
        source_protocol: protocol,
        pop,
        rate: rate.map(|rate| rate.per_minute.to_string()),
        initial_billing_interval: rate.map(|rate| rate.initial_interval.get()),
        next_billing_interval: rate.map(|rate| rate.next_interval.get()),
    };
    serde_json::to_string(&own).ok()
}

/// All members of the record of a stored row. `time_end` is left out until the end of the call is known.
pub(super) fn completed(own: Map<String, Value>) -> Map<String, Value> {
    let lost = Cause::ServerLost;
    let common = json!({
        "time_connect": null, "duration": 0, "billing_duration": 0, "success": false,
        "src_number": null, "call_type": null, "user_agent": null, "p_charge_info": null,
        "rate": null, "price": "0", "initial_billing_interval": null, "next_billing_interval": null,
        "disconnect_code": lost.code(), "disconnect_reason": lost.text(), "disconnect_cause": lost.id(),
        "hung_up_by": super::HungUpBy::Server.name(), "check": null, "configured": null, "received": null,
        "explanation": super::ending_sentence(&super::lost_ending()),
        "rtp_dropped": 0, "rtp_dropped_from": [], "rtp_received": 0, "rtp_sent": 0, "rtp_excess": 0,
        "media": null, "no_audio": null
    });
    let mut members = match common {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.extend(own);
    members
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use rust_decimal::Decimal;
    use trunk_rules::carrier::{Charge, Rate};
    use trunk_store::RunningCall;

    use super::super::{CallRecord, LostRecord};
    use super::*;
    use crate::call_state::DialogKey;
    use crate::test_trunk::admitted;

    fn state(rate: Option<Rate>, user_agent: Option<&str>) -> CallState {
        let key = DialogKey { call_id: "call".into(), remote_tag: "a".into(), local_tag: "b".into() };
        let origin = Origin {
            id: Uuid::from_u128(7),
            started: Timestamp::from_unix_millis(5_000),
            source: "192.0.2.1:5062".parse().unwrap(),
            protocol: "udp",
            user_agent: user_agent.map(Into::into),
            p_charge_info: None,
        };
        CallState::new(key, origin, 1, admitted(rate), false)
    }

    #[test]
    fn a_row_says_all_that_the_record_of_a_lost_call_says() {
        let interval = NonZeroU32::new(6).unwrap();
        let rate = Rate { per_minute: Decimal::ONE, initial_interval: interval, next_interval: interval };
        for call in [state(Some(rate), Some("phone/1")), state(None, None)] {
            let record = CallRecord::of_running("pop", &call);
            let row = running_json("pop", &call).unwrap();
            let mut whole = serde_json::to_value(&record).unwrap();
            let whole = whole.as_object_mut().unwrap();
            whole.remove("time_end");
            let read = LostRecord::read(&row).unwrap();
            assert_eq!(read.0, *whole);
            assert_eq!(read.rate(), call.rate);
            assert!(row.len() * 3 < record.to_json().unwrap().len() * 2, "{row}");
        }
    }

    /// A row as it is written. The release before must complete the members that it leaves out.
    const ROW: &str = concat!(
        r#"{"id":"00000000-0000-0000-0000-000000000007","time_start":"1970-01-01T00:00:05.000Z","#,
        r#""src_number":"442012345678","original_src_number":"442012345678","dst_number":"442012345678","#,
        r#""call_type":"outbound","trunk_name":"trunk","trunk_id":"t","call_id":"call","source_ip":"192.0.2.1","#,
        r#""source_port":5062,"source_protocol":"udp","pop":"pop"}"#
    );

    #[test]
    fn a_row_is_written_as_the_release_before_reads_it() {
        assert_eq!(running_json("pop", &state(None, None)).unwrap(), ROW);
    }

    #[test]
    fn the_record_that_is_stored_from_a_row_has_every_member_of_a_record() {
        let call = RunningCall {
            id: Uuid::from_u128(7),
            account: 1,
            trunk: Uuid::from_u128(8),
            answered_at: Timestamp::from_unix_millis(6_000),
            acknowledged: true,
            attributes: ROW.to_owned(),
        };
        let ended = Timestamp::from_unix_millis(9_000);
        let stored = LostRecord::read(&call.attributes).unwrap().into_stored(&call, ended, Charge::NOTHING);
        let stored: Value = serde_json::from_str(&stored.unwrap().attributes).unwrap();
        let mut expected = serde_json::to_value(CallRecord::of_running("pop", &state(None, None))).unwrap();
        expected["time_connect"] = json!(call.answered_at);
        expected["time_end"] = json!(ended);
        expected["success"] = json!(true);
        assert_eq!(stored, expected);
    }

    #[test]
    fn the_rate_of_a_row_is_that_of_its_record() {
        let rate = |own: &str| {
            let rate = LostRecord::rate_of(own);
            assert_eq!(rate, LostRecord::read(own).and_then(|record| record.rate()), "{own}");
            rate.is_some()
        };
        assert!(rate(
            r#"{"rate":"0.5","initial_billing_interval":60,"next_billing_interval":6,"price":"0"}"#
        ));
        for none in [
            ROW,
            r#"{"rate":null,"initial_billing_interval":null,"next_billing_interval":null}"#,
            r#"{"rate":"0.5","initial_billing_interval":0,"next_billing_interval":6}"#,
            r#"{"rate":"0.5","initial_billing_interval":60}"#,
            r#"{"rate":"much","initial_billing_interval":60,"next_billing_interval":6}"#,
            r#"{"rate":5,"initial_billing_interval":60,"next_billing_interval":6}"#,
            "{",
        ] {
            assert!(!rate(none), "{none}");
        }
    }

    #[test]
    fn a_row_of_an_earlier_version_says_everything_itself() {
        let record = CallRecord::of_running("pop", &state(None, None));
        let read = LostRecord::read(&record.to_json().unwrap()).unwrap();
        assert_eq!(Value::Object(read.0), serde_json::to_value(&record).unwrap());
    }
}
