//! The world that fills a new database when a server starts.

use control_plane::{Control, TrunkPass, World, WorldKey, scenario};
use didww_types::Secret;

use super::StartError;
use crate::config::{Config, WorldSource};

/// Loads the world that the builder or the configuration names, unless one of its accounts exists. The configured API
/// key becomes one of its first account, unless the world has it already. Returns the random key of the first account,
/// if it has no other. A `pass` over the trunks before is dropped if it lacks those of the world.
pub(super) async fn prepare_world(
    control: &Control,
    config: &Config,
    given: Option<World>,
    pass: &mut Option<TrunkPass>,
) -> Result<Option<Secret>, StartError> {
    let read = match given {
        Some(world) => Some(("of the builder".to_owned(), world)),
        None => read(&config.world)?,
    };
    let Some((source, mut world)) = read else { return Ok(None) };
    let known = control.accounts().await?;
    let exists = |name: &str| known.iter().any(|known| known.name == name);
    if let Some(account) = world.accounts.iter().find(|account| exists(&account.name)) {
        tracing::info!(
            world = source,
            account = account.name,
            "the world was not loaded: the database already has one of its accounts"
        );
        return Ok(None);
    }
    let mut keys = world.accounts.iter().flat_map(|account| &account.keys);
    let is_named = config.api_key.as_ref().is_some_and(|key| keys.any(|known| known.is(key)));
    if let (Some(key), Some(first)) = (&config.api_key, world.accounts.first_mut())
        && !is_named
        && control.account_of_key(key).await?.is_none()
    {
        first.keys.push(WorldKey::named(key.clone()));
    }
    *pass = None;
    let loaded = control.load_world(&world, None).await;
    let loaded = loaded.map_err(|error| StartError::World(source.clone(), error.to_string()))?;
    tracing::info!(
        world = source,
        accounts = loaded.accounts.len(),
        records = loaded.records,
        "the world was loaded"
    );
    let mut keys = loaded.accounts.into_iter().map(|account| account.api_key);
    Ok(keys.next().flatten())
}

/// Reads the configured world. Returns it with its name for messages.
fn read(source: &WorldSource) -> Result<Option<(String, World)>, StartError> {
    match source {
        WorldSource::None => Ok(None),
        WorldSource::Scenario(name) => {
            let Some(found) = scenario(name) else {
                let right = format!("valid: one of {}", WorldSource::names());
                return Err(StartError::World(name.clone(), right));
            };
            let world = found.world().map_err(|error| StartError::World(name.clone(), error.to_string()))?;
            Ok(Some((name.clone(), world)))
        }
        WorldSource::File(path) => {
            let name = format!("in {}", path.display());
            let text = std::fs::read_to_string(path)
                .map_err(|error| StartError::World(name.clone(), error.to_string()))?;
            let is_toml = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"));
            let world = if is_toml { World::from_toml(&text) } else { World::from_json(&text) };
            let world = world.map_err(|error| StartError::World(name.clone(), error.to_string()))?;
            Ok(Some((name, world)))
        }
    }
}
