//! Requests to the hub or relay over HTTP and TLS.

mod call;
mod connect;
mod credentials;
mod error;
mod pem;
pub mod probe;
mod proxy;
pub(super) mod roots;
mod sentence;
pub mod session;
pub(super) mod tls;
