//! The selection of a service and its keys: contexts of a file, the environment, and flags.
//!
//! A key is never an argument, because other users of the machine can read arguments, and never a value of the file
//! of contexts: it is in a file of its own, in an environment variable, printed by a command, or in the system's
//! keyring.

mod file;
mod secret;

use std::path::PathBuf;

use didww_client::{
    ApiVersion, Client, ClientBuilder, PRODUCTION, PRODUCTION_TOKENS, SANDBOX, SANDBOX_TOKENS, Secret,
};

pub(crate) use file::{Context, ContextFile};
pub(crate) use secret::SecretSource;

use crate::exit::Failure;

/// The names of DIDWW's environments, which can be used instead of a URL.
pub(crate) const NAMED: [(&str, &str); 2] = [("production", PRODUCTION), ("sandbox", SANDBOX)];

/// The flags and variables that select a service, before those of a context are added.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The name of a context.
    pub context: Option<String>,
    /// The base URL of the API, `production` or `sandbox`.
    pub url: Option<String>,
    /// The URL of the service that mints tokens.
    pub token_url: Option<String>,
    /// The version of the API.
    pub api_version: Option<String>,
    /// A file with the API key.
    pub api_key_file: Option<PathBuf>,
    /// The base URL of the control API.
    pub control_url: Option<String>,
    /// A file with the token of the control API.
    pub control_token_file: Option<PathBuf>,
    /// The base URL of the communication platform.
    pub voipbin_url: Option<String>,
    /// A file with an access key of the communication platform.
    pub voipbin_key_file: Option<PathBuf>,
}

/// The selected services. Keys are read when they are needed.
#[derive(Debug, Clone, Default)]
pub struct Target {
    overrides: Overrides,
    context: Context,
}

/// The source of a secret that a flag or a variable names, in this order: flag, variable with the secret, variable with
/// the name of a file.
fn named(flag: Option<&PathBuf>, variable: &str) -> Option<SecretSource> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let of_file = format!("{variable}_FILE");
    if let Some(file) = flag {
        Some(SecretSource::File(file.clone()))
    } else if is_set(variable) {
        Some(SecretSource::Env(variable.to_owned()))
    } else {
        is_set(&of_file).then(|| SecretSource::File(std::env::var_os(&of_file).unwrap_or_default().into()))
    }
}

/// One of DIDWW's price services.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PriceService {
    /// Its base URL in production.
    pub production: &'static str,
    /// Its base URL in the sandbox.
    pub sandbox: &'static str,
    /// The `Host` of requests by which a trunk-server selects the service.
    pub host: &'static str,
}

/// The URL of the service that mints tokens for an API, as the client has it by default.
fn tokens_of(api: &str) -> String {
    match api {
        PRODUCTION => PRODUCTION_TOKENS.to_owned(),
        SANDBOX => SANDBOX_TOKENS.to_owned(),
        api => format!("{}/token", api.strip_suffix("/v3").unwrap_or(api).trim_end_matches('/')),
    }
}

/// The address of the environment with this name, or the address itself.
fn spelt_out(url: &str) -> String {
    let named = NAMED.iter().find(|(name, _)| *name == url);
    named.map_or(url, |(_, url)| *url).trim_end_matches('/').to_owned()
}

impl Target {
    /// Selects the context that the overrides, or else the file, name.
    ///
    /// # Errors
    /// When the file of contexts is not valid, or has no context of this name.
    pub fn select(overrides: Overrides) -> Result<Self, Failure> {
        let file = ContextFile::read()?;
        let context = match overrides.context.as_ref().or(file.current.as_ref()) {
            Some(name) => file.get(name)?.clone(),
            None => Context::default(),
        };
        Ok(Self { overrides, context })
    }

    /// The version of the API that requests name; the newest by default.
    ///
    /// # Errors
    /// When the context names a version that is not known.
    pub fn api_version(&self) -> Result<ApiVersion, Failure> {
        let named = self.overrides.api_version.as_ref().or(self.context.api_version.as_ref());
        named.map_or(Ok(ApiVersion::NEWEST), |text| {
            text.parse().map_err(|error: didww_client::UnknownVersion| Failure::usage(error.to_string()))
        })
    }

    /// A client of DIDWW's API.
    ///
    /// # Errors
    /// When no URL or no key is known, or they are not valid.
    pub fn client(&self) -> Result<Client, Failure> {
        let (url, key, token_url) = self.api()?;
        let mut builder = Client::builder(url.as_str(), key).api_version(self.api_version()?);
        if let Some(token_url) = token_url {
            builder = builder.token_url(token_url);
        }
        builder.build().map_err(|error| Failure::usage(error.to_string()))
    }

    /// The settings of a client of one of DIDWW's price services. It is at `url`, or at DIDWW's own address of it, or
    /// else at the address of the API. Its tokens are minted by the token service of the API: the key is sent nowhere
    /// else.
    ///
    /// # Errors
    /// When no URL of the API or no key is known.
    pub(crate) fn price_service(
        &self,
        service: PriceService,
        url: Option<&str>,
        host: Option<&str>,
    ) -> Result<ClientBuilder, Failure> {
        let (api, key, token_url) = self.api()?;
        let (base, default_host) = match (url, api.as_str()) {
            (Some(url), _) => (url, None),
            (None, PRODUCTION) => (service.production, None),
            (None, SANDBOX) => (service.sandbox, None),
            (None, api) => (api, Some(service.host)),
        };
        let builder = Client::builder(base, key).token_url(token_url.unwrap_or_else(|| tokens_of(&api)));
        Ok(match host.or(default_host) {
            Some(host) => builder.host(host),
            None => builder,
        })
    }

