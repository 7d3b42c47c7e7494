//! The upload of an encrypted file.

use std::fmt;

use bytes::Bytes;
use didww_types::Resource as _;
use didww_types::resources::EncryptedFile;
use reqwest::Method;

use crate::{Api, Error, Multipart, Single};

/// A file to upload, which is encrypted already. `Debug` does not print the content.
#[derive(Clone)]
pub struct EncryptedUpload {
    fingerprint: String,
    content: Bytes,
    file_name: String,
    description: Option<String>,
}

impl EncryptedUpload {
    /// A file that was encrypted with the keys of this
    /// [fingerprint](didww_types::resources::PublicKey::encryption_fingerprint). It has at most 20 MiB.
    pub fn new(fingerprint: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self {
            fingerprint: fingerprint.into(),
            content: content.into(),
            file_name: "file.enc".to_owned(),
            description: None,
        }
    }

    /// Sets the name of the file, `file.enc` by default. The service does not show it.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = name.into();
        self
    }

    /// Sets the customer's note about the file.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl fmt::Debug for EncryptedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedUpload").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

impl Api<EncryptedFile> {
    /// Uploads a file. It is sent as it is: the caller has encrypted it.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, encrypted: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    /// use didww_client::EncryptedUpload;
    /// use didww_client::resources::PublicKey;
    ///
    /// let keys = client.public_keys().list().await?;
    /// let fingerprint = PublicKey::encryption_fingerprint(&keys.items).ok_or("the service has fewer than two keys")?;
    /// let upload = EncryptedUpload::new(fingerprint, encrypted).description("passport");
    /// let file = client.encrypted_files().upload(upload).await?;
    /// println!("{} is kept until {}", file.id, file.expires_at);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An error for a status outside 2xx: 422 if the service has other keys by now.
    pub async fn upload(&self, upload: EncryptedUpload) -> Result<Single<EncryptedFile>, Error> {
        let part = |name: &str| format!("{}[{name}]", EncryptedFile::SPEC.name);
        let mut form = Multipart::new().text(part("encryption_fingerprint"), upload.fingerprint);
        if let Some(description) = upload.description {
            form = form.text(part("description"), description);
        }
        let form = form.file(part("file"), upload.file_name, "application/octet-stream", upload.content);
        let request = self.client.raw(Method::POST, "/encrypted_files").header("Accept", "application/json");
        let answer = request.multipart(&form).send().await?;
        answer.0.single::<EncryptedFile, EncryptedFile>(EncryptedFile::decode_at)
    }
}
