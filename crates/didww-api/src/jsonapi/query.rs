//! Query parameters, checked against the declaration of the resource.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use didww_types::{
    AttributeSpec, ErrorCode, ErrorObject, FilterSpec, FilterTest, Kind, Page, QueryPairs, REGISTRY,
    RelationshipSpec, ResourceSpec, Timestamp, find, follow, related_attribute,
};

use super::context::RequestContext;
use super::error::ApiError;
use super::include::{IncludeNode, relationship_targets};
use super::operation::Operation;
use super::page;
use super::target::parse_id;
use trunk_store::{Condition, IndexValue, Order};

/// The parsed query parameters of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryParams {
    /// `fields[TYPE]`: the names of the attributes and relationships to render, by type. A type that is not listed is
    /// rendered completely.
    pub fields: Vec<(&'static str, Vec<String>)>,
    /// `include`: the relationships whose records the response includes.
    pub include: Vec<IncludeNode>,
    /// `filter[NAME]`: the conditions that a listed record meets.
    pub conditions: Vec<Condition>,
    /// The filters whose values must be ids of the account's records, each with the listed type and the values.
    owned: Vec<(&'static ResourceSpec, &'static FilterSpec, Vec<IndexValue>)>,
    /// `sort`: the sort criteria, the primary one first.
    pub order: Vec<Order>,
    /// The page, from `page[number]` and `page[size]`.
    pub page: Page,
    /// The decoded parameters that the `links` of a page repeat: all but those of the page itself.
    pub in_links: Vec<(String, String)>,
    /// The query from which the parameters were parsed, if the response is a page.
    pub text: String,
}

impl QueryParams {
    /// Parses the query of a request. Returns the defaults if the response contains no records.
    ///
    /// # Errors
    /// The first wrong name in `fields`; otherwise every wrong include and filter, and then either the first wrong sort
    /// criterion or every wrong page parameter.
    pub(crate) async fn parse(
        context: &RequestContext<'_>,
        operation: &Operation,
        query: &str,
    ) -> Result<Self, ApiError> {
        let params = Self::parse_text(context, operation, query)?;
        if !params.owned.is_empty() {
            Box::pin(params.check_owned(context)).await?;
        }
        Ok(params)
    }

    fn parse_text(
        context: &RequestContext<'_>,
        operation: &Operation,
        query: &str,
    ) -> Result<Self, ApiError> {
        let primary = operation.primary_resource();
        let size = primary.map_or(Page::DEFAULT_SIZE, |spec| spec.page_size);
        let mut params = Self { page: Page { size, ..Page::default() }, ..Self::default() };
        let Some(spec) = primary.filter(|_| !query.is_empty()) else {
            return Ok(params);
        };
        let pairs = last_of_each(QueryPairs::parse(query).0);
        params.fields = fields(context, &pairs)?;
        let mut errors = Vec::new();
        let specs = if let Operation::Related { relationship, .. } = operation {
            relationship_targets(relationship)
        } else {
            vec![spec]
        };
        params.include(context, &specs, &pairs, &mut errors);
        if operation.is_paged() {
            params.filters(context, spec, &pairs, &mut errors);
            match params.sort(context, spec, &pairs) {
                Ok(()) if spec.unpaged => {}
                Ok(()) => match page::read(query, spec.page_size, spec.max_page_size_at(context.version)) {
                    Ok(page) => params.page = page,
                    Err(wrong) => errors.extend(wrong),
                },
                Err(error) => errors.push(*error),
            }
            params.in_links = pairs.into_iter().filter(|(name, _)| is_in_links(name)).collect();
            query.clone_into(&mut params.text);
        }
        if errors.is_empty() { Ok(params) } else { Err(ApiError::from_objects(errors)) }
    }

    /// Returns the names that `fields` selects for a type; `None` selects all.
    pub(crate) fn selected_fields(&self, kind: &str) -> Option<&[String]> {
        self.fields.iter().find(|(of, _)| *of == kind).map(|(_, names)| names.as_slice())
    }

