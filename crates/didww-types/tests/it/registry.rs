//! The declarations are consistent and agree with the service's documents.

use std::collections::BTreeSet;
use std::mem::discriminant;

use didww_types::resources::{CapacityPool, Did, DidGroup, VoiceOutTrunk};
use didww_types::{
    Access, ApiVersion, AttributeSpec, Feature, FilterSpec, FilterTest, Kind, REGISTRY, Resource as _,
    ResourceSpec, Verb, Versions, find, follow, plain_names, related_attribute,
};
use serde_json::{Value, json};

/// The attributes that only older versions have.
fn former(spec: &ResourceSpec) -> &'static [AttributeSpec] {
    spec.adapter.map_or(&[], |adapter| adapter.attributes)
}

fn names(attributes: &[&AttributeSpec]) -> Vec<&'static str> {
    attributes.iter().map(|attribute| attribute.name).collect()
}

fn unique<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

/// Whether the first version of a member is later than that of its resource. A member that declares none has
/// the first version of the API, and exists as long as its resource.
fn in_order(spec: &ResourceSpec, since: ApiVersion) -> bool {
    since == ApiVersion::V2017_09_18 || since > spec.since
}

#[test]
fn resources_are_found_by_name_and_are_sorted() {
    let listed: Vec<&str> = REGISTRY.iter().map(|spec| spec.name).collect();
    assert!(listed.is_sorted() && unique(listed.iter().copied()), "{listed:?}");
    for spec in REGISTRY {
        assert_eq!(find(spec.name).unwrap().name, spec.name);
        assert!(!spec.doc.is_empty(), "{}", spec.name);
    }
    assert!(find("voice_out_trunk").is_none());
}

#[test]
fn no_name_occurs_twice_in_a_resource() {
    for spec in REGISTRY {
        let members = spec.attributes.iter().chain(former(spec)).map(|attribute| attribute.name);
        assert!(unique(members), "{}", spec.name);
        assert!(unique(spec.relationships.iter().map(|relationship| relationship.name)), "{}", spec.name);
        for version in ApiVersion::ALL {
            // In JSON:API, attributes and relationships share one namespace.
            let attributes = spec.attributes_at(version).into_iter().map(|attribute| attribute.name);
            let names = spec.relationships_at(version).map(|relationship| relationship.name_at(version));
            assert!(unique(attributes.chain(names)), "{} at {version}", spec.name);
        }
        assert!(unique(spec.filters.iter().map(|filter| filter.name)), "{}", spec.name);
        assert!(spec.filters.is_sorted_by_key(|filter| filter.name), "{}", spec.name);
    }
}

/// Why the store cannot compare two attributes of a record; `None` if it can. It compares values as they are stored,
/// and decimals and times are stored as text.
fn incomparable(spec: &ResourceSpec, names: [&str; 2]) -> Option<String> {
    let kinds = names.map(|name| spec.attribute(name).map(|attribute| attribute.kind));
    let are_integers = kinds.iter().all(|kind| matches!(kind, Some(Kind::Integer { .. })));
    (!are_integers).then(|| format!("{} compares {names:?}, which are {kinds:?}", spec.name))
}

#[test]
fn attributes_that_a_filter_compares_are_whole_numbers() {
    for spec in REGISTRY {
        for filter in spec.filters {
            if let FilterTest::Exceeds(greater, less) = filter.test {
                assert_eq!(incomparable(spec, [greater, less]), None);
            }
        }
    }
    let pool = CapacityPool::SPEC;
    assert!(incomparable(pool, ["total_channels_count", "minimum_limit"]).is_none());
    for other in ["setup_price", "renew_date", "name", "absent"] {
        assert!(incomparable(pool, ["total_channels_count", other]).is_some(), "{other}");
    }
}

#[test]
fn filters_sorts_and_includes_refer_to_declared_members() {
    for spec in REGISTRY {
        for FilterSpec { name, test, since, legacy, .. } in spec.filters {
            let head = |path: &'static str| plain_names(path.split('.').next().unwrap()).next().unwrap();
            let from = match *test {
                FilterTest::Equals(path) | FilterTest::Contains(path) => {
                    spec.attribute(head(path)).unwrap_or_else(|| panic!("{} filter {name}", spec.name)).since
                }
                FilterTest::Zero(name) => {
                    spec.attribute(name).unwrap_or_else(|| panic!("{} has no {name}", spec.name)).since
                }
                FilterTest::Id => spec.since,
                FilterTest::CreatedFrom | FilterTest::CreatedUntil => {
                    spec.attribute("created_at").unwrap_or_else(|| panic!("{} {name}", spec.name)).since
                }
                FilterTest::Linked(path) | FilterTest::Related(path) | FilterTest::RelatedMeta(path, _)
                    if path.contains('<') =>
                {
                    assert!(
                        spec.resolves(&FilterSpec::of(name, *test, Kind::Boolean)),
                        "{} {name}",
                        spec.name
                    );
                    spec.since
                }
                FilterTest::Linked(path) | FilterTest::Related(path) | FilterTest::RelatedMeta(path, _) => {
                    spec.relationship(head(path))
                        .unwrap_or_else(|| panic!("{} filter {name}", spec.name))
                        .since
                }
                FilterTest::Exceeds(greater, less) => {
                    let of =
                        |name| spec.attribute(name).unwrap_or_else(|| panic!("{} has no {name}", spec.name));
                    of(greater).since.max(of(less).since)
                }
                FilterTest::Meta(_) | FilterTest::MetaAtLeast(_) => {
                    assert!(spec.has_meta, "{} filter {name}", spec.name);
                    spec.since
                }
                _ => panic!("{name} has a test that this test does not know"),
            };
            // A member that declares no version is as old as its resource.
            let old_enough = (*since).max(spec.since) >= from.max(spec.since);
            assert!(
                old_enough || *legacy,
                "{} filter {name} is older than the member that it tests",
                spec.name
            );
        }
        for include in spec.nested_includes {
            let path = include.path;
            let (head, rest) = path.split_once('.').unwrap();
            assert!(spec.relationship(head).is_some() && !rest.is_empty(), "{path}");
        }
        if !spec.has(Verb::List) {
            assert!(spec.filters.is_empty() && spec.attributes.iter().all(|attribute| !attribute.sort));
        }
    }
}

