//! The login, which exchanges a password for a token.

use serde::{Deserialize, Serialize};

use super::Secret;

/// The request body of `POST /auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginBody {
    /// The name with which the agent logs in.
    pub username: String,
    /// The password of the agent.
    pub password: Secret,
}

/// The response to `POST /auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Login {
    /// The name with which the agent logged in.
    pub username: String,
    /// The token, which is valid for seven days.
    pub token: Secret,
}
