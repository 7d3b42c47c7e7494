//! The accounts at the start of a server: creates the first one, and finds those whose callbacks are not sent.

use std::sync::Arc;
use std::time::Duration;

use control_plane::{Control, ControlError, NewAccount, TrunkPass, TrunkSurvey};
use didww_types::Secret;
use uuid::Uuid;

use crate::config::Config;
use crate::demo;

/// The accounts and secrets that the start found or created.
#[derive(Debug, Default)]
pub(super) struct AccountsAtStart {
    /// The generated key, if there was no account and no configured key.
    pub(super) new_key: Option<Secret>,
    /// The generated callback secret of the demo.
    pub(super) new_callback_secret: Option<Secret>,
    /// The number of accounts before, if an account was created.
    pub(super) accounts_before: Option<usize>,
    /// The warnings about trunks, including the accounts whose callbacks are not sent.
    pub(super) survey: TrunkSurvey,
}

/// Creates the first account if there is none, enables the configured callback secret, and checks all trunks once. They
/// are not read again if `pass` has looked at all of them.
pub(super) async fn prepare_accounts(
    control: &Control,
    config: &Config,
    pass: Option<TrunkPass>,
) -> Result<AccountsAtStart, ControlError> {
    let accounts = first_account(control, config).await?;
    sign_callbacks(control, config).await?;
    // A new account may have trunks that the pass has not seen.
    let survey = match pass.filter(|_| accounts.accounts_before.is_none()) {
        Some(pass) => control.survey_of(pass).await?,
        None => control.survey_trunks(MAX_NAMED).await?,
    };
    log_unsigned_accounts(&survey.unsigned_accounts);
    Ok(AccountsAtStart { survey, ..accounts })
}

/// Maximum number of times that the first account is looked up, if other servers of the database create it at the same
/// time.
const ATTEMPTS: u32 = 20;
/// The time between two look-ups. A server knows within a second which keys the others created.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Creates an account if there is none, or none with the configured API key. Of servers that start at once, one does.
async fn first_account(control: &Control, config: &Config) -> Result<AccountsAtStart, ControlError> {
    for _ in 1..ATTEMPTS {
        match find_or_create(control, config).await {
            Err(ControlError::Invalid { message, .. }) if message.ends_with("taken") => {
                tokio::time::sleep(RETRY_DELAY).await;
            }
            made => return made,
        }
    }
    find_or_create(control, config).await
}

async fn find_or_create(control: &Control, config: &Config) -> Result<AccountsAtStart, ControlError> {
    let existing = control.accounts().await?;
    let key_exists = match &config.api_key {
        Some(key) => control.account_of_key(key).await?.is_some(),
        None => false,
    };
    if key_exists || (config.api_key.is_none() && !existing.is_empty()) {
        return Ok(AccountsAtStart::default());
    }
    let name = if existing.is_empty() { "default" } else { "" };
    let mut new = NewAccount::named(name);
    new.api_key.clone_from(&config.api_key);
    let (account, key) = control.create_account(new).await?;
    if !existing.is_empty() {
        let before = existing.len();
        tracing::warn!(
            account = %account.id, before,
            "no account had the configured API key: a new, empty account was made for it"
        );
    }
    let mut new_callback_secret = None;
    if config.demo && existing.is_empty() {
        let secret = demo::fill(control, account.id, config.callback_secret.clone()).await?;
        new_callback_secret = config.callback_secret.is_none().then_some(secret);
    }
    let new_key = config.api_key.is_none().then_some(key);
    Ok(AccountsAtStart {
        new_key,
        new_callback_secret,
        accounts_before: Some(existing.len()),
        survey: TrunkSurvey::default(),
    })
}

/// Enables the configured callback secret: in the account with the configured API key, or in the only account.
async fn sign_callbacks(control: &Control, config: &Config) -> Result<(), ControlError> {
    if let Some(secret) = &config.callback_secret {
        let account = match &config.api_key {
            Some(key) => control.account_of_key(key).await?,
            None => match control.accounts().await?.as_slice() {
                [only] => Some(Arc::clone(only)),
                _ => None,
            },
        };
        if let Some(account) = account {
            control.ensure_callback_secret(account.id, secret.clone()).await?;
        } else {
            tracing::warn!(
                "`callback_secret` is ignored: there are several accounts, and `api_key` names none"
            );
        }
    }
    Ok(())
}

/// Maximum number of accounts without a callback secret, and of trunks that accept calls from any address, that the
/// start logs by name.
pub(super) const MAX_NAMED: usize = 10;

/// Logs the accounts whose callbacks are not sent.
fn log_unsigned_accounts(accounts: &[Uuid]) {
    if accounts.is_empty() {
        return;
    }
    let named: Vec<String> = accounts.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    tracing::warn!(
        total = accounts.len(),
        accounts = named.join(", "),
        "accounts have trunks with a callback URL and no enabled callback secret, so no callback of theirs is sent; \
         POST /control/v1/accounts/ID/callback_secrets makes one"
    );
}
