//! The rules of a type, and the list of the types that have rules.

use didww_types::resources::{
    Address, AddressRequirementValidation, AddressVerification, CapacityPool, Did, DidGroup, DidHistory,
    DidReservation, EmergencyCallingService, EmergencyRequirement, EmergencyRequirementValidation,
    EmergencyVerification, EncryptedFile, Export, Identity, Order, PermanentSupportingDocument, Proof,
    SenderIdVerification, SharedCapacityGroup, SmsTrunk, SmsTrunkGroup, SmsTrunkRegenerateCredentials,
    VoiceInTrunk, VoiceInTrunkGroup, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials,
};
use didww_types::{DecodeError, Partial as _, Resource, ResourceSpec, find};
use serde_json::{Map, Value};

use super::deletion::{DeleteContext, Dependents, RelatedRecords};
use super::draft::Draft;
use super::membership::Membership;
use super::needs::{Found, Need};
use super::outcome::{Event, Later, Links, RecordChange, WriteOutcome};
use super::refusal::{Refusal, WriteError};
use super::write_context::WriteContext;

/// The rules of a type beyond its declaration. Every rule is a pure function, and has a default that permits.
pub trait Rules: Resource {
    /// Whether a create is an operation on other records, and stores no record of its own.
    const IS_OPERATION: bool = false;
    /// The relationships whose members [`membership`](Self::membership) may compute.
    const COMPUTED: &'static [&'static str] = &[];
    /// The `meta` object of a new record, as JSON text; `None` for types without one.
    const INITIAL_META: Option<&'static str> = None;
    /// Whether answers leave out the `meta` of a record that has none.
    const MAY_LACK_META: bool = false;
    /// The stored members of relationships that [`write`](Self::write) depends on in an update.
    const WRITE_READS: &'static [MembersRead] = &[];
    /// The stored members of a relationship of the records to which a write links that [`write`](Self::write) depends
    /// on.
    const LINKED_READS: &'static [LinkedRead] = &[];
    /// The members of a record's `meta` that are numbers of members of a relationship.
    const COUNTED: &'static [Counted] = &[];
    /// The related records that [`delete`](Self::delete) depends on.
    const DELETE_READS: &'static [RelatedRecords] = &[];
    /// The records that are deleted with a record of the type.
    const DEPENDENTS: &'static [Dependents] = &[];
    /// The records that [`delete`](Self::delete) needs in addition to the deleted one.
    const DELETE_NEEDS: &'static [Need] = &[];

    /// Returns the records that [`write`](Self::write) needs, by the attributes as sent and the records read so far. It
    /// is called again with further records, until it names no new ones.
    fn needs(_sent: &Map<String, Value>, _read: &[Found]) -> Vec<Need> {
        Vec::new()
    }

    /// As [`needs`](Self::needs), by the ids of the records to which the request links and that exist.
    fn link_needs(_links: &Links, _read: &[Found]) -> Vec<Need> {
        Vec::new()
    }

    /// As [`link_needs`](Self::link_needs), for an update of the record with this id.
    fn update_needs(_id: &str, _links: &Links, _read: &[Found]) -> Vec<Need> {
        Vec::new()
    }

    /// Decides a create or an update, after the declaration's own rules: changes the draft, and adds refusals in the
    /// order in which the client receives them.
    ///
    /// # Errors
    /// When a stored record does not have the shape of its declaration.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        Ok(())
    }

    /// Decides a deletion. The default permits it.
    ///
    /// # Errors
    /// Why the record cannot be deleted.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        Ok(context.delete())
    }

    /// Returns how the members of a relationship are determined, by the attributes of its owner. It is called for
    /// relationships in [`COMPUTED`](Self::COMPUTED).
    fn membership(_owner: &Self::Partial, _relationship: &str) -> Membership {
        Membership::Linked
    }

    /// Returns the `meta` object of a record that stores none, as JSON text, by its attributes as JSON text. The
    /// default is that of a new record.
    fn meta(_attributes: &str) -> Option<&'static str> {
        Self::INITIAL_META
    }

    /// Returns a notice for the operator about a record with these attributes, which are JSON text: that it permits
    /// more than most owners intend. It is called for every record that is created or changed.
    fn notice(_attributes: &str) -> Option<&'static str> {
        None
    }
}

