//! The stored form of the records of a write. It is computed once, before the transaction begins, which may run several
//! times, and on the caller's thread, because the single writer's thread of the embedded engine limits the rate of all
//! its writes.

use didww_types::ResourceSpec;
use serde_json::{Map, Value};

use crate::canonical::canonical_text;
use crate::index::IndexEntry;
use crate::symbols::Symbols;
use crate::{Change, Record, StoreError, storable};

/// The stored form of a record's attributes, and the changes of its index. Empty for a change that stores no
/// attributes.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) gained: Vec<IndexEntry>,
    pub(crate) released: Vec<IndexEntry>,
}

/// Computes the stored form of the record of a change, and frees its attributes unless sums depend on them. They are
/// freed where they were made, and not by another thread after the write has waited.
///
/// # Errors
/// [`StoreError::Corrupt`] if the attributes of a record to replace are not a JSON object, and
/// [`StoreError::Unstorable`].
pub(crate) fn with_content(mut change: Change, symbols: &Symbols) -> Result<(Change, Content), StoreError> {
    let content = Content::of(&change, symbols)?;
    storable::check(&change, &content.gained)?;
    if let Change::Insert { scope, attributes, .. } | Change::Replace { scope, attributes, .. } = &mut change
        && symbols.parts(scope.spec.name).is_empty()
    {
        drop(std::mem::take(attributes));
    }
    Ok((change, content))
}

impl Content {
    fn of(change: &Change, symbols: &Symbols) -> Result<Self, StoreError> {
        match change {
            Change::Insert { scope, attributes, .. } => Ok(Self::of_new(symbols, scope.spec, attributes)),
            Change::Replace { scope, before, attributes, .. } => {
                Self::of_changed(symbols, scope.spec, before, attributes)
            }
            _ => Ok(Self::default()),
        }
    }

    fn of_new(symbols: &Symbols, spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> Self {
        Self {
            text: canonical_text(spec, attributes),
            gained: symbols.index_of(spec, attributes),
            released: Vec::new(),
        }
    }

    pub(crate) fn of_changed(
        symbols: &Symbols,
        spec: &'static ResourceSpec,
        before: &Record,
        attributes: &Map<String, Value>,
    ) -> Result<Self, StoreError> {
        let text = canonical_text(spec, attributes);
        // Most writes of spending change only the meta.
        if text == before.attributes {
            return Ok(Self { text, ..Self::default() });
        }
        let replaced = before.replaced_by(attributes)?;
        let (released, gained) = symbols.changed_index(spec, &replaced, attributes);
        Ok(Self { text, gained, released })
    }
}
