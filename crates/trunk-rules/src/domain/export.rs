//! The rules of exports: which filters each type has in each version, and the time that they may name.

use std::time::Duration;

use didww_types::resources::{Export, ExportFilters, ExportType};
use didww_types::{ApiVersion, DecodeError, Resource as _, Timestamp, Violation};
use serde_json::Value;
use uuid::Uuid;

use super::created_in::internal_data;
use super::draft::Draft;
use super::outcome::Later;
use super::{Refusal, Rules, WriteContext};

/// The kind of the job that makes the file of an export.
pub const MAKE_EXPORT: &str = "exports.make";

/// How long an export is pending.
const PENDING: Duration = Duration::from_secs(5);
/// The months before the present one whose records can be exported.
const MONTHS_BEFORE: u32 = 2;
/// Maximum number of characters of a filter, for which no source states a limit.
const MAX_CHARACTERS: usize = 255;

const FILTERS: &str = Export::SPEC.attribute_name("filters");

impl Rules for Export {
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        if !context.is_create() {
            return Ok(());
        }
        let (Some(kind), Some(filters)) = (&draft.changes.export_type, &draft.changes.filters) else {
            return Ok(());
        };
        let broken = broken(context, kind, filters);
        draft.refusals.extend(broken.into_iter().map(|violation| Refusal::attribute(FILTERS, violation)));
        let due_at = context.now.after(PENDING);
        // Its file and its callback have the form of the version.
        draft.meta = Some(internal_data(context.version));
        draft.later = Some(Later { kind: MAKE_EXPORT, due_at, payload: "{}".to_owned() });
        Ok(())
    }
}

/// The valid values of a filter.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Id,
    /// An id, or a list of ids.
    Ids,
    OneOf(&'static [&'static str]),
    /// One of the texts, or a list of them.
    SomeOf(&'static [&'static str]),
    /// `a2p` or `p2p`, in any letter case.
    Service,
}

/// The filters of a type from a version on.
type Filters = &'static [(&'static str, Form, ApiVersion)];

const OLDEST: ApiVersion = ApiVersion::V2017_09_18;
const OLD: ApiVersion = ApiVersion::V2021_12_15;
const NEW: ApiVersion = ApiVersion::V2026_11_19;

const CDR_IN: Filters = &[
    ("did_number", Form::Text, OLDEST),
    ("source_number", Form::Text, NEW),
    ("source_number_out", Form::Text, NEW),
    ("source_country_iso", Form::Text, NEW),
];

const CDR_OUT: Filters = &[
    ("voice_out_trunk.id", Form::Id, OLD),
    ("source", Form::Text, NEW),
    ("cli", Form::Text, NEW),
    ("destination", Form::Text, NEW),
];

const SMS_IN: Filters = &[
    ("source_address_eq", Form::Text, NEW),
    ("source_address_cont", Form::Text, NEW),
    ("destination_address_eq", Form::Text, NEW),
    ("destination_address_cont", Form::Text, NEW),
    ("status", Form::OneOf(&["Success", "Failed", "Queued"]), NEW),
    ("trunk_type", Form::SomeOf(&["SMPP SMSC", "SMPP ESME", "Email", "HTTP IN"]), NEW),
    ("sms_trunk.id", Form::Ids, NEW),
    ("sms_id", Form::Text, NEW),
];

const SMS_OUT: Filters = &[
    ("source_address_eq", Form::Text, NEW),
    ("source_address_cont", Form::Text, NEW),
    ("destination_address_eq", Form::Text, NEW),
    ("destination_address_cont", Form::Text, NEW),
    ("status", Form::OneOf(&["Routing Error", "In Progress", "Queued", "Failed", "Success"]), NEW),
    ("sms_trunk.id", Form::Ids, NEW),
    ("sms_id", Form::Text, NEW),
    ("service_type", Form::Service, NEW),
    ("sender_id_verification.id", Form::Ids, NEW),
];

/// The rules that filters break: those of the time first, then those of the others by their names.
fn broken(context: &WriteContext<'_>, kind: &ExportType, filters: &ExportFilters) -> Vec<Violation> {
    let times = times(context.version);
    let further: Filters = match kind {
        ExportType::CdrIn => CDR_IN,
        ExportType::CdrOut => CDR_OUT,
        ExportType::SmsIn => SMS_IN,
        ExportType::SmsOut => SMS_OUT,
        _ => &[],
    };
    let mut broken = if context.version.has_corrected_rules() {
        range(context.now, filters)
    } else {
        month(context.now, filters)
    };
    for (name, value) in filters.members().filter(|(name, _)| !times.contains(name)) {
        let known = further.iter().find(|(known, _, since)| *known == name && *since <= context.version);
        if !known.is_some_and(|(_, form, _)| is_valid(*form, value)) {
            broken.push(Violation::NotValid(name.to_owned()));
        }
    }
    broken
}

