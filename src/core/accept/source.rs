//! Where licenses come from: a change of that is a person's word that the next license may be another one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::core::config::{Config, HubKind};
use crate::core::license::document::Serial;
use crate::core::text::hex;

/// The source as it was last seen. Kept in the state directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// [`identity`] of the configuration.
    pub id: String,
    /// It changed, and no authentic answer of it has been seen yet: the first one may be a changed license.
    pub is_new: bool,
}

/// `hub.kind`, `hub.url`, `hub.username` and `license.serial`, hashed: a URL may carry a token. Passwords, keys and
/// certificates are no part of it, as they are exchanged without anything else changing.
#[must_use]
pub fn identity(config: &Config) -> String {
    let kind = if config.hub.kind == HubKind::Relay { "relay" } else { "api" };
    let serial = config.license.serial.as_ref().map_or("", Serial::as_str);
    let parts = [kind, config.hub.url.as_url().as_str(), config.hub.username.as_deref().unwrap_or_default(), serial];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hex(&hash.finalize())
}

impl Source {
    /// What becomes of the stored source under this configuration. None stored is no change: it may be an older
    /// version's state.
    #[must_use]
    pub fn under(config: &Config, stored: Option<&Self>) -> Self {
        let id = identity(config);
        let is_new = stored.is_some_and(|stored| stored.is_new || stored.id != id);
        Self { id, is_new }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config::parse;

    #[test]
    fn the_source_changes_with_its_four_keys_and_no_secret() {
        let id = |text: &str| identity(&parse(text, "c").expect("valid"));
        let base = "[hub]\nkind = \"relay\"\nurl = \"https://r.example/a\"\nusername = \"u\"\npassword-file = \"/p\"\n";
        for other in [
            base.replace("\"/p\"", "\"/q\""),
            format!("{base}ca-file = \"/ca\"\ntimeout = \"9s\"\n"),
            format!("{base}[renewal]\nterm-days = 3\n"),
        ] {
            assert_eq!(id(base), id(&other), "{other}");
        }
        for other in [
            base.replace("relay", "api"),
            base.replace("/a", "/b"),
            base.replace("/a", "/a?x"),
            base.replace("\"u\"", "\"v\""),
            format!("{base}[license]\nserial = \"S-1\"\n"),
        ] {
            assert_ne!(id(base), id(&other), "{other}");
        }
    }

    #[test]
    fn a_change_lasts_until_it_is_used_up() {
        let config = Config::default();
        let first = Source::under(&config, None);
        assert!(!first.is_new, "no stored source is no change");
        assert!(!Source::under(&config, Some(&first)).is_new);
        let other = Source { id: "other".to_owned(), is_new: false };
        let changed = Source::under(&config, Some(&other));
        assert!(changed.is_new && Source::under(&config, Some(&changed)).is_new);
    }
}