#[test]
fn global_types_are_only_read_and_refer_to_global_types() {
    for spec in REGISTRY.iter().filter(|spec| spec.global) {
        assert!(spec.verbs.iter().all(|verb| [Verb::List, Verb::Get].contains(verb)), "{}", spec.name);
        for relationship in spec.relationships {
            let target = find(relationship.target);
            assert!(target.is_none_or(|target| target.global), "{}.{}", spec.name, relationship.name);
        }
    }
}

/// Kinds whose values have index entries of one form.
fn compare_alike(filter: Kind, attribute: Kind) -> bool {
    let item = if let Kind::List { of, .. } = attribute { *of } else { attribute };
    match item {
        Kind::Decimal { .. } => matches!(filter, Kind::Decimal { .. }),
        Kind::Timestamp => filter == Kind::Timestamp,
        Kind::Boolean => filter == Kind::Boolean,
        Kind::Integer { .. } => matches!(filter, Kind::Integer { .. }),
        // An object has no index entry, nor has a list in a list.
        Kind::Variant(_) | Kind::Object | Kind::List { .. } => false,
        _ => !matches!(filter, Kind::Decimal { .. } | Kind::Timestamp | Kind::Boolean | Kind::Integer { .. }),
    }
}

/// Why a filter of an attribute of its own type would find no record: the store compares its value with index entries
/// of another form, or searches where there is no text. `None` if it can find records.
fn finds_nothing(spec: &ResourceSpec, filter: &FilterSpec) -> Option<&'static str> {
    let (FilterTest::Equals(path) | FilterTest::Contains(path)) = filter.test else { return None };
    let path = plain_names(path).next().unwrap();
    let is_search = filter.contains_since.is_some() || matches!(filter.test, FilterTest::Contains(_));
    let is_text = |kind: Kind| {
        !matches!(
            kind,
            Kind::Decimal { .. }
                | Kind::Timestamp
                | Kind::Boolean
                | Kind::Integer { .. }
                | Kind::List { .. }
                | Kind::Variant(_)
                | Kind::Object
        )
    };
    if let Some(attribute) = spec.attribute(path) {
        let is_searched_text = is_text(attribute.kind) && is_text(filter.kind);
        return match (is_search, is_searched_text, compare_alike(filter.kind, attribute.kind)) {
            (true, false, _) => Some("it searches in what is no text"),
            (_, _, false) => Some("its values have another form than those of the attribute"),
            _ => None,
        };
    }
    let head = path.split_once('.').and_then(|(head, _)| spec.attribute(head));
    // The index has the kind of the first filter with the path.
    let first = spec.filters.iter().find(|other| other.test == filter.test).unwrap_or(filter);
    let is_of_one_kind = discriminant(&first.kind) == discriminant(&filter.kind);
    match head.map(|attribute| attribute.kind) {
        _ if is_search => Some("it searches in a member of an attribute"),
        Some(Kind::Variant(_)) if is_of_one_kind => None,
        Some(Kind::Variant(_)) => {
            Some("its values have another form than those of a filter with the same path")
        }
        _ => Some("its path leads into what is no object"),
    }
}

#[test]
fn every_filter_of_an_attribute_can_find_records() {
    for spec in REGISTRY {
        for filter in spec.filters {
            assert_eq!(finds_nothing(spec, filter), None, "filter {} of {}", filter.name, spec.name);
        }
    }
}

