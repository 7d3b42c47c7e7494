//! Files with the records of calls and text messages: `exports`, which were `cdr_exports` up to 2021-04-19.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::former_words::{capitalised, rewrite};
use super::{CallbackMethod, VoiceOutTrunk};
use crate::enumeration::string_enum;
use crate::values::{AbsoluteCallbackUrl, CallbackUrl, ExternalReference, FormerCallbackMethod};
use crate::{
    Adapter, ApiVersion, Attribute, Extra, Flaw, Id, Kind, NotRepresentable, Resource, Timestamp, Violation,
};

string_enum! {
    /// The kind of records in a file.
    ExportType {
        /// Those of inbound calls.
        CdrIn = "cdr_in",
        /// Those of outbound calls.
        CdrOut = "cdr_out",
        /// Those of received text messages.
        SmsIn = "sms_in",
        /// Those of sent text messages.
        SmsOut = "sms_out",
    }
}

string_enum! {
    /// The texts of [`ExportType`] up to 2026-04-16.
    CallExportType {
        /// Those of inbound calls.
        CdrIn = "cdr_in",
        /// Those of outbound calls.
        CdrOut = "cdr_out",
    }
}

string_enum! {
    /// The status of a file.
    ExportStatus {
        /// The file is not begun.
        Pending = "pending",
        /// The file is being made.
        Processing = "processing",
        /// The file can be downloaded.
        Completed = "completed",
    }
}

string_enum! {
    /// The texts of [`ExportStatus`] in 2022-05-10.
    CapitalisedExportStatus {
        /// The file is not begun.
        Pending = "Pending",
        /// The file is being made.
        Processing = "Processing",
        /// The file can be downloaded.
        Completed = "Completed",
    }
}

/// The filters of the records in a file: an object of texts, numbers and lists of texts. Its members depend on the
/// type and the version.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::resources::ExportFilters;
/// let filters = ExportFilters::between("2026-11-01T00:00:00Z".parse()?, "2026-11-02T00:00:00Z".parse()?);
/// let filters = filters.with("did_number", "12025550143");
/// assert_eq!(filters.get("from").and_then(|from| from.as_str()), Some("2026-11-01 00:00:00"));
/// # Ok::<(), didww_types::TimestampError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportFilters(Map<String, Value>);

/// Maximum number of members. No source states a limit; the most that a type has is 12.
const MAX_MEMBERS: usize = 50;

impl ExportFilters {
    /// Records from a time on and before another, both by the second, in UTC. The times must be in the present month or
    /// the two before it.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self::default().with("from", second(from)).with("to", second(to))
    }

    /// Records of a month, before 2026-04-16.
    pub fn month(year: u16, month: u8) -> Self {
        Self::default().with("year", year).with("month", month)
    }

    /// Adds a filter, such as `did_number` of inbound calls, by its name in the API.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Records of calls through an outbound trunk.
    #[must_use]
    pub fn voice_out_trunk(self, trunk: &Id<VoiceOutTrunk>) -> Self {
        self.with("voice_out_trunk.id", trunk.as_str())
    }

    /// A filter, by its name in the API.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The filters, in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// A time as the filters have it, such as `2026-11-01 00:00:00`.
fn second(at: Timestamp) -> String {
    let text = at.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{} {}", part(0, 10), part(11, 19))
}

/// The filters with their times in the form that answers have. Official SDKs send ISO 8601. A text that names no
/// instant is kept, for the rules to refuse.
fn in_utc(mut members: Map<String, Value>) -> Map<String, Value> {
    for name in ["from", "to"] {
        if let Some(Value::String(text)) = members.get_mut(name)
            && let Some(at) = instant(text)
        {
            *text = second(at);
        }
    }
    members
}

/// A day and a time of ISO 8601, with a `T` or a space between them. It is in UTC unless it names an offset.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().or_else(|_| format!("{text}Z").parse()).ok()
}

impl Attribute for ExportFilters {
    const KIND: Kind = Kind::Object;

    /// Answers of 2021-12-15 and 2022-05-10 do not have them.
    fn when_missing() -> Option<Self> {
        Some(Self::default())
    }

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let is_plain = |value: &Value| value.is_string() || value.is_number();
        match sent {
            Value::Object(members) if members.len() > MAX_MEMBERS => {
                Err(Violation::TooMany(MAX_MEMBERS).into())
            }
            Value::Object(members) => {
                let is_valid = members.values().all(|value| match value {
                    Value::Array(items) => items.iter().all(is_plain),
                    value => is_plain(value),
                });
                if is_valid {
                    Ok(Value::Object(in_utc(members.clone())))
                } else {
                    Err(Violation::Invalid.into())
                }
            }
            Value::Null => Err(Violation::Blank.into()),
            _ => Err(Violation::Invalid.into()),
        }
    }
}

