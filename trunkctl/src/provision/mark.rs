//! The mark of a declared record, with its owner and its name in the file: `trunkctl:OWNER:NAME` in
//! `external_reference_id`.

use std::fmt;
use std::str::FromStr;

use didww_client::{ApiVersion, AttributeSpec, ResourceSpec};
use serde_json::Value;

use crate::resource::flag;

/// The attribute that holds marks. Trunks have it since 2026-04-16.
pub(super) const ATTRIBUTE: &str = "external_reference_id";

const PREFIX: &str = "trunkctl:";

/// The name of a team or repository whose file declares records: 1 to 32 of the characters `a` to `z`, `0` to `9`,
/// `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(String);

impl Owner {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_valid =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if (1..=32).contains(&text.len()) && text.bytes().all(is_valid) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "the owner `{text}` is not valid: 1 to 32 of the characters a to z, 0 to 9, `.`, `_` and `-`"
            ))
        }
    }
}

/// The mark of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The owner whose file declares the record.
    pub owner: Owner,
    /// The name of the record in the owner's file.
    pub key: String,
}

impl Mark {
    /// Reads the text of `external_reference_id`; `None` if it is not a mark.
    pub fn read(text: &str) -> Option<Self> {
        let (owner, key) = text.strip_prefix(PREFIX)?.split_once(':')?;
        Some(Self { owner: owner.parse().ok()?, key: key.to_owned() })
    }

    /// The attribute of a type that can hold a mark in a version.
    pub fn attribute(spec: &'static ResourceSpec, version: ApiVersion) -> Option<&'static AttributeSpec> {
        let attribute = spec.attribute(ATTRIBUTE).filter(|attribute| attribute.exists_in(version))?;
        (attribute.create.allowed() && attribute.update).then_some(attribute)
    }

    /// Whether the attribute can hold the mark: it is limited in length.
    pub(super) fn fits(&self, spec: &'static ResourceSpec, version: ApiVersion) -> bool {
        let attribute = Self::attribute(spec, version);
        let text = Value::from(self.to_string());
        attribute.is_some_and(|attribute| attribute.value_at(version).check(&text).is_ok())
    }

    /// The value of the attribute. `place` names the record in an error.
    ///
    /// # Errors
    /// When the attribute cannot hold the mark.
    pub(super) fn reference(
        &self,
        place: &str,
        spec: &'static ResourceSpec,
        version: ApiVersion,
    ) -> Result<Value, String> {
        if self.fits(spec, version) {
            return Ok(Value::from(self.to_string()));
        }
        Err(format!(
            "  {place}: {ATTRIBUTE} cannot hold its mark `{self}`: use a shorter name in the file, and declare the \
             record's own name as a member"
        ))
    }
}

/// The problem of a new record that the next plan would not find, and would therefore make again.
pub(super) fn never_found(place: &str, spec: &'static ResourceSpec, version: ApiVersion) -> String {
    let kind = spec.name;
    if Mark::attribute(spec, version).is_some() {
        format!(
            "  {place}: {kind} have no name by which the next plan would find it: add an `owner` to the file, and \
             declare no {ATTRIBUTE}"
        )
    } else {
        format!(
            "  {place}: in {version}, {kind} have neither a name nor a mark by which the next plan would find it: \
             create it with `trunkctl {} create`, and declare it by its id",
            flag(kind)
        )
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}", self.owner.as_str(), self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_other_references_are_none() {
        let mark = Mark { owner: "net-ops".parse().unwrap(), key: "Berlin: Mitte".to_owned() };
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
        for text in
            ["", "trunkctl:", "trunkctl:a", "trunkctl::a", "trunkctl:UPPER:a", "terraform:a:b", "4711"]
        {
            assert_eq!(Mark::read(text), None, "{text}");
        }
        for owner in ["", "a:b", "A", "ä", "a234567890123456789012345678901234"] {
            assert!(owner.parse::<Owner>().is_err(), "{owner}");
        }
    }

    #[test]
    fn trunks_hold_marks_since_2026_04_16_and_numbers_never() {
        let of = |kind, version| Mark::attribute(didww_client::find(kind).unwrap(), version).is_some();
        assert!(
            of("voice_out_trunks", ApiVersion::V2026_04_16) && of("voice_out_trunks", ApiVersion::NEWEST)
        );
        assert!(!of("voice_out_trunks", ApiVersion::V2022_05_10) && !of("dids", ApiVersion::NEWEST));
    }

    #[test]
    fn a_mark_that_is_too_long_says_what_to_do() {
        let trunks = didww_client::find("voice_out_trunks").unwrap();
        let of = |length: usize| Mark { owner: "netops".parse().unwrap(), key: "a".repeat(length) };
        let room = 100 - of(0).to_string().len();
        assert!(of(room).reference("here", trunks, ApiVersion::NEWEST).is_ok());
        let problem = of(room + 1).reference("here", trunks, ApiVersion::NEWEST).unwrap_err();
        assert!(problem.contains("here: ") && problem.contains("a shorter name in the file"), "{problem}");
        assert!(!of(1).fits(trunks, ApiVersion::V2022_05_10), "which has no attribute for it");
    }
}
