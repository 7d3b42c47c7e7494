//! What `ARCHITECTURE.md` promises: which crate knows which, no circles, no crate that grows over the others, where
//! features are looked at, words that a maintainer does not stumble over, and examples that name what their reader has.

mod examples;
mod features;
mod imports;
pub mod rooms;
mod words;

use std::path::{Path, PathBuf};

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
