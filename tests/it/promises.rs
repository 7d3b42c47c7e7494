//! What `docs/promises.md` promises and no other module shows, and the page itself.

mod canaries;
mod filed;
mod killed_callbacks;
mod page;
mod rates;
mod refusals;
mod seeds;
