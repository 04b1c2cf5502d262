//! The license document: read strictly, then verified. Only [`verify`] makes an authentic license.

pub mod document;
pub mod json;
pub mod keys;
pub mod verify;
