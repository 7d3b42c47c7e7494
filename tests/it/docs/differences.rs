//! `docs/differences.md`: the standing of each choice, and the resources that are not served yet.

use didww_types::{REGISTRY, find};

use super::pages::{hold_part, read, section};

/// The types of all versions at the address of the API. The price services have another one, `prices`.
const TYPES: [&str; 42] = [
    "address_requirement_validations",
    "address_requirements",
    "address_verifications",
    "addresses",
    "areas",
    "available_dids",
    "balances",
    "capacity_pools",
    "cities",
    "countries",
    "did_group_types",
    "did_groups",
    "did_history",
    "did_reservations",
    "dids",
    "emergency_calling_services",
    "emergency_requirement_validations",
    "emergency_requirements",
    "emergency_verifications",
    "encrypted_files",
    "exports",
    "identities",
    "nanpa_prefixes",
    "orders",
    "permanent_supporting_documents",
    "pops",
    "proof_types",
    "proofs",
    "public_keys",
    "qty_based_pricings",
    "regions",
    "sender_id_verifications",
    "shared_capacity_groups",
    "sms_trunk_groups",
    "sms_trunk_regenerate_credentials",
    "sms_trunks",
    "stock_keeping_units",
    "supporting_document_templates",
    "voice_in_trunk_groups",
    "voice_in_trunks",
    "voice_out_trunk_regenerate_credentials",
    "voice_out_trunks",
];

#[test]
fn every_choice_says_whether_it_is_documented_or_inferred() {
    let page = read("docs/differences.md");
    let choices = section(&page, "## Choices");
    let rows = choices.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- "));
    let mut count = 0;
    for row in rows.filter(|row| !row.starts_with("| point ")) {
        let standing = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap().trim();
        assert!(["documented", "inferred"].contains(&standing), "{row}");
        count += 1;
    }
    assert!(count > 30, "{count} choices were found");
}

#[test]
fn the_types_that_are_not_served_are_listed_as_waiting() {
    for spec in REGISTRY {
        assert!(TYPES.contains(&spec.name), "{} is no type of the API", spec.name);
    }
    let waiting: Vec<&str> = TYPES.into_iter().filter(|name| find(name).is_none()).collect();
    let (mut text, mut width) = (String::new(), 0);
    for (index, name) in waiting.iter().enumerate() {
        let word = format!("`{name}`{}", if index + 1 < waiting.len() { "," } else { "." });
        let fits = width > 0 && width + 1 + word.len() <= 120;
        if width > 0 {
            text.push(if fits { ' ' } else { '\n' });
        }
        width = if fits { width + 1 + word.len() } else { word.len() };
        text.push_str(&word);
    }
    hold_part("docs/differences.md", "waiting", &format!("{text}\n"));
}
