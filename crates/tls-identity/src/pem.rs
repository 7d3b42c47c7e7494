//! Errors of files that are not PEM, without any text of the file.

use rustls::pki_types::pem::Error;

/// The reason why a file is not the expected PEM. The parser's own text quotes the line, which is the whole key if the
/// file has lost its line ends.
pub fn why_no_pem(error: &Error, expected: &str) -> String {
    match error {
        Error::NoItemsFound => format!("it contains no {expected} in PEM"),
        Error::IllegalSectionStart { .. } => {
            "a line that begins with -----BEGIN does not end with -----".to_owned()
        }
        Error::MissingSectionEnd { .. } => "the line -----END of a section is missing".to_owned(),
        Error::Base64Decode(_) => "what is between -----BEGIN and -----END is not base64".to_owned(),
        Error::Io(error) => error.to_string(),
        _ => "it is not PEM".to_owned(),
    }
}
