//! A small set for a new database, so that there is something to list.

use uuid::Uuid;

use control_plane::{Control, ControlError, NewDid};

/// Numbers from ranges that are set aside for fiction, where a country has them.
const DIDS: [(&str, &str); 6] = [
    ("12025550143", "Washington, main line"),
    ("12025550171", "Washington, support"),
    ("442079460018", "London"),
    ("61255501234", "Sydney"),
    ("33199001234", "Paris"),
    ("37061498222", "Vilnius"),
];

/// Puts six DIDs into an account; the first has emergency calling.
pub(crate) async fn fill(control: &Control, account: Uuid) -> Result<usize, ControlError> {
    let did = |(place, (number, description)): (usize, &(&str, &str))| {
        let did = NewDid::new(*number).description(*description);
        if place == 0 { did.emergency() } else { did }
    };
    Ok(control.add_dids(account, DIDS.iter().enumerate().map(did)).await?.len())
}
