//! `cargo run -p generate-docs`: writes what differs. `-- --check`: only says so, and fails.

use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let outputs = match generate_docs::outputs() {
        Ok(outputs) => outputs,
        Err(error) => {
            eprintln!("generate-docs: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut stale = 0;
    for output in outputs.iter().filter(|output| !output.is_current()) {
        stale += 1;
        if check {
            eprintln!("{}: not current", output.path.display());
        } else if let Err(error) = output.write() {
            eprintln!("generate-docs: {}: {error}", output.path.display());
            return ExitCode::FAILURE;
        } else {
            println!("{}", output.path.display());
        }
    }
    if check && stale > 0 {
        eprintln!("run: cargo run -p generate-docs");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
