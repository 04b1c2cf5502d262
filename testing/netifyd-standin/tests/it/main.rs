//! The stand-in as a program.

mod behaviors;
mod built;
mod common;
mod control_socket;
mod signals;
mod supervisor;
mod unprivileged;
