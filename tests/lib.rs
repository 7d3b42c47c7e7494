//! Nothing: this package exists for its tests, which a virtual workspace would not find elsewhere.
