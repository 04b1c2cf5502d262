//! The Licensing API or a relay: what is sent, and how the response is read.

mod envelope;
pub mod error;
pub mod filter;
pub mod granted;
pub mod list;
pub mod no_proxy;
pub mod paging;
pub mod reader;
pub mod redaction;
pub mod request;
pub mod response;
