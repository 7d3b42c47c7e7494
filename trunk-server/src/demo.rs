//! The demo data of a new database.

use uuid::Uuid;

use control_plane::{Control, ControlError, NewDid};

/// Numbers and notes. Where a country reserves number ranges for fiction, the numbers are from these.
const DIDS: [(&str, &str); 6] = [
    ("12025550143", "Washington, main line"),
    ("12025550171", "Washington, support"),
    ("442079460018", "London"),
    ("61255501234", "Sydney"),
    ("33199001234", "Paris"),
    ("37061498222", "Vilnius"),
];

/// Adds six DIDs to an account, of which the first has emergency calling. Returns their number.
pub(crate) async fn fill(control: &Control, account: Uuid) -> Result<usize, ControlError> {
    let did = |(index, (number, description)): (usize, &(&str, &str))| {
        let did = NewDid::new(*number).description(*description);
        if index == 0 { did.emergency() } else { did }
    };
    Ok(control.add_dids(account, DIDS.iter().enumerate().map(did)).await?.len())
}
