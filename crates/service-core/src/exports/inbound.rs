//! The lines of calls to DIDs: one for each attempt at a trunk, and one for a call that no trunk was tried for.
//!
//! DIDWW documents the columns, but little about their values: `docs/differences.md` lists the choices of this module.

use didww_types::Timestamp;
use didww_types::resources::ExportFilters;
use serde_json::Value;
use trunk_rules::inbound::caller_country;
use trunk_rules::prices::country_name;

use super::lines::{Columns, is_same_number, line, second};
use crate::inbound_records::{InboundRecord, InboundRecordAttempt};

/// The value for a call or an attempt that the trunk's side ended.
const DESTINATION: &str = "Destination";
/// The value for a call or an attempt that the server ended.
const SYSTEM: &str = "System";
/// The reason phrase of an answered call that a side hung up.
const HUNG_UP: &str = "Bye";
/// The price of calls to DIDs, which are free here.
const FREE: &str = "0";
/// The same as files up to 2021-04-19 have it.
const FORMER_FREE: &str = "0.000";

/// The outcome on a line: that of its attempt, or that of the call for the attempt with which the call ended.
struct Outcome {
    connected: Option<Timestamp>,
    ended: Option<Timestamp>,
    duration: u64,
    code: Option<u16>,
    response: String,
    initiator: &'static str,
}

/// The lines of a record: none if it has not ended, or if the filters leave it out.
pub(super) fn lines_of(record: &InboundRecord, filters: &ExportFilters, columns: Columns) -> String {
    if record.time_end.is_none() || !matches_call_filters(record, filters) {
        return String::new();
    }
    let mut lines = String::new();
    let source_out = text_of(filters, "source_number_out");
    let is_sent = |cli: &str| source_out.as_deref().is_none_or(|wanted| is_same_number(wanted, cli));
    if record.attempts.is_empty() && is_sent("") {
        lines.push_str(&line_of(columns, record, None, &of_call(record, None)));
    }
    let mut attempts = record.attempts.iter().zip(1_usize..).peekable();
    while let Some((attempt, number)) = attempts.next() {
        let is_last = attempts.peek().is_none();
        let outcome = if is_last { of_call(record, Some(attempt)) } else { of_attempt(attempt) };
        if is_sent(&attempt.cli) {
            lines.push_str(&line_of(columns, record, Some((attempt, number)), &outcome));
        }
    }
    lines
}

/// Whether a call matches the filters that concern the whole call.
fn matches_call_filters(record: &InboundRecord, filters: &ExportFilters) -> bool {
    let numbers = [("did_number", &record.to), ("source_number", &record.from)];
    let has_numbers = numbers.into_iter().all(|(filter, number)| {
        text_of(filters, filter).is_none_or(|wanted| is_same_number(&wanted, number))
    });
    let has_country = text_of(filters, "source_country_iso").is_none_or(|wanted| {
        let country = caller_country(&record.from, &record.to);
        country.is_some_and(|country| country.as_str().eq_ignore_ascii_case(wanted.trim()))
    });
    has_numbers && has_country
}

