//! How a password becomes a token.

use serde::{Deserialize, Serialize};

use super::Secret;

/// What `POST /auth/login` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginBody {
    /// The agent's name.
    pub username: String,
    /// The agent's password.
    pub password: Secret,
}

/// What a login gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The agent's name.
    pub username: String,
    /// The token, good for seven days.
    pub token: Secret,
}
