//! The settings of the world that fills a new database.

use std::path::PathBuf;

use control_plane::{SCENARIOS, scenario};

use super::error::ConfigError;

/// The source of the world that fills a new database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WorldSource {
    /// No world is loaded.
    #[default]
    None,
    /// The world of this file: TOML if its name ends with `.toml`, else JSON.
    File(PathBuf),
    /// The built-in world with this name.
    Scenario(String),
}

impl WorldSource {
    /// Reads the settings `world` and `scenario`, of which at most one is set.
    pub(crate) fn of(file: Option<PathBuf>, name: Option<String>) -> Result<Self, ConfigError> {
        match (file, name) {
            (None, None) => Ok(Self::None),
            (Some(file), None) => Ok(Self::File(file)),
            (None, Some(name)) if scenario(&name).is_some() => Ok(Self::Scenario(name)),
            (None, Some(name)) => Err(ConfigError::value("scenario", name, EXPECTED)),
            (Some(_), Some(name)) => {
                Err(ConfigError::value("scenario", name, "give either `world` or `scenario`"))
            }
        }
    }

    /// The value of the setting `world`.
    pub(super) fn file(&self) -> Option<&std::path::Path> {
        if let Self::File(file) = self { Some(file) } else { None }
    }

    /// The value of the setting `scenario`.
    pub(super) fn name(&self) -> Option<&str> {
        if let Self::Scenario(name) = self { Some(name) } else { None }
    }

    /// The names of the built-in worlds, for errors.
    pub(crate) fn names() -> String {
        SCENARIOS.iter().map(|one| one.name).collect::<Vec<_>>().join(", ")
    }
}

const EXPECTED: &str = "give one of one-trunk, blocked-by-threshold, many-trunks, two-accounts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_both_settings_is_taken_and_the_error_of_a_name_has_all_names() {
        let of = |file: Option<&str>, name: Option<&str>| {
            WorldSource::of(file.map(PathBuf::from), name.map(str::to_owned))
        };
        assert_eq!(of(None, None).unwrap(), WorldSource::None);
        assert_eq!(of(Some("a.json"), None).unwrap(), WorldSource::File("a.json".into()));
        assert_eq!(of(None, Some("one-trunk")).unwrap(), WorldSource::Scenario("one-trunk".to_owned()));
        assert!(of(Some("a.json"), Some("one-trunk")).is_err());
        let error = of(None, Some("one-trunks")).unwrap_err().to_string();
        assert!(error.ends_with(&WorldSource::names()), "{error}");
    }
}
