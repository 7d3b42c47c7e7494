//! A certificate chain with its key, kept up to date with its files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::pem::why_no_pem;

/// Maximum number of bytes of a file with certificates, or with a key.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The PEM file with the certificate, followed by those of its issuers.
    pub certificate: PathBuf,
    /// The PEM file with the private key of the certificate.
    pub key: PathBuf,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct IdentityError {
    /// The path of the file.
    pub file: PathBuf,
    /// Why it cannot be used.
    pub why: String,
}

/// The certificate of one listener.
#[derive(Debug)]
pub struct Identity {
    files: IdentityFiles,
    /// The protocols that are offered by ALPN, the preferred one first; none without ALPN.
    protocols: Vec<Vec<u8>>,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    contents: Contents,
    /// What could not be used at the last look, so that it is reported once.
    refused: Option<Refused>,
}

/// Files that cannot be used.
#[derive(PartialEq, Eq)]
enum Refused {
    Contents(Contents),
    /// A file could not be read, for this reason.
    Unreadable(String),
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The contents have the key.
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

/// The contents of both files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// Reads the files. The protocols are those to offer by ALPN, the preferred one first.
    ///
    /// # Errors
    /// If a file cannot be read or used, or the key is not that of the certificate.
    pub fn load(files: IdentityFiles, protocols: &[&str]) -> Result<Arc<Self>, IdentityError> {
        let protocols: Vec<Vec<u8>> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let contents = Contents::read(&files)?;
        let config = contents.config(&files, &protocols)?;
        let current = RwLock::new(Current { config, contents, refused: None });
        Ok(Arc::new(Self { files, protocols, current }))
    }

