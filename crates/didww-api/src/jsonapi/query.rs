//! The query of a request, checked against the declaration.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use didww_types::{
    ErrorCode, ErrorObject, FilterSpec, Kind, Page, QueryPairs, ResourceSpec, find, split_values,
};

use super::include::Node;
use super::{Call, Operation, Refused};
use trunk_store::{Condition, IndexValue, Order};

/// What the query says about the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Chosen names by type.
    pub fields: Vec<(&'static str, Vec<String>)>,
    /// What to include.
    pub include: Vec<Node>,
    /// Which records.
    pub conditions: Vec<Condition>,
    /// In which order.
    pub order: Vec<Order>,
    /// Which page.
    pub page: Page,
    /// The parameters that links repeat, the page apart.
    pub repeated: Vec<(String, String)>,
}

impl View {
    /// Reads a query.
    ///
    /// # Errors
    /// The first wrong name in `fields`; else every wrong include, filter and page value. A sort criterion that
    /// is wrong ends the reading, so nothing is said of pages then.
    pub(crate) fn read(call: &Call<'_>, operation: &Operation, query: &str) -> Result<Self, Refused> {
        let mut view = Self::default();
        let Some(spec) = operation.shown().filter(|_| !query.is_empty()) else { return Ok(view) };
        let pairs = last_of_each(QueryPairs::parse(query).0);
        view.fields = fields(call, &pairs)?;
        let mut errors = Vec::new();
        view.include(call, spec, &pairs, &mut errors);
        if operation.is_list() {
            view.filters(call, spec, &pairs, &mut errors);
            match view.sort(call, spec, &pairs) {
                Ok(()) => view.page(&pairs, &mut errors),
                Err(error) => errors.push(*error),
            }
            view.repeated = pairs.into_iter().filter(|(name, _)| is_repeated(name)).collect();
        }
        if errors.is_empty() { Ok(view) } else { Err(Refused::all(errors)) }
    }

    /// The names chosen of a type; `None` when all are.
    pub(crate) fn chosen(&self, kind: &str) -> Option<&[String]> {
        self.fields.iter().find(|(of, _)| *of == kind).map(|(_, names)| names.as_slice())
    }

    fn include(
        &mut self,
        call: &Call<'_>,
        spec: &'static ResourceSpec,
        pairs: &[(String, String)],
        errors: &mut Vec<ErrorObject>,
    ) {
        for (_, value) in pairs.iter().filter(|(name, _)| name == "include") {
            for path in value.split(',').filter(|path| !path.is_empty()) {
                if let Err(error) = Node::add(call, spec, &mut self.include, path) {
                    errors.push(*error);
                }
            }
        }
        Node::sort(&mut self.include, spec);
    }

    fn filters(
        &mut self,
        call: &Call<'_>,
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
            let Some(filter) = call.filter(spec, name) else {
                // The framework behind the API names the last part of a dotted name.
                let named = name.rsplit('.').next().unwrap_or(name);
                let detail = format!("{named} is not allowed.");
                errors.push(ErrorObject::new(ErrorCode::FilterNotAllowed, "Filter not allowed", detail));
                continue;
            };
            match values(filter, value) {
                Ok(values) => self.conditions.push(Condition { test: filter.test, values }),
                Err(wrong) => {
                    let detail = format!("{wrong} is not a valid value for {name}.");
                    errors.push(ErrorObject::new(
                        ErrorCode::InvalidFilterValue,
                        "Invalid filter value",
                        detail,
                    ));
                }
            }
        }
    }

    fn sort(
        &mut self,
        call: &Call<'_>,
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
            let known =
                spec.attribute(name).filter(|attribute| attribute.sort && attribute.exists_in(call.version));
            let Some(attribute) = known else {
                let detail = format!("{name} is not a valid sort criteria for {}", spec.name);
                return Err(ErrorObject::new(ErrorCode::InvalidSort, "Invalid sort criteria", detail).into());
            };
            // What was sorted by before decides nothing a second time.
            if !self.order.iter().any(|order| order.attribute == attribute.name) {
                self.order.push(Order { attribute: attribute.name, descending });
            }
        }
        Ok(())
    }

    fn page(&mut self, pairs: &[(String, String)], errors: &mut Vec<ErrorObject>) {
        for (name, value) in pairs {
            let Some(name) = inside(name, "page") else { continue };
            // What is no number counts as 0 to the framework behind the API.
            let number: u64 = value.trim().parse().unwrap_or(0);
            match name {
                "number" if number > 0 => self.page.number = number,
                "size" if number > 0 && number <= Page::MAX_SIZE => self.page.size = number,
                "size" if number > Page::MAX_SIZE => {
                    errors.push(page_error(format!("size exceeds maximum page size of {}.", Page::MAX_SIZE)));
                }
                "number" | "size" => {
                    errors
                        .push(page_error(format!("{value} is not a valid value for {name} page parameter.")));
                }
                _ => {
                    let detail = format!("{name} is not an allowed page parameter.");
                    errors.push(ErrorObject::new(
                        ErrorCode::ParamNotAllowed,
                        "Page parameter not allowed",
                        detail,
                    ));
                }
            }
        }
    }
}