/// A filter as text; `None` if it is not set.
fn text_of(filters: &ExportFilters, name: &str) -> Option<String> {
    match filters.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The outcome of an attempt that was followed by another one. Only the time of its final response is known.
fn of_attempt(attempt: &InboundRecordAttempt) -> Outcome {
    Outcome {
        connected: None,
        ended: attempt.final_at,
        duration: 0,
        code: attempt.code,
        response: phrase(attempt).unwrap_or_else(|| attempt.outcome.clone().unwrap_or_default()),
        // A trunk that received the INVITE ended the attempt, as in the record of the call: by its response, or by not
        // answering in time.
        initiator: if attempt.sent_at.is_some() { DESTINATION } else { SYSTEM },
    }
}

/// The outcome of a call, with its last attempt if it has any.
fn of_call(record: &InboundRecord, attempt: Option<&InboundRecordAttempt>) -> Outcome {
    let initiator = match record.disconnect_initiator.as_deref() {
        Some("caller") => "Origination",
        Some("callee") => DESTINATION,
        _ => SYSTEM,
    };
    let refused = attempt.filter(|attempt| attempt.code == record.disconnect_code).and_then(phrase);
    let reason = record.reason.clone().unwrap_or_default();
    let response = match record.time_connect {
        Some(_) if initiator != SYSTEM => HUNG_UP.to_owned(),
        Some(_) => reason,
        None => refused.unwrap_or(reason),
    };
    Outcome {
        connected: record.time_connect,
        ended: record.time_end,
        duration: record.duration,
        code: record.disconnect_code,
        response,
        initiator,
    }
}

/// The reason phrase of the final response of an attempt; `None` if it has none.
fn phrase(attempt: &InboundRecordAttempt) -> Option<String> {
    Some(attempt.reason_phrase.clone()).filter(|phrase| !phrase.is_empty())
}

fn line_of(
    columns: Columns,
    record: &InboundRecord,
    attempt: Option<(&InboundRecordAttempt, usize)>,
    outcome: &Outcome,
) -> String {
    let (trunk, cli, uri, number, call_id) = match attempt {
        Some((attempt, number)) => (
            attempt.trunk_name.clone(),
            attempt.cli.clone(),
            attempt.uri.clone().unwrap_or_default(),
            number.to_string(),
            // A `Call-ID` is created before it is known whether the INVITE can be sent.
            attempt.call_id.clone().filter(|_| attempt.sent_at.is_some()),
        ),
        None => (String::new(), String::new(), String::new(), String::new(), None),
    };
    let at = |time: Option<Timestamp>| time.map(|time| second(&time.to_string())).unwrap_or_default();
    let code = outcome.code.map(|code| code.to_string()).unwrap_or_default();
    if columns == Columns::Former {
        return line(&[
            at(Some(record.time_start)),
            record.from.clone(),
            record.to.clone(),
            uri,
            outcome.duration.to_string(),
            outcome.initiator.to_owned(),
            code,
            outcome.response.clone(),
            FORMER_FREE.to_owned(),
            FORMER_FREE.to_owned(),
            FORMER_FREE.to_owned(),
            // Numbers belong to no customers of the account.
            String::new(),
            FORMER_FREE.to_owned(),
        ]);
    }
    let mut cells = vec![
        at(Some(record.time_start)),
        at(outcome.connected),
        at(outcome.ended),
        if outcome.connected.is_some() { "Success" } else { "Failed" }.to_owned(),
        record.from.clone(),
    ];
    // The caller's name is not looked up.
    let name = String::new();
    if columns == Columns::Newest {
        // The server has no data about networks.
        cells.extend([cli, name, source_country(record), String::new()]);
    } else {
        cells.push(name);
    }
    cells.extend([
        record.to.clone(),
        outcome.duration.to_string(),
        number,
        code,
        outcome.response.clone(),
        outcome.initiator.to_owned(),
        trunk,
        uri,
        record.voice_in_trunk_group_name.clone().unwrap_or_default(),
        record.shared_capacity_group_name.clone().unwrap_or_default(),
        FREE.to_owned(),
        FREE.to_owned(),
        FREE.to_owned(),
        FREE.to_owned(),
        FREE.to_owned(),
        // A call without an INVITE has no `Call-ID`.
        call_id.unwrap_or_else(|| record.id.to_string()),
    ]);
    line(&cells)
}

/// The name of the country of the caller's number, or its code if it has no name; empty if it is not known.
fn source_country(record: &InboundRecord) -> String {
    let Some(country) = caller_country(&record.from, &record.to) else { return String::new() };
    let code = country.as_str().to_ascii_uppercase();
    country_name(&code).map_or(code, str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000001";

    fn attempt(code: Option<u16>, phrase: &str, call_id: &str) -> Value {
        json!({
            "voice_in_trunk": ID, "trunk_name": "T", "cli": "442079460999", "uri": "sip:1@192.0.2.7:5060",
            "call_id": call_id, "sent_at": "2026-11-28T12:00:00.300Z",
            "final_at": code.map(|_| "2026-11-28T12:00:01.900Z"), "code": code, "reason_phrase": phrase,
            "outcome": "no response to the INVITE within 32 seconds", "next": null,
        })
    }

    /// A call that was refused with 486, and with these members.
    fn record(further: &Value) -> InboundRecord {
        let mut record = json!({
            "id": ID, "account": ID, "from": "+442079460999", "to": "442079460018", "status": "ended",
            "time_start": "2026-11-28T12:00:00.250Z", "time_connect": null,
            "time_end": "2026-11-28T12:00:02.000Z", "duration": 0, "voice_in_trunk_group_name": "G",
            "shared_capacity_group_name": null, "disconnect_code": 486, "disconnect_initiator": "callee",
            "reason": "the trunk refused the call with 486",
            "attempts": [attempt(Some(486), "Busy Here", "a@1")],
        });
        record.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    fn lines(further: &Value) -> Vec<String> {
        lines_of(&record(further), &ExportFilters::default(), Columns::Newest)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_call_has_a_line_with_the_documented_columns() {
        let refused = "2026-11-28 12:00:00,,2026-11-28 12:00:02,Failed,+442079460999,442079460999,,\
                       United Kingdom,,442079460018,0,1,486,Busy Here,Destination,T,sip:1@192.0.2.7:5060,G,,0,0,0,0,0,a@1";
        assert_eq!(lines(&json!({})), [refused]);
        assert_eq!(refused.split(',').count(), 25);
        let answered = json!({
            "time_connect": "2026-11-28T12:00:01.000Z", "duration": 1, "disconnect_code": 200,
            "disconnect_initiator": "caller", "reason": "the caller hung up", "shared_capacity_group_name": "C",
            "attempts": [attempt(Some(200), "OK", "a@1")],
        });
        let expected = "2026-11-28 12:00:00,2026-11-28 12:00:01,2026-11-28 12:00:02,Success,+442079460999,442079460999,,\
             United Kingdom,,442079460018,1,1,200,Bye,Origination,T,sip:1@192.0.2.7:5060,G,C,0,0,0,0,0,a@1";
        assert_eq!(lines(&answered), [expected]);
    }

    #[test]
    fn a_line_before_2026_11_19_has_neither_the_number_that_was_sent_nor_the_country_of_the_caller() {
        let of = |further: &Value| lines_of(&record(further), &ExportFilters::default(), Columns::Earlier);
        let refused = "2026-11-28 12:00:00,,2026-11-28 12:00:02,Failed,+442079460999,,442079460018,0,1,486,Busy Here,\
                       Destination,T,sip:1@192.0.2.7:5060,G,,0,0,0,0,0,a@1\n";
        assert_eq!(of(&json!({})), refused);
        assert_eq!(refused.split(',').count(), 22);
    }

    #[test]
    fn a_caller_without_a_known_country_has_none_and_a_call_that_no_trunk_was_tried_for_no_number_sent() {
        let anonymous = lines(&json!({ "from": "anonymous", "attempts": [] }));
        assert!(anonymous[0].contains(",Failed,anonymous,,,,,442079460018,"), "{anonymous:?}");
        let korean = lines(&json!({ "from": "+821012345678" }));
        assert!(korean[0].contains(",Failed,+821012345678,442079460999,,South Korea,,"), "{korean:?}");
    }

    #[test]
    fn a_line_up_to_2021_04_19_has_the_thirteen_columns_of_then() {
        let of = |further: &Value| lines_of(&record(further), &ExportFilters::default(), Columns::Former);
        let refused = "2026-11-28 12:00:00,+442079460999,442079460018,sip:1@192.0.2.7:5060,0,Destination,486,Busy Here,\
                       0.000,0.000,0.000,,0.000\n";
        assert_eq!(of(&json!({})), refused);
        assert_eq!(refused.split(',').count(), 13);
        let untried = json!({
            "attempts": [], "disconnect_code": 403, "disconnect_initiator": "server", "reason": "the DID is blocked",
        });
        let expected = "2026-11-28 12:00:00,+442079460999,442079460018,,0,System,403,the DID is blocked,0.000,0.000,0.000,,\
                        0.000\n";
        assert_eq!(of(&untried), expected);
    }

    #[test]
    fn each_attempt_is_a_line_of_which_the_last_one_has_the_end_of_the_call() {
        let mut unsent = attempt(None, "", "c@1");
        unsent["sent_at"] = Value::Null;
        unsent["outcome"] = json!("no port for media is free here");
        let attempts = json!({ "attempts": [
            attempt(Some(503), "Busy Everywhere", "a@1"),
            attempt(None, "", "b@1"),
            unsent,
            attempt(Some(487), "Request Terminated", "d@1"),
            attempt(Some(486), "Busy Here", "e@1"),
        ] });
        let cells = |line: &String| {
            let cells: Vec<&str> = line.split(',').collect();
            [2, 11, 12, 13, 14, 24].map(|place| cells[place].to_owned())
        };
        let found: Vec<[String; 6]> = lines(&attempts).iter().map(cells).collect();
        let end = "2026-11-28 12:00:01";
        assert_eq!(
            found,
            [
                [end, "1", "503", "Busy Everywhere", "Destination", "a@1"],
                ["", "2", "", "no response to the INVITE within 32 seconds", "Destination", "b@1"],
                ["", "3", "", "no port for media is free here", "System", ID],
                [end, "4", "487", "Request Terminated", "Destination", "d@1"],
                ["2026-11-28 12:00:02", "5", "486", "Busy Here", "Destination", "e@1"],
            ]
        );
    }

    #[test]
    fn a_call_without_an_attempt_is_a_line_with_its_own_id() {
        let refused = json!({
            "attempts": [], "disconnect_code": 403, "disconnect_initiator": "server", "reason": "the DID is blocked",
        });
        let found = lines(&refused);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(",0,,403,the DID is blocked,System,,,G,"), "{found:?}");
        assert!(found[0].ends_with(&format!(",{ID}")), "{found:?}");
    }

    #[test]
    fn a_call_that_is_up_has_no_line() {
        assert!(lines(&json!({ "time_end": null })).is_empty());
    }

    #[test]
    fn a_call_that_an_answer_did_not_end_has_its_reason_as_the_response() {
        let cancelled = json!({
            "disconnect_code": 487, "disconnect_initiator": "caller",
            "reason": "the caller hung up before an answer",
            "attempts": [attempt(None, "", "a@1")],
        });
        assert!(lines(&cancelled)[0].contains(",487,the caller hung up before an answer,Origination,"));
        let too_long = json!({
            "time_connect": "2026-11-28T12:00:01.000Z", "disconnect_initiator": "server", "disconnect_code": 200,
            "reason": "the call reached the longest duration of a call",
        });
        assert!(lines(&too_long)[0].contains(",200,the call reached the longest duration of a call,System,"));
    }

    #[test]
    fn filters_select_by_the_numbers_and_the_country_of_the_caller() {
        let call = record(&json!({}));
        let of = |name: &str, value: &str| {
            !lines_of(&call, &ExportFilters::default().with(name, value), Columns::Newest).is_empty()
        };
        for (name, wanted, other) in [
            ("did_number", "442079460018", "44207946001"),
            ("did_number", "+442079460018", "442079460019"),
            ("source_number", "442079460999", "2079460999"),
            ("source_number_out", "+442079460999", "442079460998"),
            ("source_country_iso", "GB", "US"),
            ("source_country_iso", "gb", ""),
        ] {
            assert!(of(name, wanted) && !of(name, other), "{name} {wanted}");
        }
        let number = ExportFilters::default().with("did_number", 442_079_460_018_u64);
        assert!(!lines_of(&call, &number, Columns::Newest).is_empty(), "a number is a filter too");
        let anonymous = record(&json!({ "from": "anonymous" }));
        let from_gb = ExportFilters::default().with("source_country_iso", "GB");
        assert!(lines_of(&anonymous, &from_gb, Columns::Newest).is_empty());
        let untried = record(&json!({ "attempts": [] }));
        let sent = ExportFilters::default().with("source_number_out", "442079460999");
        assert!(lines_of(&untried, &sent, Columns::Newest).is_empty(), "it was sent to no trunk");
    }
}
