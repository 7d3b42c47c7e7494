//! The declaration of an attribute.

use serde_json::{Map, Value};

use crate::{Access, ApiVersion, Attribute, Feature, Features, Flaw, Kind};

/// The value of an attribute that a create request leaves out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text, also of enumerations and decimals.
    Text(&'static str),
    /// The empty list.
    EmptyList,
}

impl DefaultValue {
    /// The value as JSON.
    pub fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::Bool(flag),
            Self::Integer(number) => Value::from(number),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::EmptyList => Value::Array(Vec::new()),
        }
    }
}

/// One part of an attribute that the service computes: the sum of an attribute over the records that refer to the
/// record. A part of a type that the registry does not contain yet is zero. An attribute that is true or false is true
/// while there is such a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The type name of the records that are summed.
    pub of: &'static str,
    /// Their relationship that contains the record.
    pub through: &'static str,
    /// Their attribute, a whole number. Empty counts the records.
    pub attribute: &'static str,
}

impl Sum {
    /// The value that a record with these attributes adds.
    pub fn amount(attribute: &str, attributes: &Map<String, Value>) -> i64 {
        if attribute.is_empty() {
            1
        } else {
            attributes.get(attribute).and_then(Value::as_i64).unwrap_or_default()
        }
    }
}

/// The declaration of an attribute.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttributeSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// The description, from the doc comment of the declaration.
    pub doc: &'static str,
    /// The kind of the value, with its limits.
    pub kind: Kind,
    /// Whether null is a valid value.
    pub nullable: bool,
    /// Whether a create request may, or must, contain the attribute.
    pub create: Access,
    /// Whether an update request may contain the attribute.
    pub update: bool,
    /// The first version that has the attribute.
    pub since: ApiVersion,
    /// The last version that has the attribute; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// For an attribute of older versions only: the canonical attribute before which responses write it. Else
    /// empty.
    pub before: &'static str,
    /// The value of a create request that leaves the attribute out; `None` if there is no default.
    pub default: Option<DefaultValue>,
    /// The first version with the default: in older ones it is null. `None` if every version has it.
    pub default_since: Option<ApiVersion>,
    /// Whether the value must be unique among the records of an account.
    pub unique: bool,
    /// Whether the value must be unique among the records of all accounts; null values are exempt.
    pub unique_everywhere: bool,
    /// The path, `attribute@name`, under which several types share the values: no two records of an account have the
    /// same one, whatever their types are. `None` for an attribute that shares nothing.
    pub unique_among: Option<&'static str>,
    /// Whether a create request without the attribute lacks a parameter of the request, and is not merely invalid.
    pub parameter: bool,
    /// Whether an update changes those attributes of a `{"type", "attributes"}` object that it has, and keeps the
    /// others.
    pub merged: bool,
    /// Whether only requests have the attribute: it is neither stored nor shown.
    pub write_only: bool,
    /// The first version whose answers show the attribute: older ones have it in requests alone. `None` if every
    /// version that has it shows it.
    pub shown_since: Option<ApiVersion>,
    /// The last version before `shown_since` whose answers show the attribute too; `None` if no version before it does.
    pub shown_until: Option<ApiVersion>,
    /// Whether a list can be sorted by the attribute.
    pub sort: bool,
    /// The parts of a value that is a sum, which the store keeps up to date; empty for a value that is stored as it was
    /// written.
    pub sums: &'static [Sum],
    /// The decimals of the same record whose total the value is. The store keeps it up to date; empty for a value that
    /// is stored as it was written.
    pub total: &'static [&'static str],
    /// The strict validation of a value that a client sent: [`Attribute::validate`](crate::Attribute::validate).
    pub validate: fn(&Value) -> Result<Value, Vec<Flaw>>,
    /// The limits that replace `kind`, `nullable` and `validate` from a version on; `None` if they never changed.
    pub revision: Option<Revision>,
    /// Texts of an enumeration that an account without the feature can neither write nor, where the corrected rules
    /// hold, filter by.
    pub values_need: &'static [(&'static str, Feature)],
    /// Types of `{"type", "attributes"}` objects that only answers have: no request can send them.
    pub answered: &'static [&'static str],
}

