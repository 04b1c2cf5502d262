//! Child processes and the hand-written server.

mod proc;
mod raw_server;
