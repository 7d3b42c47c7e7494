//! The upload of encrypted files, in the form of the client's API version: one file, or up to 2022-05-10 several of
//! them.

use std::fmt;

use bytes::Bytes;
use didww_types::resources::EncryptedFile;
use didww_types::{DecodeError, FormBatch, FormSpec, Id, Resource as _, VersionError};
use reqwest::Method;
use serde_json::Value;

use super::version_check;
use crate::request::Request;
use crate::{Api, Error, Multipart, RawAnswer, Single};

/// A file to upload, which is encrypted already. `Debug` does not print the content.
#[derive(Clone)]
pub struct EncryptedUpload {
    fingerprint: String,
    file: File,
}

/// Files to upload in one request, which are encrypted already. `Debug` does not print the contents.
#[derive(Clone)]
pub struct EncryptedUploads {
    fingerprint: String,
    /// The files before the last one.
    before: Vec<File>,
    last: File,
}

#[derive(Clone)]
struct File {
    content: Bytes,
    name: String,
    description: Option<String>,
}

impl File {
    fn new(content: Bytes) -> Self {
        Self { content, name: "file.enc".to_owned(), description: None }
    }
}

impl EncryptedUpload {
    /// A file that was encrypted with the keys of this
    /// [fingerprint](didww_types::resources::PublicKey::encryption_fingerprint). It has at most 20 MiB.
    pub fn new(fingerprint: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { fingerprint: fingerprint.into(), file: File::new(content.into()) }
    }

    /// Sets the name of the file, `file.enc` by default. The service does not show it.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file.name = name.into();
        self
    }

    /// Sets the customer's note about the file.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.file.description = Some(description.into());
        self
    }

    /// Adds a further file, which was encrypted with the same keys, for [`upload_several`](Api::upload_several).
    pub fn and(self, content: impl Into<Bytes>) -> EncryptedUploads {
        EncryptedUploads::from(self).and(content)
    }

    /// The form of one file.
    fn form(self, declared: &FormSpec) -> Multipart {
        let File { content, name, description } = self.file;
        let form = Multipart::new().text(part(declared.check.name), self.fingerprint);
        let form = match description {
            Some(description) => form.text(part(DESCRIPTION), description),
            None => form,
        };
        form.file(part(declared.file), name, MEDIA_TYPE, content)
    }
}

impl EncryptedUploads {
    /// Adds a further file, which was encrypted with the same keys.
    #[must_use]
    pub fn and(mut self, content: impl Into<Bytes>) -> Self {
        let last = std::mem::replace(&mut self.last, File::new(content.into()));
        self.before.push(last);
        self
    }

    /// Sets the name of the file that was added last, `file.enc` without it. The service does not show it.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.last.name = name.into();
        self
    }

    /// Sets the customer's note about the file that was added last.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.last.description = Some(description.into());
        self
    }

    /// The number of files.
    fn count(&self) -> usize {
        self.before.len() + 1
    }

    /// The form of several files.
    fn form(self, declared: &FormSpec, batch: &FormBatch) -> Multipart {
        let list = |name: &str| format!("{}[{}][][{name}]", EncryptedFile::SPEC.name, batch.name);
        let mut form = Multipart::new().text(part(declared.check.name), self.fingerprint);
        for File { content, name, description } in self.before.into_iter().chain([self.last]) {
            // A member that the last file has already begins the next one. Every file has a content, but not every one
            // a description, which would belong to the file before if it was first.
            form = form.file(list(declared.file), name, MEDIA_TYPE, content);
            if let Some(description) = description {
                form = form.text(list(DESCRIPTION), description);
            }
        }
        form
    }
}

impl From<EncryptedUpload> for EncryptedUploads {
    fn from(upload: EncryptedUpload) -> Self {
        Self { fingerprint: upload.fingerprint, before: Vec::new(), last: upload.file }
    }
}

impl fmt::Debug for EncryptedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedUpload").field("bytes", &self.file.content.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for EncryptedUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedUploads").field("files", &self.count()).finish_non_exhaustive()
    }
}

const DESCRIPTION: &str = EncryptedFile::SPEC.attribute_name("description");
const MEDIA_TYPE: &str = "application/octet-stream";

