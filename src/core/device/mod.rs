//! Which device this is.

pub mod duid;
