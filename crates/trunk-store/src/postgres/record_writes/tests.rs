//! The plans of the check that nothing links to a record, on a server with many links.

#[path = "../../../tests/it/support/postgres/local_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "the other tests of the crate use the rest")]
mod local_server;

use local_server::Server;

use super::{LINKED, LOCK};

const TABLES: &str = include_str!("../schema/02_records.sql");

/// 30,000 records of three accounts. Of these, 10,000 have two links each, to the others.
const FILL: &str = "INSERT INTO record SELECT n, 1 + n % 3, 1, gen_random_uuid(), 1, 0, '{}', NULL \
                    FROM generate_series(1, 30000) n; \
                    INSERT INTO link SELECT n, 1 + n % 10000, 1 + n % 4, 10001 + n % 20000 \
                    FROM generate_series(1, 20000) n; \
                    ANALYZE record; ANALYZE link";

#[test]
fn the_check_for_links_searches_indexes_for_any_number_of_targets() {
    let server = Server::start();
    let database = server.create_database(None);
    server.execute(&database, TABLES);
    server.execute(&database, FILL);
    let plan = |statement: &str, types: &str, arguments: &str| {
        let explain =
            format!("PREPARE checked ({types}) AS {statement}; EXPLAIN EXECUTE checked ({arguments})");
        server.execute(&database, &explain)
    };
    let of_ids = plan(LOCK, "uuid[]", "ARRAY[gen_random_uuid(), gen_random_uuid()]");
    assert!(of_ids.contains("record_id") && !of_ids.contains("Seq Scan"), "{of_ids}");
    for targets in [1, 100, 1000] {
        // Parameters cannot be queries.
        let numbers = |number: fn(u32) -> u32| {
            let values: Vec<String> = (1..=targets).map(|n| number(n).to_string()).collect();
            format!("'{{{}}}'", values.join(","))
        };
        let are_shared: Vec<&str> = (1..=targets).map(|n| if n % 2 == 0 { "t" } else { "f" }).collect();
        let arguments = [
            numbers(|n| 10_000 + n),
            numbers(|n| 1 + n % 4),
            numbers(|n| 1 + n % 3),
            format!("'{{{}}}'", are_shared.join(",")),
        ];
        let arguments = arguments.join(", ");
        let of_links = plan(LINKED, "int8[], int8[], int8[], bool[]", &arguments);
        assert!(of_links.contains("link_target") && !of_links.contains("Seq Scan"), "{targets}: {of_links}");
        assert!(of_links.contains("(target = g.target)"), "{targets}: {of_links}");
    }
    server.drop_database(&database);
}
