//! Finds the DID of a called number, and the trunks that it is routed to.

use std::sync::Arc;

use didww_types::resources::{
    Did, DidFeature, DidGroup, SharedCapacityGroup, VoiceInTrunk, VoiceInTrunkGroup,
};
use didww_types::{FilterTest, Id, Resource};
use service_core::Core;
use trunk_store::account::Account;
use trunk_store::{Condition, IndexValue, ListQuery, Record, Scope, StoreError};
use uuid::Uuid;

/// The attribute by which a DID is searched.
const NUMBER: &str = Did::SPEC.attribute_name("number");
/// Maximum number of trunks that are read of a group. It can have 10.
const MAX_TRUNKS: usize = 100;

/// A DID and its route.
#[derive(Debug)]
pub(crate) struct Route {
    /// The id of the account.
    pub(crate) account: Uuid,
    /// The record of the DID as it was read.
    pub(crate) did: Record,
    /// The decoded attributes of the record.
    pub(crate) number: Did,
    /// The features of the DID's group; `None` if it has no group.
    pub(crate) features: Option<Vec<DidFeature>>,
    /// The name of the group of DIDs with which the DID shares channels.
    pub(crate) capacity_group: Option<String>,
    pub(crate) to: Destinations,
}

/// The destinations of the calls to a DID.
#[derive(Debug)]
pub(crate) enum Destinations {
    /// The DID has no trunk.
    None,
    /// The trunk of the DID.
    Trunk(Box<Trunk>),
    /// The group of the DID, and its trunks in the order in which they were stored.
    Group(Group, Vec<Trunk>),
}

/// The group of trunks to which a DID is routed.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// The maximum number of simultaneous calls.
    pub(crate) limit: Option<u64>,
}

/// A trunk with its id.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) id: Uuid,
    pub(crate) stored: VoiceInTrunk,
}

/// The limit of an attribute `capacity_limit`.
pub(crate) fn limit(attribute: Option<didww_types::values::CapacityLimit>) -> Option<u64> {
    attribute.map(|limit| u64::try_from(limit.get()).unwrap_or_default())
}

/// Finds the DID with a number, in this account or in whichever has it, and its route.
///
/// # Errors
/// If the store cannot be read, or a record is corrupt.
pub(crate) async fn find(
    core: &Core,
    account: Option<Uuid>,
    number: &str,
) -> Result<Option<Route>, StoreError> {
    let found = match account {
        Some(id) => of_account(core, id, number).await?,
        None => of_any_account(core, number).await?,
    };
    let Some((account, did)) = found else { return Ok(None) };
    let to = destinations(core, account.number, &did).await?;
    let features = features(core, account.number, &did).await?;
    let capacity_group = capacity_group(core, account.number, &did).await?;
    let number = decoded::<Did>(&did)?;
    Ok(Some(Route { account: account.id, did, number, features, capacity_group, to }))
}

/// The DID with a number, if this account has it.
async fn of_account(
    core: &Core,
    id: Uuid,
    number: &str,
) -> Result<Option<(Arc<Account>, Record)>, StoreError> {
    let Some(account) = core.store.account(id).await? else { return Ok(None) };
    let did = did(core, account.number, number).await?;
    Ok(did.map(|did| (account, did)))
}

/// The DID with a number, which belongs to one account: the index of values that are unique among all accounts finds
/// it.
async fn of_any_account(core: &Core, number: &str) -> Result<Option<(Arc<Account>, Record)>, StoreError> {
    let Some((owner, did)) = core.store.claimant(Did::SPEC, NUMBER, number.to_owned()).await? else {
        return Ok(None);
    };
    let account = core.store.account_numbered(owner).await?;
    Ok(account.map(|account| (account, did)))
}

/// The DID of an account with a number.
async fn did(core: &Core, account: i64, number: &str) -> Result<Option<Record>, StoreError> {
    let condition =
        Condition { test: FilterTest::Equals(NUMBER), values: vec![IndexValue::Text(number.to_owned())] };
    let query = ListQuery {
        scope: Scope { account, spec: Did::SPEC },
        linked_from: None,
        conditions: vec![condition],
        order: Vec::new(),
        offset: 0,
        limit: 1,
    };
    Ok(core.store.list(query).await?.records.into_iter().next())
}

/// The features of a DID's group.
async fn features(core: &Core, account: i64, did: &Record) -> Result<Option<Vec<DidFeature>>, StoreError> {
    let (dids, groups) = (Scope { account, spec: Did::SPEC }, Scope { account, spec: DidGroup::SPEC });
    let group = members(core, dids, did.number, Did::DID_GROUP.as_str(), 1).await?;
    let Some(group) = core.store.find_all(groups, group).await?.into_iter().next() else { return Ok(None) };
    Ok(Some(decoded::<DidGroup>(&group)?.features.as_slice().to_vec()))
}

/// The name of the group of DIDs with which a DID shares channels.
async fn capacity_group(core: &Core, account: i64, did: &Record) -> Result<Option<String>, StoreError> {
    let dids = Scope { account, spec: Did::SPEC };
    let groups = Scope { account, spec: SharedCapacityGroup::SPEC };
    let group = members(core, dids, did.number, Did::SHARED_CAPACITY_GROUP.as_str(), 1).await?;
    let Some(group) = core.store.find_all(groups, group).await?.into_iter().next() else { return Ok(None) };
    Ok(Some(decoded::<SharedCapacityGroup>(&group)?.name))
}

async fn destinations(core: &Core, account: i64, did: &Record) -> Result<Destinations, StoreError> {
    let dids = Scope { account, spec: Did::SPEC };
    let groups = Scope { account, spec: VoiceInTrunkGroup::SPEC };
    let one = members(core, dids, did.number, Did::VOICE_IN_TRUNK.as_str(), 1).await?;
    if let Some(trunk) = trunks(core, account, one).await?.into_iter().next() {
        return Ok(Destinations::Trunk(Box::new(trunk)));
    }
    let group = members(core, dids, did.number, Did::VOICE_IN_TRUNK_GROUP.as_str(), 1).await?;
    let Some(group) = core.store.find_all(groups, group).await?.into_iter().next() else {
        return Ok(Destinations::None);
    };
    let relationship = VoiceInTrunkGroup::VOICE_IN_TRUNKS.as_str();
    let of_group = members(core, groups, group.number, relationship, MAX_TRUNKS).await?;
    let VoiceInTrunkGroup { name, capacity_limit, .. } = decoded(&group)?;
    let group = Group { id: group.id, name, limit: limit(capacity_limit) };
    Ok(Destinations::Group(group, trunks(core, account, of_group).await?))
}

/// The ids of the members of a record's relationship.
async fn members(
    core: &Core,
    scope: Scope,
    owner: i64,
    relationship: &'static str,
    most: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let found = core.store.members(scope, vec![owner], relationship, most).await?;
    Ok(found.into_iter().map(|(_, _, id)| id).collect())
}

/// The trunks with these ids that exist, in the order of the ids.
async fn trunks(core: &Core, account: i64, ids: Vec<Uuid>) -> Result<Vec<Trunk>, StoreError> {
    let scope = Scope { account, spec: VoiceInTrunk::SPEC };
    let records = core.store.find_all(scope, ids).await?;
    records.iter().map(|record| decoded(record).map(|stored| Trunk { id: record.id, stored })).collect()
}

fn decoded<R: Resource>(record: &Record) -> Result<R, StoreError> {
    R::from_texts(Id::new(record.id.to_string()), &record.attributes, record.meta.as_deref())
        .map_err(|error| StoreError::Corrupt(format!("{} {}: {error}", record.kind, record.id)))
}
