//! What is told of a trunk.

use didww_types::Timestamp;
use didww_types::callback::TrunkEvent;
use didww_types::resources::VoiceOutTrunkStatus;
use serde_json::{Map, Value};
use uuid::Uuid;

use trunk_store::{EventForm, NewEvent};

/// The event that tells a trunk's state, to be written together with it; none when the trunk has no callback URL.
///
/// `attributes` are the trunk's after the change, and the pair is whether it is blocked, and whether its threshold is
/// reached.
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
    // Two texts, an enumeration, a switch and a time: nothing in it can fail to be written.
    let body = serde_json::to_string(&event).ok()?;
    Some(NewEvent { form: EventForm::Trunk { account }, subject: trunk, url, body, created_at: now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_written_as_it_is_documented() {
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
    fn a_trunk_without_a_callback_url_is_not_told_of() {
        for attributes in [json!({}), json!({ "callback_url": null })] {
            let attributes = attributes.as_object().unwrap();
            let at = Timestamp::from_unix_millis(0);
            assert_eq!(trunk_event(1, Uuid::nil(), attributes, (false, false), at), None);
        }
    }
}
