//! Worlds with names, which the program contains.

use super::model::{World, WorldError};

/// A world with a name.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Scenario {
    /// The name, such as `one-trunk`.
    pub name: &'static str,
    /// A sentence that describes the contents.
    pub description: &'static str,
    /// The text of the file.
    pub text: &'static str,
}

/// The worlds that the program contains.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "one-trunk",
        description: "one account with one active trunk, which takes calls from 127.0.0.1 with a password, and one DID \
                      that is its caller number",
        text: include_str!("../../scenarios/one-trunk.json"),
    },
    Scenario {
        name: "blocked-by-threshold",
        description: "the same with a trunk that is blocked because its spending reached its threshold of 10 dollars",
        text: include_str!("../../scenarios/blocked-by-threshold.json"),
    },
    Scenario {
        name: "many-trunks",
        description: "one account with 120 trunks of which every tenth is blocked, so that lists have several pages",
        text: include_str!("../../scenarios/many-trunks.json"),
    },
    Scenario {
        name: "two-accounts",
        description: "two accounts, at the oldest version with trunks and at the newest, each with a trunk of the same name",
        text: include_str!("../../scenarios/two-accounts.json"),
    },
];

/// The world with this name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is not a valid world; a test checks that all are.
    pub fn world(&self) -> Result<World, WorldError> {
        World::from_json(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_is_a_world_and_has_a_name_of_its_own() {
        for (position, one) in SCENARIOS.iter().enumerate() {
            let world = one.world().unwrap_or_else(|error| panic!("{}: {error}", one.name));
            assert!(!world.accounts.is_empty(), "{}", one.name);
            assert!(SCENARIOS.iter().skip(position + 1).all(|other| other.name != one.name), "{}", one.name);
        }
    }
}
