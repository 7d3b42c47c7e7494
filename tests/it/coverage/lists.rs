//! The list of a type: its records, each filter and each sort criterion.

use std::cmp::Ordering;

use didww_types::{
    AttributeSpec, FilterSpec, FilterTest, Kind, REGISTRY, ResourceSpec, Verb, follow, plain_names,
    related_attribute,
};
use serde_json::{Value, json};

use super::document::{Document, Members, Record};
use super::relationships::ONE_OF;
use super::world::World;
use crate::support::world::{UNKNOWN, identifier};

/// Filters of which a record has no value in the versions before the attribute that they test.
const OLDER_THAN_ITS_ATTRIBUTE: &[(&str, &str)] = &[("dids", "pending_removal")];

/// Filters through a relationship that no fixture can set: that of other records to the record, or one that nothing
/// sets. They match nothing.
const NOTHING_REFERS: &[(&str, &str)] = &[
    ("addresses", "area.id"),
    ("addresses", "city.id"),
    // A pool with countries takes no DID of another one, which those of the fixtures are; pools are found by their
    // countries in `conformance/shared_capacity.rs`.
    ("capacity_pools", "country.id"),
    // Numbers that were ordered are found in `conformance/orders.rs`.
    ("dids", "order.id"),
    // A request can only clear these.
    ("dids", "address_verification.id"),
    ("dids", "emergency_calling_service.id"),
    // Services of verifications are found in `conformance/emergency.rs`.
    ("emergency_calling_services", "address.id"),
    ("emergency_calling_services", "identity.id"),
    ("dids", "order.reference"),
    ("nanpa_prefixes", "did_group.features"),
];

/// Sort criteria by which the records of the fixtures are equal, so that any order of them is right: attributes of
/// which a fixture has one fixed value, or none, and which no update of it changes. The tests of the store cover the
/// order of each kind of value.
const EQUAL_IN_FIXTURES: &[(&str, &str)] = &[
    ("address_requirements", "address_proof_qty"),
    ("address_requirements", "business_proof_qty"),
    ("address_requirements", "personal_proof_qty"),
    ("address_requirements", "service_description_required"),
    ("addresses", "verified"),
    ("capacity_pools", "assigned_channels_count"),
    ("capacity_pools", "minimum_limit"),
    ("capacity_pools", "minimum_qty_per_order"),
    ("capacity_pools", "renew_date"),
    ("did_groups", "allow_additional_channels"),
    ("did_groups", "is_demo"),
    ("did_groups", "is_metered"),
    ("did_groups", "number_type"),
    ("did_reservations", "expires_at"),
    ("dids", "awaiting_registration"),
    ("dids", "blocked"),
    ("dids", "channels_included_count"),
    // A terminated number shares no channels from 2026-04-16 on, so that the fixture of those versions is none.
    ("dids", "terminated"),
    ("dids", "dedicated_channels_count"),
    ("dids", "expires_at"),
    ("emergency_calling_services", "renew_date"),
    ("emergency_calling_services", "status"),
    ("encrypted_files", "expires_at"),
    ("proofs", "expires_at"),
    ("exports", "status"),
    ("identities", "verified"),
    ("nanpa_prefixes", "npa"),
    ("nanpa_prefixes", "nxx"),
    ("orders", "amount"),
    ("orders", "status"),
    ("sender_id_verifications", "renew_date"),
    ("sender_id_verifications", "status"),
    ("sms_trunk_groups", "updated_at"),
    ("sms_trunks", "allow_in"),
    ("sms_trunks", "allow_out"),
    ("sms_trunks", "updated_at"),
    ("supporting_document_templates", "permanent"),
    ("voice_out_trunks", "allow_any_did_as_cli"),
    ("voice_out_trunks", "threshold_reached"),
];