    fn include(
        &mut self,
        context: &RequestContext<'_>,
        specs: &[&'static ResourceSpec],
        pairs: &[(String, String)],
        errors: &mut Vec<ErrorObject>,
    ) {
        for (_, value) in pairs.iter().filter(|(name, _)| name == "include") {
            for path in value.split(',').filter(|path| !path.is_empty()) {
                if let Err(error) = IncludeNode::add(context, specs, &mut self.include, path) {
                    errors.push(*error);
                }
            }
        }
        IncludeNode::sort(&mut self.include, specs);
    }

    fn filters(
        &mut self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        pairs: &[(String, String)],
        errors: &mut Vec<ErrorObject>,
    ) {
        for (name, value) in pairs {
            if name == "filter" {
                let detail = format!("{value} is not a valid syntax for filtering.");
                errors.push(ErrorObject::new(
                    ErrorCode::InvalidFiltersSyntax,
                    "Invalid filters syntax",
                    detail,
                ));
                continue;
            }
            let Some(name) = inside(name, "filter") else { continue };
            let Some(filter) = context.filter(spec, name) else {
                // The framework behind the API names the last part of a dotted name.
                let named = name.rsplit('.').next().unwrap_or(name);
                let detail = format!("{named} is not allowed.");
                errors.push(ErrorObject::new(ErrorCode::FilterNotAllowed, "Filter not allowed", detail));
                continue;
            };
            match values(context, spec, filter, value) {
                // Only the values of the filter are checked.
                Ok(_) if filter.unapplied => {}
                Ok(values) if is_before_kept(context, spec, filter, &values) => {
                    let days = spec.kept_days.unwrap_or_default();
                    errors.push(wrong_filter_value(format!("Date must be within the last {days} days.")));
                }
                Ok(values) => {
                    if filter.owned && context.version.has_corrected_rules() {
                        self.owned.push((spec, filter, values.clone()));
                    }
                    self.conditions.extend(with_its_letters(context, filter, value));
                    let (test, values) = mirrored(spec, filter.kind, filter.test_at(context.version), values);
                    match test {
                        _ if !filter.every.contain(context.version) => {
                            self.conditions.push(Condition { test, values });
                        }
                        // One related record has them all.
                        FilterTest::Related(path) if values.len() > 1 => {
                            self.conditions.push(Condition { test: FilterTest::RelatedEvery(path), values });
                        }
                        _ => {
                            let one = |value| Condition { test, values: vec![value] };
                            self.conditions.extend(values.into_iter().map(one));
                        }
                    }
                }
                Err(wrong) => errors.push(invalid_filter_value(&wrong, name)),
            }
            if let Some((least, unless)) = filter.least {
                let is_sent = |(sent, _): &(String, String)| {
                    inside(sent, "filter").is_some_and(|sent| unless.contains(&sent))
                };
                if value.chars().count() < least && !pairs.iter().any(is_sent) {
                    errors.push(invalid_filter_value(value, name));
                }
            }
        }
    }

    /// Refuses a filter for a record that the account does not have.
    async fn check_owned(&self, context: &RequestContext<'_>) -> Result<(), ApiError> {
        for (spec, filter, values) in &self.owned {
            let FilterTest::Linked(path) = filter.test else { continue };
            let Some(target) =
                follow(REGISTRY, spec.name, path).and_then(|steps| steps.last().map(|step| step.target))
            else {
                continue;
            };
            let texts = || {
                values.iter().filter_map(|value| match value {
                    IndexValue::Text(text) => Some(text.as_str()),
                    _ => None,
                })
            };
            let ids = texts().filter_map(parse_id).collect();
            let found = context.core.store.find_all(context.scope(target), ids).await?;
            let is_found =
                |text: &&str| parse_id(text).is_some_and(|id| found.iter().any(|record| record.id == id));
            if let Some(foreign) = texts().find(|text| !is_found(text)) {
                return Err(ApiError::from_object(invalid_filter_value(foreign, filter.name)));
            }
        }
        Ok(())
    }

    fn sort(
        &mut self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        pairs: &[(String, String)],
    ) -> Result<(), Box<ErrorObject>> {
        let criteria =
            pairs.iter().filter(|(name, _)| name == "sort").flat_map(|(_, value)| value.split(','));
        for criterion in criteria.filter(|criterion| !criterion.is_empty()) {
            let (name, descending) = match criterion.strip_prefix('-') {
                Some(name) => (name, true),
                None => (criterion, false),
            };
            let Some(attribute) = spec.sort_at(context.version, name) else {
                let owner = spec.name_at(context.version);
                let detail = format!("{name} is not a valid sort criteria for {owner}");
                return Err(ErrorObject::new(ErrorCode::InvalidSort, "Invalid sort criteria", detail).into());
            };
            // A repeated criterion has no effect.
            if !self.order.iter().any(|order| order.attribute == attribute) {
                self.order.push(Order { attribute, descending });
            }
        }
        Ok(())
    }
}

/// Keeps the last value of a parameter that is sent more than once, as the framework behind the API does.
fn last_of_each(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    let mut indices: HashMap<String, usize> = HashMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        if let Some((_, known)) = indices.get(&name).and_then(|index| kept.get_mut(*index)) {
            *known = value;
        } else {
            indices.insert(name.clone(), kept.len());
            kept.push((name, value));
        }
    }
    kept
}

