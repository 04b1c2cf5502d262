//! `doctor`: the steps from this device to the hub, each with what was found and what to do about it.

use serde_json::{Value, json};

use crate::core::report::screen::Paint;
use crate::core::text::clean;
use crate::core::time::Millis;

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It works: one clause.
    Good(String),
    /// It does not.
    Bad(Fault),
    /// It could not be tried: one clause.
    NotTried(String),
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One clause.
    pub what: String,
    /// One imperative clause.
    pub remedy: String,
    /// The exit code of `doctor` if this is the first fault.
    pub exit: u8,
}

impl Fault {
    /// A fault with the exit code 1.
    #[must_use]
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), exit: 1 }
    }

    /// A fault from a sentence that ends in what to do, after the last semicolon.
    #[must_use]
    pub fn of_sentence(sentence: &str, exit: u8) -> Self {
        let (what, remedy) = sentence.rsplit_once("; ").unwrap_or((sentence, ""));
        Self { exit, ..Self::new(what, remedy) }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// What was found.
    pub found: Found,
    /// How long it took.
    pub took: Millis,
}

/// All steps, in the order in which a request to the hub depends on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination(pub Vec<Step>);

impl Examination {
    /// The first step that failed.
    #[must_use]
    pub fn first_fault(&self) -> Option<(&'static str, &Fault)> {
        self.0.iter().find_map(|step| match &step.found {
            Found::Bad(fault) => Some((step.name, fault)),
            _ => None,
        })
    }

    /// That of the first step that failed, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.first_fault().map_or(0, |(_, fault)| fault.exit)
    }

    /// One sentence about all of it.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.first_fault() {
            None => "Every step works.".to_owned(),
            Some((name, fault)) => format!("The first step that fails is \"{name}\": {}.", clean(&fault.what)),
        }
    }

    /// For a terminal: one line a step, its remedy below.
    #[must_use]
    pub fn screen(&self, paint: Paint) -> String {
        let width = self.0.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for Step { name, found, took } in &self.0 {
            let (mark, words) = match found {
                Found::Good(words) => (paint.good("✓"), words),
                Found::Bad(fault) => (paint.bad("✗"), &fault.what),
                Found::NotTried(why) => ("-".to_owned(), why),
            };
            let time = if matches!(found, Found::NotTried(_)) { String::new() } else { format!("{took} ms") };
            text.push_str(&format!("{mark} {name:width$}  {time:>8}  {}\n", clean(words)));
            if let Found::Bad(Fault { remedy, .. }) = found
                && !remedy.is_empty()
            {
                text.push_str(&format!("  {:width$}            {}\n", "", clean(remedy)));
            }
        }
        format!("{text}\n{}\n", self.summary())
    }

    /// For programs.
    #[must_use]
    pub fn document(&self) -> Value {
        let steps: Vec<Value> = self
            .0
            .iter()
            .map(|Step { name, found, took }| match found {
                Found::Good(words) => json!({ "step": name, "result": "good", "found": words, "milliseconds": took }),
                Found::Bad(Fault { what, remedy, exit }) => json!({
                    "step": name, "result": "bad", "found": what, "remedy": remedy, "exit": exit, "milliseconds": took
                }),
                Found::NotTried(why) => json!({ "step": name, "result": "not-tried", "found": why }),
            })
            .collect();
        json!({ "exit": self.exit_code(), "summary": self.summary(), "steps": steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination() -> Examination {
        let step = |name, found, took| Step { name, found, took };
        Examination(vec![
            step("configuration", Found::Good("/etc/c.toml".to_owned()), 1),
            step("name", Found::Bad(Fault::new("hub.example is not known", "check the name servers")), 104),
            step("TCP", Found::NotTried("the address is not known".to_owned()), 0),
            step("license", Found::Bad(Fault::of_sentence("it has expired; renew it", 4)), 2),
        ])
    }

    #[test]
    fn the_first_fault_is_the_result() {
        let seen = examination();
        assert_eq!(seen.exit_code(), 1);
        assert_eq!(seen.summary(), "The first step that fails is \"name\": hub.example is not known.");
        assert_eq!(Examination(seen.0[3..].to_vec()).exit_code(), 4);
        let well = Examination(seen.0[..1].to_vec());
        assert_eq!((well.exit_code(), well.summary().as_str()), (0, "Every step works."));
    }

    #[test]
    fn each_step_is_a_line_with_its_remedy_below() {
        let lines = "\
✓ configuration      1 ms  /etc/c.toml
✗ name             104 ms  hub.example is not known
                           check the name servers
- TCP                      the address is not known
✗ license            2 ms  it has expired
                           renew it

The first step that fails is \"name\": hub.example is not known.
";
        assert_eq!(examination().screen(Paint(false)), lines);
    }

    #[test]
    fn what_others_wrote_does_not_reach_the_terminal_as_it_is() {
        let step = Step { name: "license", found: Found::Good("S\u{1b}[2J".to_owned()), took: 0 };
        assert!(!Examination(vec![step]).screen(Paint(false)).contains('\u{1b}'));
    }

    #[test]
    fn programs_get_the_same() {
        let document = examination().document();
        assert_eq!(document["exit"], 1);
        assert_eq!(document["steps"][1]["remedy"], "check the name servers");
        assert_eq!(document["steps"][2]["result"], "not-tried");
    }
}
