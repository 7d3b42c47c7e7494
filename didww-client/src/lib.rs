//! A typed SDK for DIDWW's API v3.
