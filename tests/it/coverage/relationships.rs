//! The relationships of a record: their linkage, the related records, their changes, and the include paths.

use didww_types::{Access, RelationshipSpec, ResourceSpec, Verb};
use serde_json::{Value, json};

use super::demands::{include_exists, includes, relationship_at};
use super::document::Record;
use super::world::World;
use crate::support::fixture::Fixture;
use crate::support::world::{identifier, no_route, refused, update};

/// Calls every relationship of a record, and leaves it linked to a new record wherever it can be.
pub async fn run(world: &World, spec: &'static ResourceSpec, id: &str) {
    for relationship in spec.relationships {
        let member = match world.served(relationship.target) {
            // Only these have a text in the attribute that took the place of the relationship.
            Some(target) if relationship.mirrors.is_some() => {
                target.fixed.first().map(|fixed| fixed.id.to_owned())
            }
            Some(target) => Some(world.create(target).await),
            None => None,
        };
        let path = format!("/{}/{id}", spec.path_at(world.version));
        let mut fixture = Fixture::load(spec).unwrap();
        let is_kept = fixture.never_cleared.iter().any(|name| name == relationship.name);
        let needed = fixture.linked_with.remove(relationship.name);
        let needed = needed.filter(|_| world.version.has_corrected_rules());
        let stage = Stage { world, spec, relationship, path, member, needed, is_kept };
        if !relationship.exists_in(world.version) || spec.unrouted {
            stage.refused_paths().await;
            continue;
        }
        stage.update().await;
        if spec.has_at(Verb::Get, world.version) {
            stage.read().await;
        } else {
            stage.refused_reads().await;
        }
    }
    if spec.has_at(Verb::Get, world.version) {
        for path in includes(spec, world.version) {
            include(world, spec, id, &path).await;
        }
    }
}

struct Stage<'a> {
    world: &'a World,
    spec: &'static ResourceSpec,
    relationship: &'static RelationshipSpec,
    /// The path of the record.
    path: String,
    /// A record to link; none if the version serves no records of the target.
    member: Option<String>,
    /// The attributes with which alone the record has a member, and then always one.
    needed: Option<Value>,
    /// Whether the record always has a member.
    is_kept: bool,
}

impl Stage<'_> {
    fn linkage_path(&self) -> String {
        format!("{}/relationships/{}", self.path, self.relationship.name_at(self.world.version))
    }

    fn related_path(&self) -> String {
        format!("{}/{}", self.path, self.relationship.name_at(self.world.version))
    }

    /// The linkage with the member, or without it.
    fn linkage(&self, linked: bool) -> Value {
        let member = self.member.as_ref().filter(|_| linked);
        let member = member.map(|id| identifier(self.relationship.target_at(self.world.version), id));
        if self.relationship.many { Value::Array(member.into_iter().collect()) } else { json!(member) }
    }

    fn is_cleared_only(&self) -> bool {
        let name = (self.relationship.target, self.relationship.name);
        self.world.version.has_corrected_rules() && CLEARED_ONLY.contains(&name) && self.member.is_some()
    }

    async fn refused_paths(&self) {
        self.refused_reads().await;
        let body = json!({ "data": self.linkage(false) });
        refused(&self.world.send("PATCH", &self.linkage_path(), Some(&body)).await, &[no_route()]);
    }

    async fn refused_reads(&self) {
        for path in [self.linkage_path(), self.related_path()] {
            refused(&self.world.get(&path).await, &[no_route()]);
        }
    }

    async fn update(&self) {
        let body = json!({ "data": self.linkage(true) });
        if !self.spec.has_at(Verb::Update, self.world.version) {
            refused(&self.world.send("PATCH", &self.linkage_path(), Some(&body)).await, &[no_route()]);
        } else if !self.relationship.update {
            let answer = self.world.send("PATCH", &self.linkage_path(), Some(&body)).await;
            self.world.expect_refusal(&answer, 400, "105");
        } else if self.relationship.many {
            for (method, linked) in [("PATCH", true), ("DELETE", false), ("POST", true)] {
                self.change(method, true, linked).await;
            }
        } else if self.is_cleared_only() {
            let refusal = self.world.send("PATCH", &self.linkage_path(), Some(&body)).await;
            self.world.expect_refusal(&refusal, 422, "100");
            self.change("PATCH", false, false).await;
        } else if let Some(attributes) = &self.needed {
            self.needs(attributes).await;
        } else {
            self.change("PATCH", true, true).await;
            if self.is_kept {
                let body = json!({ "data": self.linkage(false) });
                let refusal = self.world.send("PATCH", &self.linkage_path(), Some(&body)).await;
                self.world.expect_refusal(&refusal, 422, "100");
            } else if self.relationship.create != Access::Required {
                self.change("PATCH", false, false).await;
                self.change("PATCH", true, true).await;
            }
        }
    }

    /// Links the record together with the attributes that this needs. Linkage alone is refused before, and null after
    /// it.
    async fn needs(&self, attributes: &Value) {
        let linkage = |linked| json!({ "data": self.linkage(linked) });
        let refusal = self.world.send("PATCH", &self.linkage_path(), Some(&linkage(true))).await;
        self.world.expect_refusal(&refusal, 422, "100");
        let name = self.relationship.name_at(self.world.version);
        let id = self.path.rsplit('/').next().unwrap();
        let mut body = update(self.spec.name, id, attributes.clone());
        body["data"]["relationships"] = json!({ name: linkage(true) });
        self.world.expect_status(&self.world.send("PATCH", &self.path, Some(&body)).await, 200);
        self.change("PATCH", true, true).await;
        let refusal = self.world.send("PATCH", &self.linkage_path(), Some(&linkage(false))).await;
        self.world.expect_refusal(&refusal, 422, "100");
    }

    /// Sends linkage, and checks the links of the record after that.
    async fn change(&self, method: &str, sent: bool, linked: bool) {
        let body = json!({ "data": self.linkage(sent) });
        let answer = self.world.send(method, &self.linkage_path(), Some(&body)).await;
        self.world.expect_status(&answer, 204);
        if self.spec.has_at(Verb::Get, self.world.version) {
            assert_eq!(
                self.world.get(&self.linkage_path()).await.at("/data"),
                self.linkage(linked),
                "{}",
                self.world
            );
        }
    }

    /// Reads the linkage and the related records, which must agree.
    async fn read(&self) {
        let Self { world, relationship, .. } = self;
        let answer = world.get(&self.linkage_path()).await;
        let linkage = world.document::<Value>(&answer, 200);
        let base = world.api.base();
        let links = json!({
            "self": format!("{base}{}", self.linkage_path()),
            "related": format!("{base}{}", self.related_path()),
        });
        assert_eq!(linkage.links, Some(links), "{world}");
        assert_eq!(linkage.data.is_array(), relationship.many, "{world}");
        if relationship.update
            && self.spec.has_at(Verb::Update, self.world.version)
            && !self.is_cleared_only()
        {
            assert_eq!(linkage.data, self.linkage(true), "{world}");
        }
        let answer = world.get(&self.related_path()).await;
        let Some(target) = world.served(relationship.target) else {
            world.expect_status(&answer, 200);
            let none = if relationship.many { json!([]) } else { Value::Null };
            assert_eq!(answer.at("/data"), none, "{world}");
            return;
        };
        let related = if relationship.many {
            world.document::<Vec<Record>>(&answer, 200).data
        } else {
            world.document::<Option<Record>>(&answer, 200).data.into_iter().collect()
        };
        for record in &related {
            world.check(target, record, &[]);
        }
        assert_eq!(
            identifiers(&linkage.data),
            related.iter().map(|record| record.id.clone()).collect::<Vec<_>>()
        );
    }
}

