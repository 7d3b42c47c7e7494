//! Against sipp.
