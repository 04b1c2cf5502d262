//! The way other packages' tests come to this binary.

use std::io;
use std::time::Duration;

use netifyd_standin::Standin;

#[test]
fn cargo_builds_it_on_first_use() -> io::Result<()> {
    let path = test_support::built("netifyd-standin", "netifyd")?;
    assert_eq!(path, std::path::Path::new(env!("CARGO_BIN_EXE_netifyd")), "this build's target directory and profile");
    let netifyd = Standin::builder().license("{\"serial\":\"s\"}").start()?;
    netifyd.wait_for_load("s", Duration::from_secs(10))?;
    Ok(())
}

#[test]
fn a_binary_that_does_not_exist_is_an_error() {
    let error = test_support::built("netifyd-standin", "no-such-binary").expect_err("there is none");
    assert!(error.to_string().contains("no-such-binary"), "{error}");
}
