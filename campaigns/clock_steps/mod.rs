//! The real program on a real clock that is wrong and is set: from 1970 to today, ten years ahead and back.
//!
//! libfaketime does not serve here: the program asks the kernel for the time without the C library, and arms its alarm on
//! the kernel's clock (timerfd), which nobody can fake from outside. A time namespace has no wall clock. So each
//! story runs in a kernel of its own, User Mode Linux, which starts in seconds, needs no rights, and whose clock
//! may be set. This very test is started in there again.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod guest;
mod idle;
mod stories;
