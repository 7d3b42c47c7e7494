//! The lines of a file: its header, and the lines of outbound calls. RFC 4180, in UTF-8, with LF at the end of lines.

use didww_types::resources::{ExportFilters, ExportType};
use didww_types::{ApiVersion, Timestamp, join_values};
use serde_json::{Map, Value};

/// The columns of inbound calls from 2026-11-19 on. The first ten are documented; those behind them are those of the
/// versions before.
const NEWEST_INBOUND: [&str; 25] = [
    "Date/Time Start (UTC)",
    "Date/Time Connect (UTC)",
    "Date/Time End (UTC)",
    "Status",
    "Source Number",
    "Source Number Out",
    "Source Name",
    "Source Country",
    "Source Network",
    "Destination DID",
    "Duration (sec)",
    "Attempt",
    "Disconnect Code",
    "Response",
    "Disconnect Initiator",
    "Voice IN Trunk",
    "Destination",
    "Trunk Group",
    "Capacity Group",
    "Toll-free (USD)",
    "PSTN (USD)",
    "Metered (USD)",
    "CNAM IN (USD)",
    "Total (USD)",
    "Call ID",
];

/// The columns of inbound calls from 2021-12-15 to 2026-04-16.
const INBOUND: [&str; 22] = [
    "Date/Time Start (UTC)",
    "Date/Time Connect (UTC)",
    "Date/Time End (UTC)",
    "Status",
    "Source",
    "Source Name",
    "Destination DID",
    "Duration (sec)",
    "Attempt",
    "Disconnect Code",
    "Response",
    "Disconnect Initiator",
    "Voice IN Trunk",
    "Destination",
    "Trunk Group",
    "Capacity Group",
    "Toll-free (USD)",
    "PSTN (USD)",
    "Metered (USD)",
    "CNAM IN (USD)",
    "Total (USD)",
    "Call ID",
];

/// The columns of inbound calls up to 2021-04-19.
const FORMER_INBOUND: [&str; 13] = [
    "Date/Time (UTC)",
    "Source",
    "DID",
    "Destination",
    "Duration (secs)",
    "Disconnect Initiator",
    "Disconnect Code",
    "Response",
    "TollFree Amount (USD)",
    "Termination Amount (USD)",
    "Metered Channels Amount (USD)",
    "Customer ID",
    "Sell Amount (Points)",
];

/// The columns of outbound calls.
const OUTBOUND: [&str; 19] = [
    "Date/Time Start (UTC)",
    "Date/Time Connect (UTC)",
    "Date/Time End (UTC)",
    "Status",
    "Source",
    "CLI",
    "Destination Number",
    "Call Duration (sec)",
    "Billing Duration (sec)",
    "Disconnect Code",
    "Disconnect Reason",
    "Voice OUT Trunk",
    "Destination Country",
    "Network",
    "Call Type",
    "Rate (USD)",
    "Charged (USD)",
    "P-Charge-Info",
    "Call ID",
];

/// The columns of a file: those of the version in which its export was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// Those from 2026-11-19 on, in which inbound calls have more columns.
    Newest,
    /// Those from 2021-12-15 to 2026-04-16.
    Earlier,
    /// Those up to 2021-04-19, which has inbound calls alone.
    Former,
}

impl Columns {
    pub(super) fn at(version: ApiVersion) -> Self {
        if version <= ApiVersion::V2021_04_19 {
            Self::Former
        } else if version < ApiVersion::V2026_11_19 {
            Self::Earlier
        } else {
            Self::Newest
        }
    }
}

/// The first line of a file; empty for text messages, whose columns are not known.
pub(super) fn header(kind: &ExportType, columns: Columns) -> String {
    match (kind, columns) {
        (ExportType::CdrIn, Columns::Newest) => line(&NEWEST_INBOUND.map(str::to_owned)),
        (ExportType::CdrIn, Columns::Earlier) => line(&INBOUND.map(str::to_owned)),
        (ExportType::CdrIn, Columns::Former) => line(&FORMER_INBOUND.map(str::to_owned)),
        (ExportType::CdrOut, _) => line(&OUTBOUND.map(str::to_owned)),
        _ => String::new(),
    }
}

