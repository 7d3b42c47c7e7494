//! The demo data of a new database: DIDs, and a callback secret.

use uuid::Uuid;

use control_plane::{Control, ControlError, NewCallbackSecret, NewDid};
use didww_types::Secret;

/// Numbers and notes. Where a country reserves number ranges for fiction, the numbers are from these.
const DIDS: [(&str, &str); 6] = [
    ("12025550143", "Washington, main line"),
    ("12025550171", "Washington, support"),
    ("442079460018", "London"),
    ("61255501234", "Sydney"),
    ("33199001234", "Paris"),
    ("37061498222", "Vilnius"),
];

/// Adds six DIDs to an account, of which the first has emergency calling, and a callback secret: the configured one or a
/// random one. Returns the secret.
pub(crate) async fn fill(
    control: &Control,
    account: Uuid,
    secret: Option<Secret>,
) -> Result<Secret, ControlError> {
    let did = |(index, (number, description)): (usize, &(&str, &str))| {
        let did = NewDid::new(*number).description(*description);
        if index == 0 { did.emergency() } else { did }
    };
    control.add_dids(account, DIDS.iter().enumerate().map(did)).await?;
    let new = secret.map_or_else(NewCallbackSecret::default, NewCallbackSecret::of);
    Ok(control.add_callback_secret(account, new).await?.secret)
}