#[test]
fn filters_that_would_find_no_record_are_recognized() {
    let text = Kind::Text { max: None, pattern: None };
    let (trunk, pool, group) = (VoiceOutTrunk::SPEC, CapacityPool::SPEC, DidGroup::SPEC);
    let price = pool.attribute("setup_price").unwrap().kind;
    let (equals, contains) = (FilterTest::Equals, FilterTest::Contains);
    for (spec, test, kind) in [
        (trunk, contains("name"), text),
        (trunk, equals("created_at"), Kind::Timestamp),
        (trunk, equals("authentication_method.attributes.username"), text),
        (pool, equals("setup_price"), price),
        (group, equals("features"), text),
    ] {
        assert_eq!(finds_nothing(spec, &FilterSpec::of("tried", test, kind)), None, "{test:?}");
    }
    for (spec, test, kind) in [
        (pool, equals("setup_price"), text),
        (pool, contains("setup_price"), text),
        (pool, contains("setup_price"), price),
        (trunk, equals("created_at"), text),
        (trunk, contains("created_at"), text),
        (trunk, contains("authentication_method.attributes.username"), text),
        (trunk, equals("authentication_method"), text),
        (trunk, equals("name.first"), text),
        (group, contains("features"), text),
    ] {
        assert!(finds_nothing(spec, &FilterSpec::of("tried", test, kind)).is_some(), "{test:?}");
    }
    let searching = FilterSpec::of("tried", equals("created_at"), Kind::Timestamp);
    assert!(finds_nothing(trunk, &searching.contains_since(ApiVersion::NEWEST)).is_some());
}

#[test]
fn a_path_whose_types_are_all_declared_leads_to_what_it_names() {
    for spec in REGISTRY {
        for filter in spec.filters {
            let (FilterTest::Linked(path) | FilterTest::Related(path)) = filter.test else { continue };
            if path.contains(['<', '+']) {
                assert!(spec.resolves(filter), "filter {} of {}", filter.name, spec.name);
                continue;
            }
            let mut names: Vec<&str> = path.split('.').collect();
            let attribute = matches!(filter.test, FilterTest::Related(_)).then(|| names.pop().unwrap());
            let mut owner = Some(*spec);
            for name in names {
                let Some(declared) = owner else { break };
                let relationship = declared.relationship(name);
                let relationship = relationship
                    .unwrap_or_else(|| panic!("{name} of filter {} of {}", filter.name, spec.name));
                owner = find(relationship.target);
            }
            assert_eq!(spec.resolves(filter), owner.is_some(), "filter {} of {}", filter.name, spec.name);
            let (Some(target), Some(name)) = (owner, attribute) else { continue };
            let attribute = target.attribute(name).unwrap();
            assert!(compare_alike(filter.kind, attribute.kind), "filter {} of {}", filter.name, spec.name);
            // Records are found by the index of the attribute, which these marks create.
            let filtered =
                target.filters.iter().any(|other| other.test == FilterTest::Equals(attribute.name));
            // A list is sorted by `created_at` without an index of it.
            let marked = (attribute.sort && name != "created_at") || attribute.unique;
            assert!(marked || filtered, "{}.{name} is not indexed", target.name);
        }
        for include in spec.nested_includes {
            let path = include.path;
            let mut owner = Some(*spec);
            for name in path.split('.') {
                let Some(declared) = owner else { break };
                let relationship =
                    declared.relationship(name).unwrap_or_else(|| panic!("{path} of {}", spec.name));
                assert!(
                    relationship.until.is_none_or(|last| include.until.is_some_and(|end| end <= last)),
                    "{path} of {} outlives {name}",
                    spec.name
                );
                owner = find(relationship.target);
            }
        }
    }
}

#[test]
fn a_filter_resolves_when_the_types_of_its_path_are_declared() {
    let resolved = |spec: &ResourceSpec| -> Vec<&str> {
        let paths = spec.filters.iter().filter(|filter| {
            matches!(filter.test, FilterTest::Linked(_) | FilterTest::Related(_)) && spec.resolves(filter)
        });
        paths.map(|filter| filter.name).collect()
    };
    assert_eq!(resolved(VoiceOutTrunk::SPEC), ["default_did.id"]);
    let of_dids = [
        "address_verification.id",
        "capacity_pool.id",
        "city.id",
        "country.id",
        "did_group.features",
        "did_group.id",
        "emergency_calling_service.id",
        "order.id",
        "order.reference",
        "region.id",
        "shared_capacity_group.id",
        "sms_trunk.id",
        "sms_trunk_group.id",
        "trunk.id",
        "trunk_group.id",
        "voice_in_trunk.id",
        "voice_in_trunk_group.id",
    ];
    assert_eq!(resolved(Did::SPEC), of_dids);
    assert_eq!(resolved(DidGroup::SPEC).len(), 6);
}

#[test]
fn a_sum_adds_whole_numbers_of_records_that_refer_to_the_record() {
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().filter(|attribute| !attribute.sums.is_empty()) {
            let place = format!("{}.{}", spec.name, attribute.name);
            let zero = if attribute.is_referred() { false.into() } else { serde_json::Value::from(0) };
            let is_number = matches!(attribute.kind, Kind::Integer { .. });
            assert!((is_number || attribute.is_referred()) && !attribute.nullable, "{place}");
            assert_eq!(attribute.default.map(didww_types::DefaultValue::to_json), Some(zero), "{place}");
            for sum in attribute.sums {
                assert_eq!(sum.attribute.is_empty(), attribute.is_referred(), "{place}");
                let Some(summed) = find(sum.of) else { continue };
                if !sum.attribute.is_empty() {
                    let part = summed.attribute(sum.attribute).unwrap_or_else(|| panic!("{place}"));
                    assert!(matches!(part.kind, Kind::Integer { .. }) && part.sums.is_empty(), "{place}");
                }
                let through = summed.relationship(sum.through).unwrap_or_else(|| panic!("{place}"));
                assert_eq!(through.target, spec.name, "{place}");
                assert_eq!(summed.global, spec.global, "{place}");
            }
        }
    }
}

