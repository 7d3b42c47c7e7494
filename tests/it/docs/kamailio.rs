//! The Kamailio configuration in `docs/calls.md` is the file that the tests run.

use super::pages;

#[test]
fn the_page_of_calls_prints_the_configuration_that_is_tested() {
    let config = pages::read("docs/kamailio.cfg");
    pages::hold_part("docs/calls.md", "kamailio", &format!("```text\n{config}```\n"));
}