/// The test of an attribute instead of the test of a relationship to the fixed records of its texts. No record is
/// linked to those.
fn mirrored(
    spec: &'static ResourceSpec,
    kind: Kind,
    test: FilterTest,
    values: Vec<IndexValue>,
) -> (FilterTest, Vec<IndexValue>) {
    let relationship = match test {
        FilterTest::Linked(name) => spec.relationship(name),
        // The value is the id of a fixed record, which the text of a related record's attribute represents.
        FilterTest::Related(path) if kind == Kind::Uuid => related_attribute(REGISTRY, spec.name, path)
            .and_then(|(steps, attribute)| {
                let mirrors = |one: &&RelationshipSpec| one.mirrors == Some(attribute);
                steps.last()?.target.relationships.iter().find(mirrors)
            }),
        _ => None,
    };
    let mirrored = relationship.and_then(|one| one.mirrors.zip(find(one.target)));
    let Some((attribute, target)) = mirrored else { return (test, values) };
    let key_of = |value: IndexValue| match &value {
        IndexValue::Text(id) => {
            let fixed = target.fixed.iter().find(|record| id.eq_ignore_ascii_case(record.id));
            // The attribute has the record's text instead of its id. No record has the empty text.
            IndexValue::Text(fixed.map_or("", |record| record.key).to_owned())
        }
        _ => value,
    };
    let test = if matches!(test, FilterTest::Linked(_)) { FilterTest::Equals(attribute) } else { test };
    (test, values.into_iter().map(key_of).collect())
}

/// The milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Whether a filter names a day before that of the oldest record that the type keeps.
fn is_before_kept(
    context: &RequestContext<'_>,
    spec: &ResourceSpec,
    filter: &FilterSpec,
    values: &[IndexValue],
) -> bool {
    let is_of_creation = matches!(filter.test, FilterTest::CreatedFrom | FilterTest::CreatedUntil);
    let Some(days) = spec.kept_days.filter(|_| is_of_creation) else { return false };
    let today = context.core.clock.now().as_unix_millis().div_euclid(DAY);
    let oldest = today.saturating_sub(i64::try_from(days).unwrap_or(i64::MAX)).saturating_mul(DAY);
    values.iter().any(|value| matches!(value, IndexValue::Integer(at) if *at < oldest))
}

