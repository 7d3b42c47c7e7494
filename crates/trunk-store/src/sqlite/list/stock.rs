//! The first records in stock that link to given ones.

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;
use uuid::Uuid;

use super::Lists;
use crate::in_stock;
use crate::sqlite::error::failed;
use crate::sqlite::snapshot::Snapshot;
use crate::{Record, Scope, StoreError};

impl Lists<'_> {
    /// Returns the first records in stock that link to each of these, after a number. They have at most `max_bytes`
    /// bytes.
    pub(in crate::sqlite) fn first_in_stock(
        &self,
        scope: Scope,
        links: &[(&'static str, Uuid)],
        after: i64,
        most: u64,
        max_bytes: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let through: Vec<&'static str> = links.iter().map(|(relationship, _)| *relationship).collect();
        let Some(text) = in_stock::select(self.symbols, scope.spec, &through, '?') else {
            return Ok(Vec::new());
        };
        let bounds = [after, i64::try_from(most).unwrap_or(i64::MAX)].map(SqlValue::Integer);
        let ids = links.iter().map(|(_, id)| SqlValue::Blob(id.as_bytes().to_vec()));
        // The records are read from the state in which they are in stock.
        let _snapshot = Snapshot::begin(self.connection)?;
        let mut select = self.connection.prepare_cached(&text).map_err(failed)?;
        let parameters = params_from_iter(bounds.into_iter().chain(ids));
        let numbers = select.query_map(parameters, |row| row.get(0)).map_err(failed)?;
        let numbers: Vec<i64> = numbers.collect::<Result<_, _>>().map_err(failed)?;
        self.records(scope, &numbers, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use didww_types::resources::AvailableDid;
    use didww_types::{REGISTRY, Resource as _};
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::plan::{assert_seeks, plan};
    use crate::sqlite::symbols::intern;

    #[test]
    fn the_links_to_one_record_are_read_in_their_order_and_no_further_than_necessary() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::sqlite::open::migrate(&mut connection).unwrap().commit().unwrap();
        let symbols = intern(&connection, REGISTRY).unwrap();
        let (group, prefix) = (AvailableDid::DID_GROUP.as_str(), AvailableDid::NANPA_PREFIX.as_str());
        for through in [vec![group], vec![group, prefix]] {
            let text = in_stock::select(&symbols, AvailableDid::SPEC, &through, '?').unwrap();
            assert_seeks(&connection, &text, "link_target (target=? AND relationship=? AND owner>?)");
            let steps = plan(&connection, &text);
            let is_test =
                |step: &String| step.contains("SEARCH k USING COVERING INDEX link_target (target=?");
            assert!(steps.iter().any(is_test), "{steps:?}");
        }
        assert_eq!(in_stock::select(&symbols, AvailableDid::SPEC, &[], '?'), None);
    }
}
