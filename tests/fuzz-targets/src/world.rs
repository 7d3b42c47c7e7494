//! The file of a world.

use trunk_server::control::{World, scenario};

use crate::fixtures;

/// The smaller scenarios, the examples of the documentation, and further members.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let small = ["one-trunk", "blocked-by-threshold", "two-accounts"];
    let mut seeds: Vec<Vec<u8>> =
        small.into_iter().filter_map(scenario).map(|one| one.text.as_bytes().to_vec()).collect();
    let page = std::fs::read_to_string(fixtures::root().join("docs/worlds.md")).unwrap_or_default();
    for tag in ["```json\n", "```toml\n"] {
        let blocks = page.split(tag).skip(1).filter_map(|rest| rest.split("```").next());
        seeds.extend(blocks.map(|block| block.as_bytes().to_vec()));
    }
    let method = r#"{ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["10.1.2.3/8"], "tech_prefix": "1#",
        "username": "u", "password": "(hidden)" } }"#;
    let host = r#"{ "type": "sip_configurations", "attributes": { "host": "a.example", "port": 5060 } }"#;
    let phone = r#"{ "type": "pstn_configurations", "attributes": { "dst": "442079460018" } }"#;
    let group = r#"{ "area_name": "A" }, "meta": { "is_available": true, "total_count": 3 }"#;
    seeds.push(
        format!(
            r#"{{ "shared": {{ "did_groups": [{{ "id": "6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10", "attributes": {group} }}] }},
            "accounts": [{{ "name": "A", "rate_limit": 0, "record_quota": 5, "keys": [{{ "sha256": "{}",
            "allowed_addresses": ["10.0.0.1"], "environment": "sandbox" }}], "records": {{
            "voice_in_trunks": [{{ "attributes": {{ "name": "I", "configuration": {host} }} }},
            {{ "attributes": {{ "name": "P", "configuration": {phone} }} }}],
            "voice_out_trunks": [{{ "attributes": {{ "name": "O", "on_cli_mismatch_action": "reject_call",
            "threshold_amount": null, "dst_prefixes": ["44"], "authentication_method": {method} }} }}],
            "balances": [{{ "attributes": {{ "balance": "60.0" }} }}] }} }}] }}"#,
            "0f".repeat(32)
        )
        .into_bytes(),
    );
    seeds
}

/// A saved world can be loaded, and is the same then.
pub fn world(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in [World::from_json(text), World::from_toml(text)] {
        match read {
            Ok(world) => {
                let written = world.to_json();
                let again = World::from_json(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
                assert_eq!(again.to_json(), written);
            }
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
}
