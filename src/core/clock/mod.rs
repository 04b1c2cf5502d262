//! What time it is, and whether this machine's clock can be believed.

pub mod correct;
pub mod trust;
