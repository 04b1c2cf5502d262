//! The way to the hub: no redirect carries the key, certificates hold, proxies are used and bypassed as configured.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod addresses;
mod proxy;
mod redirects;
mod servers;
mod session;
mod tls;
mod tls_proxy;