/// Lists the records of a type, of which `ids` are two, by every filter and criterion.
pub async fn run(world: &World, spec: &'static ResourceSpec, ids: &[String; 2]) {
    let all = list(world, spec, "", "").await;
    for id in ids {
        assert!(all.data.iter().any(|record| record.id == *id), "{world}: {id} is not listed");
    }
    let total = u64::try_from(all.data.len()).ok().filter(|_| !spec.unpaged);
    assert_eq!(all.meta.total_records, total, "{world}");
    assert_eq!(all.meta.total_count.is_some(), spec.sample.is_some(), "{world}");
    assert_eq!(all.meta.available_count.is_some(), spec.at_most.is_some(), "{world}");
    let record = all.data.iter().find(|record| record.id == ids[0]).unwrap();
    for filter in spec.filters {
        let name = format!("filter[{}]", filter.name);
        if filter.exists_in(world.version) {
            filtered(world, spec, filter, &name, record).await;
        } else {
            let answer = world.get_with(&path(world, spec), &name, "").await;
            world.expect_refusal(&answer, 400, "102");
        }
    }
    for attribute in spec.attributes {
        if attribute.sort && attribute.exists_in(world.version) {
            sorted(world, spec, attribute, ids).await;
        } else {
            let answer = world.get_with(&path(world, spec), "sort", attribute.name).await;
            world.expect_refusal(&answer, 400, "114");
        }
    }
    for sort in spec.sorts {
        if !sort.exists_in(world.version) {
            let answer = world.get_with(&path(world, spec), "sort", sort.name).await;
            world.expect_refusal(&answer, 400, "114");
            continue;
        }
        let ids = |listed: Document<Vec<Record>>| -> Vec<String> {
            listed.data.into_iter().map(|record| record.id).collect()
        };
        let ascending = ids(list(world, spec, "sort", sort.name).await);
        let mut descending = ids(list(world, spec, "sort", &format!("-{}", sort.name)).await);
        descending.reverse();
        assert_eq!(ascending, descending, "{world}");
    }
}

fn path(world: &World, spec: &ResourceSpec) -> String {
    format!("/{}", spec.path_at(world.version))
}

async fn list(world: &World, spec: &'static ResourceSpec, name: &str, value: &str) -> Document<Vec<Record>> {
    let path = path(world, spec);
    let answer =
        if name.is_empty() { world.get(&path).await } else { world.get_with(&path, name, value).await };
    let document = if spec.open {
        world.bare_document::<Vec<Record>>(&answer)
    } else {
        world.document::<Vec<Record>>(&answer, 200)
    };
    assert_eq!(document.links.is_some(), !spec.unpaged, "{world}");
    assert!(document.included.is_empty(), "{world}");
    for record in &document.data {
        world.check(spec, record, &[]);
    }
    document
}

/// The value of a record finds it, and another value does not.
async fn filtered(
    world: &World,
    spec: &'static ResourceSpec,
    filter: &FilterSpec,
    name: &str,
    record: &Record,
) {
    if filter.unapplied {
        for value in [record.id.as_str(), UNKNOWN] {
            let listed = list(world, spec, name, value).await;
            assert!(listed.data.iter().any(|listed| listed.id == record.id), "{world}: it is not applied");
        }
        return;
    }
    let value = value(world, spec, filter, record).await;
    let may_lack_value = !spec.resolves(filter)
        || OLDER_THAN_ITS_ATTRIBUTE.contains(&(spec.name, filter.name))
        || NOTHING_REFERS.contains(&(spec.name, filter.name));
    assert!(value.is_some() || may_lack_value, "{world}: {name} has nothing to find: {record:?}");
    let finds = |listed: Document<Vec<Record>>| listed.data.iter().any(|listed| listed.id == record.id);
    match &value {
        Some(value) => assert!(finds(list(world, spec, name, value).await), "{world}: it has {value}"),
        None if filter.blank.contain(world.version) => {
            assert!(finds(list(world, spec, name, "").await), "{world}: it is empty");
        }
        None => {}
    }
    let other = match filter.test {
        // A smaller number than the record's finds it too.
        FilterTest::MetaAtLeast(_) => Some(i64::MAX.to_string()),
        FilterTest::CreatedFrom => Some("2101-02-03".to_owned()),
        _ => other(filter.kind, value.as_deref()),
    };
    if let Some(other) = other {
        if filter.test == FilterTest::CreatedUntil && spec.kept_days.is_some() {
            // The time is before those of all records that are kept.
            let answer = world.get_with(&path(world, spec), name, &other).await;
            world.expect_refusal(&answer, 400, "107");
            return;
        }
        if filter.owned && world.version.has_corrected_rules() {
            let answer = world.get_with(&path(world, spec), name, &other).await;
            world.expect_refusal(&answer, 400, "107");
            return;
        }
        assert!(!finds(list(world, spec, name, &other).await), "{world}: it has {value:?}, not {other}");
    }
}