impl AttributeSpec {
    /// Declares a read-only attribute of type `T` that every version has.
    pub const fn of<T: Attribute>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            doc,
            kind: T::KIND,
            nullable: T::NULLABLE,
            create: Access::Never,
            update: false,
            since: ApiVersion::V2017_09_18,
            until: None,
            before: "",
            default: if T::NULLABLE { Some(DefaultValue::Null) } else { None },
            default_since: None,
            unique: false,
            unique_everywhere: false,
            unique_among: None,
            parameter: false,
            merged: false,
            write_only: false,
            shown_since: None,
            shown_until: None,
            sort: false,
            sums: &[],
            total: &[],
            validate: T::validate,
            revision: None,
            values_need: &[],
            answered: &[],
        }
    }

    /// Makes only requests have the attribute.
    #[must_use]
    pub const fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Sets the first version whose answers show the attribute.
    #[must_use]
    pub const fn shown_since(mut self, version: ApiVersion) -> Self {
        self.shown_since = Some(version);
        self
    }

    /// Sets the last version before them whose answers show the attribute too.
    #[must_use]
    pub const fn shown_until(mut self, version: ApiVersion) -> Self {
        self.shown_until = Some(version);
        self
    }

    /// Sets the type whose kind and validation apply from a version on.
    #[must_use]
    pub const fn revised<T: Attribute>(mut self, since: ApiVersion) -> Self {
        let value = ValueSpec { kind: T::KIND, nullable: T::NULLABLE, validate: T::validate };
        self.revision = Some(Revision { since, value });
        self
    }

    /// Sets the features that texts of an enumeration need.
    #[must_use]
    pub const fn values_need(mut self, features: &'static [(&'static str, Feature)]) -> Self {
        self.values_need = features;
        self
    }

    /// Sets the types of objects that only answers have.
    #[must_use]
    pub const fn answered(mut self, types: &'static [&'static str]) -> Self {
        self.answered = types;
        self
    }

    /// The feature that a text of the enumeration needs, if the account does not have it.
    pub fn missing_feature(&self, text: &str, features: Features) -> Option<Feature> {
        let needed = self.values_need.iter().find(|(value, _)| *value == text);
        needed.map(|(_, feature)| *feature).filter(|feature| !features.has(*feature))
    }

    /// The limits of the value in a version.
    pub fn value_at(&self, version: ApiVersion) -> ValueSpec {
        let first = ValueSpec { kind: self.kind, nullable: self.nullable, validate: self.validate };
        self.revision.filter(|revision| version >= revision.since).map_or(first, |revision| revision.value)
    }

    /// The value of a create request of a version that leaves the attribute out; `None` if there is no default.
    pub fn default_at(&self, version: ApiVersion) -> Option<DefaultValue> {
        let was_null = self.default_since.is_some_and(|first| version < first);
        if was_null { Some(DefaultValue::Null) } else { self.default }
    }

    /// Whether a request of a version can have null for the attribute: as its value, or, if the request creates a
    /// record, for the default.
    pub fn takes_null(&self, version: ApiVersion, creates: bool) -> bool {
        let is_value = self.create != Access::Required && self.value_at(version).check(&Value::Null).is_ok();
        is_value || (creates && self.null_is_default(version))
    }

    /// Whether null stands for the default in a create request of a version, as it does before 2026-04-16 for an
    /// enumeration with a default (documented for `status`).
    pub fn null_is_default(&self, version: ApiVersion) -> bool {
        !version.has_corrected_rules() && self.default.is_some() && matches!(self.kind, Kind::Enumeration(_))
    }

    /// The value as the service stores it in a version, so that two values that the service takes for the same are
    /// equal: addresses with their prefix length, decimals without needless zeros, lists without repetitions. In a
    /// `{"type", "attributes"}` object, the members that only the service sets are left out, and so are null members,
    /// which mean the same as absent ones. A value that is not valid is returned unchanged.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::{ApiVersion, find};
    /// use serde_json::json;
    ///
    /// let rtp = find("voice_out_trunks").and_then(|trunks| trunks.attribute("allowed_rtp_ips")).unwrap();
    /// let normal = |value| rtp.normal(ApiVersion::NEWEST, &value);
    /// assert_eq!(normal(json!(["10.0.0.1", "10.1.2.3/16"])), json!(["10.0.0.1/32", "10.1.0.0/16"]));
    /// ```
    pub fn normal(&self, version: ApiVersion, value: &Value) -> Value {
        let mut normal = self.value_at(version).check(value).unwrap_or_else(|_| value.clone());
        if let (Kind::Variant(_), Some(members)) =
            (self.kind, normal.get_mut("attributes").and_then(Value::as_object_mut))
        {
            members.retain(|_, member| !member.is_null());
        }
        normal
    }

    /// Sets whether a create request may, or must, contain the attribute.
    #[must_use]
    pub const fn create(mut self, access: Access) -> Self {
        self.create = access;
        self
    }

    /// Allows the attribute in update requests.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Sets the first version that has the attribute.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Sets the last version that has the attribute, and the canonical attribute before which responses write
    /// it.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion, before: &'static str) -> Self {
        self.until = Some(version);
        self.before = before;
        self
    }

    /// Sets the value of a create request that leaves the attribute out.
    #[must_use]
    pub const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }

    /// Sets the first version with the default.
    #[must_use]
    pub const fn default_since(mut self, version: ApiVersion) -> Self {
        self.default_since = Some(version);
        self
    }

    /// Requires the value to be unique within an account.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Requires the value to be unique among the records of all accounts.
    #[must_use]
    pub const fn unique_everywhere(mut self) -> Self {
        self.unique_everywhere = true;
        self
    }

    /// Requires the value to be unique among the records of all types that share the path, `attribute@name`.
    #[must_use]
    pub const fn unique_among(mut self, path: &'static str) -> Self {
        self.unique_among = Some(path);
        self
    }

    /// Makes a create request without the attribute lack a parameter.
    #[must_use]
    pub const fn parameter(mut self) -> Self {
        self.parameter = true;
        self
    }

    /// Makes an update change those attributes of an object that it has.
    #[must_use]
    pub const fn merged(mut self) -> Self {
        self.merged = true;
        self
    }

    /// Whether the value states that a record refers to the record.
    pub fn is_referred(&self) -> bool {
        !self.sums.is_empty() && matches!(self.kind, Kind::Boolean)
    }

    /// Makes the value a sum over the records that refer to the record.
    #[must_use]
    pub const fn sums(mut self, sums: &'static [Sum]) -> Self {
        self.sums = sums;
        self
    }

    /// Makes the value the total of other decimals of the record.
    #[must_use]
    pub const fn total(mut self, attributes: &'static [&'static str]) -> Self {
        self.total = attributes;
        self
    }

    /// Whether the server computes the value.
    pub const fn is_computed(&self) -> bool {
        !self.sums.is_empty() || !self.total.is_empty()
    }

    /// Allows sorting a list by the attribute.
    #[must_use]
    pub const fn sort(mut self) -> Self {
        self.sort = true;
        self
    }

    /// Whether a version has the attribute.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }

    /// Whether the answers of a version that has the attribute show it.
    pub fn is_shown_in(&self, version: ApiVersion) -> bool {
        let is_late = self.shown_since.is_none_or(|first| version >= first);
        let is_early = self.shown_until.is_some_and(|last| version <= last);
        !self.write_only && (is_late || is_early)
    }
}

/// The limits of a value in one or more versions.
#[derive(Debug, Clone, Copy)]
pub struct ValueSpec {
    /// The kind of the value, with its limits.
    pub kind: Kind,
    /// Whether null is a valid value.
    pub nullable: bool,
    /// The strict validation of a value that a client sent: [`Attribute::validate`](crate::Attribute::validate).
    pub validate: fn(&Value) -> Result<Value, Vec<Flaw>>,
}

impl ValueSpec {
    /// Validates a value that a client sent, and returns it in normal form.
    ///
    /// # Errors
    /// Returns every violation, each with its position inside the value.
    pub fn check(&self, sent: &Value) -> Result<Value, Vec<Flaw>> {
        (self.validate)(sent)
    }
}

/// Other limits of an attribute from a version on. Stored values that break them are returned unchanged.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    /// The first version with these limits.
    pub since: ApiVersion,
    /// The limits.
    pub value: ValueSpec,
}
