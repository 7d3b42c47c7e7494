//! Reads records while a large declaration is parsed. The beginning of its text shows its type and the members that it
//! declares; if the rest declares others, the records that were read are not used.

use std::collections::BTreeSet;
use std::fmt;
use std::future::ready;
use std::pin::Pin;

use didww_client::{Client, ResourceSpec, Verb, find};
use futures_util::future::{Either, select};

use super::existing::{Records, Selection};
use super::projection::Projection;
use crate::exit::Failure;

/// A declaration of at least this many bytes takes some time to parse, and most likely has more records than are read
/// by their names.
const LARGE: usize = 128 << 10;
/// The bytes at its beginning that are looked at.
const SAMPLE: usize = 32 << 10;

/// Records that are being read.
type Reading = Pin<Box<dyn Future<Output = Result<Records, Failure>>>>;

/// Records of a type that are read before it is known that they are needed.
pub(crate) struct Begun {
    spec: &'static ResourceSpec,
    relationships: BTreeSet<&'static str>,
    projection: Projection,
    reading: Reading,
}

impl Begun {
    /// The type that a large declaration begins with; `None` for a small one, and for one that begins otherwise.
    pub(crate) fn guess(text: &str) -> Option<&'static ResourceSpec> {
        if text.len() < LARGE {
            return None;
        }
        let spec = sample(text).lines().find_map(|line| {
            // A table of TOML, a member of JSON or of YAML.
            let name = line.trim_start().trim_start_matches(['[', '"']);
            let end = name.find(|character: char| !character.is_ascii_lowercase() && character != '_');
            find(name.get(..end.unwrap_or(name.len()))?)
        });
        spec.filter(|spec| spec.has(Verb::List) && spec.has(Verb::Update))
    }

    /// Prepares to read the members that a declaration of records of a type needs, by its beginning. `None` if whole
    /// records are needed.
    pub(crate) fn of(client: &Client, spec: &'static ResourceSpec, text: &str) -> Option<Self> {
        let text = sample(text);
        let version = client.api_version();
        let relationships = spec.sent_relationships_at(version).filter(|found| found.update);
        let relationships: BTreeSet<&'static str> =
            relationships.map(|found| found.name).filter(|name| text.contains(*name)).collect();
        let attributes = spec.attributes.iter().filter(|attribute| attribute.update);
        let attributes = attributes.map(|attribute| attribute.name).filter(|name| text.contains(*name));
        let members = attributes.chain(relationships.iter().copied());
        let projection = Projection::of(spec, version, members)?;
        let (client, links, of_each) = (client.clone(), relationships.clone(), projection.clone());
        let reading =
            async move { Records::read(&client, spec, &Selection::All, &links, Some(of_each)).await };
        Some(Self { spec, relationships, projection, reading: Box::pin(reading) })
    }

    /// Reads until another future is ready. Returns the output of that future, and the future that continues to read.
    pub(crate) async fn beside<F: Future + Unpin>(self, other: F) -> (F::Output, Self) {
        let Self { spec, relationships, projection, reading } = self;
        let (output, reading): (F::Output, Reading) = match select(other, reading).await {
            Either::Left(ended) => ended,
            Either::Right((read, other)) => {
                let reading: Reading = Box::pin(ready(read));
                (other.await, reading)
            }
        };
        (output, Self { spec, relationships, projection, reading })
    }

    /// Whether the records are of a type.
    pub(super) fn is_of(&self, spec: &ResourceSpec) -> bool {
        self.spec.name == spec.name
    }

    /// Reads the remaining pages, if the plan needs exactly these records. `None` if it needs others, or if a request
    /// failed: the caller then requests all of them again, and reports an error that persists.
    pub(super) async fn records(
        self,
        selection: &Selection,
        relationships: &BTreeSet<&'static str>,
        needed: Option<&Projection>,
    ) -> Option<Records> {
        let has_all = needed.is_some_and(|needed| self.projection.contains(needed));
        if matches!(selection, Selection::All) && self.relationships == *relationships && has_all {
            self.reading.await.ok()
        } else {
            None
        }
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("type", &self.spec.name).finish_non_exhaustive()
    }
}

/// The beginning of a text.
fn sample(text: &str) -> &str {
    // The byte at the end may be within a character.
    (0..=SAMPLE.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(beginning: &str) -> Option<&'static str> {
        let text = format!("{beginning}{}", "# ä\n".repeat(LARGE));
        Begun::guess(&text).map(|spec| spec.name)
    }

    #[test]
    fn a_large_declaration_shows_its_type() {
        for text in [
            "owner = \"netops\"\n\n[voice_out_trunks.Berlin]\nrtp_ping = true\n",
            "# dids\n[voice_out_trunks.\"dids\"]\n",
            "owner: netops\nvoice_out_trunks:\n  Berlin:\n",
            "{\n  \"owner\": \"netops\",\n  \"voice_out_trunks\": {\n",
        ] {
            assert_eq!(guess(text), Some("voice_out_trunks"), "{text}");
        }
        for text in ["", "[providers.Seoul]\n", "[countries.Germany]\n", "voice_out_trunk:\n", "ä\n"] {
            assert_eq!(guess(text), None, "{text}");
        }
        assert!(Begun::guess("[voice_out_trunks.Berlin]\n").is_none(), "a small one is parsed at once");
    }

    #[test]
    fn a_sample_ends_before_a_character_that_it_would_cut() {
        let text = "ä".repeat(SAMPLE);
        assert_eq!(sample(&text).len(), SAMPLE);
        assert_eq!(sample(&format!("a{text}")).len(), SAMPLE - 1);
        assert_eq!(sample("a"), "a");
    }
}
