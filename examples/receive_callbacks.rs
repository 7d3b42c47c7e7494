//! Receives callbacks in an axum handler, whose argument is a callback with a right signature: a trunk is blocked, and
//! the server says so.
//!
//! `cargo run -p trunk-examples --example receive_callbacks`

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::post;
use didww_client::callback::{Callback, TrunkEvent};
use didww_client::resources::{
    AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkStatus,
};
use didww_client::values::{CallbackUrl, IpNetworks};
use didww_client::{CallbackReceiver, Client, SignedCallback};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use trunk_examples::Outcome;
use trunk_server::TestServer;

const SECRET: &str = "callback-secret-of-the-account";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let event = block_and_receive().await?;
    println!("{} is {} since {}", event.id, event.status, event.created_at);
    Ok(())
}

/// The state of the program, which contains what the extractor needs.
#[derive(Clone)]
struct App {
    receiver: CallbackReceiver,
    events: UnboundedSender<TrunkEvent>,
}

impl FromRef<App> for CallbackReceiver {
    fn from_ref(app: &App) -> Self {
        app.receiver.clone()
    }
}

/// A request with a wrong signature does not come here.
async fn on_callback(State(app): State<App>, SignedCallback(callback): SignedCallback) {
    if let Callback::Trunks(events) = callback {
        for event in events {
            // The program that waited for it may have ended.
            let _ended = app.events.send(event);
        }
    }
}

async fn block_and_receive() -> Outcome<TrunkEvent> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/didww", listener.local_addr()?);
    let (sender, mut events) = unbounded_channel();
    let app = App { receiver: CallbackReceiver::new(url.as_str(), SECRET), events: sender };
    let router = Router::new().route("/didww", post(on_callback)).with_state(app);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    let server = TestServer::builder().callback_secret(SECRET).start().await;
    let trunks = Client::builder(server.base_url(), server.api_key()).build()?.voice_out_trunks();
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"])?);
    let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method);
    let trunk = trunks.create(body.callback_url(CallbackUrl::new(url)?)).await?;
    trunks.update(&trunk.id, VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked)).await?;

    let event = events.recv().await.ok_or("the receiver has ended")?;
    serving.abort();
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_servers_own_callback_is_received_as_its_event() {
        let event = block_and_receive().await.unwrap();
        assert_eq!((event.status, event.threshold_reached), (VoiceOutTrunkStatus::Blocked, false));
    }
}
