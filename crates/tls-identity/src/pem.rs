//! Why a file is no PEM, in words that contain nothing of the file.

use rustls::pki_types::pem::Error;

/// Why a file cannot be read that is expected to contain this in PEM. The parser's own text has the line, which is a whole key if
/// the file has lost its line ends.
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
