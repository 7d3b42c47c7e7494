//! Rotation of a trunk's SIP credentials.

use didww_types::Id;
use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};

use crate::{Api, Error, Single};

impl Api<VoiceOutTrunk> {
    /// Replaces a trunk's digest username and password with new ones that the service generates, and returns
    /// the trunk with them. The old credentials stop working.
    ///
    /// Two requests are sent, because the response to the first one has no credentials. The first one is a
    /// POST and is retried only when it cannot have taken effect. When the [`exchange`](Error::exchange) of
    /// an error is a GET, the trunk has new credentials that could not be read; read the trunk again.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, id: didww_client::Id<didww_client::resources::VoiceOutTrunk>)
    /// # -> Result<(), didww_client::Error> {
    /// let trunk = client.voice_out_trunks().regenerate_credentials(&id).await?;
    /// if let Some((username, password)) = trunk.credentials() {
    ///     configure(username, password.expose());
    /// }
    /// # Ok(())
    /// # }
    /// # fn configure(_: &str, _: &str) {}
    /// ```
    pub async fn regenerate_credentials(
        &self,
        id: &Id<VoiceOutTrunk>,
    ) -> Result<Single<VoiceOutTrunk>, Error> {
        let rotation = VoiceOutTrunkRegenerateCredentials::create(id);
        self.client.voice_out_trunk_regenerate_credentials().create(rotation).send().await?;
        self.get(id).send().await
    }
}
