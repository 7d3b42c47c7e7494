//! A trunk, and a call through it, for unit tests.

use std::sync::Arc;

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use serde_json::{Value, json};
use trunk_rules::carrier::{
    AccountDids, Admitted, Checks, Cli, Digits, Identified, Rate, TrunkLinks, TrunkTerms,
};

/// A trunk that admits every caller of 127.0.0.0/8, with these further attributes.
pub(crate) fn trunk(further: &Value) -> Arc<TrunkTerms> {
    let mut attributes = json!({
        "name": "trunk", "status": "active", "on_cli_mismatch_action": "reject_call",
        "created_at": "2026-01-01T00:00:00.000Z", "allow_any_did_as_cli": false, "threshold_reached": false,
        "media_encryption_mode": "disabled", "default_dst_action": "allow_all", "dst_prefixes": [],
        "rtp_ping": true, "force_symmetric_rtp": false,
        "authentication_method": {
            "type": "ip_only", "attributes": { "allowed_sip_ips": ["127.0.0.0/8"], "tech_prefix": null }
        }
    });
    for (name, value) in further.as_object().unwrap() {
        attributes[name] = value.clone();
    }
    let object = json!({
        "type": "voice_out_trunks", "id": "t", "attributes": attributes, "meta": { "spent_amount": "0" }
    });
    let trunk = VoiceOutTrunk::decode(serde_json::from_value(object).unwrap()).unwrap();
    let dids = AccountDids::default();
    Arc::new(TrunkTerms::new(&trunk, &TrunkLinks::default(), "1".into(), &dids, "realm").unwrap())
}

/// A call to a number of London through a trunk, with the same number as its caller.
pub(crate) fn admitted(rate: Option<Rate>) -> Admitted {
    let number = || "442012345678".to_owned();
    let cli =
        Cli { original: number(), presented: number(), action: None, diverted: false, restricted: false };
    Admitted {
        trunk: trunk(&json!({})),
        identified: Identified::Address,
        dialled: number(),
        destination: Digits::parse(number().as_bytes()).unwrap(),
        cli,
        emergency: None,
        media: None,
        rate,
        passed: Checks::default(),
    }
}