/// The filters of the time in a version. Days begin with the files of outbound calls.
fn times(version: ApiVersion) -> &'static [&'static str] {
    if version.has_corrected_rules() {
        &["from", "to"]
    } else if version >= OLD {
        &["year", "month", "day"]
    } else {
        &["year", "month"]
    }
}

fn is_valid(form: Form, value: &Value) -> bool {
    let is_id = |value: &Value| value.as_str().is_some_and(|text| Uuid::try_parse(text).is_ok());
    let is_one = |texts: &[&str], value: &Value| value.as_str().is_some_and(|text| texts.contains(&text));
    let one_or_list = |value: &Value, is_valid: &dyn Fn(&Value) -> bool| match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_valid),
        value => is_valid(value),
    };
    match form {
        Form::Text => value.is_number() || value.as_str().is_some_and(is_text),
        Form::Id => is_id(value),
        Form::Ids => one_or_list(value, &is_id),
        Form::OneOf(texts) => is_one(texts, value),
        Form::SomeOf(texts) => one_or_list(value, &|value: &Value| is_one(texts, value)),
        Form::Service => value
            .as_str()
            .is_some_and(|text| ["a2p", "p2p"].iter().any(|known| text.eq_ignore_ascii_case(known))),
    }
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_CHARACTERS && !text.chars().any(char::is_control)
}

/// The rules that `from` and `to` break: both must be in the present month or the two before it, in this order, and not
/// in the future.
fn range(now: Timestamp, filters: &ExportFilters) -> Vec<Violation> {
    let times = ["from", "to"].map(|name| (name, filters.get(name).and_then(Value::as_str).and_then(second)));
    let mut broken = Vec::new();
    for (name, time) in times {
        match time {
            None => broken.push(Violation::NotValid(name.to_owned())),
            Some(time) if first_month(now).is_none_or(|first| time < first) => {
                broken.push(Violation::OutsideMonths(name.to_owned()));
            }
            Some(time) if time > now => broken.push(Violation::NotValid(name.to_owned())),
            Some(_) => {}
        }
    }
    if let [(_, Some(from)), (_, Some(to))] = times
        && broken.is_empty()
        && from >= to
    {
        broken.push(Violation::NotValid("from".to_owned()));
    }
    broken
}

/// The rules that `year`, `month` and `day` break: they must name a month, or a day of it, that has begun and is in the
/// same three months.
fn month(now: Timestamp, filters: &ExportFilters) -> Vec<Violation> {
    let mut broken = Vec::new();
    for name in ["year", "month"] {
        if number(filters, name).is_none() {
            broken.push(Violation::NotValid(name.to_owned()));
        }
    }
    if !broken.is_empty() {
        return broken;
    }
    match export_range(filters) {
        None => broken.push(Violation::NotValid("month".to_owned())),
        Some((from, _)) if from > now || first_month(now).is_none_or(|first| from < first) => {
            broken.push(Violation::OutsideMonths("month".to_owned()));
        }
        Some(_) => {}
    }
    broken
}

/// The period of an export: from the first time on, and before the second one. `None` if its filters name none.
pub fn export_range(filters: &ExportFilters) -> Option<(Timestamp, Timestamp)> {
    let time = |name: &str| filters.get(name).and_then(Value::as_str).and_then(second);
    if let (Some(from), Some(to)) = (time("from"), time("to")) {
        return Some((from, to));
    }
    let (year, month) = (number(filters, "year")?, number(filters, "month")?);
    let first = |year: u32, month: u32, day: u32| -> Option<Timestamp> {
        format!("{year:04}-{month:02}-{day:02}T00:00:00.000Z").parse().ok()
    };
    if filters.get("day").is_some() {
        let from = first(year, month, number(filters, "day")?)?;
        return Some((from, from.after(Duration::from_hours(24))));
    }
    let next = if month == 12 { first(year + 1, 1, 1) } else { first(year, month + 1, 1) };
    Some((first(year, month, 1)?, next?))
}

/// A whole number of at most four digits, also as text.
fn number(filters: &ExportFilters, name: &str) -> Option<u32> {
    let number = match filters.get(name)? {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok()?,
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        _ => return None,
    };
    (1..=9_998).contains(&number).then_some(number)
}

/// A time written `YYYY-MM-DD HH:MM:SS`, in UTC.
fn second(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once(' ').filter(|_| text.len() == "YYYY-MM-DD HH:MM:SS".len())?;
    format!("{day}T{time}.000Z").parse().ok()
}

