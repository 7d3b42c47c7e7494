//! The promises of `docs/promises.md` that no other module tests, and the page itself.

mod canaries;
mod filed;
mod killed_callbacks;
mod page;
mod rates;
mod refusals;
mod seeds;
