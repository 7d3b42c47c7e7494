//! The table of symbols. All nodes have the same ones.

use std::collections::HashMap;
use std::ops::Deref;

use didww_types::ResourceSpec;
use foldhash::fast::RandomState;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::Done;
use crate::symbols as shared;

/// The symbols, and the names of types by their numbers: rows of any type are read together.
#[derive(Debug)]
pub(super) struct Symbols {
    symbols: shared::Symbols,
    kind_names: HashMap<i64, &'static str, RandomState>,
}

impl Symbols {
    /// Loads the number of every declared name, and inserts the names that are new, while no other node does.
    pub(super) async fn intern(client: &Client, registry: &'static [&'static ResourceSpec]) -> Done<Self> {
        let declared = shared::declared(registry);
        let names: Vec<&str> = declared.iter().map(|declared| declared.name.as_str()).collect();
        let insert = "INSERT INTO symbol (number, name) \
                      SELECT (SELECT coalesce(max(number), 0) FROM symbol) + row_number() OVER (ORDER BY place), name \
                      FROM (SELECT name, min(place) AS place FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place) \
                      GROUP BY name) new WHERE name NOT IN (SELECT name FROM symbol)";
        client.execute_typed(insert, &[(&names, Type::TEXT_ARRAY)]).await?;
        let rows = client.query_typed("SELECT name, number FROM symbol", &[]).await?;
        let mut numbers: HashMap<String, i64> = HashMap::with_capacity(rows.len());
        for row in rows {
            numbers.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let symbols = shared::Symbols::of(registry, &declared, &numbers);
        let kind_names = registry.iter().map(|spec| (symbols.kind(spec.name), spec.name)).collect();
        Ok(Self { symbols, kind_names })
    }

    /// Returns the declaration of a type.
    pub(super) fn spec(&self, kind: &str) -> Option<&'static ResourceSpec> {
        self.registry().iter().copied().find(|spec| spec.name == kind)
    }

    /// Whether records of a type have sums, which writes of other records change.
    pub(super) fn has_sums(&self, kind: &str) -> bool {
        self.spec(kind).is_some_and(|spec| spec.attributes.iter().any(|attribute| !attribute.sums.is_empty()))
    }

    /// Returns the name of a type that is declared.
    pub(super) fn kind_name(&self, number: i64) -> Option<&'static str> {
        self.kind_names.get(&number).copied()
    }
}

impl Deref for Symbols {
    type Target = shared::Symbols;

    fn deref(&self) -> &shared::Symbols {
        &self.symbols
    }
}
