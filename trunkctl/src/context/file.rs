//! The file of contexts, `config.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::secret::SecretSource;
use crate::exit::{Exit, Failure};

/// The contexts by name, and the current one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextFile {
    /// The name of the context that is used unless another one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The contexts by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// A service, and the sources of its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// The base URL of the API, `production` or `sandbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The URL of the service that mints tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The version of the API; the newest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The base URL of the control API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_url: Option<String>,
    /// The base URL of the communication platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voipbin_url: Option<String>,
    /// The source of the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretSource>,
    /// The source of the token of the control API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_token: Option<SecretSource>,
    /// The source of an access key of the communication platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voipbin_key: Option<SecretSource>,
    /// The source of a token of the communication platform, instead of an access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voipbin_token: Option<SecretSource>,
}

impl ContextFile {
    /// The path: `TRUNKCTL_CONFIG`, else `trunkctl/config.toml` in `XDG_CONFIG_HOME` or in `~/.config`.
    ///
    /// # Errors
    /// When none of the variables, nor `HOME`, is set.
    pub(crate) fn path() -> Result<PathBuf, Failure> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder =
            || variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        variable("TRUNKCTL_CONFIG")
            .or_else(|| folder().map(|folder| folder.join("trunkctl").join("config.toml")))
            .ok_or_else(|| Failure::usage("set TRUNKCTL_CONFIG to the path of the file of contexts"))
    }

    /// Reads the file; one that does not exist has no contexts.
    ///
    /// # Errors
    /// When it cannot be read, or is not valid.
    pub(crate) fn read() -> Result<Self, Failure> {
        let Ok(path) = Self::path() else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
        };
        Self::parse(&text).map_err(|problem| Failure::usage(format!("{}: {problem}", path.display())))
    }

    /// Reads the text of a file.
    fn parse(text: &str) -> Result<Self, String> {
        // The error's own text quotes the line, which may hold a key that was written in clear.
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            // The name of a member is not secret, but a text that was written instead of a variant can be.
            let quotes: &[char] =
                if error.message().starts_with("unknown variant") { &['"', '`'] } else { &['"'] };
            format!(
                "line {line} is not valid: {}; a secret is `{{ file = \"…\" }}`, `{{ env = \"…\" }}`, \
                 `{{ command = \"…\" }}` or `{{ keyring = \"…\" }}`",
                error.message().split(quotes).next().unwrap_or_default().trim_end_matches(['`', ' '])
            )
        })
    }

    /// Writes the file, readable by its owner alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let path = Self::path()?;
        // A link, as managers of settings make one, stays: the file that it leads to is replaced.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display()))
        };
        let text = toml::to_string_pretty(self).map_err(|error| failed(&error))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        // A reader never sees half a file.
        let new = path.with_extension("toml.new");
        std::fs::write(&new, text).map_err(|error| failed(&error))?;
        only_for_owner(&new).map_err(|error| failed(&error))?;
        std::fs::rename(&new, &path).map_err(|error| failed(&error))
    }

    /// The context of a name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
            Failure::usage(format!("there is no context `{name}`; known: {known}"))
        })
    }
}

#[cfg(unix)]
fn only_for_owner(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn only_for_owner(_path: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_is_written() {
        let context = Context {
            url: Some("sandbox".to_owned()),
            api_key: Some(SecretSource::Command("pass show didww".to_owned())),
            control_token: Some(SecretSource::File("/run/token".into())),
            voipbin_key: Some(SecretSource::Env("VB_KEY".to_owned())),
            voipbin_token: Some(SecretSource::Keyring("voipbin".to_owned())),
            ..Context::default()
        };
        let file = ContextFile {
            current: Some("sandbox".to_owned()),
            contexts: BTreeMap::from([("sandbox".to_owned(), context)]),
        };
        let text = toml::to_string_pretty(&file).unwrap();
        assert_eq!(ContextFile::parse(&text).unwrap(), file, "{text}");
    }

    #[test]
    fn a_key_in_clear_is_refused_and_not_repeated() {
        let text = "current = \"a\"\n\n[contexts.a]\nurl = \"sandbox\"\napi_key = \"s3cret-key\"\n";
        let problem = ContextFile::parse(text).unwrap_err();
        assert!(problem.contains("line 5") && !problem.contains("s3cret"), "{problem}");
    }

    #[test]
    fn a_misspelt_member_is_named_with_its_line() {
        let problem = ContextFile::parse("[contexts.a]\nurll = \"sandbox\"\n").unwrap_err();
        assert!(problem.contains("line 2") && problem.contains("urll"), "{problem}");
    }
}
