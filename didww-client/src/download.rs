//! The download of an export's file.

use didww_types::resources::Export;
use futures_core::Stream;
use futures_util::stream::iter;
use reqwest::Method;

use crate::request::Request;
use crate::{Api, Error, ExportFile, ExportRow, Reason, RowError};

impl Api<Export> {
    /// Downloads the file of an export. The file is kept in memory as it was downloaded: compressed with gzip, or the
    /// text itself if the export was created at a version up to 2021-04-19. It must not be larger than
    /// [`max_answer_bytes`](crate::ClientBuilder::max_answer_bytes), 64 MiB by default, and must arrive within the
    /// [`timeout`](crate::ClientBuilder::timeout) of a request: a client for larger files sets both.
    ///
    /// # Errors
    /// [`Reason::NotCompleted`] if the export has no file yet, [`Reason::Elsewhere`] if the address of the file is not
    /// below the base URL, whose credentials no other host receives, and an error for a status outside 2xx: 404 of a
    /// file that is deleted.
    pub async fn download(&self, export: &Export) -> Result<ExportFile, Error> {
        let unsent = || Request::record(Method::GET, self.path(), export.id.as_str());
        let url = export.url.as_deref().ok_or_else(|| unsent().refused(Reason::NotCompleted))?;
        let path = url.strip_prefix(self.client.base_url()).filter(|path| path.starts_with('/'));
        let path = path.ok_or_else(|| unsent().refused(Reason::Elsewhere))?;
        // The name of the file has its form. The version of the client is that of the request, not of the export.
        let is_plain = path.rsplit('.').next() == Some("csv");
        let accepted = if is_plain { "text/csv" } else { "application/gzip" };
        let answer = self.client.raw(Method::GET, path).header("Accept", accepted).send().await?;
        let content = answer.bytes().clone();
        Ok(if is_plain { ExportFile::plain(content) } else { ExportFile::new(content) })
    }

    /// Downloads the file of an export, and streams its rows, each read when the stream is polled for it.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use didww_client::resources::{Export, ExportFilters, ExportType};
    /// use didww_client::{OutboundCallRow, TryStreamExt as _};
    ///
    /// let filters = ExportFilters::between("2026-11-01T00:00:00Z".parse()?, "2026-11-08T00:00:00Z".parse()?);
    /// let exports = client.exports();
    /// let export = exports.create(Export::create(ExportType::CdrOut, filters)).await?;
    /// let export = exports.wait_until_completed(&export.id).await?;
    /// let mut rows = exports.download_rows::<OutboundCallRow>(&export).await?;
    /// while let Some(row) = rows.try_next().await? {
    ///     println!("{}: {:?} s, {:?} USD", row.destination_number, row.duration, row.charged);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`download`](Self::download); an item of the stream is an error if the file cannot be read.
    pub async fn download_rows<T: ExportRow + 'static>(
        &self,
        export: &Export,
    ) -> Result<impl Stream<Item = Result<T, RowError>> + Send + Unpin + use<T>, Error> {
        Ok(iter(self.download(export).await?.rows::<T>()))
    }
}
