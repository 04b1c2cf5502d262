//! How the program ends.

use serde_json::json;

use crate::core::config::ConfigError;
use crate::core::text;

/// How a command ended: what goes where, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: u8,
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
}

impl Exit {
    /// Success without words.
    #[must_use]
    pub const fn done() -> Self {
        Self { code: 0, out: String::new(), err: String::new() }
    }

    /// Success with output.
    #[must_use]
    pub fn with(out: String) -> Self {
        Self { out, ..Self::done() }
    }

    /// Exit code 1 with a sentence.
    #[must_use]
    pub fn failed(sentence: String) -> Self {
        Self { code: 1, out: String::new(), err: sentence }
    }

    /// Exit code 78 with a sentence.
    #[must_use]
    pub fn config(error: &ConfigError) -> Self {
        Self { code: 78, out: String::new(), err: error.to_string() }
    }

    /// The outcome of something that was asked for.
    #[must_use]
    pub fn outcome(code: u8, message: String, as_json: bool) -> Self {
        match (as_json, code) {
            (true, _) => {
                Self { code, out: text::json(&json!({ "exit": code, "message": message })) + "\n", err: String::new() }
            }
            (false, 0) => Self::with(format!("{message}\n")),
            (false, _) => Self { code, out: String::new(), err: message },
        }
    }
}