#[test]
fn a_path_that_is_followed_backwards_leads_to_records_of_the_same_owner() {
    for spec in REGISTRY {
        for relationship in spec.relationships {
            let place = format!("{}.{}", spec.name, relationship.name);
            let target = find(relationship.target);
            if let Some(inverse) = relationship.inverse {
                let target = target.unwrap_or_else(|| panic!("{place}"));
                let other = target.relationship(inverse).unwrap_or_else(|| panic!("{place}"));
                let leads_back = other.targets().any(|target| target == spec.name);
                assert!(leads_back && other.inverse.is_none(), "{place}");
                assert_eq!(target.global, spec.global, "{place}: an account would see the records of others");
            }
            if let Some(mirrored) = relationship.mirrors {
                let attribute = spec.attribute(mirrored).unwrap_or_else(|| panic!("{place}"));
                let (Kind::Enumeration(texts), Some(target)) = (attribute.kind, target) else {
                    panic!("{place}")
                };
                assert!(texts.iter().all(|text| target.fixed_id(text).is_some()), "{place}");
                assert!(relationship.until.is_some_and(|last| last < attribute.since), "{place}");
                assert!(!relationship.many && target.global, "{place}");
            }
        }
        for filter in spec.filters {
            let (FilterTest::Linked(path) | FilterTest::RelatedMeta(path, _)) = filter.test else { continue };
            for step in
                follow(REGISTRY, spec.name, path).unwrap_or_default().iter().filter(|step| step.inverse)
            {
                assert_eq!(step.owner.global, spec.global, "filter {} of {}", filter.name, spec.name);
            }
            if let FilterTest::RelatedMeta(..) = filter.test {
                let steps = follow(REGISTRY, spec.name, path).unwrap();
                assert!(steps.last().unwrap().target.has_meta && filter.kind == Kind::Boolean);
            }
        }
    }
}

#[test]
fn a_sort_criterion_that_is_no_attribute_leads_to_an_indexed_one() {
    for spec in REGISTRY {
        for sort in spec.sorts {
            let place = format!("{} of {}", sort.name, spec.name);
            assert!(spec.has(Verb::List) && spec.attribute(sort.name).is_none(), "{place}");
            let attribute = match related_attribute(REGISTRY, spec.name, sort.by) {
                Some((steps, name)) => {
                    assert!(steps.iter().all(|step| !step.relationship.many && !step.inverse), "{place}");
                    steps.last().unwrap().target.attribute(name)
                }
                None => spec.attribute(sort.by),
            };
            assert!(attribute.is_some_and(|attribute| attribute.sort), "{place}");
        }
    }
}

#[test]
fn a_total_adds_decimals_of_its_record() {
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().filter(|attribute| !attribute.total.is_empty()) {
            for term in attribute.total {
                let kind = spec.attribute(term).map(|term| term.kind);
                assert!(matches!(kind, Some(Kind::Decimal { .. })), "{}.{}", spec.name, attribute.name);
            }
            assert!(matches!(attribute.kind, Kind::Decimal { .. }) && !attribute.sort, "{}", spec.name);
        }
    }
}

/// Whether a text is a UUID as responses write it.
fn is_uuid(text: &str) -> bool {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let is_right =
        |(place, byte)| if [8, 13, 18, 23].contains(&place) { byte == b'-' } else { is_digit(byte) };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

#[test]
fn fixed_records_have_ids_of_their_own() {
    let fixed = REGISTRY.iter().flat_map(|spec| spec.fixed);
    assert!(unique(fixed.clone().map(|record| record.id)));
    for record in fixed {
        assert!(is_uuid(record.id) && !record.name.is_empty() && !record.key.is_empty(), "{record:?}");
    }
    for spec in REGISTRY.iter().filter(|spec| !spec.fixed.is_empty()) {
        assert!(spec.global && spec.attribute("name").is_some(), "{}", spec.name);
    }
}

#[test]
fn defaults_are_valid_values_of_their_attributes() {
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().chain(former(spec)) {
            let Some(default) = attribute.default else { continue };
            let value = default.to_json();
            // It is in the form in which it is stored, which is that of the newest version.
            let limits = attribute.value_at(ApiVersion::NEWEST);
            assert_eq!((limits.validate)(&value), Ok(value), "{}.{}", spec.name, attribute.name);
        }
        for attribute in spec.attributes.iter().filter(|attribute| attribute.create == Access::Optional) {
            assert!(attribute.default.is_some(), "{}.{} may be left out", spec.name, attribute.name);
        }
    }
}

#[test]
fn null_is_valid_exactly_for_nullable_attributes() {
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().chain(former(spec)) {
            let null = (attribute.validate)(&serde_json::Value::Null);
            if attribute.nullable {
                assert_eq!(null, Ok(serde_json::Value::Null), "{}.{}", spec.name, attribute.name);
            } else {
                // The validation of a list may turn null into the empty list.
                assert_ne!(null, Ok(serde_json::Value::Null), "{}.{}", spec.name, attribute.name);
            }
        }
    }
}