/// A file with records, which the service makes and keeps for a month.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "exports",
    since = "2017-09-18",
    verbs(list, get, create, update(since = "2026-04-16")),
    formerly(name = "cdr_exports", until = "2021-04-19", downloads = ".csv"),
    adapter = OLDER,
    callback_on("completed"),
    callback_with("url"),
    downloads = ".csv.gz"
)]
#[filter(name = "created_at_gteq", created_from, since = "2026-11-19", value = Timestamp)]
#[filter(name = "created_at_lteq", created_until, since = "2026-11-19", value = Timestamp)]
#[filter(name = "export_type", equals = "export_type", list, since = "2026-11-19", value = ExportType)]
#[filter(name = "id", id, list, value = Id<Export>)]
#[filter(name = "status", equals = "status", list, since = "2026-11-19", value = ExportStatus)]
#[non_exhaustive]
pub struct Export {
    /// The export's id, a UUID that the service chose.
    pub id: Id<Export>,
    /// The kind of records in the file. Records of text messages exist since 2026-11-19. Up to 2021-04-19 every file
    /// has inbound calls.
    #[attr(
        create = required(1),
        since = "2021-12-15",
        value = CallExportType,
        revised(since = "2026-11-19", value = ExportType)
    )]
    pub export_type: ExportType,
    /// The filters of the records in the file. 2021-12-15 and 2022-05-10 do not return them: they are empty then.
    #[attr(create = required(2), shown_since = "2026-04-16", shown_until = "2021-04-19")]
    pub filters: ExportFilters,
    /// The status of the file.
    #[attr(
        sort,
        default = "pending",
        value = CapitalisedExportStatus,
        revised(since = "2026-04-16", value = ExportStatus)
    )]
    pub status: ExportStatus,
    /// The address of the file, once it is completed.
    #[attr]
    pub url: Option<String>,
    /// The URL that is notified when the file is completed. It needs `callback_method`.
    #[attr(
        create,
        since = "2021-04-19",
        value = Option<AbsoluteCallbackUrl>,
        revised(since = "2026-04-16", value = Option<CallbackUrl>)
    )]
    pub callback_url: Option<CallbackUrl>,
    /// The HTTP method of the notification. It needs `callback_url`.
    #[attr(
        create,
        since = "2021-04-19",
        value = Option<FormerCallbackMethod>,
        revised(since = "2026-04-16", value = Option<CallbackMethod>)
    )]
    pub callback_method: Option<CallbackMethod>,
    /// The export's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The time at which the export was requested. The API's documents permit null.
    #[attr(sort)]
    pub created_at: Option<Timestamp>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10 the status is a capitalised word, and the method of callbacks is in capital letters. Up to
/// 2021-04-19 there is no type: every file has inbound calls, and the values of filters are shown as texts, also those
/// that were sent as numbers.
static OLDER: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |version, attributes| {
        rewrite(attributes, "status", capitalised);
        rewrite(attributes, "callback_method", str::to_uppercase);
        if has_no_type(version) {
            attributes.remove(EXPORT_TYPE);
            let filters = attributes.get_mut(FILTERS).and_then(Value::as_object_mut);
            for value in filters.into_iter().flat_map(Map::values_mut) {
                if value.is_number() {
                    *value = Value::String(value.to_string());
                }
            }
        }
    },
    to_canonical: |version, attributes| {
        rewrite(attributes, "status", str::to_lowercase);
        rewrite(attributes, "callback_method", str::to_lowercase);
        if has_no_type(version) {
            attributes.insert(EXPORT_TYPE.to_owned(), ExportType::CdrIn.as_str().into());
        }
    },
    not_representable: |version, attributes| {
        let kind = attributes.get(EXPORT_TYPE).and_then(Value::as_str);
        if has_no_type(version) && kind.is_some_and(|kind| kind != ExportType::CdrIn.as_str()) {
            let reason = "the version has files of inbound calls alone";
            return Some(NotRepresentable { attribute: EXPORT_TYPE, reason });
        }
        let is_newer = attributes.get(FILTERS)?.get("from").is_some();
        is_newer.then_some(NotRepresentable { attribute: FILTERS, reason: "the version has months alone" })
    },
};

const EXPORT_TYPE: &str = "export_type";
const FILTERS: &str = "filters";

/// Whether the exports of a version have no type.
fn has_no_type(version: ApiVersion) -> bool {
    version <= ApiVersion::V2021_04_19
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_have_at_most_50_members_each_a_text_a_number_or_a_list_of_them() {
        let filters = |members: usize| {
            let named: Map<String, Value> =
                (0..members).map(|number| (number.to_string(), json!("x"))).collect();
            ExportFilters::validate(&Value::Object(named))
        };
        assert!(filters(50).is_ok());
        assert_eq!(filters(51), Err(Vec::from(Violation::TooMany(50))));
        assert!(ExportFilters::validate(&json!({ "a": "x", "b": 1, "c": ["x", 1], "d": [] })).is_ok());
        for wrong in [json!(true), Value::Null, json!({}), json!([[]]), json!([null])] {
            let refused = ExportFilters::validate(&json!({ "a": wrong }));
            assert_eq!(refused, Err(Vec::from(Violation::Invalid)), "{wrong}");
        }
    }
    #[test]
    fn times_of_filters_are_read_as_iso_8601_and_written_by_the_second_in_utc() {
        for (sent, kept) in [
            ("2026-11-01 00:00:00", "2026-11-01 00:00:00"),
            ("2026-11-01T00:00:00", "2026-11-01 00:00:00"),
            ("2026-11-01T00:00:00.000Z", "2026-11-01 00:00:00"),
            ("2026-11-01T00:00:59.999Z", "2026-11-01 00:00:59"),
            ("2026-11-01T00:00:00+02:00", "2026-10-31 22:00:00"),
            ("2026-11-01", "2026-11-01"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            let filters = |text: &str| json!({ "from": text, "to": text });
            assert_eq!(ExportFilters::validate(&filters(sent)), Ok(filters(kept)), "{sent}");
        }
        let others = json!({ "did_number": "2026-11-01T00:00:00Z", "from": 2026 });
        assert_eq!(ExportFilters::validate(&others), Ok(others));
    }
}
