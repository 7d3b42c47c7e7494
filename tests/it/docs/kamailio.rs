//! The Kamailio configuration in its recipe is the file that the tests run.

use super::pages;

#[test]
fn the_recipe_for_kamailio_prints_the_configuration_that_is_tested() {
    let config = pages::read("docs/kamailio.cfg");
    pages::hold_part("docs/recipes/kamailio.md", "kamailio", &format!("```text\n{config}```\n"));
}
