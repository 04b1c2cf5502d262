//! Files: opened within bounds, replaced atomically, locked, watched.

pub mod active;
pub mod atomic;
pub mod license;
pub mod lock;
pub(super) mod open;
pub mod path;
pub mod space;
pub mod state;
pub mod trusted;
pub mod watch;
