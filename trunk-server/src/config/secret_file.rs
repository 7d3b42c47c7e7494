//! Secrets in separate files: unlike flags, they do not appear in process lists.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use didww_types::Secret;

use super::error::ConfigError;

/// Maximum number of bytes of a file with a secret.
const MAX_BYTES: u64 = 64 << 10;

/// Returns the secret of a setting: the one that is given, or the contents of the file without the line end at its end.
/// `name` is the flag of the file.
///
/// # Errors
/// If both are given, or the file cannot be read. The error does not contain the secret.
pub(crate) fn secret(
    name: &'static str,
    given: Option<Secret>,
    file: Option<PathBuf>,
) -> Result<Option<Secret>, ConfigError> {
    let Some(file) = file else { return Ok(given) };
    let refused = |expected| Err(ConfigError::Value { name, given: file.display().to_string(), expected });
    if given.is_some() {
        return refused("give either the secret or its file");
    }
    let mut text = String::new();
    let read = File::open(&file).and_then(|opened| opened.take(MAX_BYTES + 1).read_to_string(&mut text));
    if read.is_err() {
        return refused("give a file of text that this process can read");
    }
    if text.len() as u64 > MAX_BYTES {
        return refused("give a file of at most 65536 bytes");
    }
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(Some(Secret::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_text_of_its_file_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, " a secret \r\n").unwrap();
        let read = secret("api-key-file", None, Some(file.clone())).unwrap().unwrap();
        assert_eq!(read.expose(), " a secret ");
        let both = secret("api-key-file", Some(Secret::from("canary".to_owned())), Some(file)).unwrap_err();
        assert!(both.to_string().contains("give either"), "{both}");
        assert!(!format!("{both} {both:?}").contains("canary"));
        let absent = secret("api-key-file", None, Some(folder.path().join("none"))).unwrap_err().to_string();
        assert!(
            absent.starts_with("api-key-file is `") && absent.ends_with("that this process can read"),
            "{absent}"
        );
    }
}