fn invalid_filter_value(value: &str, name: &str) -> ErrorObject {
    wrong_filter_value(format!("{value} is not a valid value for {name}."))
}

fn wrong_filter_value(detail: String) -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidFilterValue, "Invalid filter value", detail)
}

fn is_in_links(name: &str) -> bool {
    name == "include" || name == "sort" || name.starts_with("filter[") || name.starts_with("fields[")
}

/// Returns `inner` of the parameter name `outer[inner]`.
fn inside<'a>(name: &'a str, outer: &str) -> Option<&'a str> {
    name.strip_prefix(outer)?.strip_prefix('[')?.strip_suffix(']')
}

fn fields(
    context: &RequestContext<'_>,
    pairs: &[(String, String)],
) -> Result<Vec<(&'static str, Vec<String>)>, ApiError> {
    let mut fields = Vec::new();
    for (name, value) in pairs {
        if name == "fields" {
            let detail = "Fields must specify a type.";
            return Err(ApiError::new(ErrorCode::InvalidFieldFormat, "Invalid field format", detail));
        }
        let Some(kind) = inside(name, "fields") else { continue };
        let is_named =
            |spec: &&&ResourceSpec| spec.name_at(context.version) == kind && spec.exists_in(context.version);
        let Some(spec) = REGISTRY.iter().find(is_named).copied() else {
            let detail = format!("{kind} is not a valid resource.");
            return Err(ApiError::new(ErrorCode::InvalidResource, "Invalid resource", detail));
        };
        let wrong = |name: &str| {
            let detail = format!("{name} is not a valid field for {kind}.");
            ApiError::new(ErrorCode::InvalidField, "Invalid field", detail)
        };
        // Each is looked for among the members of each record, so one that is repeated counts once.
        let mut seen = HashSet::new();
        let sent = value.split(',').filter(|name| !name.is_empty() && seen.insert(*name));
        let names: Vec<String> = sent.map(str::to_owned).collect();
        if names.is_empty() {
            return Err(wrong("nil"));
        }
        let attributes = spec.attributes_at(context.version);
        for name in &names {
            let is_field = name == "id"
                || attributes.iter().any(|attribute| attribute.name == name)
                || context.relationship(spec, name).is_some();
            if !is_field {
                return Err(wrong(name));
            }
        }
        fields.push((spec.name, names));
    }
    Ok(fields)
}

/// Parses the values of a filter.
///
/// # Errors
/// The first value that the filter's kind does not allow.
fn values(
    context: &RequestContext<'_>,
    spec: &ResourceSpec,
    filter: &FilterSpec,
    text: &str,
) -> Result<Vec<IndexValue>, String> {
    let mut values =
        if text.is_empty() { vec![Cow::Borrowed(text)] } else { filter.values(context.version, text) };
    if let FilterTest::Equals(path) = filter.test
        && spec.needs_conversion(context.version)
    {
        // An older version can have other texts for the values of an attribute.
        values = values.into_iter().map(|value| canonical(context, spec, path, value)).collect();
    }
    if let (FilterTest::Equals(path), true) = (filter.test, context.version.has_corrected_rules()) {
        let features = context.account.features;
        let needs_more =
            |attribute: &AttributeSpec, value: &str| attribute.missing_feature(value, features).is_some();
        let refused = spec
            .attribute(path)
            .and_then(|attribute| values.iter().find(|value| needs_more(attribute, value)));
        if let Some(value) = refused {
            return Err(value.clone().into_owned());
        }
    }
    if matches!(filter.test, FilterTest::Equals(path) if path.ends_with('~')) {
        // The index has the texts in lower case.
        values = values.into_iter().map(|value| Cow::Owned(value.to_lowercase())).collect();
    }
    let mut seen = HashSet::with_capacity(values.len());
    values.retain(|value| seen.insert(value.clone()));
    let blank = filter.blank.contain(context.version);
    let read = |value: Cow<'_, str>| {
        let read = match filter.test {
            FilterTest::CreatedFrom => time(&value, "T00:00:00.000Z"),
            FilterTest::CreatedUntil if filter.whole_day => end_of_day(&value),
            FilterTest::CreatedUntil => time(&value, "T23:59:59.999Z"),
            _ if filter.is_former_text(context.version, &value) => {
                Some(IndexValue::Text(value.clone().into_owned()))
            }
            _ => index_value(filter.kind, &value, blank),
        };
        read.ok_or_else(|| value.into_owned())
    };
    values.into_iter().map(read).collect()
}

