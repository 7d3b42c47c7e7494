//! The reference data of a server, loaded when it starts.

use std::fs::File;
use std::io::{BufRead, BufReader};

use service_core::Core;
use service_core::reference::{Loaded, load, store_fixed};

use super::StartError;
use crate::config::ReferenceData;

/// The built-in reference data: published countries, regions and area codes, and invented groups of numbers and prices.
const DEMO: &str = include_str!("../../reference.jsonl");

/// Stores the records that every database has, and the missing ones of the configured file.
pub(super) async fn prepare_reference(core: &Core, data: &ReferenceData) -> Result<(), StartError> {
    store_fixed(core).await.map_err(StartError::Reference)?;
    let file: Box<dyn BufRead + Send> = match data {
        ReferenceData::None => return Ok(()),
        ReferenceData::Demo => Box::new(DEMO.as_bytes()),
        ReferenceData::File(path) => {
            let file =
                File::open(path).map_err(|error| StartError::ReferenceFile(path.clone(), error.into()))?;
            Box::new(BufReader::new(file))
        }
    };
    let loaded = load(core, file).await;
    let Loaded { records, written } =
        loaded.map_err(|error| StartError::ReferenceFile(data.file().to_owned(), error))?;
    if written > 0 {
        tracing::info!(records, written, "reference data was loaded");
    }
    Ok(())
}
