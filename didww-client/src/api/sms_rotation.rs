//! Rotation of the credentials of a text message trunk.

use didww_types::Id;
use didww_types::resources::{SmsTrunk, SmsTrunkRegenerateCredentials};

use crate::{Api, Error, Single};

impl Api<SmsTrunk> {
    /// Replaces the credentials of a trunk of the type `http_out` or `smpp_esme` with new ones that the service
    /// generates, and returns the trunk with them. The old credentials stop working.
    ///
    /// Two requests are sent, because the response to the first one has no credentials. The first one is a POST and is
    /// retried only when it cannot have taken effect. When the [`exchange`](Error::exchange) of an error is a GET, the
    /// trunk has new credentials that could not be read; read the trunk again.
    ///
    /// # Errors
    /// An error for a status outside 2xx: 422 for a trunk of another type.
    pub async fn regenerate_credentials(&self, id: &Id<SmsTrunk>) -> Result<Single<SmsTrunk>, Error> {
        let rotation = SmsTrunkRegenerateCredentials::create(id);
        self.client.sms_trunk_regenerate_credentials().create(rotation).send().await?;
        self.get(id).send().await
    }
}
