//! Reads the files of certificates again: when they change, and when the operator says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;

use crate::Identity;

/// The time between two looks at the files.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Reads the files of all again, and logs what became of them. It reads files, so it blocks its thread for a short time.
pub fn reload_all(identities: &[Arc<Identity>]) {
    for identity in identities {
        let certificate = identity.certificate().display();
        match identity.reload() {
            Ok(true) => tracing::info!(%certificate, "new connections receive a new certificate"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "a certificate was not read again; the former one remains in use");
            }
        }
    }
}

/// Reads the files again at every [`CHECK_INTERVAL`], until `stop` is true.
pub async fn watch(identities: Vec<Arc<Identity>>, mut stop: channel::Receiver<bool>) {
    let identities: Arc<[Arc<Identity>]> = identities.into();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        let read = Arc::clone(&identities);
        // An error means that it panicked, which the next look repeats.
        let _panicked = tokio::task::spawn_blocking(move || reload_all(&read)).await;
    }
}
