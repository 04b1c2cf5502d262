//! `place`: the privileged helper; it carries out one order of the daemon's, or of root's.

use std::path::Path;

use crate::core::text;
use crate::edge::helper::{Outcome, serve};
use crate::exit::Exit;

pub(super) async fn place(path: Option<&Path>) -> Exit {
    let outcome = serve::serve(path).await;
    let err = match &outcome {
        Outcome::Failed { error } => error.clone(),
        _ => String::new(),
    };
    // The answer is the outcome: a refused order is no failure of this service.
    Exit { code: 0, out: text::json(&outcome) + "\n", err }
}
