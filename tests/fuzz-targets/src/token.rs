//! Access tokens.

use crate::server;

/// A valid token, and texts like one.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let token = server::token();
    let parts: Vec<&str> = token.split('.').collect();
    let other = |head: &str| format!("{head}.{}.{}", parts[1], parts[2]);
    // The headers say that there is no signature, and that the key is another one.
    let none = other("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0");
    let unknown = other("eyJhbGciOiJIUzI1NiIsImtpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9");
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    let seeds =
        [token.clone(), none, unknown, unsigned, format!("{token}="), format!(" {token}"), "..".to_owned()];
    seeds.map(String::into_bytes).into()
}

/// Only the very text that was minted is a token. The input is tried as it is, and as changes of the token: pairs of a
/// position and a byte.
pub fn token(data: &[u8]) {
    let minted = server::token();
    let text = String::from_utf8_lossy(data);
    assert_eq!(server::admits(&text), text == minted);
    let mut changed = minted.clone().into_bytes();
    for pair in data.chunks_exact(2).take(8) {
        let at = usize::from(pair[0]) * 5 % changed.len();
        changed[at] = pair[1];
    }
    if let Ok(changed) = String::from_utf8(changed) {
        assert_eq!(server::admits(&changed), changed == minted);
    }
}
