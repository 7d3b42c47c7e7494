//! The program `trunkctl`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkctl::run(std::env::args_os())
}