#[test]
fn only_verbs_that_exist_let_members_be_written() {
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().chain(former(spec)) {
            assert!(
                spec.has(Verb::Create) || !attribute.create.allowed(),
                "{}.{}",
                spec.name,
                attribute.name
            );
            assert!(spec.has(Verb::Update) || !attribute.update, "{}.{}", spec.name, attribute.name);
            assert!(!attribute.doc.is_empty());
        }
        for relationship in spec.relationships {
            let name = relationship.name;
            assert!(spec.has(Verb::Create) || !relationship.create.allowed(), "{}.{name}", spec.name);
            assert!(spec.has(Verb::Update) || !relationship.update, "{}.{name}", spec.name);
            assert!(!relationship.doc.is_empty() && !relationship.target.is_empty());
        }
    }
}

#[test]
fn versions_run_forward() {
    for spec in REGISTRY {
        for attribute in spec.attributes {
            assert!(in_order(spec, attribute.since), "{}.{}", spec.name, attribute.name);
            assert!(attribute.until.is_none_or(|until| until >= attribute.since));
            assert!(attribute.exists_in(ApiVersion::NEWEST), "the canonical form is the newest");
        }
        for relationship in spec.relationships {
            assert!(in_order(spec, relationship.since), "{}.{}", spec.name, relationship.name);
        }
        for filter in spec.filters {
            assert!(in_order(spec, filter.since), "{} filter {}", spec.name, filter.name);
            assert!(filter.until.is_none_or(|until| until >= filter.since && until < ApiVersion::NEWEST));
            for versions in [filter.list, filter.blank] {
                let differs = match versions {
                    Versions::Until(last) => filter.exists_in(last) && last < ApiVersion::NEWEST,
                    Versions::Since(first) => filter.exists_in(first) && first > filter.since,
                    Versions::None | Versions::All => true,
                };
                assert!(differs, "{} filter {}", spec.name, filter.name);
            }
            if let Some(first) = filter.contains_since {
                assert!(
                    first > filter.since && matches!(filter.test, FilterTest::Equals(_)),
                    "{}",
                    filter.name
                );
            }
        }
        for attribute in former(spec) {
            assert!(attribute.until.is_some_and(|until| until < ApiVersion::NEWEST), "{}", attribute.name);
            assert!(
                spec.attribute(attribute.before).is_some(),
                "{} is placed before an undeclared attribute",
                attribute.name
            );
        }
    }
}

#[test]
fn limits_and_patterns_are_consistent() {
    fn is_consistent(kind: Kind) -> bool {
        match kind {
            Kind::Integer { min, max } | Kind::Decimal { min, max } => min < max,
            Kind::Text { max, pattern } => {
                max != Some(0) && pattern.is_none_or(|p| p.starts_with('^') && p.ends_with('$'))
            }
            Kind::Enumeration(texts) | Kind::Variant(texts) => {
                !texts.is_empty() && unique(texts.iter().copied())
            }
            Kind::List { of, max } => max != Some(0) && is_consistent(*of),
            _ => true,
        }
    }
    for spec in REGISTRY {
        for attribute in spec.attributes.iter().chain(former(spec)) {
            assert!(is_consistent(attribute.kind), "{}.{}", spec.name, attribute.name);
        }
    }
}

#[test]
fn a_trunk_of_2026_has_the_recorded_attributes_in_their_order() {
    let order = [
        "allowed_rtp_ips",
        "allow_any_did_as_cli",
        "status",
        "on_cli_mismatch_action",
        "name",
        "capacity_limit",
        "created_at",
        "threshold_reached",
        "threshold_amount",
        "media_encryption_mode",
        "default_dst_action",
        "dst_prefixes",
        "force_symmetric_rtp",
        "rtp_ping",
        "callback_url",
        "external_reference_id",
        "authentication_method",
        "emergency_enable_all",
        "rtp_timeout",
    ];
    assert_eq!(names(&VoiceOutTrunk::SPEC.attributes_at(ApiVersion::V2026_04_16)), order);
}

#[test]
fn a_trunk_of_2021_and_2022_has_the_recorded_attributes_in_their_order() {
    let order = [
        "allowed_sip_ips",
        "allowed_rtp_ips",
        "allow_any_did_as_cli",
        "status",
        "on_cli_mismatch_action",
        "name",
        "capacity_limit",
        "username",
        "password",
        "created_at",
        "threshold_reached",
        "threshold_amount",
        "media_encryption_mode",
        "default_dst_action",
        "dst_prefixes",
        "force_symmetric_rtp",
        "rtp_ping",
        "callback_url",
    ];
    for version in [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10] {
        assert_eq!(names(&VoiceOutTrunk::SPEC.attributes_at(version)), order);
    }
}