/// The beginning of the first month whose records can be exported.
fn first_month(now: Timestamp) -> Option<Timestamp> {
    let text = now.to_string();
    let mut parts = text.splitn(3, '-');
    let (year, month): (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let first = (year * 12 + month.checked_sub(1)?).checked_sub(MONTHS_BEFORE)?;
    format!("{:04}-{:02}-01T00:00:00.000Z", first / 12, first % 12 + 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-01-15T12:00:00.500Z";

    fn filters(value: &Value) -> ExportFilters {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn texts(broken: &[Violation]) -> Vec<String> {
        broken.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_times_are_in_the_present_month_or_the_two_before_it() {
        let of = |from: &str, to: &str| {
            texts(&range(NOW.parse().unwrap(), &filters(&json!({ "from": from, "to": to }))))
        };
        assert!(of("2025-11-01 00:00:00", "2026-01-15 12:00:00").is_empty());
        let outside = "from must be within the current and 2 previous months";
        assert_eq!(of("2025-10-31 23:59:59", "2026-01-15 12:00:00"), [outside]);
        assert_eq!(of("2026-01-01 00:00:00", "2026-01-15 12:00:01"), ["to not valid"], "it is to come");
        assert_eq!(of("2026-01-02 00:00:00", "2026-01-02 00:00:00"), ["from not valid"]);
        for wrong in ["2026-01-01", "2026-13-01 00:00:00", "2026-01-01T00:00:00", "x", ""] {
            assert_eq!(of(wrong, "2026-01-15 12:00:00"), ["from not valid"], "{wrong}");
        }
        let none = texts(&range(NOW.parse().unwrap(), &ExportFilters::default()));
        assert_eq!(none, ["from not valid", "to not valid"]);
    }

    #[test]
    fn an_older_version_has_months_and_days() {
        let of = |value: Value| texts(&month(NOW.parse().unwrap(), &filters(&value)));
        assert!(of(json!({ "year": 2025, "month": "11" })).is_empty());
        assert!(of(json!({ "year": "2026", "month": 1, "day": 15 })).is_empty());
        let outside = "month must be within the current and 2 previous months";
        assert_eq!(of(json!({ "year": 2025, "month": 10 })), [outside]);
        assert_eq!(of(json!({ "year": 2026, "month": 2 })), [outside]);
        assert_eq!(of(json!({ "month": 13, "year": 2025 })), ["month not valid"]);
        assert_eq!(of(json!({ "month": 1, "year": 2026, "day": 32 })), ["month not valid"]);
        assert_eq!(of(json!({ "month": "x" })), ["year not valid", "month not valid"]);
        let range = export_range(&filters(&json!({ "year": 2025, "month": 12 }))).unwrap();
        assert_eq!(
            [range.0, range.1].map(|at| at.to_string()),
            ["2025-12-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"]
        );
    }

    #[test]
    fn an_oldest_version_has_months_and_the_number_alone() {
        let of = |version: ApiVersion, value: Value| {
            let context = WriteContext { version, now: NOW.parse().unwrap(), ..WriteContext::of_nothing() };
            texts(&broken(&context, &ExportType::CdrIn, &filters(&value)))
        };
        for version in [ApiVersion::V2017_09_18, ApiVersion::V2021_04_19] {
            assert!(of(version, json!({ "year": "2026", "month": "01", "did_number": "1" })).is_empty());
            let day = json!({ "year": 2026, "month": 1, "day": 15 });
            assert_eq!(of(version, day.clone()), ["day not valid"], "{version}");
            assert!(of(ApiVersion::V2021_12_15, day).is_empty());
            let newer = json!({ "from": "2026-01-01 00:00:00", "to": "2026-01-02 00:00:00" });
            let expected = ["year not valid", "month not valid", "from not valid", "to not valid"];
            assert_eq!(of(version, newer), expected, "{version}");
        }
    }

    #[test]
    fn each_form_takes_what_it_says() {
        let id = json!("1dd7a68b-e235-402b-8912-fe73ee14243a");
        for (form, good, bad) in [
            (Form::Text, json!("a"), json!(["a"])),
            (Form::Text, json!(1), json!(" ")),
            (Form::Text, json!("a".repeat(255)), json!("a".repeat(256))),
            (Form::Id, id.clone(), json!([id])),
            (Form::Ids, json!([id, id]), json!([])),
            (Form::OneOf(&["Queued"]), json!("Queued"), json!("queued")),
            (Form::SomeOf(&["Email"]), json!(["Email"]), json!(["Fax"])),
            (Form::Service, json!("A2p"), json!("otp")),
        ] {
            assert!(is_valid(form, &good) && !is_valid(form, &bad), "{form:?}");
        }
    }
}
