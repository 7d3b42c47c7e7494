//! The types of the communication platform that can be declared.

use std::fmt;

use serde_json::{Map, Value};

/// A type of the platform that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Providers: carriers to which calls are sent.
    Providers,
    /// Routes, which select the provider of a call.
    Routes,
}

impl Part {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::Providers, Self::Routes];

    /// The name in a declaration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Providers => "providers",
            Self::Routes => "routes",
        }
    }

    /// The members that can be declared.
    pub(super) const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Providers => &[
                "type",
                "name",
                "hostname",
                "tech_prefix",
                "tech_postfix",
                "tech_headers",
                "detail",
                "codecs",
            ],
            Self::Routes => &["name", "detail", "provider", "customer", "priority", "target"],
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A provider or a route that should exist.
#[derive(Debug, Clone)]
pub struct PartEntry {
    /// Its type.
    pub part: Part,
    /// Its name.
    pub key: String,
    /// The members that should have these values. Other members are not changed.
    pub members: Map<String, Value>,
}
