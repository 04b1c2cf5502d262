//! What the stand-in's tests share.

use std::time::Duration;

use netifyd_standin::{Builder, Standin};

/// Long enough for a loaded machine; nothing waits this long when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Two licenses, told apart by serial.
pub(crate) const FIRST: &str = r#"{"serial":"first","expire_at":{"unix":1700000000}}"#;
pub(crate) const SECOND: &str = r#"{"serial":"second","expire_at":{"unix_time":1800000000,"date":"x"}}"#;

/// The binary of this build, with the first license in place.
pub(crate) fn standin() -> Builder {
    Standin::builder().binary(env!("CARGO_BIN_EXE_netifyd")).license(FIRST)
}