/// The value that a record has for a filter; none if it has none.
async fn value(
    world: &World,
    spec: &'static ResourceSpec,
    filter: &FilterSpec,
    record: &Record,
) -> Option<String> {
    match filter.test {
        FilterTest::Id => Some(record.id.clone()),
        FilterTest::Linked(_) | FilterTest::Related(_) | FilterTest::RelatedMeta(..)
            if !is_shown(spec, filter.test) =>
        {
            for candidate in candidates(world, spec, filter).await {
                let listed = list(world, spec, &format!("filter[{}]", filter.name), &candidate).await;
                if listed.data.iter().any(|listed| listed.id == record.id) {
                    return Some(candidate);
                }
            }
            None
        }
        FilterTest::Equals(path) | FilterTest::Contains(path) if path.ends_with('~') => {
            // The record is found by its text in other letters, where these do not count.
            let value = record.attributes.as_ref()?.get(path.trim_end_matches('~'))?;
            let counts = filter.ignores_case_since.is_some_and(|first| world.version < first);
            text(value).map(|text| if counts { text } else { text.to_uppercase() })
        }
        FilterTest::Equals(path) | FilterTest::Contains(path) if path.contains('+') => {
            joined(record.attributes.as_ref()?, path)
        }
        FilterTest::Equals(path) | FilterTest::Contains(path) => {
            let mut parts = path.split('.');
            let mut value = record.attributes.as_ref()?.get(parts.next()?)?;
            for part in parts {
                value = value.get(part)?;
            }
            text(value)
        }
        FilterTest::Linked(path) => Some(linked(world, spec, &record.id, path).await?.1),
        FilterTest::Related(path) if filter.kind == Kind::Uuid => {
            // The id of the record for which the related record's text stands.
            let (path, attribute) = path.rsplit_once('.')?;
            let target = follow(REGISTRY, spec.name, path)?.last()?.target;
            let mirror = target.relationships.iter().find(|one| one.mirrors == Some(attribute))?;
            Some(linked(world, spec, &record.id, &format!("{path}.{}", mirror.name)).await?.1)
        }
        FilterTest::Related(path) => {
            let (path, attribute) = path.rsplit_once('.')?;
            let (target, id) = linked(world, spec, &record.id, path).await?;
            let related = world.get(&format!("/{}/{id}", target.path_at(world.version))).await;
            text(&related.at(&format!("/data/attributes/{attribute}")))
        }
        FilterTest::CreatedFrom | FilterTest::CreatedUntil => {
            text(record.attributes.as_ref()?.get("created_at")?)
        }
        FilterTest::Zero(name) => {
            Some((record.attributes.as_ref()?.get(name)?.as_i64() == Some(0)).to_string())
        }
        FilterTest::Exceeds(greater, smaller) => {
            let number = |name: &str| record.attributes.as_ref()?.get(name)?.as_i64();
            Some((number(greater)? > number(smaller)?).to_string())
        }
        FilterTest::Meta(name) | FilterTest::MetaAtLeast(name) => {
            let shown = record.meta.as_ref().and_then(|meta| meta.get(name)).and_then(text);
            // An absent one is false.
            shown.or_else(|| (filter.kind == Kind::Boolean).then(|| "false".to_owned()))
        }
        _ => None,
    }
}

