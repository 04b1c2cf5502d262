//! netifyd's own configuration: where its files are.

use std::path::Path;

use crate::core::config::Config;
use crate::core::netifyd::{Conf, Paths};
use crate::edge::file::open;
use crate::edge::file::trusted::{self, Refused};

/// Largest configuration in bytes.
const MAX: usize = 1024 * 1024;

/// Lets the paths of this configuration follow netifyd's. A file that is not there changes nothing; one that others can
/// write, or that netifyd itself would refuse, neither, and the configuration then says why.
pub fn follow(config: &mut Config) {
    let path = config.netifyd.config_file.to_path_buf();
    let found = read(&path).and_then(|conf| {
        let Some(conf) = conf else { return Ok(Paths::default()) };
        let profile = read(&conf.profile())?.unwrap_or_default();
        Ok(conf.with_profile(&profile).paths())
    });
    match found {
        Ok(paths) => config.follow_netifyd(&paths, None),
        Err(why) => config.follow_netifyd(&Paths::default(), Some(format!("{why}; netifyd's built-in paths are used"))),
    }
}

/// [`None`] when there is no such file, or this user may not read it.
fn read(path: &Path) -> Result<Option<Conf>, String> {
    let about = |why: String| format!("{}: {why}", path.display());
    let bytes = match trusted::read(path, MAX) {
        Ok(bytes) => open::text(bytes),
        Err(Refused::Unreadable(error)) if is_out_of_reach(&error) => return Ok(None),
        Err(refused) => return Err(about(refused.clause())),
    };
    let text = String::from_utf8_lossy(&bytes);
    Conf::parse(&text).map(Some).map_err(|line| about(format!("line {line} is no setting")))
}

fn is_out_of_reach(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}
