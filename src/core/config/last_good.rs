//! The last configuration that held, as it is kept: the daemon works with it while the file is refused.

use serde::{Deserialize, Serialize};

use crate::core::config::{Config, ConfigError, TrustMode, parse};
use crate::core::license::keys::KeyRing;
use crate::core::time::WallTime;

/// A configuration with its trusted keys. Secrets are not in here but for those that stand in the text (a proxy's
/// password), so its file is its owner's alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// The file that it was read from: it stands in for no other one.
    pub path: String,
    /// When it was read.
    pub loaded_at: WallTime,
    /// The file's text.
    pub text: String,
    /// The trusted keys of then: a key directory that was emptied is a mistake in the configuration, too.
    pub keys: Vec<KeptKey>,
}

/// A trusted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptKey {
    /// The file that it came from.
    pub origin: String,
    /// PEM.
    pub pem: String,
}

impl LastGood {
    /// Of a configuration that holds.
    #[must_use]
    pub fn of(path: &str, text: &str, keys: &KeyRing, now: WallTime) -> Self {
        let keys = keys.keys().iter().map(|key| KeptKey { origin: key.origin.clone(), pem: key.pem() }).collect();
        Self { path: path.to_owned(), loaded_at: now, text: text.to_owned(), keys }
    }

    /// Whether both say the same, whenever that was.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        (&self.path, &self.text, &self.keys) == (&other.path, &other.text, &other.keys)
    }

    /// The configuration and its keys. An error where a later version of the program refuses it after all.
    pub fn config(&self) -> Result<(Config, KeyRing), ConfigError> {
        let config = parse(&self.text, &self.path)?;
        let ring =
            KeyRing::from_files(self.keys.iter().map(|key| (key.origin.clone(), Ok(key.pem.clone().into_bytes()))));
        if ring.is_empty() && config.trust.mode == TrustMode::Signature {
            return Err(ConfigError::about(&self.path, &self.text, "trust.keys", "no trusted key was kept".to_owned()));
        }
        Ok((config, ring))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::keys::tests::pem;

    fn ring() -> KeyRing {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
        KeyRing::from_files([("/keys/vendor.pem".to_owned(), Ok(pem(&key).into_bytes()))])
    }

    #[test]
    fn comes_back_as_it_was() {
        let text = "[hub]\nurl = \"https://hub.example/api\"\n";
        let kept = LastGood::of("/c.toml", text, &ring(), WallTime(5_000));
        let json = serde_json::to_string(&kept).expect("JSON");
        let back: LastGood = serde_json::from_str(&json).expect("the same");
        assert_eq!(back, kept);
        let (config, keys) = back.config().expect("it holds");
        assert_eq!(config, parse(text, "/c.toml").expect("it holds"));
        let told = |ring: &KeyRing| ring.keys().iter().map(|key| key.id.clone() + &key.origin).collect::<Vec<_>>();
        assert_eq!(told(&keys), told(&ring()));
        assert!(kept.says_the_same_as(&LastGood { loaded_at: WallTime(9), ..back.clone() }));
        assert!(!kept.says_the_same_as(&LastGood { text: String::new(), ..back }));
    }

    #[test]
    fn without_keys_it_is_good_for_mode_transport_alone() {
        let none = LastGood::of("/c.toml", "", &KeyRing::default(), WallTime(0));
        assert!(none.config().is_err_and(|error| error.message.contains("no trusted key was kept")));
        let transport = LastGood { text: "[trust]\nmode = \"transport\"\n".to_owned(), ..none.clone() };
        assert!(transport.config().is_ok());
        let refused = LastGood { text: "[bub]\n".to_owned(), ..none };
        assert!(refused.config().is_err_and(|error| error.line == Some(1)));
    }
}
