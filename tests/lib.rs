//! Empty: this package exists for its tests, because a virtual workspace has no tests of its own.
