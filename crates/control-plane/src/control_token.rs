//! The token of control requests, which can change while the server runs.

use std::sync::{Arc, PoisonError, RwLock};

use didww_types::Secret;

/// The token that every control request must have; `None` requires none. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ControlToken(Arc<RwLock<Option<Secret>>>);

impl ControlToken {
    /// Begins with this token.
    pub fn new(token: Option<Secret>) -> Self {
        Self(Arc::new(RwLock::new(token)))
    }

    /// Asks for this token from the next request on.
    pub fn replace(&self, token: Option<Secret>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The token of now.
    pub(crate) fn current(&self) -> Option<Secret> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether one is asked for.
    pub(crate) fn is_set(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}
