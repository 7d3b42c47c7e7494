//! Lists and members of relationships that are read without waiting for a turn: at most [`MAX_DIRECT_RECORDS`], by one
//! statement, whose cost does not grow with the data.
//!
//! So clients of one account that read little do not wait for each other, however many they are.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::Node;
use super::dialect::Sql;
use super::failure::Done;
use super::list::{BYTES, from_index, within};
use super::parameter::Parameter;
use super::records::member;
use super::symbols::Symbols;
use crate::list_plan::{IndexPart, MAX_DIRECT_RECORDS, has_index_order};
use crate::list_statement::{self, Dialect as _};
use crate::{ListQuery, Listing};

/// Whether an index has the order of a list, and its page is near the beginning.
pub(super) fn is_first_page(query: &ListQuery) -> bool {
    has_index_order(query) && query.offset.saturating_add(query.limit) <= MAX_DIRECT_RECORDS as u64
}

/// Reads a page near the beginning of a list, its records and its total in one statement.
pub(super) async fn first_page(client: &Client, node: &Node, query: &ListQuery) -> Done<Listing> {
    let mut sql = Sql::default();
    let part = IndexPart { offset: query.offset, limit: query.limit, backwards: false };
    let places = from_index(&mut sql, node, query, part);
    let account = sql.integer(query.scope.owner());
    let kind = sql.integer(node.symbols.kind(query.scope.spec.name));
    let total = format!(
        "SELECT coalesce(sum(records), 0)::int8 AS total FROM record_count \
         WHERE account = {account} AND kind = {kind}"
    );
    let select = page(&mut sql, node, &total, &places, "true");
    listing(&client.query_typed(&select, &sql.parameters()).await?, query)
}

/// Reads a page of a list that [is looked up](crate::list_plan::is_looked_up), its records and its total; `None` if more
/// than [`MAX_DIRECT_RECORDS`] match.
pub(super) async fn looked_up(client: &Client, node: &Node, query: &ListQuery) -> Done<Option<Listing>> {
    let mut sql = Sql::default();
    let matching = list_statement::select(&mut sql, &node.symbols, query);
    let after = sql.count(query.offset);
    let last = sql.count(query.offset.saturating_add(query.limit));
    let direction = if query.order.first().is_some_and(|order| order.descending) { " DESC" } else { "" };
    let places = format!(
        "SELECT number, place FROM (SELECT number, row_number() OVER (ORDER BY number{direction}) AS place FROM few) \
         placed WHERE place > {after} AND place <= {last}"
    );
    let are_few = format!("t.total <= {MAX_DIRECT_RECORDS}");
    let page = page(&mut sql, node, "SELECT count(*) AS total FROM few", &places, &are_few);
    let select = format!("WITH few AS MATERIALIZED ({matching} LIMIT {}) {page}", MAX_DIRECT_RECORDS + 1);
    let listing = listing(&client.query_typed(&select, &sql.parameters()).await?, query)?;
    Ok((listing.total <= MAX_DIRECT_RECORDS as u64).then_some(listing))
}

/// The statement that reads the records at these places in their order if a condition on the total holds, and the total
/// in each row. Of the records that would exceed the bytes of a page the texts are null.
fn page(sql: &mut Sql, node: &Node, total: &str, places: &str, condition: &str) -> String {
    let most = sql.count(node.limits.page_bytes as u64);
    format!(
        "SELECT n.number, n.id, n.revision, CASE WHEN n.bytes <= {most} THEN n.attributes END, \
         CASE WHEN n.bytes <= {most} THEN n.meta END, t.total FROM ({total}) t \
         LEFT JOIN (SELECT r.*, p.place, sum({BYTES}) OVER (ORDER BY p.place) AS bytes \
         FROM ({places}) p JOIN record r ON r.number = p.number) n ON {condition} ORDER BY n.place"
    )
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
    let parameters: [Parameter<'_>; 3] =
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
