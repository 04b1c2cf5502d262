//! The `netify-licensed` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    netify_licensed::command::main()
}