    /// Returns the acceptor for a new connection, with the current certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config))
    }

    /// Returns the file with the certificate.
    pub fn certificate(&self) -> &Path {
        &self.files.certificate
    }

    /// Reads the files again. Returns whether there is another certificate or key for new connections.
    ///
    /// # Errors
    /// If they cannot be used: the current ones remain. The same contents, or files that cannot be read for the same
    /// reason, are refused with an error once, and then count as unchanged.
    pub fn reload(&self) -> Result<bool, IdentityError> {
        let contents = match Contents::read(&self.files) {
            Ok(contents) => contents,
            Err(error) => {
                let refused = Some(Refused::Unreadable(error.to_string()));
                let mut current = self.write();
                if current.refused == refused {
                    return Ok(false);
                }
                current.refused = refused;
                return Err(error);
            }
        };
        {
            let mut current = self.write();
            if current.contents == contents {
                current.refused = None;
                return Ok(false);
            }
            if let Some(Refused::Contents(refused)) = &current.refused
                && *refused == contents
            {
                return Ok(false);
            }
        }
        match contents.config(&self.files, &self.protocols) {
            Ok(config) => {
                *self.write() = Current { config, contents, refused: None };
                Ok(true)
            }
            Err(error) => {
                self.write().refused = Some(Refused::Contents(contents));
                Err(error)
            }
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn read(files: &IdentityFiles) -> Result<Self, IdentityError> {
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    fn config(
        &self,
        files: &IdentityFiles,
        protocols: &[Vec<u8>],
    ) -> Result<Arc<ServerConfig>, IdentityError> {
        let wrong = |file: &Path, why: String| IdentityError { file: file.to_owned(), why };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&files.certificate, why_no_pem(&error, "certificate")))?;
        if chain.is_empty() {
            return Err(wrong(&files.certificate, "it contains no certificate in PEM".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| wrong(&files.key, why_no_pem(&error, "private key without a password")))?;
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&files.certificate, error.to_string()))?;
        let mut config = config
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&files.certificate, error.to_string()))?;
        config.alpn_protocols = protocols.to_vec();
        Ok(Arc::new(config))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, IdentityError> {
    let wrong = |why: String| IdentityError { file: file.to_owned(), why };
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let mut contents = Vec::new();
    let read = opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut contents);
    read.map_err(|error| wrong(error.to_string()))?;
    if contents.len() as u64 > MAX_FILE_BYTES {
        return Err(wrong(format!("it has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Writes a new certificate and its key.
    fn make(folder: &Path) -> IdentityFiles {
        let files = IdentityFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-keyout"])
            .arg(&files.key)
            .arg("-out")
            .arg(&files.certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        files
    }

    #[test]
    fn changed_files_are_taken_and_files_that_do_not_belong_together_are_refused_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = make(folder.path());
        let identity = Identity::load(files.clone(), &["h2"]).unwrap();
        let config = |identity: &Identity| Arc::clone(identity.acceptor().config());
        let first = config(&identity);
        assert!(!identity.reload().unwrap(), "nothing changed");
        assert!(Arc::ptr_eq(&first, &config(&identity)));

        let old_certificate = std::fs::read(&files.certificate).unwrap();
        make(folder.path());
        let new_certificate = std::fs::read(&files.certificate).unwrap();
        std::fs::write(&files.certificate, &old_certificate).unwrap();
        let error = identity.reload().unwrap_err().to_string();
        assert!(error.contains("cert.pem"), "{error}");
        assert!(!identity.reload().unwrap(), "the same files are not reported again");
        assert!(Arc::ptr_eq(&first, &config(&identity)), "the former certificate remains");

        std::fs::write(&files.certificate, new_certificate).unwrap();
        assert!(identity.reload().unwrap());
        assert!(!Arc::ptr_eq(&first, &config(&identity)));
        assert_eq!(config(&identity).alpn_protocols, [b"h2".to_vec()]);

        for _ in 0..2 {
            std::fs::remove_file(&files.key).unwrap();
            assert!(identity.reload().unwrap_err().to_string().contains("key.pem"));
            assert!(!identity.reload().unwrap(), "a file that is missing is not reported again");
            make(folder.path());
            assert!(identity.reload().unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_changed_are_read_at_the_next_look_without_a_signal() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::load(make(folder.path()), &[]).unwrap();
        let config = |identity: &Identity| Arc::clone(identity.acceptor().config());
        let first = config(&identity);
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let watching = tokio::spawn(crate::watch(vec![Arc::clone(&identity)], stopped));
        make(folder.path());
        assert!(Arc::ptr_eq(&first, &config(&identity)), "nothing was read yet");
        // The paused clock stands still while the files are read.
        tokio::time::sleep(crate::CHECK_INTERVAL + std::time::Duration::from_secs(1)).await;
        assert!(!Arc::ptr_eq(&first, &config(&identity)));
        stop.send(true).unwrap();
        watching.await.unwrap();
    }

    #[test]
    fn files_that_are_no_certificate_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = make(folder.path());
        let swapped = IdentityFiles { certificate: files.key.clone(), key: files.certificate.clone() };
        let error = Identity::load(swapped, &[]).unwrap_err().to_string();
        assert!(error.contains("key.pem: it contains no certificate in PEM"), "{error}");
        std::fs::write(&files.key, vec![b'x'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1]).unwrap();
        let error = Identity::load(files, &[]).unwrap_err().to_string();
        assert!(error.contains("key.pem: it has more than 1048576 bytes"), "{error}");
    }

    #[test]
    fn a_key_that_lost_its_line_ends_is_refused_without_a_word_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = make(folder.path());
        let key = std::fs::read_to_string(&files.key).unwrap();
        for (text, why) in [
            (key.replace('\n', "\\n"), "a line that begins with -----BEGIN does not end with -----"),
            (key.replace('\n', " "), "the line -----END of a section is missing"),
            (key.replace("-----\n", "-----\n%"), "what is between -----BEGIN and -----END is not base64"),
            (
                key.replace("BEGIN", "BEGIN ENCRYPTED").replace("END", "END ENCRYPTED"),
                "it contains no private key without a password in PEM",
            ),
        ] {
            std::fs::write(&files.key, text).unwrap();
            let error = Identity::load(files.clone(), &[]).unwrap_err();
            assert_eq!(error.why, why);
            assert_eq!(error.to_string(), format!("{}: {why}", files.key.display()));
        }
    }
}
