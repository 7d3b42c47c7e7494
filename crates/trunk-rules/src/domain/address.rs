//! The rules of addresses.

use didww_types::resources::{Address, Identity};
use didww_types::{DecodeError, Resource as _};
use serde_json::Map;

use super::draft::Draft;
use super::{Links, RecordChange, Rules, WriteContext};

impl Rules for Address {
    /// A new address changes the revision of its identity, so that it cannot be added beside the deletion of that.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let identities = context.linked(Address::IDENTITY.as_str()).unwrap_or_default();
        draft.also.extend(identities.iter().filter(|identity| identity.attributes.is_some()).map(
            |identity| RecordChange::Update {
                spec: Identity::SPEC,
                id: identity.id.clone(),
                attributes: Map::new(),
                links: Links::new(),
                meta: None,
            },
        ));
        Ok(())
    }
}
