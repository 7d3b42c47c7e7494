//! The declared sums to which the records of a type contribute.

use didww_types::ResourceSpec;

/// A sum to which the records of a type contribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The relationship of the summed records that contains the record with the sum.
    pub(crate) through: &'static str,
    /// The attribute of the summed records.
    pub(crate) attribute: &'static str,
    /// The type of the record with the sum, and the sum's attribute.
    pub(crate) target: &'static ResourceSpec,
    pub(crate) sum: &'static str,
}

/// Returns the sums to which the records of a type contribute, by type.
pub(crate) fn parts_of(registry: &[&'static ResourceSpec], kind: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for target in registry {
        for attribute in target.attributes {
            let own = attribute.sums.iter().filter(|sum| sum.of == kind);
            parts.extend(own.map(|sum| Part {
                through: sum.through,
                attribute: sum.attribute,
                target,
                sum: attribute.name,
            }));
        }
    }
    parts
}