/// A member of `meta` that is the number of a relationship's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The name of the member.
    pub member: &'static str,
    /// The name of the relationship whose members are counted.
    pub relationship: &'static str,
}

/// Members of a record to which a write links, at most [`MAX_RELATED_RECORDS`](super::MAX_RELATED_RECORDS). A decision
/// finds them under the name of the relationship that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkedRead {
    /// The name of the to-one relationship of the request.
    pub relationship: &'static str,
    /// The name of the linked record's relationship whose members are read.
    pub members: &'static str,
}

/// A relationship whose stored members the rules of an update depend on. They are read from the store only for a
/// request that sets the attribute and not the relationship, or, if both names are the same, the relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembersRead {
    /// The name of the relationship whose stored members are read.
    pub relationship: &'static str,
    /// The [`attribute_name`](ResourceSpec::attribute_name) of the attribute whose rule needs the members.
    pub attribute: &'static str,
}

/// The rules of several types.
#[derive(Debug, Clone, Copy)]
pub struct Rulebook(&'static [TypeRules]);

impl Rulebook {
    /// The rules of DIDWW's API. A type that is not listed has only the rules of its declaration.
    pub const DIDWW: Self = Self(&[
        TypeRules::of::<Address>(),
        TypeRules::of::<AddressRequirementValidation>(),
        TypeRules::of::<AddressVerification>(),
        TypeRules::of::<CapacityPool>(),
        TypeRules::of::<Did>(),
        TypeRules::of::<DidGroup>(),
        TypeRules::of::<EmergencyCallingService>(),
        TypeRules::of::<EmergencyRequirement>(),
        TypeRules::of::<EmergencyRequirementValidation>(),
        TypeRules::of::<EmergencyVerification>(),
        TypeRules::of::<DidHistory>(),
        TypeRules::of::<EncryptedFile>(),
        TypeRules::of::<Export>(),
        TypeRules::of::<Identity>(),
        TypeRules::of::<PermanentSupportingDocument>(),
        TypeRules::of::<Proof>(),
        TypeRules::of::<SenderIdVerification>(),
        TypeRules::of::<SharedCapacityGroup>(),
        TypeRules::of::<SmsTrunk>(),
        TypeRules::of::<SmsTrunkGroup>(),
        TypeRules::of::<SmsTrunkRegenerateCredentials>(),
        TypeRules::of::<VoiceInTrunk>(),
        TypeRules::of::<VoiceInTrunkGroup>(),
        TypeRules::of::<DidReservation>(),
        TypeRules::of::<Order>(),
        TypeRules::of::<VoiceOutTrunk>(),
        TypeRules::of::<VoiceOutTrunkRegenerateCredentials>(),
    ]);

    /// The rules of these types.
    pub const fn new(types: &'static [TypeRules]) -> Self {
        Self(types)
    }

    pub(super) fn of(self, name: &str) -> Option<&'static TypeRules> {
        self.0.iter().find(|rules| rules.name == name)
    }

    /// The `meta` of a new record of a type, as JSON text; `None` for types without one.
    pub fn initial_meta(self, spec: &ResourceSpec) -> Option<&'static str> {
        self.of(spec.name)?.initial_meta
    }

    /// The `meta` of a record that stores none, as JSON text, by its attributes as JSON text; `None` if answers leave
    /// it out.
    pub fn unstored_meta(self, spec: &ResourceSpec, attributes: &str) -> Option<&'static str> {
        match self.of(spec.name) {
            Some(rules) => (rules.meta)(attributes).or_else(|| (!rules.may_lack_meta).then_some("{}")),
            None => Some("{}"),
        }
    }

    /// Returns a notice for the operator about a record, by its type and its attributes as JSON text.
    pub fn notice(self, kind: &str, attributes: &str) -> Option<&'static str> {
        (self.of(kind)?.notice)(attributes)
    }

    /// Returns how the members of a record's relationship are determined, by the record's attributes as JSON text.
    ///
    /// # Errors
    /// When the attributes do not have the shape of their declaration.
    pub fn membership(
        self,
        spec: &ResourceSpec,
        relationship: &str,
        attributes: &str,
    ) -> Result<Membership, DecodeError> {
        if let Some(declared) = spec.relationship(relationship)
            && let Some(mirrored) = declared.mirrors
        {
            let attributes: Map<String, Value> =
                serde_json::from_str(attributes).map_err(|error| DecodeError::new("attributes", error))?;
            let key = attributes.get(mirrored).and_then(Value::as_str);
            let target = find(declared.target);
            return Ok(Membership::Fixed(key.zip(target).and_then(|(key, target)| target.fixed_id(key))));
        }
        match self.of(spec.name) {
            Some(rules) if rules.computed.contains(&relationship) => {
                (rules.membership)(relationship, attributes)
            }
            _ => Ok(Membership::Linked),
        }
    }

    /// The relationships whose stored members an update of a record of this type is decided on, by the names of the
    /// attributes and relationships that the request sets.
    pub fn write_reads(
        self,
        spec: &ResourceSpec,
        is_sent: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &'static str> {
        let reads = self.of(spec.name).map_or(&[][..], |rules| rules.write_reads);
        let is_read = move |read: &&MembersRead| {
            is_sent(read.attribute) && (read.attribute == read.relationship || !is_sent(read.relationship))
        };
        reads.iter().filter(is_read).map(|read| read.relationship)
    }

    /// The members of linked records that a write of a record of this type is decided on.
    pub fn linked_reads(self, spec: &ResourceSpec) -> &'static [LinkedRead] {
        self.of(spec.name).map_or(&[], |rules| rules.linked_reads)
    }

    /// The members of the `meta` of records of this type that are numbers of members.
    pub fn counted(self, spec: &ResourceSpec) -> &'static [Counted] {
        self.of(spec.name).map_or(&[], |rules| rules.counted)
    }

    /// The related records that a deletion of a record of this type is decided on.
    pub fn delete_reads(self, spec: &ResourceSpec) -> &'static [RelatedRecords] {
        self.of(spec.name).map_or(&[], |rules| rules.delete_reads)
    }

    /// The records that are deleted with a record of this type.
    pub fn dependents(self, spec: &ResourceSpec) -> &'static [Dependents] {
        self.of(spec.name).map_or(&[], |rules| rules.dependents)
    }

    /// The records that a write of a record of this type needs and that were not read yet.
    pub fn needs(self, spec: &ResourceSpec, sent: &Map<String, Value>, read: &[Found]) -> Vec<Need> {
        unread(self.of(spec.name).map_or_else(Vec::new, |rules| (rules.needs)(sent, read)), read)
    }

    /// The records that a write of a record of this type, with links to these existing records, needs and that were not
    /// read yet.
    pub fn link_needs(self, spec: &ResourceSpec, links: &Links, read: &[Found]) -> Vec<Need> {
        unread(self.of(spec.name).map_or_else(Vec::new, |rules| (rules.link_needs)(links, read)), read)
    }

    /// The records that an update of the record with this id, with links to these existing records, needs and that were
    /// not read yet.
    pub fn update_needs(self, spec: &ResourceSpec, id: &str, links: &Links, read: &[Found]) -> Vec<Need> {
        unread(self.of(spec.name).map_or_else(Vec::new, |rules| (rules.update_needs)(id, links, read)), read)
    }

    /// The records that a deletion of a record of this type needs.
    pub fn delete_needs(self, spec: &ResourceSpec) -> &'static [Need] {
        self.of(spec.name).map_or(&[], |rules| rules.delete_needs)
    }

    /// Decides a deletion.
    ///
    /// # Errors
    /// Why the record cannot be deleted.
    pub fn decide_delete(self, context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        self.of(context.spec.name).map_or_else(|| Ok(context.delete()), |rules| (rules.delete)(context))
    }
}