/// Whether answers show every relationship on the path of a filter.
fn is_shown(spec: &'static ResourceSpec, test: FilterTest) -> bool {
    let path = match test {
        FilterTest::Linked(path) => Some(path),
        FilterTest::Related(path) => path.rsplit_once('.').map(|(path, _)| path),
        _ => None,
    };
    let steps = path.and_then(|path| follow(REGISTRY, spec.name, path));
    steps.is_none_or(|steps| steps.iter().all(|step| !step.inverse && !step.relationship.hidden))
        && !matches!(test, FilterTest::RelatedMeta(..))
}

/// Values of which one may find a record, for a filter along relationships that no answer shows.
async fn candidates(world: &World, spec: &'static ResourceSpec, filter: &FilterSpec) -> Vec<String> {
    if let Kind::Enumeration(texts) = filter.kind {
        return texts.iter().map(|text| (*text).to_owned()).collect();
    }
    if filter.kind == Kind::Boolean {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let (target, attribute) = match filter.test {
        FilterTest::Linked(path) => (follow(REGISTRY, spec.name, path).unwrap().last().unwrap().target, None),
        FilterTest::Related(path) => {
            let (steps, attribute) = related_attribute(REGISTRY, spec.name, path).unwrap();
            (steps.last().unwrap().target, Some(attribute))
        }
        _ => return Vec::new(),
    };
    if !target.exists_in(world.version) || !target.has_at(Verb::List, world.version) {
        return Vec::new();
    }
    let records = list(world, target, "", "").await.data;
    let value = |record: Record| match attribute {
        None => Some(record.id),
        Some(attribute) => joined(record.attributes.as_ref()?, attribute),
    };
    records.into_iter().filter_map(value).collect()
}

/// The texts of the attributes that an index path names, one behind the other.
fn joined(attributes: &Members<Value>, path: &str) -> Option<String> {
    plain_names(path).map(|name| text(attributes.get(name)?)).collect()
}

/// The record at the end of a dotted path of relationships, with its type; none if a type on the path is not declared
/// or nothing is linked.
async fn linked(
    world: &World,
    spec: &'static ResourceSpec,
    id: &str,
    path: &str,
) -> Option<(&'static ResourceSpec, String)> {
    let mut end = (spec, id.to_owned());
    for name in path.split('.') {
        let (spec, id) = end;
        let relationship = spec.relationships_at(world.version).find(|one| one.name == name)?;
        let target = world.served(relationship.target)?;
        let name = relationship.name_at(world.version);
        let (path, place) = if spec.unrouted {
            let path = format!("/{}/{id}?include={name}", spec.path_at(world.version));
            (path, format!("/data/relationships/{name}/data"))
        } else {
            (format!("/{}/{id}/relationships/{name}", spec.path_at(world.version)), "/data".to_owned())
        };
        let first = format!("{place}{}", if relationship.many { "/0/id" } else { "/id" });
        let found = match world.get(&path).await.at(&first) {
            Value::String(id) => id,
            // The record has another one in its place.
            _ if relationship.update && ONE_OF.contains(&(target.name, relationship.name)) => {
                let id = world.create(target).await;
                let body = json!({ "data": identifier(target.name_at(world.version), &id) });
                world.expect_status(&world.send("PATCH", &path, Some(&body)).await, 204);
                id
            }
            _ => return None,
        };
        end = (target, found);
    }
    Some(end)
}

/// A value as a filter takes it, of a list its first item; none if it is empty.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => items.first().and_then(text),
        _ => None,
    }
}