/// The line of a record of an outbound call; `None` if the filters or the period exclude it.
pub(super) fn outbound(
    attributes: &str,
    filters: &ExportFilters,
    (from, to): (Timestamp, Timestamp),
) -> Option<String> {
    let record: Map<String, Value> = serde_json::from_str(attributes).ok()?;
    let text = |name: &str| match record.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let started: Timestamp = text("time_start").parse().ok()?;
    if started < from || started >= to {
        return None;
    }
    for (filter, member) in
        [("source", "original_src_number"), ("cli", "src_number"), ("destination", "dst_number")]
    {
        let wanted = match filters.get(filter) {
            Some(Value::String(wanted)) => wanted.clone(),
            Some(Value::Number(wanted)) => wanted.to_string(),
            _ => continue,
        };
        // Many programs send the caller's number with a plus sign, and the record has it as it was sent.
        if !is_same_number(&wanted, &text(member)) {
            return None;
        }
    }
    let is_connected = record.get("success").and_then(Value::as_bool) == Some(true);
    Some(line(&[
        second(&text("time_start")),
        second(&text("time_connect")),
        second(&text("time_end")),
        if is_connected { "Success" } else { "Failed" }.to_owned(),
        text("original_src_number"),
        text("src_number"),
        text("dst_number"),
        text("duration"),
        text("billing_duration"),
        text("disconnect_code"),
        text("disconnect_reason"),
        text("trunk_name"),
        // The server has a value for neither column.
        String::new(),
        String::new(),
        text("call_type"),
        text("rate"),
        text("price"),
        text("p_charge_info"),
        text("call_id"),
    ]))
}

/// Whether two numbers are equal, regardless of a plus sign.
pub(super) fn is_same_number(one: &str, other: &str) -> bool {
    without_plus(one.trim()) == without_plus(other)
}

fn without_plus(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

/// A time without its fraction, such as `2026-11-29 12:00:00`; empty for an empty text.
pub(super) fn second(time: &str) -> String {
    match (time.get(..10), time.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => String::new(),
    }
}

/// A line of these cells, with its end.
pub(super) fn line(cells: &[String]) -> String {
    join_values(cells.iter().map(String::as_str)) + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Value {
        json!({
            "time_start": "2026-11-29T12:00:00.250Z", "time_connect": null, "time_end": "2026-11-29T12:00:02.000Z",
            "success": false, "original_src_number": "1202", "src_number": null, "dst_number": "44",
            "duration": 0, "billing_duration": 0, "disconnect_code": 486, "disconnect_reason": "Busy, \"now\"",
            "trunk_name": "T", "call_type": "outbound", "rate": null, "price": "0", "p_charge_info": null,
            "call_id": "c@1",
        })
    }

    fn times(from: &str, to: &str) -> (Timestamp, Timestamp) {
        (from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn the_headers_have_the_documented_columns() {
        let columns: Value =
            serde_json::from_str(include_str!("../../../../fixtures/exports/columns.json")).unwrap();
        let documented = |kind: &str| -> String {
            let names = columns[kind].as_array().unwrap().iter();
            let names: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
            format!("{}\n", names.join(","))
        };
        for version in ApiVersion::ALL {
            let (name, count) = match version {
                ApiVersion::V2017_09_18 | ApiVersion::V2021_04_19 => ("cdr_exports", 13),
                ApiVersion::V2026_11_19 => ("cdr_in_2026_11_19", 25),
                _ => ("cdr_in", 22),
            };
            let inbound = header(&ExportType::CdrIn, Columns::at(version));
            assert_eq!((&inbound, inbound.split(',').count()), (&documented(name), count), "{version}");
        }
        for columns in [Columns::Earlier, Columns::Newest] {
            let outbound = header(&ExportType::CdrOut, columns);
            assert_eq!((&outbound, outbound.split(',').count()), (&documented("cdr_out"), 19));
        }
        assert_eq!(header(&ExportType::SmsIn, Columns::Newest), "");
    }

    #[test]
    fn a_record_is_a_line_whose_cells_are_quoted_where_they_must() {
        let all = times("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z");
        let line = outbound(&record().to_string(), &ExportFilters::default(), all).unwrap();
        let expected = "2026-11-29 12:00:00,,2026-11-29 12:00:02,Failed,1202,,44,0,0,486,\"Busy, \"\"now\"\"\",T,,,outbound,\
                        ,0,,c@1\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn what_the_filters_and_the_times_leave_out_is_no_line() {
        let text = record().to_string();
        let of = |name: &str, value: &str| {
            let all = times("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z");
            outbound(&text, &ExportFilters::default().with(name, value), all).is_some()
        };
        assert!(of("source", "1202") && of("destination", "44") && of("voice_out_trunk.id", "x"));
        assert!(!of("source", "1203") && !of("cli", "1202") && !of("destination", "4"));
        assert!(of("source", "+1202") && of("destination", "+44") && !of("cli", "+1202"));
        let mut sent_with_plus = record();
        sent_with_plus["original_src_number"] = json!("+1202");
        let all = times("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z");
        let filters = ExportFilters::default().with("source", "1202");
        assert!(outbound(&sent_with_plus.to_string(), &filters, all).is_some());
        let at = |from, to| outbound(&text, &ExportFilters::default(), times(from, to)).is_some();
        assert!(at("2026-11-29T12:00:00.250Z", "2026-11-29T12:00:00.251Z"));
        assert!(!at("2026-11-29T12:00:00.251Z", "2026-11-30T00:00:00Z"));
        assert!(!at("2026-11-29T00:00:00Z", "2026-11-29T12:00:00.250Z"), "the end is exclusive");
    }
}
