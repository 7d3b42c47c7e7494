//! Lists: which records match a query, their order, and which of them are on the page.
//!
//! The first page of a list that an index has in its order, and one that [is looked up](is_looked_up), is one statement
//! (`short_reads`). Otherwise the numbers of the whole list
//! are read in their order, from indexes where there are some or, if few of many records match, from those, and stay in
//! a cache until a record changes ([`ListCache`](crate::list_cache::ListCache)): the number of changes in the state of
//! the database that a read sees says whether a cached list is valid, whichever node changed it.
//!
//! Bounds: the bytes of a page's records, the time of the read, and the size of the cache.

use std::cmp::Ordering;

use didww_types::related_attribute;
use serde_json::{Map, Value};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::Node;
use super::dialect::Sql;
use super::failure::Done;
use super::parameter::Parameter;
use super::records::record;
use super::short_reads::{first_page, is_first_page, looked_up};
use crate::in_stock;
use crate::list_cache::ListCache;
use crate::list_plan::{
    IndexPart, Page, RecordCount, has_index_order, is_cacheable, is_looked_up, sides, table,
};
use crate::list_statement::{self, Dialect as _};
use crate::{Asker, IndexValue, ListQuery, Listing, Order, Record, Scope, StoreError};

/// Maximum number of records of a type whose values are all read to sort some of them. Two more statements take longer
/// than that.
const MAX_SORTED_BY_INDEX: u64 = 1_000;
/// The bytes of a record as they are stored.
pub(super) const BYTES: &str = "octet_length(r.attributes) + coalesce(octet_length(r.meta), 0)";

impl ListCache {
    /// Removes all lists, and those of reads that have begun are not inserted any more: the database after a failover
    /// may have the same numbers of changes for other lists.
    pub(super) fn begin_epoch(&self) {
        let mut state = self.state();
        state.lists.clear();
        state.epoch += 1;
    }
}

/// Returns a page of a list.
pub(super) async fn list(node: &Node, query: ListQuery) -> Result<Listing, StoreError> {
    if is_first_page(&query) {
        return node
            .read((node, query), |client, (node, query)| Box::pin(first_page(client, node, query)))
            .await;
    }
    if is_looked_up(&query) {
        let few = node
            .read((node, query.clone()), |client, (node, query)| Box::pin(looked_up(client, node, query)));
        if let Some(few) = few.await? {
            return Ok(few);
        }
    }
    let (asker, epoch) = (Asker::Account(query.scope.account), node.lists.epoch());
    node.long_read(asker, (node, query, epoch), |client, (node, query, epoch)| {
        Box::pin(async move {
            let Page { numbers, total } = page(client, node, query, *epoch).await?;
            Ok(Listing { records: records(client, node, query, &numbers).await?, total, changes: None })
        })
    })
    .await
}