/// A valid value other than that of a record; none if there is no other one.
fn other(kind: Kind, than: Option<&str>) -> Option<String> {
    let candidates: Vec<String> = match kind {
        Kind::Boolean => vec!["true".to_owned(), "false".to_owned()],
        Kind::Enumeration(texts) | Kind::Variant(texts) => {
            texts.iter().map(|text| (*text).to_owned()).collect()
        }
        Kind::Integer { min, max } => vec![min.to_string(), max.to_string()],
        Kind::Decimal { min, max } => vec![format!("{min}.0"), format!("{max}.0")],
        Kind::Timestamp => vec!["2001-02-03T04:05:06.000Z".to_owned()],
        _ => vec![UNKNOWN.to_owned()],
    };
    // An older version, and a filter that ignores letter case, can have a text in other letters.
    candidates.into_iter().find(|candidate| than.is_none_or(|than| !candidate.eq_ignore_ascii_case(than)))
}

/// Ascending order is that of the attribute's kind, with null last; descending order is the opposite. Of the two
/// records `ids`, the first was created before the second.
async fn sorted(world: &World, spec: &'static ResourceSpec, attribute: &AttributeSpec, ids: &[String; 2]) {
    let name = attribute.name;
    let values = |listed: &Document<Vec<Record>>| -> Vec<Value> {
        let of = |record: &Record| record.attributes.as_ref().unwrap().get(name).unwrap().clone();
        listed.data.iter().map(of).collect()
    };
    let listed = list(world, spec, "sort", name).await;
    let ascending = values(&listed);
    assert!(ascending.len() >= 2, "{world}");
    let is_sorted = ascending.is_sorted_by(|a, b| compare(attribute.kind, a, b).is_le());
    assert!(is_sorted, "{world}: {ascending:?}");
    let descending = list(world, spec, "sort", &format!("-{name}")).await;
    let mut reversed = values(&descending);
    reversed.reverse();
    assert_eq!(ascending, reversed, "{world}");
    if name == "created_at" {
        // Records of one millisecond have the same time, and are in the order of their creation all the same.
        let is_first_before = |listed: &Document<Vec<Record>>| {
            let [first, second] =
                ids.each_ref().map(|id| listed.data.iter().position(|record| record.id == *id));
            first < second
        };
        assert!(is_first_before(&listed) && !is_first_before(&descending), "{world}");
    } else if !EQUAL_IN_FIXTURES.contains(&(spec.name, name)) {
        let differ = compare(attribute.kind, &ascending[0], &ascending[ascending.len() - 1]).is_lt();
        assert!(differ, "{world}: all records are equal, so that any order is right: {ascending:?}");
    }
}

/// Compares two values of a kind. Null, and text without characters, is after every other value.
fn compare(kind: Kind, a: &Value, b: &Value) -> Ordering {
    let is_empty = |value: &Value| value.is_null() || value == "";
    if is_empty(a) || is_empty(b) {
        return is_empty(a).cmp(&is_empty(b));
    }
    match kind {
        Kind::Integer { .. } => a.as_i64().unwrap().cmp(&b.as_i64().unwrap()),
        Kind::Boolean => a.as_bool().unwrap().cmp(&b.as_bool().unwrap()),
        Kind::Decimal { .. } => {
            let amount = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
            amount(a).total_cmp(&amount(b))
        }
        // The texts of times in one format and of one length are in the order of the times.
        _ => a.as_str().unwrap().cmp(b.as_str().unwrap()),
    }
}

#[test]
fn values_compare_by_their_kind_with_null_last() {
    let decimal = Kind::Decimal { min: 0, max: 100 };
    let integer = Kind::Integer { min: 0, max: 100 };
    let text = Kind::Text { max: None, pattern: None };
    for (kind, smaller, greater) in [
        (decimal, json!("9.5"), json!("10.0")),
        (integer, json!(9), json!(10)),
        (Kind::Boolean, json!(false), json!(true)),
        (text, json!("10"), json!("9")),
        (text, json!("9"), json!("")),
        (integer, json!(9), Value::Null),
    ] {
        assert_eq!(compare(kind, &smaller, &greater), Ordering::Less, "{smaller} {greater}");
        assert_eq!(compare(kind, &greater, &smaller), Ordering::Greater, "{smaller} {greater}");
    }
}
