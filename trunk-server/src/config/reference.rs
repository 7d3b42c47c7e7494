//! Where the reference data comes from.

use std::path::{Path, PathBuf};

/// Where the reference data comes from: countries, groups of numbers, their prices and what their registration requires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ReferenceData {
    /// From the control API alone.
    #[default]
    None,
    /// From the data that the program contains: countries, regions and area codes as they are published, and made-up
    /// groups of numbers and prices.
    Demo,
    /// From this file, one JSON object a line.
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

    /// The setting that is read as this.
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
