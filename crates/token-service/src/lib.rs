//! The token service of DIDWW's API: mints access tokens for API keys, and checks the tokens of requests.
//!
//! A token is a JSON Web Token, signed with HMAC-SHA256 under a key of the database, so every node of the database
//! accepts what another one minted. Its claims are copied from the API key when it is minted: the account, the scope,
//! the audiences, the version, the environment and the addresses from which it may be used. DIDWW publishes neither the
//! algorithm nor most claims, so a client must treat a token as opaque.
//!
//! The crate decides whether a token is valid. Which requests it permits is decided by the API that receives it, from
//! the token's scope. It never logs a token, a key or a secret.
//!
//! The work that clients can cause is bounded:
//!
//! - a request for a token: `Limits::body_bytes` within `Limits::body_deadline`, and the rate limit of the account;
//! - wrong keys and forged tokens: `Limits::guesses`, which the API shares;
//! - a token that is checked: 8,192 bytes;
//! - the cache of verified tokens: 4,096 slots, where a new token replaces an old one;
//! - keys that sign tokens: [`trunk_store::MAX_TOKEN_KEYS`].

mod cache;
mod claims;
mod jwt;
mod key_ring;
mod mint_error;
mod mint_request;
mod router;
mod service;

pub use claims::{API_AUDIENCE, AUDIENCES, Scope};
pub use key_ring::{OldKeys, rotate};
pub use mint_error::refusal;
pub use router::{TOKEN_PATH, is_token_path, respond_to_token_request, token_router};
pub use service::{Admitted, TokenRefusal, TokenService, TokenSettings};
