//! Secrets in the system's keyring: the Secret Service on Linux, Keychain on macOS, the Credential Manager on Windows.
//!
//! An entry has a name, which a context states, and belongs to this program. The keyring may ask its owner to unlock
//! it.

use didww_client::Secret;
use keyring_core::{Entry, Error};

use crate::exit::Failure;

/// The name of this program in the keyring.
const SERVICE: &str = "trunkctl";

/// Reads the secret of an entry. `what` names it in errors.
///
/// # Errors
/// When there is no keyring, or no such entry. The text never contains the secret.
pub(crate) fn read(entry: &str, what: &str) -> Result<String, Failure> {
    match find(entry)?.get_password() {
        Ok(secret) => Ok(secret),
        Err(Error::NoEntry) => Err(Failure::usage(format!(
            "the {what} should be in the entry `{entry}` of the keyring, which has none: `trunkctl context store {entry}` reads \
             it from standard input"
        ))),
        Err(error) => Err(failed(entry, &error)),
    }
}

/// Stores a secret in an entry, replacing a previous one.
///
/// # Errors
/// When there is no keyring, or it refuses the secret.
pub(crate) fn store(entry: &str, secret: &Secret) -> Result<(), Failure> {
    find(entry)?.set_password(secret.expose()).map_err(|error| failed(entry, &error))
}

/// An entry of the keyring, which need not exist.
fn find(entry: &str) -> Result<Entry, Failure> {
    if keyring_core::get_default_store().is_none()
        && let Err(error) = keyring::Entry::store_status()
    {
        return Err(failed(entry, error));
    }
    Entry::new(SERVICE, entry).map_err(|error| failed(entry, &error))
}

fn failed(entry: &str, error: &Error) -> Failure {
    let why = match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "it holds no text".to_owned(),
        Error::Ambiguous(_) => "several entries have this name".to_owned(),
        other => other.to_string(),
    };
    Failure::usage(format!("the entry `{entry}` of the system's keyring cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use keyring_core::mock::Store;

    use super::*;

    // One test, because the store of a process is set once for all of them.
    #[test]
    fn a_secret_is_read_as_it_was_stored_and_a_missing_one_says_how_to_store_it() {
        keyring_core::set_default_store(Store::new().unwrap());
        let error = read("didww", "API key").unwrap_err();
        assert!(error.text.contains("API key") && error.text.contains("context store didww"), "{error}");
        store("didww", &Secret::new("s3cret-1")).unwrap();
        store("other", &Secret::new("s3cret-2")).unwrap();
        assert_eq!(read("didww", "API key").unwrap(), "s3cret-1");
        store("didww", &Secret::new("s3cret-3")).unwrap();
        assert_eq!(read("didww", "API key").unwrap(), "s3cret-3");
        Entry::new(SERVICE, "bytes").unwrap().set_secret(b"s3cret\xff").unwrap();
        let error = read("bytes", "API key").unwrap_err();
        assert!(error.text.contains("no text") && !error.text.contains("s3cret"), "{error}");
    }
}