/// Returns the ids of a page of a list.
pub(super) async fn ids(node: &Node, query: ListQuery) -> Result<Vec<Uuid>, StoreError> {
    let (asker, epoch) = (Asker::Account(query.scope.account), node.lists.epoch());
    node.long_read(asker, (node, query, epoch), |client, (node, query, epoch)| {
        Box::pin(async move {
            let Page { numbers, .. } = page(client, node, query, *epoch).await?;
            let select = "SELECT r.id FROM unnest($1::int8[]) WITH ORDINALITY AS g (number, place) \
                          JOIN record r ON r.number = g.number ORDER BY place";
            let rows = client.query_typed(select, &[(&numbers, Type::INT8_ARRAY)]).await?;
            rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    })
    .await
}

/// Returns the first records in stock that link to each of these, after a number.
pub(super) async fn first_in_stock(
    node: &Node,
    scope: Scope,
    links: Vec<(&'static str, Uuid)>,
    after: i64,
    most: u64,
) -> Result<Vec<Record>, StoreError> {
    let through: Vec<&'static str> = links.iter().map(|(relationship, _)| *relationship).collect();
    let Some(numbers) = in_stock::select(&node.symbols, scope.spec, &through, '$') else {
        return Ok(Vec::new());
    };
    let max_bytes = node.limits.page_bytes;
    // The limit of one keeps the server from joining all records of the table instead.
    let select = format!(
        "SELECT number, id, revision, CASE WHEN bytes <= {max_bytes} THEN attributes END, \
         CASE WHEN bytes <= {max_bytes} THEN meta END \
         FROM (SELECT r.*, sum({BYTES}) OVER (ORDER BY r.number) AS bytes FROM ({numbers}) s \
         CROSS JOIN LATERAL (SELECT * FROM record WHERE number = s.number LIMIT 1) r) found ORDER BY number"
    );
    let ids: Vec<Uuid> = links.into_iter().map(|(_, id)| id).collect();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let arguments = (select, after, most, ids, scope.spec.name);
    node.long_read(Asker::Account(scope.account), arguments, |client, (select, after, most, ids, kind)| {
        Box::pin(async move {
            let bounds: [Parameter<'_>; 2] = [(after, Type::INT8), (most, Type::INT8)];
            let ids = ids.iter().map(|id| (id as &(dyn ToSql + Sync), Type::UUID));
            let parameters: Vec<Parameter<'_>> = bounds.into_iter().chain(ids).collect();
            within(&client.query_typed(select, &parameters).await?, kind)
        })
    })
    .await
}

/// The statement that selects numbers and places of a part of a list from the index that has its order.
pub(super) fn from_index(sql: &mut Sql, node: &Node, query: &ListQuery, part: IndexPart) -> String {
    let spec = query.scope.spec;
    let order = query.order.first();
    let direction = if order.is_some_and(|order| order.descending) == part.backwards { "" } else { " DESC" };
    let account = sql.integer(query.scope.owner());
    let [limit, offset] = [part.limit, part.offset].map(|number| sql.count(number));
    match order.filter(|order| order.attribute != "created_at") {
        // Written as comparisons of rows, and sorted by the compared columns: with equality the server may choose the
        // primary key, which has the order too, and would read the records of all other accounts.
        None => {
            let kind = sql.integer(node.symbols.kind(spec.name));
            format!(
                "SELECT number, row_number() OVER (ORDER BY account{direction}, kind{direction}, number{direction}) \
                 AS place FROM record WHERE (account, kind) >= ({account}, {kind}) \
                 AND (account, kind) <= ({account}, {kind}) \
                 ORDER BY account{direction}, kind{direction}, number{direction} LIMIT {limit} OFFSET {offset}"
            )
        }
        Some(order) => {
            let field = sql.integer(node.symbols.member(spec.name, order.attribute));
            format!(
                "SELECT record AS number, row_number() OVER (ORDER BY value{direction}, record{direction}) AS place \
                 FROM {} WHERE account = {account} AND field = {field} \
                 ORDER BY value{direction}, record{direction} LIMIT {limit} OFFSET {offset}",
                table(spec, order.attribute)
            )
        }
    }
}

/// Reads records whose attributes are null if they would exceed the bytes of a page.
pub(super) fn within(rows: &[Row], kind: &'static str) -> Done<Vec<Record>> {
    if let Some(last) = rows.last()
        && last.try_get::<_, Option<&str>>(3)?.is_none()
    {
        return Err(StoreError::TooLarge("records of too many bytes".to_owned()).into());
    }
    rows.iter().map(|row| record(row, kind)).collect()
}

/// Reads the records with these numbers, in the same order.
async fn records(client: &Client, node: &Node, query: &ListQuery, numbers: &[i64]) -> Done<Vec<Record>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let select = format!(
        "SELECT number, id, revision, CASE WHEN bytes <= $2 THEN attributes END, CASE WHEN bytes <= $2 THEN meta END \
         FROM (SELECT r.*, g.place, sum({BYTES}) OVER (ORDER BY g.place) AS bytes \
         FROM unnest($1::int8[]) WITH ORDINALITY AS g (wanted, place) JOIN record r ON r.number = g.wanted) found \
         ORDER BY place"
    );
    let most = i64::try_from(node.limits.page_bytes).unwrap_or(i64::MAX);
    let rows = client.query_typed(&select, &[(&numbers, Type::INT8_ARRAY), (&most, Type::INT8)]).await?;
    within(&rows, query.scope.spec.name)
}

async fn count(client: &Client, node: &Node, query: &ListQuery) -> Done<RecordCount> {
    let select = "SELECT coalesce(sum(records), 0)::int8, coalesce(sum(changes), 0)::int8 FROM record_count \
                  WHERE account = $1 AND kind = $2";
    let kind = node.symbols.kind(query.scope.spec.name);
    let row =
        client.query_typed_one(select, &[(&query.scope.owner(), Type::INT8), (&kind, Type::INT8)]).await?;
    let records = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
    Ok(RecordCount { records, changes: row.try_get(1)? })
}

/// Finds the record numbers of a page. `epoch` is that of the cache before the read took its connection, which may lead
/// to the primary before a failover.
async fn page(client: &Client, node: &Node, query: &ListQuery, epoch: u64) -> Done<Page> {
    let count = count(client, node, query).await?;
    if has_index_order(query)
        && let Some(page) = page_from_index(client, node, query, count).await?
    {
        return Ok(page);
    }
    let is_cacheable = is_cacheable(query);
    if is_cacheable && let Some(numbers) = node.lists.get(query, count.changes, epoch) {
        return Ok(Page::of(&numbers, query));
    }
    let numbers = all(client, node, query, count.records).await?;
    let page = Page::of(&numbers, query);
    if is_cacheable {
        node.lists.insert(query, count.changes, epoch, numbers);
    }
    Ok(page)
}

/// Finds a page near either end of a list whose order an index has. Returns `None` for every other page.
async fn page_from_index(
    client: &Client,
    node: &Node,
    query: &ListQuery,
    count: RecordCount,
) -> Done<Option<Page>> {
    let total = count.records;
    let Some(part) = IndexPart::of(query, total) else { return Ok(None) };
    if part.limit == 0 {
        return Ok(Some(Page { numbers: Vec::new(), total }));
    }
    let mut sql = Sql::default();
    let numbers = from_index(&mut sql, node, query, part);
    let direction = if part.backwards { " DESC" } else { "" };
    let select = format!("SELECT number FROM ({numbers}) page ORDER BY place{direction}");
    let rows = client.query_typed(&select, &sql.parameters()).await?;
    let numbers = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Done<_>>()?;
    Ok(Some(Page { numbers, total }))
}

/// Reads the numbers of a whole list whose order an index has.
async fn from_whole_index(client: &Client, node: &Node, query: &ListQuery) -> Done<Vec<i64>> {
    let mut sql = Sql::default();
    let whole = IndexPart { offset: 0, limit: u64::MAX, backwards: false };
    let numbers = from_index(&mut sql, node, query, whole);
    // The rows are aggregated in this order already, and sorting them again would cost as much as reading them.
    let select = format!("SELECT array_agg(number) FROM ({numbers}) list");
    let row = client.query_typed_one(&select, &sql.parameters()).await?;
    Ok(row.try_get::<_, Option<Vec<i64>>>(0)?.unwrap_or_default())
}

/// The join that finds the value of an attribute of the record to which to-one relationships lead; `None` if they lead
/// nowhere.
fn related(
    sql: &mut Sql,
    node: &Node,
    query: &ListQuery,
    path: &'static str,
    index: usize,
) -> Option<String> {
    let spec = query.scope.spec;
    let (steps, attribute) = related_attribute(node.symbols.registry(), spec.name, path)?;
    let target = steps.last()?.target;
    let account = sql.integer(Scope { spec: target, ..query.scope }.owner());
    let field = sql.integer(node.symbols.member(target.name, attribute));
    let (mut from, mut conditions) = (vec![format!("{} f", table(target, attribute))], Vec::new());
    conditions.push(format!("f.account = {account} AND f.field = {field}"));
    let mut reached = "f.record".to_owned();
    for (place, step) in steps.iter().enumerate().rev() {
        let (left, right) = sides(step);
        let relationship = sql.integer(node.symbols.member(step.owner.name, step.relationship.name));
        from.push(format!("link k{place}"));
        conditions.push(format!("k{place}.{right} = {reached} AND k{place}.relationship = {relationship}"));
        reached = format!("k{place}.{left}");
    }
    let (from, conditions) = (from.join(", "), conditions.join(" AND "));
    Some(format!(
        " LEFT JOIN (SELECT {reached} AS record, f.value FROM {from} WHERE {conditions}) s{index} \
         ON s{index}.record = m.number"
    ))
}

/// Reads the numbers of a list that has few of the `all` records of its type, in its order, by the values in the records
/// themselves: an index has the values of all records, and no order by the record. Returns `None` for every other list.
async fn sorted_few(client: &Client, node: &Node, query: &ListQuery, all: u64) -> Done<Option<Vec<i64>>> {
    let is_by_value = query.order.iter().any(|order| order.attribute != "created_at");
    if all <= MAX_SORTED_BY_INDEX || !is_by_value || query.order.iter().any(Order::is_related) {
        return Ok(None);
    }
    let most = all / 16 + 500;
    let mut sql = Sql::default();
    let matching = list_statement::select(&mut sql, &node.symbols, query);
    let select = format!("SELECT array_agg(m.number) FROM ({matching} LIMIT {}) m", most + 1);
    let row = client.query_typed_one(&select, &sql.parameters()).await?;
    let numbers = row.try_get::<_, Option<Vec<i64>>>(0)?.unwrap_or_default();
    if numbers.len() as u64 > most {
        return Ok(None);
    }
    let select = "SELECT number, created_at, attributes FROM (SELECT number, created_at, attributes, \
                  sum(octet_length(attributes)) OVER () AS bytes FROM record WHERE number = ANY($1)) few \
                  WHERE bytes <= $2";
    let most = i64::try_from(node.limits.page_bytes).unwrap_or(i64::MAX);
    let rows = client.query_typed(select, &[(&numbers, Type::INT8_ARRAY), (&most, Type::INT8)]).await?;
    if rows.len() != numbers.len() {
        return Ok(None);
    }
    let mut found: Vec<(Vec<IndexValue>, i64)> = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push((values(row, query)?, row.try_get(0)?));
    }
    sort(&mut found, &query.order);
    Ok(Some(found.into_iter().map(|(_, number)| number).collect()))
}

/// The values of a record by which a list is sorted, as its index has them.
fn values(row: &Row, query: &ListQuery) -> Done<Vec<IndexValue>> {
    let (number, created_at, text): (i64, i64, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let attributes: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("attributes of record {number}: {error}")))?;
    let value = |order: &Order| {
        if order.attribute == "created_at" {
            return IndexValue::Integer(created_at);
        }
        let value = attributes.get(order.attribute).unwrap_or(&Value::Null);
        let declared = query.scope.spec.attribute(order.attribute);
        declared.map_or(IndexValue::Null, |declared| IndexValue::of(declared.kind, value))
    };
    Ok(query.order.iter().map(value).collect())
}

/// An ordering in the direction of a criterion.
fn directed(order: &Order, ordering: Ordering) -> Ordering {
    if order.descending { ordering.reverse() } else { ordering }
}

/// Sorts records, of which each has its values and its number.
fn sort(records: &mut [(Vec<IndexValue>, i64)], order: &[Order]) {
    records.sort_unstable_by(|(values, number), (others, other)| {
        let by_number = number.cmp(other);
        let last = order.last().map_or(by_number, |last| directed(last, by_number));
        let compared = order.iter().zip(values.iter().zip(others));
        let compared = compared.map(|(order, (value, other))| directed(order, value.cmp(other)));
        compared.fold(Ordering::Equal, Ordering::then).then(last)
    });
}

/// Reads the numbers of a whole list, in its order. `records` is the number of records of the type in the account.
async fn all(client: &Client, node: &Node, query: &ListQuery, records: u64) -> Done<Vec<i64>> {
    if has_index_order(query) {
        return from_whole_index(client, node, query).await;
    }
    let is_limited = query.linked_from.is_some() || !query.conditions.is_empty();
    if is_limited && let Some(numbers) = sorted_few(client, node, query, records).await? {
        return Ok(numbers);
    }
    let mut sql = Sql::default();
    let matching = list_statement::select(&mut sql, &node.symbols, query);
    let (mut joins, mut keys) = (String::new(), Vec::new());
    // As the only criterion, the time of creation means the order of creation.
    let by_creation = matches!(query.order.as_slice(), [one] if one.attribute == "created_at");
    for (index, Order { attribute, descending }) in query.order.iter().enumerate().filter(|_| !by_creation) {
        let direction = if *descending { " DESC" } else { "" };
        let join = if attribute.contains('.') {
            let Some(join) = related(&mut sql, node, query, attribute, index) else { continue };
            keys.push(format!("coalesce(s{index}.value, '\\x03'::bytea){direction}"));
            join
        } else if *attribute == "created_at" {
            keys.push(format!("s{index}.created_at{direction}"));
            format!(" JOIN record s{index} ON s{index}.number = m.number")
        } else {
            keys.push(format!("s{index}.value{direction}"));
            let account = sql.integer(query.scope.owner());
            let field = sql.integer(node.symbols.member(query.scope.spec.name, attribute));
            format!(
                " LEFT JOIN {} s{index} ON s{index}.account = {account} AND s{index}.field = {field} \
                 AND s{index}.record = m.number",
                table(query.scope.spec, attribute)
            )
        };
        joins.push_str(&join);
    }
    let is_reversed = query.order.last().is_some_and(|last| last.descending);
    keys.push(format!("m.number{}", if is_reversed { " DESC" } else { "" }));
    // One row with an array: a row for each number would cost more than finding it.
    let select =
        format!("SELECT array_agg(m.number ORDER BY {}) FROM ({matching}) m{joins}", keys.join(", "));
    let row = client.query_typed_one(&select, &sql.parameters()).await?;
    Ok(row.try_get::<_, Option<Vec<i64>>>(0)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use didww_types::resources::Did;
    use didww_types::{FilterTest, Resource as _};

    use super::*;
    use crate::Condition;

    #[test]
    fn few_records_are_sorted_as_their_index_is() {
        let text = |text: &str| IndexValue::Text(text.to_owned());
        let records = || {
            let values = [text("b"), IndexValue::Null, text("a"), IndexValue::Integer(2), text("a")];
            let flags = [1, 1, 0, 1, 1].map(IndexValue::Integer);
            let each = values.into_iter().zip(flags).zip(1..);
            each.map(|((value, flag), number)| (vec![value, flag], number)).collect::<Vec<_>>()
        };
        let by = |attribute, descending| Order { attribute, descending };
        for (order, expected) in [
            ([by("name", false), by("blocked", false)], [4, 3, 5, 1, 2]),
            ([by("name", false), by("blocked", true)], [4, 5, 3, 1, 2]),
            ([by("name", true), by("blocked", false)], [2, 1, 3, 5, 4]),
        ] {
            let mut records = records();
            sort(&mut records, &order);
            let numbers: Vec<i64> = records.into_iter().map(|(_, number)| number).collect();
            assert_eq!(numbers, expected, "{order:?}");
        }
        let mut equal: Vec<(Vec<IndexValue>, i64)> = (1..4).map(|number| (vec![text("a")], number)).collect();
        sort(&mut equal, &[by("name", true)]);
        assert_eq!(equal[0].1, 3, "the order of creation is reversed too");
    }

    #[test]
    fn a_list_that_was_read_before_a_failover_is_not_found_after_it_whenever_the_read_ends() {
        let condition =
            Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(1)] };
        let query = ListQuery {
            scope: Scope { account: 1, spec: Did::SPEC },
            linked_from: None,
            conditions: vec![condition],
            order: Vec::new(),
            offset: 0,
            limit: 10,
        };
        let cache = ListCache::default();
        let before = cache.epoch();
        cache.insert(&query, 7, before, vec![1, 2, 3]);
        assert!(cache.get(&query, 7, before).is_some());
        cache.begin_epoch();
        let after = cache.epoch();
        assert!(cache.get(&query, 7, after).is_none(), "it was there when the database failed over");
        cache.insert(&query, 7, before, vec![1, 2, 3]);
        assert!(cache.get(&query, 7, after).is_none(), "it came afterwards");
        cache.insert(&query, 7, after, vec![4, 5]);
        assert_eq!(cache.get(&query, 7, after).as_deref(), Some([4, 5].as_slice()));
        assert!(cache.get(&query, 7, before).is_none(), "a read of the old state has other records");
    }
}
