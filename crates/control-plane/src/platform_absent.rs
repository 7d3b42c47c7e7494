//! Takes the place of `platform_world` in a build without the communication platform: a world with records of it is
//! refused.

use service_core::AttemptError;
use trunk_store::Change;

use crate::world::platform::WorldPlatform;
use crate::{Control, ControlError};

#[allow(clippy::unused_async, reason = "with the platform, the store is read and written")]
impl Control {
    /// The changes that store the platform of a world.
    ///
    /// # Errors
    /// If the world has any record of the platform.
    pub(crate) async fn platform_changes(
        &self,
        world: &WorldPlatform,
    ) -> Result<Vec<Change>, AttemptError<ControlError>> {
        if world.is_empty() {
            return Ok(Vec::new());
        }
        Err(ControlError::invalid("world", "has a `platform`, which this program does not have").into())
    }

    /// Loads the customers of a world into the directory, which does not exist.
    pub(crate) async fn platform_loaded(&self, _world: &WorldPlatform) -> Result<(), ControlError> {
        Ok(())
    }

    /// The stored platform, which is empty.
    pub(crate) async fn saved_platform(&self) -> Result<WorldPlatform, ControlError> {
        Ok(WorldPlatform::default())
    }
}