/// The needs that were not read yet, each once.
fn unread(all: Vec<Need>, read: &[Found]) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::with_capacity(all.len());
    for need in all {
        if !needs.contains(&need) && !read.iter().any(|found| found.need == need) {
            needs.push(need);
        }
    }
    needs
}

/// The rules of one type, in a form that does not name the type.
#[derive(Debug, Clone, Copy)]
pub struct TypeRules {
    name: &'static str,
    pub(super) is_operation: bool,
    pub(super) computed: &'static [&'static str],
    pub(super) initial_meta: Option<&'static str>,
    pub(super) may_lack_meta: bool,
    pub(super) write_reads: &'static [MembersRead],
    pub(super) linked_reads: &'static [LinkedRead],
    pub(super) counted: &'static [Counted],
    pub(super) delete_reads: &'static [RelatedRecords],
    pub(super) dependents: &'static [Dependents],
    pub(super) delete_needs: &'static [Need],
    pub(super) needs: fn(&Map<String, Value>, &[Found]) -> Vec<Need>,
    pub(super) link_needs: fn(&Links, &[Found]) -> Vec<Need>,
    pub(super) update_needs: fn(&str, &Links, &[Found]) -> Vec<Need>,
    pub(super) write: fn(&WriteContext<'_>, UntypedDraft) -> Result<UntypedDraft, DecodeError>,
    pub(super) delete: fn(&DeleteContext<'_>) -> Result<WriteOutcome, WriteError>,
    pub(super) membership: fn(&str, &str) -> Result<Membership, DecodeError>,
    pub(super) meta: fn(&str) -> Option<&'static str>,
    pub(super) notice: fn(&str) -> Option<&'static str>,
}

impl TypeRules {
    /// The rules of `R` in a form that needs no type parameter.
    pub const fn of<R: Rules>() -> Self {
        Self {
            name: R::SPEC.name,
            is_operation: R::IS_OPERATION,
            computed: R::COMPUTED,
            initial_meta: R::INITIAL_META,
            may_lack_meta: R::MAY_LACK_META,
            write_reads: R::WRITE_READS,
            linked_reads: R::LINKED_READS,
            counted: R::COUNTED,
            delete_reads: R::DELETE_READS,
            dependents: R::DEPENDENTS,
            delete_needs: R::DELETE_NEEDS,
            needs: R::needs,
            link_needs: R::link_needs,
            update_needs: R::update_needs,
            write: write::<R>,
            delete: R::delete,
            membership: membership::<R>,
            meta: R::meta,
            notice: R::notice,
        }
    }

    /// Replaces the rule of deletions, and the related records that it depends on.
    #[must_use]
    pub const fn deleting(
        mut self,
        reads: &'static [RelatedRecords],
        delete: fn(&DeleteContext<'_>) -> Result<WriteOutcome, WriteError>,
    ) -> Self {
        (self.delete_reads, self.delete) = (reads, delete);
        self
    }
}

/// A [`Draft`] whose attributes are JSON values, between the generic part of a decision and that of its type.
#[derive(Debug, Default)]
pub(super) struct UntypedDraft {
    pub(super) changes: Map<String, Value>,
    pub(super) links: Links,
    pub(super) first: Vec<RecordChange>,
    pub(super) also: Vec<RecordChange>,
    pub(super) events: Vec<Event>,
    pub(super) meta: Option<String>,
    pub(super) later: Option<Later>,
    pub(super) refusals: Vec<Refusal>,
}

fn write<R: Rules>(context: &WriteContext<'_>, draft: UntypedDraft) -> Result<UntypedDraft, DecodeError> {
    let UntypedDraft { changes, links, first, also, events, meta, later, refusals } = draft;
    let before = match context.kind {
        super::WriteKind::Create => None,
        super::WriteKind::Update(stored) => Some(stored.decode::<R>()?),
    };
    let object = didww_types::ResourceObject { attributes: changes, ..Default::default() };
    let changes = <R::Partial as didww_types::Partial<R>>::decode(object)?;
    let mut draft = Draft { before, changes, links, first, also, events, meta, later, refusals };
    R::write(context, &mut draft)?;
    let Draft { changes, links, first, also, events, meta, later, refusals, .. } = draft;
    Ok(UntypedDraft { changes: changes.attributes()?, links, first, also, events, meta, later, refusals })
}

fn membership<R: Rules>(relationship: &str, attributes: &str) -> Result<Membership, DecodeError> {
    Ok(R::membership(&R::Partial::from_attributes(attributes)?, relationship))
}
