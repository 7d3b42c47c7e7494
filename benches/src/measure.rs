//! The rows of the table of figures, in order.

mod admit;
mod build;
mod calls;
mod change;
mod console;
mod create;
mod did_groups;
mod filters;
mod index;
mod journal;
mod memory;
mod order;
mod platform;
mod prism;
mod provision;
mod read;
mod scale;
mod sdk;
mod start;
mod tail;
mod token;
mod version;
mod world;

pub(crate) use admit::decisions;
pub(crate) use calls::many_calls;
pub(crate) use index::start as start_edge;
pub(crate) use memory::mixed_load;
pub(crate) use read::{first, warm_up};
pub(crate) use start::first_answer;
pub(crate) use tail::{CONNECTIONS, creates};

use crate::plan::Plan;
use crate::report::Row;
use crate::{Outcome, first_build};

type Measure = fn(&Plan, &'static str) -> Outcome<Row>;

/// The rows that a short run leaves out, because their measurements take at least a minute.
const LONG: [&str; 1] = [first_build::CLIENT_BUILD];

/// Measures every row whose name contains `only`. Of all rows, one that fails is a row that says so.
pub(crate) fn all(plan: &Plan, only: Option<&str>) -> Outcome<Vec<Row>> {
    let measures: [(&'static str, Measure); 42] = [
        ("GET of one trunk / bare axum", read::one),
        (token::READ, token::read),
        (journal::READ, journal::read),
        (version::OLDER, version::older),
        (version::FORMER, version::former),
        ("list of 50 / bare axum", read::list),
        (did_groups::LIST, did_groups::list),
        (order::ORDER, order::order),
        (create::LEAST, create::beside_least),
        (create::RAW, create::beside_raw),
        (tail::TAIL, tail::tail),
        (change::CHANGED, change::changed),
        ("GET of one trunk / Prism", prism::one),
        ("first page, large / small", scale::first_page),
        ("filter by name, large / small", scale::by_name),
        (filters::GROUPS_OF_CITY, filters::groups_of_city),
        (filters::GROUPS_WITH_FEATURE, filters::groups_with_feature),
        (filters::GROUPS_OF_AREA, filters::groups_of_area),
        (filters::CITIES_OF_COUNTRY, filters::cities_of_country),
        (filters::CITIES_OF_NAME, filters::cities_of_name),
        ("resident memory", memory::resident),
        ("start to first answer", start::process),
        ("TestServer::start", start::test_server),
        (world::LOADED, world::loaded),
        (world::SAVED, world::saved),
        ("SDK GET and decode / reqwest and serde_json", sdk::get),
        (calls::RATE, calls::rate),
        (calls::CHALLENGES, calls::challenges),
        (calls::MEMORY, calls::memory),
        (calls::STEADY, calls::steady),
        ("decision about a call", admit::decision),
        (platform::READ, platform::read),
        (platform::PLACED, platform::placed),
        (platform::MEMORY, platform::memory),
        (platform::MEMORY_AFTER_CALLS, platform::afterwards),
        (index::LOADED, index::loaded),
        (index::MEMORY, index::memory),
        (provision::PLANNED, provision::planned),
        (provision::MEMORY, provision::memory),
        (console::IDLE, console::idle),
        (first_build::CLIENT_BUILD, build::client),
        (first_build::CLIENT_CRATES, build::client_crates),
    ];
    let mut rows = Vec::new();
    for (name, measure) in measures {
        let is_left_out = plan.quick && LONG.contains(&name);
        if !is_left_out && only.is_none_or(|text| name.contains(text)) {
            eprintln!("{name} …");
            let row = match measure(plan, name) {
                Ok(row) => row,
                // The others are not lost: together they take most of an hour.
                Err(error) if only.is_none() => {
                    eprintln!("{name}: {error}");
                    Row::failed(name)
                }
                Err(error) => return Err(format!("{name}: {error}").into()),
            };
            eprintln!("{}", row.line());
            rows.push(row);
        }
    }
    Ok(rows)
}