/// The name of a part of the form of one file.
fn part(name: &str) -> String {
    format!("{}[{name}]", EncryptedFile::SPEC.name)
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
    /// Up to 2022-05-10 the service answers with the id of the file alone, and a second request reads the file. If that
    /// one fails, the file was uploaded: [`upload_several`](Self::upload_several) takes one file too, and returns its
    /// id.
    ///
    /// # Errors
    /// An error for a status outside 2xx: 422 if the service has other keys by now.
    pub async fn upload(&self, upload: EncryptedUpload) -> Result<Single<EncryptedFile>, Error> {
        let declared = self.form()?;
        let Some(batch) = self.batch(declared) else {
            let answer = self.send_form(&upload.form(declared)).await?;
            return answer.0.single::<EncryptedFile, EncryptedFile>(EncryptedFile::decode_at);
        };
        let answer = self.send_form(&EncryptedUploads::from(upload).form(declared, &batch)).await?;
        let [id] = created::<1>(&answer)?;
        self.get(&id).await
    }

    /// Uploads several files in one request, which versions up to 2022-05-10 take: at most 5. Returns their ids, in the
    /// order of the files. If one is refused, none is stored.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, fingerprint: &str, passport: Vec<u8>, bill: Vec<u8>)
    /// # -> Result<(), didww_client::Error> {
    /// use didww_client::EncryptedUpload;
    ///
    /// let uploads = EncryptedUpload::new(fingerprint, passport).description("passport").and(bill).description("bill");
    /// for id in client.encrypted_files().upload_several(uploads).await? {
    ///     println!("{id} was uploaded");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Reason::Version`](crate::Reason::Version) at a version from 2026-04-16 on, which takes one file in a request,
    /// and for more than 5 files; and what [`upload`](Self::upload) can fail with.
    pub async fn upload_several(
        &self,
        uploads: impl Into<EncryptedUploads>,
    ) -> Result<Vec<Id<EncryptedFile>>, Error> {
        let uploads: EncryptedUploads = uploads.into();
        let declared = self.form()?;
        let batch = self.batch(declared);
        let batch = batch.ok_or_else(|| self.refused("it takes one file in a request".to_owned()))?;
        if uploads.count() > batch.most {
            return Err(self.refused(format!("it takes at most {} files in a request", batch.most)));
        }
        let count = uploads.count();
        let answer = self.send_form(&uploads.form(declared, &batch)).await?;
        let ids: Vec<Id<EncryptedFile>> = ids(&answer)?;
        if ids.len() == count { Ok(ids) } else { Err(wrong_count(&answer, ids.len(), count)) }
    }

    /// The form of the type, if the client's version has it.
    fn form(&self) -> Result<&'static FormSpec, Error> {
        version_check::resource(EncryptedFile::SPEC, self.client.api_version())
            .map_err(|error| self.request().refused(error))?;
        EncryptedFile::SPEC.form.ok_or_else(|| self.refused("it takes no files".to_owned()))
    }

    /// The form of several files, if the client's version has it. The versions that have it take no other.
    fn batch(&self, declared: &FormSpec) -> Option<FormBatch> {
        declared.batch.filter(|batch| self.client.api_version() <= batch.until)
    }

    async fn send_form(&self, form: &Multipart) -> Result<RawAnswer, Error> {
        let request = self.client.raw(Method::POST, &format!("/{}", self.path()));
        request.header("Accept", "application/json").multipart(form).send().await
    }

    fn request(&self) -> Request {
        Request::collection(Method::POST, self.path())
    }

    /// The error of a request that the client's version does not have.
    fn refused(&self, reason: String) -> Error {
        let (resource, version) = (EncryptedFile::SPEC.name, self.client.api_version());
        self.request().refused(VersionError { resource, member: "data".to_owned(), version, reason })
    }
}

/// The ids in the answer to the form of several files.
fn ids(answer: &RawAnswer) -> Result<Vec<Id<EncryptedFile>>, Error> {
    const IDS: &str = "ids";
    let ids = answer.json()?.get_mut(IDS).map(Value::take).unwrap_or_default();
    serde_json::from_value(ids)
        .map_err(|error| Error::decode(answer.exchange(), DecodeError::new(IDS, error)))
}

/// The ids in the answer to a form of `N` files.
fn created<const N: usize>(answer: &RawAnswer) -> Result<[Id<EncryptedFile>; N], Error> {
    ids(answer)?.try_into().map_err(|ids: Vec<Id<EncryptedFile>>| wrong_count(answer, ids.len(), N))
}

fn wrong_count(answer: &RawAnswer, found: usize, sent: usize) -> Error {
    let why = format!("{found} ids answer {sent} files");
    Error::decode(answer.exchange(), DecodeError::new("ids", why))
}