/// The framework behind the API keeps the last value of a parameter that comes more than once.
fn last_of_each(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        if let Some((_, known)) = places.get(&name).and_then(|place| kept.get_mut(*place)) {
            *known = value;
        } else {
            places.insert(name.clone(), kept.len());
            kept.push((name, value));
        }
    }
    kept
}

fn page_error(detail: String) -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidPageValue, "Invalid page value", detail)
}

fn is_repeated(name: &str) -> bool {
    name == "include" || name == "sort" || name.starts_with("filter[") || name.starts_with("fields[")
}

/// The text inside the brackets of `outer[inner]`.
fn inside<'a>(name: &'a str, outer: &str) -> Option<&'a str> {
    name.strip_prefix(outer)?.strip_prefix('[')?.strip_suffix(']')
}

fn fields(call: &Call<'_>, pairs: &[(String, String)]) -> Result<Vec<(&'static str, Vec<String>)>, Refused> {
    let mut fields = Vec::new();
    for (name, value) in pairs {
        if name == "fields" {
            let detail = "Fields must specify a type.";
            return Err(Refused::new(ErrorCode::InvalidFieldFormat, "Invalid field format", detail));
        }
        let Some(kind) = inside(name, "fields") else { continue };
        let Some(spec) = find(kind).filter(|spec| call.version >= spec.since) else {
            let detail = format!("{kind} is not a valid resource.");
            return Err(Refused::new(ErrorCode::InvalidResource, "Invalid resource", detail));
        };
        let wrong = |name: &str| {
            let detail = format!("{name} is not a valid field for {kind}.");
            Refused::new(ErrorCode::InvalidField, "Invalid field", detail)
        };
        let names: Vec<String> =
            value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if names.is_empty() {
            return Err(wrong("nil"));
        }
        let attributes = spec.attributes_at(call.version);
        for name in &names {
            let known = name == "id"
                || attributes.iter().any(|attribute| attribute.name == name)
                || call.relationship(spec, name).is_some();
            if !known {
                return Err(wrong(name));
            }
        }
        fields.push((spec.name, names));
    }
    Ok(fields)
}

/// The values of a filter, or the one that it cannot take.
fn values(filter: &FilterSpec, text: &str) -> Result<Vec<IndexValue>, String> {
    if text.is_empty() {
        let closed = matches!(filter.kind, Kind::Boolean | Kind::Enumeration(_) | Kind::Integer { .. });
        return if filter.blank || !closed { Ok(vec![IndexValue::Null]) } else { Err(String::new()) };
    }
    let mut values = split_values(text);
    if !filter.list && values.len() > 1 {
        // A comma without quotes separates nothing where one value is all that there can be.
        values = vec![Cow::Borrowed(text)];
    }
    let mut seen = HashSet::with_capacity(values.len());
    values.retain(|value| seen.insert(value.clone()));
    let read = |value: Cow<'_, str>| index_value(filter.kind, &value).ok_or_else(|| value.into_owned());
    values.into_iter().map(read).collect()
}

fn index_value(kind: Kind, text: &str) -> Option<IndexValue> {
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
        _ if text.is_empty() => Some(IndexValue::Null),
        kind => Some(IndexValue::of(kind, &serde_json::Value::from(text))),
    }
}