#[test]
fn a_number_has_the_recorded_attributes_in_their_order() {
    let mut order = vec![
        "blocked",
        "capacity_limit",
        "description",
        "terminated",
        "awaiting_registration",
        "created_at",
        "billing_cycles_count",
        "number",
        "expires_at",
        "channels_included_count",
        "dedicated_channels_count",
    ];
    for version in [ApiVersion::V2021_04_19, ApiVersion::V2021_12_15, ApiVersion::V2022_05_10] {
        assert_eq!(names(&Did::SPEC.attributes_at(version)), order);
    }
    order.push("emergency_enabled");
    assert_eq!(names(&Did::SPEC.attributes_at(ApiVersion::V2026_04_16)), order);
}

#[test]
fn a_pool_has_the_documented_members_in_their_order_and_round_trips() {
    const POOL: &str = "2026-04-16/capacity_pools.get.response.json";
    let document = crate::fixtures::object(POOL);
    let text = String::from_utf8(crate::fixtures::bytes(POOL)).unwrap();
    let mut documented: Vec<&str> = document.attributes.keys().map(String::as_str).collect();
    documented.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    assert_eq!(names(&CapacityPool::SPEC.attributes_at(ApiVersion::V2026_04_16)), documented);
    let relationships: BTreeSet<&str> = document.relationships.keys().map(String::as_str).collect();
    let declared = CapacityPool::SPEC.relationships.iter().map(|relationship| relationship.name);
    assert_eq!(declared.collect::<BTreeSet<&str>>(), relationships);
    let pool = CapacityPool::decode(document.clone()).unwrap();
    assert_eq!(pool.renew_date.as_ref().map(didww_types::values::Date::as_str), Some("2026-12-01"));
    assert_eq!(pool.encode().unwrap(), document);
}

#[test]
fn relationships_are_in_the_recorded_order() {
    let at = |spec: &ResourceSpec, version| -> Vec<&str> {
        spec.relationships_at(version).map(|relationship| relationship.name).collect()
    };
    let trunk = VoiceOutTrunk::SPEC;
    assert_eq!(at(trunk, ApiVersion::V2021_12_15), ["default_did", "dids"]);
    assert_eq!(at(trunk, ApiVersion::V2026_04_16), ["default_did", "dids", "emergency_dids"]);
    assert_eq!(trunk.relationship("default_did").unwrap().feature, Some(Feature::ReplaceCli));
    let mut did = vec![
        "did_group",
        "order",
        "capacity_pool",
        "shared_capacity_group",
        "address_verification",
        "voice_in_trunk",
        "voice_in_trunk_group",
    ];
    assert_eq!(at(Did::SPEC, ApiVersion::V2021_12_15), did);
    did.extend(["emergency_calling_service", "emergency_verification", "identity"]);
    assert_eq!(at(Did::SPEC, ApiVersion::V2026_04_16), did);
    did.extend(["sms_trunk", "sms_trunk_group"]);
    assert_eq!(at(Did::SPEC, ApiVersion::V2026_11_19), did);
    let oldest = Did::SPEC.relationships_at(ApiVersion::V2021_04_19);
    let oldest: Vec<(&str, &str)> = oldest
        .filter(|one| one.former.is_some())
        .map(|one| (one.name_at(ApiVersion::V2021_04_19), one.target_at(ApiVersion::V2021_04_19)))
        .collect();
    assert_eq!(oldest, [("trunk", "trunks"), ("trunk_group", "trunk_groups")]);
}

#[test]
fn a_did_group_has_the_recorded_members_in_their_order() {
    let group = DidGroup::SPEC;
    let recorded = crate::fixtures::json("2022-05-10/dids.get_with_did_group.response.json");
    let text = String::from_utf8(crate::fixtures::bytes("2022-05-10/dids.get_with_did_group.response.json"));
    let included = text.unwrap().split_once("\"included\"").unwrap().1.to_owned();
    let in_order = |part: &str| -> Vec<String> {
        let members = recorded["included"][0][part].as_object().unwrap();
        let mut names: Vec<String> = members.keys().cloned().collect();
        names.sort_by_key(|name| included.find(&format!("\"{name}\":")));
        names
    };
    let version = ApiVersion::V2022_05_10;
    assert_eq!(names(&group.attributes_at(version)), in_order("attributes"));
    let relationships: Vec<&str> = group.relationships_at(version).map(|one| one.name_at(version)).collect();
    assert_eq!(relationships, in_order("relationships"));
    let oldest = names(&group.attributes_at(ApiVersion::V2017_09_18));
    assert_eq!(oldest[..3], ["prefix", "local_prefix", "features"]);
    let newest = names(&group.attributes_at(ApiVersion::NEWEST));
    assert_eq!(newest[5..], ["service_restrictions", "number_type", "is_demo"]);
    let kinds = |version| group.relationships_at(version).any(|one| one.name == "did_group_type");
    assert!(kinds(ApiVersion::V2026_04_16) && !kinds(ApiVersion::V2026_11_19));
}

#[test]
fn of_several_features_every_one_is_needed_from_2026_04_16_on() {
    for (spec, name) in [(Did::SPEC, "did_group.features"), (DidGroup::SPEC, "features")] {
        let filter = spec.filters.iter().find(|filter| filter.name == name).unwrap();
        assert!(!filter.every.contain(ApiVersion::V2022_05_10), "{name}");
        assert!(filter.every.contain(ApiVersion::V2026_04_16), "{name}");
        assert!(filter.every.contain(ApiVersion::V2026_11_19), "{name}");
    }
}

