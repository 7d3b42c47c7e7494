//! Against the edge.
