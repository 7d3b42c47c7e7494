//! The `[tokens]` table of the configuration file: the service that mints access tokens.

use serde::{Deserialize, Serialize};
use token_service::TokenSettings;
use trunk_store::account::Environment;

use super::address::{check_address, check_host, is_same_port};
use super::error::ConfigError;

/// The service that mints access tokens. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokensConfig {
    /// The environment of the server: tokens and keys of the other one are refused. Default: production.
    pub environment: Option<Environment>,
    /// The address of a listener of its own, `HOST:PORT`. Default: none, and `/token` is served at the API's address.
    pub listen: Option<String>,
    /// The host name that requests for tokens must name. Default: any.
    pub host: Option<String>,
}

impl TokensConfig {
    /// Checks the table. `listen` is the address of the API.
    pub(super) fn check(&self, listen: &str) -> Result<(), ConfigError> {
        if let Some(own) = &self.listen {
            check_address("tokens.listen", own)?;
            if is_same_port(own, listen) {
                let expected =
                    "give another port than that of `listen`, or leave it out: `/token` is served there";
                return Err(ConfigError::value("tokens.listen", own, expected));
            }
        }
        self.host.as_ref().map_or(Ok(()), |host| check_host("tokens.host", host))
    }

    /// Returns the environment of the server.
    pub(crate) fn environment(&self) -> Environment {
        self.environment.unwrap_or_default()
    }

    /// Returns the settings of the service.
    pub(crate) fn settings(&self) -> TokenSettings {
        TokenSettings {
            environment: self.environment(),
            host: self.host.clone(),
            own_listener: self.listen.is_some(),
        }
    }

    /// Renders the table as TOML; `None` if every key has its default.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            tokens: &'a TokensConfig,
        }
        if *self == Self::default() {
            return None;
        }
        toml::to_string(&File { tokens: self }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<TokensConfig, String> {
        let table: TokensConfig = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        table.check("127.0.0.1:8080").map_err(|error| error.to_string())?;
        Ok(table)
    }

    #[test]
    fn a_table_sets_the_environment_and_the_place_of_the_service() {
        let text = "environment = \"sandbox\"\nlisten = \"127.0.0.1:8082\"\nhost = \"auth.example.com\"\n";
        let table = checked(text).unwrap();
        let settings = TokenSettings {
            environment: Environment::Sandbox,
            host: Some("auth.example.com".to_owned()),
            own_listener: true,
        };
        assert_eq!(table.settings(), settings);
        assert_eq!(table.to_toml().unwrap(), format!("[tokens]\n{text}"));
        assert_eq!(
            (checked("").unwrap().to_toml(), checked("").unwrap().environment()),
            (None, Environment::Production)
        );
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("listen = \"here\"", "tokens.listen is `here`"),
            ("listen = \"127.0.0.1:8080\"", "another port"),
            ("host = \"https://auth.example.com\"", "tokens.host"),
            ("host = \"\"", "tokens.host"),
            ("host = \"auth.example.com:443\"", "tokens.host"),
            ("host = \"auth.example.com.\"", "tokens.host"),
            ("environment = \"staging\"", "staging"),
            ("lifetime = 5", "lifetime"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
