//! Requests to the hub or relay over HTTP and TLS.

mod error;
mod http;
pub mod probe;
pub mod session;
pub(super) mod tls;
