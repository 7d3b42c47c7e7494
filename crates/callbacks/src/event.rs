//! The event of a trunk's callback.

use didww_types::Timestamp;
use didww_types::callback::TrunkEvent;
use didww_types::resources::VoiceOutTrunkStatus;
use serde_json::{Map, Value};
use trunk_store::{EventForm, NewEvent};
use uuid::Uuid;

/// Makes the event that reports a trunk's state. The caller stores it in the transaction that changes the
/// state. Returns `None` if the trunk has no callback URL.
///
/// `attributes` are the trunk's attributes after the change. The pair is whether the trunk is blocked, and
/// whether its spending threshold is reached.
pub fn trunk_event(
    account: i64,
    trunk: Uuid,
    attributes: &Map<String, Value>,
    (blocked, threshold_reached): (bool, bool),
    now: Timestamp,
) -> Option<NewEvent> {
    let url = attributes.get("callback_url")?.as_str()?.to_owned();
    let status = if blocked { VoiceOutTrunkStatus::Blocked } else { VoiceOutTrunkStatus::Active };
    let event = TrunkEvent::new(trunk.to_string().into(), status, threshold_reached, now);
    // Two strings, an enumeration, a boolean and a time: serialising them cannot fail.
    let body = serde_json::to_string(&event).ok()?;
    Some(NewEvent { form: EventForm::Trunk { account }, subject: trunk, url, body, created_at: now })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_the_documented_form() {
        let attributes = json!({ "callback_url": "http://example.com/callbacks" });
        let id = "f36d1d17-bd16-42b9-af42-0cfe166bf3ec".parse().unwrap();
        let at = "2017-06-25T08:21:41.795Z".parse().unwrap();
        let event = trunk_event(7, id, attributes.as_object().unwrap(), (true, true), at).unwrap();
        let documented = include_str!("../../../fixtures/callbacks/trunk_blocked.json");
        assert_eq!(format!("[{}]", event.body), documented.trim());
        assert_eq!(event.form, EventForm::Trunk { account: 7 });
        assert_eq!((event.subject, event.created_at), (id, at));
    }

    #[test]
    fn a_trunk_without_a_callback_url_has_no_event() {
        for attributes in [json!({}), json!({ "callback_url": null })] {
            let attributes = attributes.as_object().unwrap();
            let at = Timestamp::from_unix_millis(0);
            assert_eq!(trunk_event(1, Uuid::nil(), attributes, (false, false), at), None);
        }
    }
}
