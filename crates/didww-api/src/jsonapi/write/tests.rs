//! The bound on the members of an inverse relationship.

use didww_types::Resource as _;
use didww_types::resources::{Did, SharedCapacityGroup};
use trunk_rules::domain::Rulebook;

use super::super::fixture::Fixture;
use super::*;

#[tokio::test]
async fn an_inverse_relationship_with_more_members_than_a_request_may_change_is_422() {
    let fixture = Fixture::start(Rulebook::DIDWW).await;
    let group = fixture.insert(SharedCapacityGroup::SPEC, ("name", "A"), Vec::new()).await;
    for number in ["37061498222", "37061498223", "37061498224"] {
        let links = vec![(Did::SHARED_CAPACITY_GROUP.as_str(), vec![group.id])];
        fixture.insert(Did::SPEC, ("number", number), links).await;
    }
    let context = fixture.context();
    let spec = SharedCapacityGroup::SPEC;
    let dids = spec.relationship("dids").unwrap();
    let all = members_to_change(&context, spec, &group, dids, 3).await.ok().unwrap();
    assert_eq!(all.len(), 3);
    let Err(AttemptError::Other(error)) = members_to_change(&context, spec, &group, dids, 2).await else {
        panic!("not refused")
    };
    assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let body = error.body();
    assert!(body.contains("dids has more than 2 members; change each of them by itself"), "{body}");
}
