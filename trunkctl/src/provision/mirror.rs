//! Relationships that two new records declare from both sides, such as an inbound trunk its group and the group its
//! trunks. Each of the two requests would wait for the other one.

use std::collections::HashSet;

use didww_client::ApiVersion;

use super::action::{Action, Operation, Request, identifiers, is_pending, pending};

/// Leaves the one side out of the request for a new record, if the record on the other side is new too and lists it:
/// the service sets both sides then.
pub(super) fn leave_out_mirrors(actions: &mut [Action], version: ApiVersion) {
    // The member of a list, its relationship, and the record that has the list.
    let mut listed: HashSet<(String, &'static str, String)> = HashSet::new();
    for action in actions.iter() {
        let Request::Record { spec, body } = &action.request else { continue };
        let owner = pending(action.kind, &action.key);
        for relationship in spec.relationships {
            let link = body.relationships.get(relationship.name_at(version));
            let (Some(inverse), Some(link)) = (relationship.inverse, link) else { continue };
            let members = identifiers(link).into_iter().filter(|id| is_pending(id));
            listed.extend(members.map(|id| (id.to_owned(), inverse, owner.clone())));
        }
    }
    for action in actions.iter_mut().filter(|action| action.operation == Operation::Create) {
        let itself = pending(action.kind, &action.key);
        let Request::Record { spec, body } = &mut action.request else { continue };
        for relationship in spec.relationships.iter().filter(|relationship| !relationship.many) {
            let name = relationship.name_at(version);
            let ids = body.relationships.get(name).map(identifiers).unwrap_or_default();
            let is_listed = |id: &str| listed.contains(&(itself.clone(), relationship.name, id.to_owned()));
            if ids.into_iter().any(is_listed) {
                body.relationships.remove(name);
            }
        }
    }
}