#[test]
fn n61_and_n62_what_ends_with_a_version_is_declared() {
    let filter = |spec: &ResourceSpec, name| *spec.filters.iter().find(|filter| filter.name == name).unwrap();
    let (old, new) = (ApiVersion::V2026_04_16, ApiVersion::V2026_11_19);
    for name in ["name", "name_contains", "on_cli_mismatch_action", "default_did.id"] {
        let filter = filter(VoiceOutTrunk::SPEC, name);
        assert!(filter.list.contain(old) && !filter.list.contain(new), "{name}");
        assert_eq!(filter.values(new, "A,\"B\""), ["A,\"B\""], "{name}");
        let several = ["A".to_owned(), "B,C".to_owned()];
        assert_eq!(filter.text(old, &several).as_deref(), Some("A,\"B,C\""), "{name}");
        assert_eq!(filter.text(new, &several), None, "{name}");
        assert_eq!(filter.text(new, &several[1..]).as_deref(), Some("B,C"), "{name}");
    }
    for name in ["id", "authentication_method.type"] {
        assert!(filter(VoiceOutTrunk::SPEC, name).list.contain(new), "{name}");
    }
    for (name, blank) in [
        ("name", true),
        ("name_contains", true),
        ("on_cli_mismatch_action", true),
        ("external_reference_id", false),
        ("default_did.id", false),
    ] {
        assert_eq!(filter(VoiceOutTrunk::SPEC, name).blank.contain(new), blank, "{name}");
    }
    let pending = filter(Did::SPEC, "pending_removal");
    assert!(pending.exists_in(old) && !pending.exists_in(new));
    for (name, list, blank) in [
        ("billing_cycles_count", [true, true], [true, true]),
        ("country.id", [true, true], [true, true]),
        ("description", [false, false], [true, true]),
        ("number", [true, true], [true, false]),
        ("voice_in_trunk.id", [true, true], [true, false]),
    ] {
        let filter = filter(Did::SPEC, name);
        assert_eq!([old, new].map(|version| filter.list.contain(version)), list, "{name}");
        assert_eq!([old, new].map(|version| filter.blank.contain(version)), blank, "{name}");
    }
    let description = filter(Did::SPEC, "description");
    assert_eq!(description.test_at(ApiVersion::V2022_05_10), FilterTest::Equals("description"));
    assert_eq!(description.test_at(old), FilterTest::Contains("description"));
}

#[test]
fn limits_that_were_corrected_hold_from_2026_04_16_on() {
    let check = |spec: &ResourceSpec, version, name: &str, sent: Value| {
        let flaws = spec.attribute(name).unwrap().value_at(version).check(&sent).err();
        flaws.map(|flaws| flaws[0].violation.to_string())
    };
    let blank = "can't be blank";
    let cases = [
        ("n39", "capacity_limit", json!(0), "must be greater than or equal to 1"),
        ("n41", "allowed_rtp_ips", json!([]), blank),
        ("n42", "allowed_rtp_ips", json!(["10.0.0.1", "0.0.0.0/0"]), "is invalid"),
        ("n42", "allowed_rtp_ips", json!(["::/0"]), "is invalid"),
        (
            "n45",
            "allowed_rtp_ips",
            json!(["10.0.0.1", "10.0.0.1/32"]),
            "must not contain the same value twice",
        ),
        ("n48", "dst_prefixes", json!(null), blank),
        ("n48", "threshold_amount", json!(null), "is not a number"),
        ("n50", "callback_url", json!("example.com/cb"), ""),
    ];
    for (case, name, sent, message) in cases {
        for version in ApiVersion::ALL {
            let refused = check(VoiceOutTrunk::SPEC, version, name, sent.clone());
            let expected = match (version.has_corrected_rules(), message) {
                (true, "") => None,
                (true, message) => Some(message.to_owned()),
                (false, "") => Some("is invalid".to_owned()),
                (false, _) => None,
            };
            assert_eq!(refused, expected, "{case} {name} at {version}");
        }
    }
    assert_eq!(
        check(Did::SPEC, ApiVersion::NEWEST, "capacity_limit", json!(0)).as_deref(),
        Some("must be greater than or equal to 1")
    );
    assert_eq!(check(Did::SPEC, ApiVersion::V2022_05_10, "capacity_limit", json!(0)), None);
    for (spec, most) in [(VoiceOutTrunk::SPEC, 1000), (Did::SPEC, 100), (CapacityPool::SPEC, 100)] {
        for version in ApiVersion::ALL {
            let expected = if version.has_corrected_rules() { most } else { 1000 };
            assert_eq!(spec.max_page_size_at(version), expected, "{} at {version}", spec.name);
        }
    }
    assert_eq!(Did::SPEC.order_at(ApiVersion::V2026_04_16), Some("number"));
    assert_eq!(Did::SPEC.order_at(ApiVersion::V2022_05_10), None);
}

