//! The rows of the table of figures, in order.

mod admit;
mod calls;
mod create;
mod index;
mod journal;
mod memory;
mod platform;
mod prism;
mod read;
mod scale;
mod sdk;
mod start;
mod token;

pub(crate) use memory::mixed_load;
pub(crate) use read::{first, warm_up};
pub(crate) use start::first_answer;

use crate::Outcome;
use crate::plan::Plan;
use crate::report::Row;

type Measure = fn(&Plan, &'static str) -> Outcome<Row>;

/// Measures every row whose name contains `only`.
pub(crate) fn all(plan: &Plan, only: Option<&str>) -> Outcome<Vec<Row>> {
    let measures: [(&'static str, Measure); 22] = [
        ("GET of one trunk / bare axum", read::one),
        (token::READ, token::read),
        (journal::READ, journal::read),
        ("list of 50 / bare axum", read::list),
        ("durable POST / raw inserts", create::durable),
        ("GET of one trunk / Prism", prism::one),
        ("first page, large / small", scale::first_page),
        ("filter by name, large / small", scale::by_name),
        ("resident memory", memory::resident),
        ("start to first answer", start::process),
        ("TestServer::start", start::test_server),
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
    ];
    let mut rows = Vec::new();
    for (name, measure) in measures {
        if only.is_none_or(|text| name.contains(text)) {
            eprintln!("{name} …");
            let row = measure(plan, name).map_err(|error| format!("{name}: {error}"))?;
            eprintln!("{}", row.line());
            rows.push(row);
        }
    }
    Ok(rows)
}
