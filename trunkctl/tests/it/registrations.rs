//! Declared identities and addresses: records without names, with members that can be set in a new record alone.

use trunk_server::control::RecordMembers;
use trunk_server::lab::Fault;

use crate::support::Service;

const OFFICE: &str = r#"
owner = "netops"

[identities.Ann]
identity_type = "personal"
first_name = "Ann"
last_name = "Lee"
phone_number = "442071234567"
birth_date = 1970-01-31

[addresses.office]
identity = "Ann"
country = "Germany"
city_name = "Berlin"
postal_code = "10115"
address = "Long street 1"
"#;

const RESERVED: &str = r#"
owner = "netops"

[did_reservations.mine]
available_did = "0a161808-bb05-42b1-8398-7888abdfa9ef"
"#;

/// A service with two countries.
fn service() -> Service {
    let service = Service::start();
    for (name, iso) in [("Germany", "DE"), ("France", "FR")] {
        let country = RecordMembers::default().attribute("name", name).attribute("iso", iso);
        let control = service.server.control();
        service.runtime.block_on(control.put_record(None, "countries", None, country)).unwrap();
    }
    service
}

#[test]
fn an_address_of_an_identity_is_as_declared_after_it_was_made() {
    let service = service();
    let file = service.file("office.toml", OFFICE);
    let applied = service.run(&["apply", "-f", &file, "--yes"]);
    assert!(applied.err.contains("applied: 2 of 2"), "{}{}", applied.out, applied.err);
    let plan = service.run(&["plan", "-f", &file, "--detailed-exitcode"]).ok();
    assert_eq!(plan, "nothing to do: 2 records are as declared\n");

    let moved = OFFICE.replace("Long street 1", "Short street 2");
    let file = service.file("moved.toml", &moved);
    let plan = service.run(&["plan", "-f", &file]).ok();
    assert!(plan.contains("0 to create, 1 to update") && !plan.contains("country"), "{plan}");
    service.run(&["apply", "-f", &file, "--yes"]).ok();
    service.run(&["drift", "-f", &file]).ok();

    // What a request cannot change is refused where it differs.
    let abroad = service.file("abroad.toml", &OFFICE.replace("Germany", "France"));
    let refused = service.run(&["plan", "-f", &abroad]).fails(6);
    assert!(refused.contains("addresses.office:\n    country: cannot be changed"), "{refused}");
}

#[test]
fn what_the_deletion_of_another_record_has_deleted_is_deleted() {
    let service = service();
    service.run(&["apply", "-f", &service.file("office.toml", OFFICE), "--yes"]).ok();
    // As if the identity was deleted first, and its address with it.
    service.server.fault(Fault::status(404).method("DELETE").path("/v3/addresses/*"));
    let empty = service.file("empty.toml", "owner = \"netops\"\n");
    let applied = service.run(&["apply", "-f", &empty, "--yes", "--prune"]);
    assert!(applied.err.contains("applied: 2 of 2"), "{}{}", applied.out, applied.err);
    assert_eq!(service.run(&["addresses", "list", "-o", "id"]).ok(), "");
}

#[test]
fn a_record_that_no_plan_would_find_again_is_not_made() {
    let service = service();
    let ownerless = service.file("ownerless.toml", &OFFICE.replace("owner = \"netops\"", ""));
    let refused = service.run(&["apply", "-f", &ownerless, "--yes"]).fails(6);
    assert!(refused.contains("identities.Ann: identities have no name"), "{refused}");
    assert!(refused.contains("add an `owner`"), "{refused}");
    assert_eq!(service.run(&["identities", "list", "-o", "id"]).ok(), "");
    let reserved = service.file("reserved.toml", RESERVED);
    let refused = service.run(&["plan", "-f", &reserved]).fails(6);
    assert!(refused.contains("`trunkctl did-reservations create`"), "{refused}");
}
