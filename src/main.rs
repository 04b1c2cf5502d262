//! The `netify-licensed` program.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// The libraries below copy headers into buffers of their own. What they give back is wiped, so that an idle daemon
/// holds no secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    netify_licensed::cli::main()
}
