//! The real binary with both of its APIs, on a database that outlives it.

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use didww_client::resources::VoiceOutTrunkCreate;
use serde_json::json;
use voipbin_client::types::{OutboundConfigPatch, Provider, ProviderCredentials, ProviderSetup};
use voipbin_client::{Client, RetryPolicy};

use super::stage::*;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::receiver::Receiver;

/// Routes DIDWW's hosts to the binary's own edge.
pub const EDGE: &str = "[voipbin.hosts]\n\"out.didww.com\" = \"edge\"\n";

/// The admin of the platform.
pub const ADMIN: &str = "admin:secret";

/// The binary on a database that outlives it.
pub struct Durable {
    pub binary: Binary,
    apis: Apis,
}

/// The APIs of a running binary.
pub struct Apis {
    pub platform: Client,
    pub control: Api,
    base: String,
}

impl Durable {
    /// Starts it with the folder's database, or with a new one, and with these tables in its configuration
    /// file.
    pub async fn start(folder: &Path, tables: &str) -> Self {
        let database = folder.join("calls.db");
        Self::start_at(database.to_str().unwrap(), folder, tables).await
    }

    /// The same with this database; the folder has the configuration file.
    pub async fn start_at(database: &str, folder: &Path, tables: &str) -> Self {
        let config = folder.join("voipbin.toml");
        std::fs::write(&config, tables).unwrap();
        let binary = Binary::start(&[
            "--database",
            database,
            "--config",
            config.to_str().unwrap(),
            "--api-key",
            "good",
            "--voipbin-admin",
            ADMIN,
            "--sip-listen",
            "127.0.0.1:0",
            "--allow-loopback-callbacks",
        ]);
        let apis = Apis::of(&binary).await;
        Self { binary, apis }
    }
}

impl Deref for Durable {
    type Target = Apis;

    fn deref(&self) -> &Apis {
        &self.apis
    }
}

impl Apis {
    /// Logs in to a binary that was started with the key `good` and [`ADMIN`].
    pub async fn of(binary: &Binary) -> Self {
        let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
        let url = binary.base.replace("/v3", "/v1.0");
        // An unanswered request must not be repeated unnoticed.
        let builder = Client::builder().base_url(url).retry(RetryPolicy::none());
        let poll = Duration::from_millis(5);
        let (username, password) = ADMIN.split_once(':').unwrap();
        let platform = builder.poll(poll, 10 * poll).login(username, password).await.unwrap();
        Self { platform, control, base: binary.base.clone() }
    }

    /// Allows the admin's customer to call the test numbers, and sends its webhooks to the receiver.
    pub async fn ready(&self, hooks: &Receiver) {
        let listed = self.control.get("/customers").await;
        let customer = listed.at("/customers/0/id").as_str().unwrap().to_owned();
        let webhook = json!({ "webhook_uri": hooks.url("/calls"), "webhook_secret": WEBHOOK_SECRET });
        let changed = self.control.patch(&format!("/customers/{customer}"), &webhook).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let patch = OutboundConfigPatch::default().destination_whitelist(["us", "gb"]);
        self.platform.outbound_config().update(patch).await.unwrap();
    }

    /// Sets up a provider with a new trunk of the binary's own edge.
    pub async fn provider(&self) -> Provider {
        self.provider_on(open("Durable")).await
    }

    /// Sets up a provider with a new trunk that has these attributes.
    pub async fn provider_on(&self, body: VoiceOutTrunkCreate) -> Provider {
        let client = didww_client::Client::builder(&self.base, "good").build().unwrap();
        let trunk = client.voice_out_trunks().create(body).await.unwrap();
        let mut credentials = ProviderCredentials::new("good");
        credentials.base_url = Some(self.base.clone());
        credentials.trunk_id = Some(trunk.id.to_string());
        let (carrier, name) = ("didww".to_owned(), trunk.name.clone());
        let setup = ProviderSetup { carrier, name, detail: String::new(), credentials };
        self.platform.providers().setup(setup).await.unwrap()
    }
}
