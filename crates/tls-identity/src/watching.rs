//! Reads the files of certificates again: when they change, and when the operator requests it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;

use crate::Identity;

/// The time between two checks of the files.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Reads the files of all identities again, and logs the results. It blocks its thread while it reads.
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
        // An error means that the task panicked; the next check repeats it.
        let _panicked = tokio::task::spawn_blocking(move || reload_all(&read)).await;
    }
}
