//! The differences between two configurations of a running server, and which of them take effect at once.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Config;

/// The settings that a running server can change.
const LIVE: [&str; 3] = ["accounts.rate_limit", "control_token", "log"];

/// The settings that differ, by their keys in the file, such as `sip.realm`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigChanges {
    /// The settings that take effect at once.
    pub live: BTreeSet<String>,
    /// The settings that take effect at the next start.
    pub at_the_next_start: BTreeSet<String>,
}

impl Config {
    /// Compares this configuration of a running server with another one. Values are not part of the result.
    pub fn changes(&self, other: &Self) -> ConfigChanges {
        let (before, after) = (self.settings(), other.settings());
        let differing = before.symmetric_difference(&after).map(|(key, _)| key.clone());
        let (live, at_the_next_start) = differing.partition(|key| LIVE.contains(&key.as_str()));
        ConfigChanges { live, at_the_next_start }
    }

    /// Every setting with its value as text. Values of secrets are only compared.
    fn settings(&self) -> BTreeSet<(String, String)> {
        let mut settings = BTreeSet::new();
        let shown: Table = toml::from_str(&self.to_toml()).unwrap_or_default();
        flatten("", &Value::Table(shown), &mut settings);
        let secrets = [
            ("api_key", self.api_key.as_ref()),
            ("callback_secret", self.callback_secret.as_ref()),
            ("control_token", self.control_token.as_ref()),
            #[cfg(feature = "voipbin")]
            ("voipbin_admin", self.voipbin.admin.as_ref().map(|(_, password)| password)),
        ];
        let secrets =
            secrets.into_iter().filter_map(|(key, secret)| Some((key, secret?.expose().to_owned())));
        settings.extend(secrets.map(|(key, secret)| (key.to_owned(), secret)));
        if let super::Database::Postgres(database) = &self.database {
            settings.insert(("database".to_owned(), database.url.expose().to_owned()));
            let listen = database.listen.as_ref().map(|url| url.expose().to_owned());
            settings.insert(("database_listen".to_owned(), listen.unwrap_or_default()));
        }
        settings
    }
}

fn flatten(above: &str, value: &Value, settings: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let key = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
                flatten(&key, value, settings);
            }
        }
        value => {
            settings.insert((above.to_owned(), value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
        let read = |text: &str| Config::from_toml(text).unwrap();
        let changes = read(before).changes(&read(after));
        (changes.live.into_iter().collect(), changes.at_the_next_start.into_iter().collect())
    }

    #[test]
    fn a_difference_is_named_and_takes_effect_at_once_or_at_the_next_start() {
        assert_eq!(changes("demo = true", "demo = true"), (vec![], vec![]));
        assert_eq!(changes("log = \"info\"", "log = \"debug\""), (vec!["log".to_owned()], vec![]));
        let (live, later) = changes(
            "api_key = \"one\"\n[accounts]\nrate_limit = 5\nrecord_quota = 5",
            "api_key = \"two\"\ncontrol_token = \"t\"\nlisten = \"127.0.0.1:1\"\n[accounts]\nrate_limit = 6\nrecord_quota = 6",
        );
        assert_eq!(live, ["accounts.rate_limit", "control_token"]);
        assert_eq!(later, ["accounts.record_quota", "api_key", "listen"]);
        let (live, later) = changes("control_token = \"one\"", "control_token = \"two\"");
        assert_eq!((live, later), (vec!["control_token".to_owned()], vec![]), "also if both are hidden");
    }
}
