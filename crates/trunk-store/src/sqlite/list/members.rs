//! The members of relationships of a few records, read without waiting for a turn.

use rusqlite::params;
use uuid::Uuid;

use super::Lists;
use crate::sqlite::error::failed;
use crate::sqlite::row::uuid;
use crate::{Scope, StoreError};

/// Selects type, id and place of members. It has no `ORDER BY`, for which there is no index, so that only the selected
/// links are read.
const OF_OWNER: &str = "SELECT s.name, r.id, l.number FROM link l CROSS JOIN record r ON r.number = l.target \
                        CROSS JOIN symbol s ON s.number = r.kind \
                        WHERE l.owner = ?1 AND l.relationship = ?2 LIMIT ?3";
/// As [`OF_OWNER`], for relationships that are stored from the other side.
const OF_TARGET: &str = "SELECT s.name, r.id, l.owner FROM link l CROSS JOIN record r ON r.number = l.owner \
                         CROSS JOIN symbol s ON s.number = r.kind \
                         WHERE l.target = ?1 AND l.relationship = ?2 LIMIT ?3";

impl Lists<'_> {
    /// As [`members`](Self::members), if there are at most `most` in total. No more links are read.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if there are more.
    pub(in crate::sqlite) fn few_members(
        &self,
        scope: Scope,
        owners: &[i64],
        relationship: &'static str,
        most: usize,
    ) -> Result<Vec<(i64, String, Uuid)>, StoreError> {
        let (relationship, inverse) = self.symbols.link(scope.spec.name, relationship);
        let text = if inverse { OF_TARGET } else { OF_OWNER };
        let mut select = self.connection.prepare_cached(text).map_err(failed)?;
        let mut members = Vec::new();
        for owner in owners {
            let left = most.saturating_sub(members.len());
            let limit = i64::try_from(left).unwrap_or(i64::MAX).saturating_add(1);
            let rows = select
                .query_map(params![owner, relationship, limit], |row| {
                    Ok((row.get::<_, i64>(2)?, row.get::<_, String>(0)?, uuid(row, 1)?))
                })
                .map_err(failed)?;
            let mut of_one: Vec<(i64, String, Uuid)> = rows.collect::<Result<_, _>>().map_err(failed)?;
            if of_one.len() > left {
                return Err(StoreError::TooLarge("more members than a short read may have".to_owned()));
            }
            of_one.sort_unstable_by_key(|(place, ..)| *place);
            members.extend(of_one.into_iter().map(|(_, kind, id)| (*owner, kind, id)));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::plan::assert_seeks;

    #[test]
    fn no_more_links_are_read_than_are_selected() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::sqlite::open::migrate(&mut connection).unwrap().commit().unwrap();
        assert_seeks(&connection, OF_OWNER, "link_owner");
        assert_seeks(&connection, OF_TARGET, "link_target");
    }
}
