//! The limit of bytes, and the records that several paths reach.

use didww_types::Resource as _;
use didww_types::resources::{CapacityPool, Did, VoiceOutTrunk};
use trunk_rules::domain::Rulebook;

use super::super::fixture::Fixture;
use super::*;

/// A trunk with one DID, which is in a pool.
struct Stage {
    fixture: Fixture,
    trunk: Record,
    did: Record,
    pool: Record,
}

impl Stage {
    async fn start() -> Self {
        // The trunk has only one attribute, which is too few for the rules of its type.
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let pool = fixture.insert(CapacityPool::SPEC, ("name", "Standard"), Vec::new()).await;
        let links = vec![("capacity_pool", vec![pool.id])];
        let did = fixture.insert(Did::SPEC, ("number", "37061498222"), links).await;
        let trunk = fixture.insert(VoiceOutTrunk::SPEC, ("name", "T"), vec![("dids", vec![did.id])]).await;
        Self { fixture, trunk, did, pool }
    }

    async fn include(&self, paths: &[&str], max_bytes: usize) -> Result<Vec<RecordWithLinkage>, ApiError> {
        let context = self.fixture.context();
        let mut forest = Vec::new();
        for path in paths {
            IncludeNode::add(&context, &[VoiceOutTrunk::SPEC], &mut forest, path).unwrap();
        }
        let records = vec![self.trunk.clone()];
        Ok(collect_within(&context, VoiceOutTrunk::SPEC, records, &forest, max_bytes).await?.1)
    }
}

#[tokio::test]
async fn included_records_of_too_many_bytes_are_refused() {
    let stage = Stage::start().await;
    let bytes = stage.did.attributes.len() + stage.pool.attributes.len();
    let included = stage.include(&["dids.capacity_pool"], bytes).await.unwrap();
    assert_eq!(included.len(), 2);
    let error = stage.include(&["dids.capacity_pool"], bytes - 1).await.unwrap_err();
    assert_eq!(error.status(), 400);
    assert!(error.body().contains("included records of too many bytes"), "{}", error.body());
}

#[tokio::test]
async fn a_record_counts_once_unless_a_path_includes_records_from_it() {
    let stage = Stage::start().await;
    let (did, pool) = (stage.did.attributes.len(), stage.pool.attributes.len());
    assert_eq!(stage.include(&["dids", "dids"], did).await.unwrap().len(), 1);
    assert_eq!(stage.include(&["dids", "dids.capacity_pool"], did + pool).await.unwrap().len(), 2);
}

#[test]
fn the_linkage_of_all_occurrences_of_a_record_is_merged_into_the_first() {
    let record = |n: u128| Record {
        number: 1,
        id: Uuid::from_u128(n),
        kind: Did::SPEC.name,
        revision: 0,
        attributes: "{}".to_owned(),
        meta: None,
    };
    let entry = |n, linkage| RecordWithLinkage { record: record(n), spec: Did::SPEC, linkage };
    let pool = || vec![("capacity_pools".to_owned(), Uuid::from_u128(9))];
    let merged = merge(
        [
            entry(1, Vec::new()),
            entry(2, vec![("order", Vec::new())]),
            entry(1, vec![("capacity_pool", pool())]),
            entry(1, vec![("capacity_pool", pool())]),
        ]
        .into_iter(),
    );
    let shown: Vec<_> = merged.into_iter().map(|entry| (entry.record.id.as_u128(), entry.linkage)).collect();
    assert_eq!(shown, [(1, vec![("capacity_pool", pool())]), (2, vec![("order", Vec::new())])]);
}
