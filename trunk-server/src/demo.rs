//! The demo data of a new database: DIDs with their groups, and a callback secret.

use uuid::Uuid;

use control_plane::{Control, ControlError, NewCallbackSecret, NewDid, RecordMembers};
use didww_types::Secret;
use serde_json::json;

/// A DID group of the demo, with its numbers.
struct Group {
    area_name: &'static str,
    prefix: &'static str,
    number_type: &'static str,
    features: &'static [&'static str],
    /// Numbers and notes. Where a country reserves number ranges for fiction, the numbers are from these.
    dids: &'static [(&'static str, &'static str)],
}

const CALLS: &[&str] = &["voice_in", "voice_out", "t38"];

const GROUPS: [Group; 5] = [
    Group {
        area_name: "Washington",
        prefix: "202",
        number_type: "local",
        features: &["voice_in", "voice_out", "t38", "sms_in", "emergency", "cnam_out"],
        dids: &[("12025550143", "Washington, main line"), ("12025550171", "Washington, support")],
    },
    Group {
        area_name: "London",
        prefix: "20",
        number_type: "local",
        features: CALLS,
        dids: &[("442079460018", "London")],
    },
    Group {
        area_name: "Sydney",
        prefix: "2",
        number_type: "local",
        features: CALLS,
        dids: &[("61255501234", "Sydney")],
    },
    Group {
        area_name: "Paris",
        prefix: "1",
        number_type: "local",
        features: CALLS,
        dids: &[("33199001234", "Paris")],
    },
    Group {
        area_name: "Mobile",
        prefix: "6",
        number_type: "mobile",
        features: &["voice_in", "voice_out", "sms_in", "p2p"],
        dids: &[("37061498222", "Vilnius")],
    },
];

/// Adds six DIDs to an account, the first with emergency calling, their DID groups, and a callback secret: the
/// configured one or a random one. Returns the secret.
pub(crate) async fn fill(
    control: &Control,
    account: Uuid,
    secret: Option<Secret>,
) -> Result<Secret, ControlError> {
    let mut dids = Vec::new();
    for group in &GROUPS {
        let members = RecordMembers::default()
            .attribute("area_name", group.area_name)
            .attribute("prefix", group.prefix)
            .attribute("number_type", group.number_type)
            .attribute("features", json!(group.features))
            .attribute("allow_additional_channels", true)
            .attribute("is_demo", true);
        let id = control.put_record(None, "did_groups", None, members).await?;
        dids.extend(
            group.dids.iter().map(|(number, note)| NewDid::new(*number).description(*note).did_group(id)),
        );
    }
    if let Some(first) = dids.first_mut() {
        first.emergency_enabled = true;
    }
    control.add_dids(account, dids).await?;
    let new = secret.map_or_else(NewCallbackSecret::default, NewCallbackSecret::of);
    Ok(control.add_callback_secret(account, new).await?.secret)
}
