//! The files of the price services.

use reqwest::Method;

use crate::{Client, Error, ExportFile, SmsPrices, SmsTraffic, VoiceInPrices, VoiceOutPrices};

async fn file_at(client: &Client, path: &str) -> Result<ExportFile, Error> {
    let request = client.raw(Method::GET, path).header("Accept", "application/gzip");
    Ok(ExportFile::new(request.send().await?.bytes().clone()))
}

impl VoiceInPrices {
    /// Downloads the price file: all prices of the plan, as CSV in gzip. `rows::<BTreeMap<String, String>>()` reads its
    /// rows, and [`csv`](ExportFile::csv) its text.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no plan, and those of every request.
    pub async fn file(&self) -> Result<ExportFile, Error> {
        file_at(&self.0, "/prices.csv.gz").await
    }
}

impl VoiceOutPrices {
    /// Downloads the price file: all prices of the plan, as CSV in gzip. `rows::<BTreeMap<String, String>>()` reads its
    /// rows, and [`csv`](ExportFile::csv) its text.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no plan, and those of every request.
    pub async fn file(&self) -> Result<ExportFile, Error> {
        file_at(&self.0, "/prices.csv.gz").await
    }
}

impl SmsPrices {
    /// Downloads the price file of outbound text messages of a kind, as CSV in gzip.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no plan of the kind, and those of every request.
    pub async fn sms_out_file(&self, traffic: SmsTraffic) -> Result<ExportFile, Error> {
        file_at(&self.0, &format!("{}/prices.csv.gz", traffic.base())).await
    }

    /// Downloads the price file of inbound text messages, as CSV in gzip.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no plan, and those of every request.
    pub async fn sms_in_file(&self) -> Result<ExportFile, Error> {
        file_at(&self.0, "/sms_in/prices.csv.gz").await
    }
}
