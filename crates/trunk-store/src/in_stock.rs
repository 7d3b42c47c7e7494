//! The statement that finds records in stock by the records to which they link, with the same text for both engines.

use std::fmt::Write as _;

use didww_types::ResourceSpec;

use crate::symbols::Symbols;

/// Returns the statement that selects the numbers of the first records in stock of a type, in the order of creation,
/// whose relationships `through` each contain a given record. `None` without a relationship.
///
/// `mark` begins the name of a parameter. The parameters are the number after which the search begins, the maximum
/// number of records, and the id of the given record of each relationship.
///
/// The links to the last of the given records are read in the order of their owners, until there are enough owners that
/// pass the other tests. Each test is one search in an index, written as the value of a subquery, which PostgreSQL does
/// not turn into a join: a join may read all links of the database. `<>` makes it expect that most owners pass, so
/// that it reads the links in their order instead of all of them to sort them.
pub(crate) fn select(
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    through: &[&'static str],
    mark: char,
) -> Option<String> {
    let given = |place: usize| format!("(SELECT number FROM record WHERE id = {mark}{})", place + 3);
    let (last, others) = through.split_last()?;
    let mut text = format!(
        "SELECT l.owner AS number FROM link l \
         WHERE l.target = {} AND l.relationship = {} AND l.owner > {mark}1",
        given(others.len()),
        symbols.member(spec.name, last)
    );
    for (place, relationship) in others.iter().enumerate() {
        let _infallible = write!(
            text,
            " AND coalesce((SELECT 1 FROM link k WHERE k.owner = l.owner AND k.relationship = {} \
             AND k.target = {} LIMIT 1), 0) <> 0",
            symbols.member(spec.name, relationship),
            given(place)
        );
    }
    let takers = spec.taken_by.iter().filter_map(|path| path.split_once('<'));
    let takers: Vec<String> =
        takers.map(|(relationship, owners)| symbols.member(owners, relationship).to_string()).collect();
    if !takers.is_empty() {
        let _infallible = write!(
            text,
            " AND coalesce((SELECT 1 FROM link k WHERE k.target = l.owner AND k.relationship IN ({}) \
             LIMIT 1), 0) <> 1",
            takers.join(", ")
        );
    }
    let _infallible = write!(text, " ORDER BY l.owner LIMIT {mark}2");
    Some(text)
}
