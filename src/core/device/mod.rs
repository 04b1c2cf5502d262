//! Which device this is.

pub mod duid;
pub mod pin;