#[test]
fn trunks_are_filtered_and_sorted_by_what_is_documented() {
    let at = |version| -> Vec<&str> {
        VoiceOutTrunk::SPEC.filters_at(version).map(|filter| filter.name).collect()
    };
    let old = [
        "allow_any_did_as_cli",
        "default_did.id",
        "default_dst_action",
        "id",
        "media_encryption_mode",
        "name",
        "name_contains",
        "on_cli_mismatch_action",
        "status",
        "threshold_reached",
    ];
    assert_eq!(at(ApiVersion::V2021_12_15), old);
    let mut new: Vec<&str> =
        old.into_iter().chain(["authentication_method.type", "external_reference_id"]).collect();
    new.sort_unstable();
    assert_eq!(at(ApiVersion::V2026_04_16), new);
    let mut sorts: Vec<&str> =
        VoiceOutTrunk::SPEC.attributes.iter().filter(|attribute| attribute.sort).map(|a| a.name).collect();
    sorts.sort_unstable();
    assert_eq!(
        sorts,
        ["allow_any_did_as_cli", "created_at", "external_reference_id", "name", "threshold_reached"]
    );
}

#[test]
fn numbers_are_filtered_and_sorted_by_what_is_documented() {
    let filters: Vec<&str> = Did::SPEC.filters.iter().map(|filter| filter.name).collect();
    assert_eq!(
        filters,
        [
            "address_verification.id",
            "awaiting_registration",
            "billing_cycles_count",
            "blocked",
            "capacity_pool.id",
            "city.id",
            "country.id",
            "description",
            "did_group.features",
            "did_group.id",
            "emergency_calling_service.id",
            "emergency_enabled",
            "id",
            "number",
            "order.id",
            "order.reference",
            "pending_removal",
            "region.id",
            "shared_capacity_group.id",
            "sms_trunk.id",
            "sms_trunk_group.id",
            "terminated",
            "trunk.id",
            "trunk_group.id",
            "voice_in_trunk.id",
            "voice_in_trunk_group.id",
        ]
    );
    let mut sorts: Vec<&str> =
        Did::SPEC.attributes.iter().filter(|attribute| attribute.sort).map(|a| a.name).collect();
    sorts.sort_unstable();
    assert_eq!(
        sorts,
        [
            "awaiting_registration",
            "billing_cycles_count",
            "blocked",
            "capacity_limit",
            "channels_included_count",
            "created_at",
            "dedicated_channels_count",
            "description",
            "expires_at",
            "number",
            "terminated",
        ]
    );
}

#[test]
fn attributes_that_the_service_generates_cannot_be_written() {
    for name in ["created_at", "threshold_reached"] {
        let attribute = VoiceOutTrunk::SPEC.attribute(name).unwrap();
        assert!(!attribute.create.allowed() && !attribute.update, "{name}");
    }
    for attribute in former(VoiceOutTrunk::SPEC) {
        assert_eq!(attribute.create == Access::Required, attribute.name == "allowed_sip_ips");
        assert_eq!(attribute.update, attribute.name == "allowed_sip_ips");
    }
    let required: Vec<&str> = VoiceOutTrunk::SPEC
        .attributes
        .iter()
        .filter(|attribute| attribute.create == Access::Required)
        .map(|attribute| attribute.name)
        .collect();
    assert_eq!(required, ["on_cli_mismatch_action", "name", "authentication_method"]);
}

#[test]
fn a_type_whose_status_is_sent_has_the_attributes_for_it() {
    let sent = REGISTRY.iter().filter(|spec| !spec.callback_on.is_empty() || !spec.callback_with.is_empty());
    let mut types = Vec::new();
    for spec in sent {
        types.push(spec.name);
        for name in ["callback_url", "callback_method"].iter().chain(spec.callback_with) {
            if let Some((_, relationship)) = name.split_once('<') {
                assert!(spec.relationship(relationship).is_some(), "{}.{name}", spec.name);
                continue;
            }
            let name = name.split_once('=').map_or(*name, |(_, attribute)| attribute);
            assert!(spec.attribute(name.trim_end_matches(';')).is_some(), "{}.{name}", spec.name);
        }
        let status = spec.attribute("status").unwrap_or_else(|| panic!("{}", spec.name));
        let newest = status.value_at(ApiVersion::NEWEST);
        for text in spec.callback_on {
            assert!(newest.check(&json!(text)).is_ok(), "{}: {text}", spec.name);
        }
        assert!(newest.check(&json!("no status")).is_err(), "{}", spec.name);
    }
    types.sort_unstable();
    assert_eq!(types, ["address_verifications", "emergency_verifications", "exports", "orders"]);
}

#[test]
fn a_hidden_relationship_has_the_name_of_its_type_and_is_in_no_version() {
    let mut hidden = 0;
    for spec in REGISTRY {
        for one in spec.relationships.iter().filter(|one| one.hidden) {
            assert_eq!((one.name, one.many), (one.target, true), "{}", spec.name);
            assert!(find(one.target).is_some(), "{} of {}", one.name, spec.name);
            for version in ApiVersion::ALL {
                assert!(spec.relationships_at(version).all(|shown| shown.name != one.name), "{version}");
                let sent = spec.sent_relationships_at(version).any(|sent| sent.name == one.name);
                assert!(!sent, "{} of {} in {version}", one.name, spec.name);
            }
            hidden += 1;
        }
    }
    assert!(hidden > 0);
}
