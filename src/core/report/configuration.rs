//! What the status says of the configuration: which one is in force, and why the file's is not.

use serde::{Deserialize, Serialize};

use crate::core::config::ConfigError;
use crate::core::report::status::{Rfc3339, Status};
use crate::core::time::WallTime;

/// The configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigurationStatus {
    /// When it was read; null where no daemon says so.
    pub loaded_at: Option<Rfc3339>,
    /// Why the file is refused while an older configuration is in force.
    pub refused: Option<RefusedStatus>,
}

/// A configuration that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// When it was refused first for this reason.
    pub at: Rfc3339,
    /// The file.
    pub file: String,
    /// Line (from 1) where there is one.
    pub line: Option<usize>,
    /// One sentence.
    pub message: String,
}

impl RefusedStatus {
    /// The mistake with its place.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}: {}", self.file, self.message),
            None => format!("{}: {}", self.file, self.message),
        }
    }
}

impl ConfigurationStatus {
    /// A configuration that was read at this time.
    #[must_use]
    pub const fn loaded(at: WallTime) -> Self {
        Self { loaded_at: Some(Rfc3339(at)), refused: None }
    }

    /// The same while the file is refused. A mistake that is known keeps its time.
    #[must_use]
    pub fn refused(&self, error: &ConfigError, now: WallTime) -> Self {
        let new = RefusedStatus {
            at: Rfc3339(now),
            file: error.path.clone(),
            line: error.line,
            message: error.message.clone(),
        };
        let known = self.refused.clone().filter(|known| known.sentence() == new.sentence());
        Self { refused: Some(known.unwrap_or(new)), ..self.clone() }
    }
}

impl Status {
    /// Adds what there is to say about the configuration.
    #[must_use]
    pub fn with_configuration(mut self, configuration: &ConfigurationStatus) -> Self {
        if let Some(refused) = &configuration.refused {
            let since = configuration.loaded_at.map_or_else(String::new, |at| format!(" of {}", at.0));
            self.problems.push(format!(
                "the configuration is refused, the last good one{since} stays in force: {}",
                refused.sentence()
            ));
            self.advice.push(
                "correct the configuration (`netify-licensed config check`), then `netify-licensed reload`".to_owned(),
            );
        }
        self.configuration = configuration.clone();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::verify::State;
    use crate::core::report::check::tests::status;

    fn mistake(message: &str) -> ConfigError {
        ConfigError { path: "/c.toml".to_owned(), line: Some(3), message: message.to_owned() }
    }

    #[test]
    fn a_mistake_that_is_known_keeps_its_time() {
        let loaded = ConfigurationStatus::loaded(WallTime(1_000));
        let refused = loaded.refused(&mistake("a"), WallTime(2_000));
        assert_eq!(refused.refused(&mistake("a"), WallTime(3_000)), refused);
        let other = refused.refused(&mistake("b"), WallTime(3_000)).refused.expect("refused");
        assert_eq!((other.at.0, other.sentence().as_str()), (WallTime(3_000), "/c.toml:3: b"));
    }

    #[test]
    fn a_refused_configuration_is_a_problem_with_a_remedy() {
        let good = ConfigurationStatus::loaded(WallTime(1_000));
        assert_eq!(status(State::Valid).with_configuration(&good).problems, Vec::<String>::new());
        let told = status(State::Valid).with_configuration(&good.refused(&mistake("unknown key"), WallTime(2_000)));
        assert_eq!(
            told.problems,
            [
                "the configuration is refused, the last good one of 1970-01-01 00:00:01 UTC stays in force: /c.toml:3: unknown key"
            ]
        );
        assert!(told.advice[0].contains("netify-licensed reload"), "{:?}", told.advice);
        assert!(told.line().ends_with("; configuration refused: /c.toml:3: unknown key"), "{}", told.line());
    }
}