/// The condition that an attribute contains the text of a filter in the same letter case, where the filter ignores case
/// only in newer versions. A value that is equal without regard to case and contains the text is equal.
fn with_its_letters(context: &RequestContext<'_>, filter: &FilterSpec, text: &str) -> Option<Condition> {
    let FilterTest::Equals(path) = filter.test else { return None };
    let counts = filter.ignores_case_since.is_some_and(|first| context.version < first);
    if !counts || text.is_empty() {
        return None;
    }
    let texts = filter.values(context.version, text).into_iter();
    let values = texts.map(|text| IndexValue::Text(text.into_owned())).collect();
    Some(Condition { test: FilterTest::Contains(path.trim_end_matches('~')), values })
}

/// The canonical text of an attribute for a text of the request's version.
fn canonical<'a>(
    context: &RequestContext<'_>,
    spec: &ResourceSpec,
    attribute: &str,
    text: Cow<'a, str>,
) -> Cow<'a, str> {
    let is_text = spec.attribute(attribute).is_some_and(|known| matches!(known.kind, Kind::Enumeration(_)));
    if !is_text {
        return text;
    }
    let sent = serde_json::Value::from(&*text);
    let mut attributes = serde_json::Map::from_iter([(attribute.to_owned(), sent)]);
    spec.to_canonical(context.version, &mut attributes);
    match attributes.remove(attribute) {
        Some(serde_json::Value::String(canonical)) if *canonical != *text => Cow::Owned(canonical),
        _ => text,
    }
}

/// The end of the day of a time, or of a day.
fn end_of_day(text: &str) -> Option<IndexValue> {
    let IndexValue::Integer(at) = time(text, "T00:00:00.000Z")? else { return None };
    let end = at.div_euclid(DAY).saturating_add(1).saturating_mul(DAY).saturating_sub(1);
    Some(IndexValue::Integer(end))
}

/// A time, in UTC unless it names an offset; a day without one has the time of day `of_day`.
fn time(text: &str, of_day: &str) -> Option<IndexValue> {
    let at = text.parse::<Timestamp>();
    let at = at.or_else(|_| format!("{text}{of_day}").parse()).or_else(|_| format!("{text}Z").parse());
    at.ok().map(|at| IndexValue::Integer(at.as_unix_millis()))
}

/// The value that is compared; `None` if the kind does not allow it. An empty one is null where the filter takes
/// `blank` values, and otherwise a text that no record has.
fn index_value(kind: Kind, text: &str, blank: bool) -> Option<IndexValue> {
    if text.is_empty() {
        let is_closed = matches!(kind, Kind::Boolean | Kind::Enumeration(_) | Kind::Integer { .. });
        let unmatched = (!is_closed).then(|| IndexValue::Text(String::new()));
        return if blank { Some(IndexValue::Null) } else { unmatched };
    }
    match kind {
        Kind::Boolean => match text {
            "true" => Some(IndexValue::Integer(1)),
            "false" => Some(IndexValue::Integer(0)),
            _ => None,
        },
        Kind::Enumeration(texts) | Kind::Variant(texts) => {
            texts.contains(&text).then(|| IndexValue::Text(text.to_owned()))
        }
        Kind::Integer { .. } => text.parse().ok().map(IndexValue::Integer),
        kind => Some(IndexValue::of(kind, &serde_json::Value::from(text))),
    }
}

#[cfg(test)]
mod tests;
