//! Notifications between nodes, which only shorten the wait for the next poll of the change feed.
//!
//! A node that has committed something notifies the others, at most once in [`NOTIFY_INTERVAL`] and outside of the
//! transaction: a transaction that notifies holds a lock of the whole server until it is durable. Listening needs a
//! connection that no pooler shares.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::AsyncMessage;

use super::Node;
use super::address::Address;
use super::open_error::PostgresOpenError;
use super::reasons::Reasons;

/// The least time between two notifications of a node.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);
/// The time before another attempt to listen.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Notifies the other nodes of the commits of this one, until the task is aborted.
pub(super) async fn notify(node: Arc<Node>) {
    loop {
        node.announced.notified().await;
        let notified = node.read((), |client, ()| {
            Box::pin(async move { Ok(client.batch_execute("NOTIFY trunk_change").await?) })
        });
        if let Err(error) = notified.await {
            tracing::debug!(%error, node = node.number, "other nodes were not notified");
        }
        tokio::time::sleep(NOTIFY_INTERVAL).await;
    }
}

/// Wakes the poll at each notification, until the task is aborted.
pub(super) async fn listen(address: Address, wake: watch::Sender<()>) {
    let mut reasons = Reasons::default();
    loop {
        let mut is_listening = false;
        let ended = hear(&address, &wake, &mut is_listening).await;
        if is_listening {
            reasons.clear();
        }
        match ended {
            // The poll reports a lost database.
            Err(error) if is_listening => tracing::debug!(%error, "the connection for notifications ended"),
            Err(error) => {
                let error = PostgresOpenError::from(error).to_string();
                if reasons.is_new(&error) {
                    tracing::warn!(
                        error,
                        "database_listen cannot be used: changes of other nodes arrive by polling"
                    );
                }
            }
            Ok(()) => {}
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Waits for notifications until the connection ends. `is_listening` becomes true when they can arrive.
async fn hear(
    address: &Address,
    wake: &watch::Sender<()>,
    is_listening: &mut bool,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = address.connect_raw().await?;
    let messages = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message? {
                wake.send_replace(());
            }
        }
        Ok(())
    };
    let begin = async {
        client.batch_execute("LISTEN trunk_change").await?;
        *is_listening = true;
        // The next poll finds earlier announcements.
        wake.send_replace(());
        Ok(())
    };
    tokio::try_join!(messages, begin).map(|_| ())
}
