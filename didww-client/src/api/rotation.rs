//! New SIP credentials for a trunk.

use didww_types::Id;
use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};

use crate::{Api, Error, Single};

impl Api<VoiceOutTrunk> {
    /// Gives a trunk a new username and password, and reads the trunk with them. The old ones stop working.
    ///
    /// Two requests are sent: the answer to the first has no credentials. The first is a POST and is repeated
    /// only where it cannot have taken effect. When the error's [`exchange`](Error::exchange) is a GET, the
    /// trunk has new credentials that could not be read; read the trunk again.
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
