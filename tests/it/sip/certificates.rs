//! Certificates for TLS on loopback, generated with OpenSSL.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::edge::scratch;
use super::uac::unique;

/// A certificate authority, and a certificate for 127.0.0.1 that it issued.
pub struct Certificates {
    pub folder: std::path::PathBuf,
}

impl Certificates {
    pub fn make() -> Self {
        let folder = scratch(&format!("tls-{}-{}", std::process::id(), unique()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let run = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).current_dir(&folder).output();
            let output = output.expect("openssl runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let with = |head: &[&'static str], tail: &[&'static str]| {
            run(&[head, &new[..], tail].concat());
        };
        with(&["req", "-x509"], &["-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"]);
        run(&[&["req"], &new[..5], &["-subj", "/CN=edge", "-keyout", "key.pem", "-out", "edge.csr"]].concat());
        run(&[
            "x509",
            "-req",
            "-in",
            "edge.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "san",
            "-out",
            "cert.pem",
        ]);
        Self { folder }
    }

    /// The path of one of its files: `ca.pem`, `cert.pem`, `key.pem`.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// The configuration of a client that trusts the authority in a file.
    pub fn client(authority: &Path) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth())
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        // If this fails, the folder is deleted with the build.
        let _stays = std::fs::remove_dir_all(&self.folder);
    }
}
