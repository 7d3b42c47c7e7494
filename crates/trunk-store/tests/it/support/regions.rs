//! Types of a catalogue, declared for tests: groups of an account in countries, which belong to no account, and lines
//! in groups.

use didww_types::resources::Did;
use didww_types::values::BoundedList;
use didww_types::{
    AttributeSpec, FilterSpec, FilterTest, Kind, RelationshipSpec, Resource as _, ResourceSpec, Versions,
};
use trunk_store::{SqliteStore, StoreLimits};

/// The declared types.
pub struct Regions {
    /// Reference data.
    pub countries: &'static ResourceSpec,
    /// Each is in a country.
    pub groups: &'static ResourceSpec,
    /// Each can be in a group.
    pub lines: &'static ResourceSpec,
}

impl Regions {
    /// Declares the types, and creates a store in memory that keeps them.
    pub fn store() -> (Self, SqliteStore) {
        let name = || AttributeSpec::of::<String>("name", "The name.").sort();
        let features = AttributeSpec::of::<BoundedList<String, 9>>("features", "The features.");
        let text = Kind::Text { max: None, pattern: None };
        let by_feature = FilterSpec::of("features", FilterTest::Equals("features"), text).list(Versions::All);
        let mut countries = declared("countries", vec![name(), features], Vec::new());
        countries.filters = Vec::leak(vec![by_feature]);
        countries.global = true;
        let country = RelationshipSpec::of("country", "The country.", "countries", false);
        let groups = declared("groups", vec![name()], vec![country]);
        let group = RelationshipSpec::of("group", "The group.", "groups", false);
        let note = AttributeSpec::of::<Option<String>>("note", "A note, which only its filter indexes.");
        let mut lines = declared("lines", vec![name(), note], vec![group]);
        lines.filters = Vec::leak(vec![FilterSpec::of("note_contains", FilterTest::Contains("note"), text)]);
        let regions = Self {
            countries: Box::leak(Box::new(countries)),
            groups: Box::leak(Box::new(groups)),
            lines: Box::leak(Box::new(lines)),
        };
        let registry = Vec::leak(vec![regions.countries, regions.groups, regions.lines]);
        let store = SqliteStore::in_memory_of(registry, StoreLimits::default()).unwrap();
        (regions, store)
    }
}

fn declared(
    name: &'static str,
    attributes: Vec<AttributeSpec>,
    relationships: Vec<RelationshipSpec>,
) -> ResourceSpec {
    let mut spec = *Did::SPEC;
    (spec.name, spec.filters, spec.nested_includes) = (name, &[], &[]);
    (spec.attributes, spec.relationships) = (Vec::leak(attributes), Vec::leak(relationships));
    spec
}
