//! The settings that a running server changes when its configuration is read again.

use super::Server;
use super::error::StartError;
use super::listeners::is_on_loopback;
use crate::config::Config;

impl Server {
    /// Applies the settings that can change while the server runs: the token of the control API, and the limit on the
    /// requests of accounts that have none of their own. Other settings are ignored.
    ///
    /// # Errors
    /// [`StartError::OpenControl`] if the control API would be open to other machines without a token. Nothing is
    /// changed then.
    pub fn take_over(&self, config: &Config) -> Result<(), StartError> {
        let open = self.control_address.filter(|at| config.control_token.is_none() && !at.ip().is_loopback());
        if let Some(at) = open {
            return Err(StartError::OpenControl(at));
        }
        self.control_token.replace(config.control_token.clone());
        self.rates.set_default(config.accounts.max_rate(is_on_loopback(self.address)));
        Ok(())
    }
}