    /// The base URL of DIDWW's API, the key, and the URL of the service that mints tokens if one is named.
    fn api(&self) -> Result<(String, Secret, Option<String>), Failure> {
        let (url, is_own) = choose(self.overrides.url.as_ref(), self.context.url.as_ref());
        let url = url.ok_or_else(|| {
            Failure::usage(
                "no service is selected: --url (or TRUNKCTL_URL) with a URL, `production` or `sandbox`, \
                 or a context (`trunkctl context set NAME --url URL --api-key-file FILE`)",
            )
        })?;
        let source = named(self.overrides.api_key_file.as_ref(), "TRUNKCTL_API_KEY");
        let key = source.or_else(|| self.context.api_key.clone().filter(|_| is_own)).ok_or_else(|| {
            Failure::usage(format!(
                "there is no API key for {url}: --api-key-file, TRUNKCTL_API_KEY, TRUNKCTL_API_KEY_FILE, or a \
                 context; the key of a context is sent to the URL of that context alone"
            ))
        })?;
        let of_context = self.context.token_url.as_ref().filter(|_| is_own);
        let token_url = self.overrides.token_url.as_ref().or(of_context).cloned();
        Ok((url, key.read("API key")?, token_url))
    }

    /// The base URL of the control API without a slash at its end, and its token if there is one.
    ///
    /// # Errors
    /// When a token is named that cannot be read.
    pub fn control(&self) -> Result<(String, Option<Secret>), Failure> {
        let (url, is_own) = choose(self.overrides.control_url.as_ref(), self.context.control_url.as_ref());
        let is_default = url.is_none();
        let url = url.unwrap_or_else(|| "http://127.0.0.1:8081".to_owned());
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let url = url.strip_suffix("/control/v1").unwrap_or(&url).to_owned();
        let source = named(self.overrides.control_token_file.as_ref(), "TRUNKCTL_CONTROL_TOKEN");
        let source = source.or_else(|| self.context.control_token.clone().filter(|_| is_own || is_default));
        let token = source.map(|source| source.read("control token")).transpose()?;
        Ok((url, token))
    }

    /// A client of the communication platform's API.
    ///
    /// # Errors
    /// When no URL or no access key is known, or they are not valid.
    pub fn voipbin(&self) -> Result<voipbin_client::Client, Failure> {
        let (url, is_own) = choose(self.overrides.voipbin_url.as_ref(), self.context.voipbin_url.as_ref());
        let url = url.ok_or_else(|| {
            Failure::usage(
                "no communication platform is selected: --voipbin-url, TRUNKCTL_VOIPBIN_URL, or `voipbin_url` of a \
                 context",
            )
        })?;
        let key = named(self.overrides.voipbin_key_file.as_ref(), "TRUNKCTL_VOIPBIN_KEY");
        let token = named(None, "TRUNKCTL_VOIPBIN_TOKEN");
        // A variable of either kind overrides the context.
        let (key, token) = if key.is_some() || token.is_some() {
            (key, token)
        } else {
            let of_context = |source: &Option<SecretSource>| source.clone().filter(|_| is_own);
            (of_context(&self.context.voipbin_key), of_context(&self.context.voipbin_token))
        };
        let builder = voipbin_client::Client::builder().base_url(url.as_str());
        let builder = match (key, token) {
            (Some(key), _) => builder.access_key(key.read("access key")?),
            (None, Some(token)) => builder.token(token.read("access token")?),
            (None, None) => return Err(Failure::usage(format!("there is no access key for {url}"))),
        };
        builder.build().map_err(|error| Failure::usage(error.to_string()))
    }
}

/// The URL of a flag or variable, else that of the context, and whether it is the context's.
fn choose(flag: Option<&String>, context: Option<&String>) -> (Option<String>, bool) {
    let of_context = context.map(|url| spelt_out(url));
    if let Some(url) = flag.map(|url| spelt_out(url)) {
        let is_own = of_context.as_ref() == Some(&url);
        (Some(url), is_own)
    } else {
        let is_own = of_context.is_some();
        (of_context, is_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: Option<&str>, context: Option<&str>) -> (Option<String>, bool) {
        choose(url.map(str::to_owned).as_ref(), context.map(str::to_owned).as_ref())
    }

    #[test]
    fn the_tokens_of_prices_come_from_where_those_of_the_api_come_from() {
        for (api, tokens) in [
            (PRODUCTION, PRODUCTION_TOKENS),
            (SANDBOX, SANDBOX_TOKENS),
            ("http://127.0.0.1:8080/v3", "http://127.0.0.1:8080/token"),
            ("https://trunks.example.com", "https://trunks.example.com/token"),
        ] {
            assert_eq!(tokens_of(api), tokens);
        }
    }

    #[test]
    fn the_key_of_a_context_belongs_to_the_url_of_the_context_alone() {
        let api = "https://api.didww.com/v3";
        assert_eq!(target(None, Some("production")), (Some(api.to_owned()), true));
        assert_eq!(
            target(Some("https://api.didww.com/v3/"), Some("production")),
            (Some(api.to_owned()), true)
        );
        let other = Some("http://evil.example/v3".to_owned());
        assert_eq!(target(Some("http://evil.example/v3"), Some("production")), (other, false));
        assert_eq!(target(None, None), (None, false));
    }
}
