//! The changes of the transaction that stores the records of a world.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use didww_types::resources::{Did, SmsTrunk, TrunkConfiguration, VoiceInTrunk};
use didww_types::{Resource as _, ResourceSpec, Timestamp, find};
use serde_json::{Map, Value};
use service_core::{AttemptError, expiry};
use trunk_rules::domain::{
    Rulebook, block_while_waiting, complete_configuration, complete_sms_trunk, with_defaults,
};
use trunk_store::{Change, NO_ACCOUNT, Record, Scope, StoreError};
use uuid::Uuid;

use crate::world::naming::{in_order, invalid, is_later};
use crate::world::place::Placed;
use crate::world::record::{CREATED_AT, UPDATED_AT};
use crate::world::secrets::{add_credentials, replace_hidden};
use crate::{Control, ControlError};

/// Maximum number of ids that are looked up at once: more are a long read.
const AT_ONCE: usize = 100;

const CONFIGURATION: &str = VoiceInTrunk::SPEC.attribute_name("configuration");

impl Control {
    /// The changes that set the links that [`world_changes`](Self::world_changes) leaves out, because their members are
    /// stored after their owner.
    pub(super) async fn world_links(
        &self,
        placed: &[Placed<'_>],
        numbers: &[i64],
    ) -> Result<Vec<Change>, AttemptError<ControlError>> {
        let order = in_order();
        let mut changes = Vec::new();
        for one in placed {
            let links: Vec<_> =
                one.links.iter().filter(|(name, _)| is_later_link(&order, one, name)).cloned().collect();
            if links.is_empty() {
                continue;
            }
            let scope = scope(one.owner, one.spec, numbers);
            let Some(before) = self.core.store.find(scope, one.id).await? else { continue };
            let attributes = before.attributes()?;
            changes.push(Change::Replace { scope, before, attributes, links, meta: None });
        }
        Ok(changes)
    }

    /// The changes that store placed records. `numbers` are those of the world's accounts.
    pub(super) async fn world_changes(
        &self,
        placed: &[Placed<'_>],
        numbers: &[i64],
    ) -> Result<Vec<Change>, AttemptError<ControlError>> {
        self.check_members(placed, numbers).await?;
        let (now, order) = (self.core.clock.now(), in_order());
        let mut changes = Vec::with_capacity(placed.len());
        let is_alike = |one: &Placed<'_>, other: &Placed<'_>| {
            one.spec.name == other.spec.name && one.owner == other.owner
        };
        for alike in placed.chunk_by(is_alike) {
            for some in alike.chunks(AT_ONCE) {
                let Some(first) = some.first() else { continue };
                let scope = scope(first.owner, first.spec, numbers);
                let ids = some.iter().map(|one| one.id).collect();
                let found = self.core.store.find_all(scope, ids).await?;
                let mut found: HashMap<Uuid, Record> =
                    found.into_iter().map(|record| (record.id, record)).collect();
                for one in some {
                    let links =
                        one.links.iter().filter(|(name, _)| !is_later_link(&order, one, name)).cloned();
                    let links = links.collect();
                    self.add_change(&mut changes, scope, one, links, (found.remove(&one.id), now))?;
                }
            }
        }
        Ok(changes)
    }

    fn add_change(
        &self,
        changes: &mut Vec<Change>,
        scope: Scope,
        placed: &Placed<'_>,
        links: Vec<(&'static str, Vec<Uuid>)>,
        (before, now): (Option<Record>, Timestamp),
    ) -> Result<(), AttemptError<ControlError>> {
        let (spec, id) = (placed.spec, placed.id);
        let stored = before.as_ref().map(Record::attributes).transpose()?;
        let mut attributes = placed.record.attributes.clone();
        replace_hidden(spec, &mut attributes, stored.as_ref(), &self.core.ids);
        add_credentials(spec, &mut attributes, stored.as_ref(), &self.core.ids);
        complete(spec, &mut attributes)?;
        let mut attributes = with_defaults(spec, now, attributes);
        if spec.attribute(UPDATED_AT).is_some() && !attributes.contains_key(UPDATED_AT) {
            attributes.insert(UPDATED_AT.to_owned(), Value::String(now.to_string()));
        }
        if let Some(created_at) = stored.as_ref().and_then(|stored| stored.get(CREATED_AT)) {
            attributes.insert(CREATED_AT.to_owned(), created_at.clone());
        }
        let meta = if placed.record.meta.is_empty() {
            None
        } else {
            let meta = Rulebook::DIDWW.changed_meta(spec, Map::new(), &placed.record.meta);
            Some(Value::Object(meta.map_err(|message| ControlError::invalid("meta", message))?).to_string())
        };
        changes.extend(expiry::schedule(scope.account, spec, id, &attributes));
        changes.push(match before {
            Some(before) => Change::Replace { scope, before, attributes, links, meta },
            None => Change::Insert { scope, id, created_at: now, attributes, links, meta },
        });
        Ok(())
    }

    /// Checks that the members of relationships that are not in the file exist.
    async fn check_members(
        &self,
        placed: &[Placed<'_>],
        numbers: &[i64],
    ) -> Result<(), AttemptError<ControlError>> {
        let own: BTreeSet<(Option<usize>, &str, Uuid)> =
            placed.iter().map(|one| (one.owner, one.spec.name, one.id)).collect();
        let mut wanted: BTreeMap<(Option<usize>, Vec<&'static str>), BTreeSet<Uuid>> = BTreeMap::new();
        for one in placed {
            for (name, members) in &one.links {
                let Some(relationship) = one.spec.relationship(name) else { continue };
                let targets: Vec<&'static str> = relationship.targets().collect();
                let is_in_file = |id: &Uuid| {
                    let is_of = |target: &&'static str| {
                        own.contains(&(one.owner, *target, *id)) || own.contains(&(None, *target, *id))
                    };
                    targets.iter().any(is_of)
                };
                let others: BTreeSet<Uuid> = members.iter().copied().filter(|id| !is_in_file(id)).collect();
                if !others.is_empty() {
                    wanted.entry((one.owner, targets)).or_default().extend(others);
                }
            }
        }
        for ((owner, targets), ids) in wanted {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            for chunk in ids.chunks(AT_ONCE) {
                let mut found: BTreeSet<Uuid> = BTreeSet::new();
                for spec in targets.iter().copied().filter_map(find) {
                    let records =
                        self.core.store.find_all(scope(owner, spec, numbers), chunk.to_vec()).await?;
                    found.extend(records.into_iter().map(|record| record.id));
                }
                if let Some(absent) = chunk.iter().find(|id| !found.contains(*id)) {
                    let targets = targets.join(" or ");
                    let message = format!(
                        "refers to {absent}, which is none of the {targets} of the account or the file"
                    );
                    return Err(invalid(message).into());
                }
            }
        }
        Ok(())
    }
}

/// Adds the defaults of the configuration of a new inbound trunk, or text message trunk, and blocks a new DID while it
/// awaits its registration.
fn complete(spec: &ResourceSpec, attributes: &mut Map<String, Value>) -> Result<(), ControlError> {
    let unreadable = |error: serde_json::Error| ControlError::invalid(CONFIGURATION, error.to_string());
    if spec.name == SmsTrunk::SPEC.name {
        return complete_sms_trunk(attributes).map_err(unreadable);
    }
    if spec.name == Did::SPEC.name {
        block_while_waiting(attributes, false);
    }
    if spec.name != VoiceInTrunk::SPEC.name {
        return Ok(());
    }
    let Some(value) = attributes.get_mut(CONFIGURATION) else { return Ok(()) };
    let sent: TrunkConfiguration = serde_json::from_value(value.clone()).map_err(unreadable)?;
    *value = serde_json::to_value(complete_configuration(sent)).map_err(unreadable)?;
    Ok(())
}

/// Whether the members of this relationship are linked only after all records are stored.
fn is_later_link(order: &[&'static ResourceSpec], placed: &Placed<'_>, name: &str) -> bool {
    placed.spec.relationship(name).is_some_and(|relationship| is_later(order, placed.spec, relationship))
}

/// The account and the type of records of the world's account at a position, or of those that all accounts share.
fn scope(owner: Option<usize>, spec: &'static ResourceSpec, numbers: &[i64]) -> Scope {
    let account = owner.and_then(|owner| numbers.get(owner).copied()).unwrap_or(NO_ACCOUNT);
    Scope { account, spec }
}

/// The error for records that the store refused, with the names of the file.
pub(super) fn refused(error: StoreError) -> AttemptError<ControlError> {
    match error {
        StoreError::Taken(field) if field == "id" => {
            let advice = "load into an empty server, or leave out the ids";
            invalid(format!("has a record whose id a record of another account or type has; {advice}")).into()
        }
        StoreError::Taken(field) => {
            invalid(format!("has a record whose `{field}` another record has already")).into()
        }
        other => AttemptError::Store(other),
    }
}