/// Relationships of which a record has one at a time: type of the target, and the name.
pub const ONE_OF: &[(&str, &str)] = &[
    ("capacity_pools", "capacity_pool"),
    ("shared_capacity_groups", "shared_capacity_group"),
    ("sms_trunk_groups", "sms_trunk_group"),
    ("sms_trunks", "sms_trunk"),
    ("voice_in_trunk_groups", "voice_in_trunk_group"),
    ("voice_in_trunk_groups", "trunk_group"),
    ("voice_in_trunks", "voice_in_trunk"),
    ("voice_in_trunks", "trunk"),
];

/// Relationships that a request can only clear from 2026-04-16 on, and that no fixture sets: type of the target, and
/// the name.
const CLEARED_ONLY: &[(&str, &str)] = &[
    ("address_verifications", "address_verification"),
    ("emergency_calling_services", "emergency_calling_service"),
];

/// The ids of linkage.
fn identifiers(linkage: &Value) -> Vec<String> {
    let one = std::slice::from_ref(linkage).iter().filter(|one| one.is_object());
    let all = linkage.as_array().map_or_else(|| one.collect::<Vec<_>>(), |many| many.iter().collect());
    all.into_iter().map(|identifier| identifier["id"].as_str().unwrap().to_owned()).collect()
}

/// Reads a record with an include path: each relationship of the path has linkage, and its records are included.
async fn include(world: &World, spec: &'static ResourceSpec, id: &str, path: &str) {
    let answer = world.get_with(&format!("/{}/{id}", spec.path_at(world.version)), "include", path).await;
    if !include_exists(spec, path, world.version) {
        world.expect_refusal(&answer, 400, "112");
        return;
    }
    let document = world.document::<Record>(&answer, 200);
    let (name, second) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    world.check(spec, &document.data, &[name]);
    let linkage = document.data.relationships.as_ref().and_then(|members| members.get(name)).unwrap();
    let linked = identifiers(linkage.data.as_ref().unwrap());
    let Some(target) = world.served(relationship_at(spec, name, world.version).unwrap().target) else {
        assert!(document.included.is_empty(), "{world}: {}", answer.text);
        return;
    };
    let find = |kind: &str, id: &str| {
        let kind = didww_types::find(kind).map_or(kind, |spec| spec.name_at(world.version));
        let record = document.included.iter().find(|record| record.kind == kind && record.id == id);
        record.unwrap_or_else(|| panic!("{world}: {kind} {id} is not included: {}", answer.text))
    };
    for id in linked {
        let record = find(target.name, &id);
        world.check(target, record, second.as_slice());
        let Some(second) = second else { continue };
        let linkage = record.relationships.as_ref().and_then(|members| members.get(second)).unwrap();
        let linked = identifiers(linkage.data.as_ref().unwrap());
        let relationship = relationship_at(target, second, world.version).unwrap();
        if let Some(target) = world.served(relationship.target) {
            // The fixtures link what a request can link.
            assert!(
                !relationship.update
                    || !linked.is_empty()
                    || [ONE_OF, CLEARED_ONLY].concat().contains(&(target.name, second)),
                "{world}: {second} has no member: {}",
                answer.text
            );
            // The requested record is the document's data, and so is not included.
            let is_asked_for = |id: &String| target.name == spec.name && *id == document.data.id;
            for id in linked.iter().filter(|id| !is_asked_for(id)) {
                world.check(target, find(target.name, id), &[]);
            }
        }
    }
}
