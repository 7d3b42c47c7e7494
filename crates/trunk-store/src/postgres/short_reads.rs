//! Lists and members of relationships that are read without waiting for a turn: at most [`MAX_DIRECT_RECORDS`], by one
//! statement, whose cost does not grow with the data.
//!
//! So clients of one account that read little do not wait for each other, however many they are.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::Node;
use super::dialect::Sql;
use super::failure::Done;
use super::list::{BYTES, from_index, within};
use super::records::member;
use super::symbols::Symbols;
use crate::list_plan::{MAX_DIRECT_RECORDS, has_index_order};
use crate::list_statement::{self, Dialect as _};
use crate::{ListQuery, Listing};

/// Whether an index has the order of a list, and its page is near the beginning.
pub(super) fn is_first_page(query: &ListQuery) -> bool {
    has_index_order(query) && query.offset.saturating_add(query.limit) <= MAX_DIRECT_RECORDS as u64
}

/// Reads a page near the beginning of a list, its records and its total in one statement.
pub(super) async fn first_page(client: &Client, node: &Node, query: &ListQuery) -> Done<Listing> {
    let (numbers, of) = from_index(node, query, false);
    let select = format!(
        "SELECT n.number, n.id, n.revision, CASE WHEN n.bytes <= $6 THEN n.attributes END, \
         CASE WHEN n.bytes <= $6 THEN n.meta END, t.total \
         FROM (SELECT coalesce(sum(records), 0)::int8 AS total FROM record_count WHERE account = $1 AND kind = $5) t \
         LEFT JOIN (SELECT r.*, p.place, sum({BYTES}) OVER (ORDER BY p.place) AS bytes \
         FROM ({numbers}) p JOIN record r ON r.number = p.number) n ON true ORDER BY n.place"
    );
    let kind = node.symbols.kind(query.scope.spec.name);
    let [limit, offset] = [query.limit, query.offset].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let most = i64::try_from(node.limits.page_bytes).unwrap_or(i64::MAX);
    let rows = client
        .query_typed(
            &select,
            &[
                (&query.scope.owner(), Type::INT8),
                (&of, Type::INT8),
                (&limit, Type::INT8),
                (&offset, Type::INT8),
                (&kind, Type::INT8),
                (&most, Type::INT8),
            ],
        )
        .await?;
    listing(&rows, query)
}

/// Reads a page of a list that [is looked up](crate::list_plan::is_looked_up), its records and its total; `None` if more
/// than [`MAX_DIRECT_RECORDS`] match.
pub(super) async fn looked_up(client: &Client, node: &Node, query: &ListQuery) -> Done<Option<Listing>> {
    let mut sql = Sql::default();
    let matching = list_statement::select(&mut sql, &node.symbols, query);
    let integer = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let after = sql.integer(integer(query.offset));
    let last = sql.integer(integer(query.offset.saturating_add(query.limit)));
    let most = sql.integer(integer(node.limits.page_bytes as u64));
    let direction = if query.order.first().is_some_and(|order| order.descending) { " DESC" } else { "" };
    let select = format!(
        "WITH few AS MATERIALIZED ({matching} LIMIT {}) \
         SELECT n.number, n.id, n.revision, CASE WHEN n.bytes <= {most} THEN n.attributes END, \
         CASE WHEN n.bytes <= {most} THEN n.meta END, t.total \
         FROM (SELECT count(*) AS total FROM few) t \
         LEFT JOIN (SELECT r.*, p.place, sum({BYTES}) OVER (ORDER BY p.place) AS bytes \
         FROM (SELECT number, row_number() OVER (ORDER BY number{direction}) AS place FROM few) p \
         JOIN record r ON r.number = p.number WHERE p.place > {after} AND p.place <= {last}) n \
         ON t.total <= {MAX_DIRECT_RECORDS} ORDER BY n.place",
        MAX_DIRECT_RECORDS + 1
    );
    let rows = client.query_typed(&select, &sql.parameters()).await?;
    let listing = listing(&rows, query)?;
    Ok((listing.total <= MAX_DIRECT_RECORDS as u64).then_some(listing))
}

/// A page of which each row has the total; without a record there is one row, which has the total alone.
fn listing(rows: &[Row], query: &ListQuery) -> Done<Listing> {
    let total = rows.first().map(|row| row.try_get::<_, i64>(5)).transpose()?.unwrap_or_default();
    let is_empty = rows.first().map(|row| row.try_get::<_, Option<i64>>(0)).transpose()?.flatten().is_none();
    let records = if is_empty { Vec::new() } else { within(rows, query.scope.spec.name)? };
    Ok(Listing { records, total: u64::try_from(total).unwrap_or_default(), changes: None })
}

/// Returns the members of a relationship of these records; `None` if they are more than `most` in total. No more links are
/// read.
pub(super) async fn few_members(
    client: &Client,
    symbols: &Symbols,
    owners: &[i64],
    (relationship, inverse): (i64, bool),
    most: usize,
) -> Done<Option<Vec<(i64, String, Uuid)>>> {
    // Without an order, which would need all links of an owner.
    let links = if inverse {
        "SELECT owner AS member, owner AS at FROM link WHERE target = g.owner"
    } else {
        "SELECT target AS member, number AS at FROM link WHERE owner = g.owner"
    };
    let select = format!(
        "SELECT g.owner, r.kind, r.id, g.place, l.at FROM unnest($1::int8[]) WITH ORDINALITY AS g (owner, place) \
         CROSS JOIN LATERAL ({links} AND relationship = $2 LIMIT $3) l JOIN record r ON r.number = l.member LIMIT $3"
    );
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&owners, Type::INT8_ARRAY), (&relationship, Type::INT8), (&limit, Type::INT8)];
    let rows = client.query_typed(&select, &parameters).await?;
    if rows.len() > most {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let place: (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
        found.push((place, member(row, symbols)?));
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    Ok(Some(found.into_iter().map(|(_, member)| member).collect()))
}
