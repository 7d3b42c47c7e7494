//! What a client repeats in a parameter.

use trunk_rules::domain::Rulebook;

use super::super::fixture::Fixture;
use super::*;

#[tokio::test]
async fn a_field_that_is_named_a_thousand_times_is_looked_for_once() {
    let fixture = Fixture::start(Rulebook::new(&[])).await;
    let pairs = [("fields[dids]".to_owned(), "id,number,".repeat(1_000))];
    let fields = fields(&fixture.context(), &pairs).unwrap();
    assert_eq!(fields, [("dids", vec!["id".to_owned(), "number".to_owned()])]);
}
