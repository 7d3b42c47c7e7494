//! The replacement of the system's keyring in builds without the feature `keyring`.

use didww_client::Secret;

use crate::exit::Failure;

/// Fails: this build has no keyring. `what` names the secret.
pub(crate) fn read(entry: &str, what: &str) -> Result<String, Failure> {
    Err(Failure::usage(format!(
        "the {what} should be in the entry `{entry}` of the system's keyring, which this build does not know: build trunkctl \
         with its feature `keyring`, or use a file or a command"
    )))
}

/// Fails: this build has no keyring.
pub(crate) fn store(_entry: &str, _secret: &Secret) -> Result<(), Failure> {
    Err(Failure::usage(
        "this build does not know the system's keyring: build trunkctl with its feature `keyring`",
    ))
}
