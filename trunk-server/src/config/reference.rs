//! The source of the reference data.

use std::path::{Path, PathBuf};

/// The source of the reference data: countries, groups of numbers, their prices and the requirements of their
/// registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ReferenceData {
    /// Only data from the control API.
    #[default]
    None,
    /// The built-in data: published countries, regions and area codes, and invented groups of numbers and prices.
    Demo,
    /// The data of this file, one JSON object a line.
    File(PathBuf),
}

impl ReferenceData {
    /// Reads the setting: `none`, `demo` or a file.
    pub(crate) fn of(setting: PathBuf) -> Self {
        match setting.to_str() {
            Some("none") => Self::None,
            Some("demo") => Self::Demo,
            _ => Self::File(setting),
        }
    }

    /// The text of the setting, the inverse of [`of`](Self::of).
    pub(super) fn setting(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Demo => "demo".to_owned(),
            Self::File(file) => super::database::setting(file),
        }
    }

    /// The file, for errors.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::File(file) => file,
            Self::None | Self::Demo => Path::new("(demo)"),
        }
    }
}
