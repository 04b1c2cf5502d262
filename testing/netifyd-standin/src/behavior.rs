//! What the stand-in does when it is asked to reload.
//!
//! A script is a comma-separated list of steps; each reload request takes one step.
//!
//! | step | signal | control socket |
//! |---|---|---|
//! | `ok` | loads | answers 100, then loads |
//! | `slow:MS` | reloads for MS, then loads | answers 100, then the same |
//! | `stuck` | begins a reload that never ends | answers 100, then the same |
//! | `refuse`, `refuse-500`, `refuse-501`, `refuse-502` | nothing | answers the code (502) |
//! | `hang` | as `stuck` | no answer; all is stuck until the client leaves |
//! | `forget` | nothing | answers 100, never loads |
//! | `garbage` | nothing | answers what is not JSON |
//! | `cut` | nothing | closes without an answer |
//! | `die-on-reload` | exits at once, code 0 | answers 100, then exits, code 0 |
//! | `die-later:MS` | loads, exits after MS, code 0 | answers 100, then the same |
//!
//! While it reloads, the stand-in accepts no connection and does not stop, as netifyd: one thread does all three. And as
//! netifyd it exits with 0, however it ends.
//!
//! Any step may end in `:COUNT` (`slow:500:2`): so many reloads. Without a count, a step holds for one reload, and
//! the last one for ever. After a last step with a count comes `ok`. `die-once` is `die-on-reload:1`.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// What one reload request leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Load.
    Ok,
    /// Load, but only after a while.
    Slow(Duration),
    /// Do not load; the control socket answers this code.
    Refuse(u16),
    /// Say yes, and never come back from the reload.
    Stuck,
    /// Do not load and do not answer.
    Hang,
    /// Say yes and do nothing.
    Forget,
    /// Do not load and answer nonsense.
    Garbage,
    /// Do not load and close the connection.
    Cut,
    /// Exit without tidying up.
    Die,
    /// Load, then exit without tidying up.
    DieLater(Duration),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Slow(wait) => write!(f, "slow:{}", wait.as_millis()),
            Self::Refuse(code) => write!(f, "refuse-{code}"),
            Self::Stuck => f.write_str("stuck"),
            Self::Hang => f.write_str("hang"),
            Self::Forget => f.write_str("forget"),
            Self::Garbage => f.write_str("garbage"),
            Self::Cut => f.write_str("cut"),
            Self::Die => f.write_str("die-on-reload"),
            Self::DieLater(wait) => write!(f, "die-later:{}", wait.as_millis()),
        }
    }
}

/// The steps to come. Its text form parses back to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `None`: for ever.
    steps: VecDeque<(Step, Option<u32>)>,
}

impl Script {
    /// Reads the text form; the error is a sentence that names the word.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut steps = VecDeque::new();
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        for (index, word) in words.iter().enumerate() {
            let (step, count) = parse_step(word)?;
            let last = index + 1 == words.len();
            steps.push_back((step, if last { count } else { count.or(Some(1)) }));
        }
        Ok(Self { steps })
    }

    /// The step of the next reload, which stays to come.
    #[must_use]
    pub fn peek(&self) -> Step {
        let next = self.steps.iter().find(|(_, count)| *count != Some(0));
        next.map_or(Step::Ok, |(step, _)| *step)
    }

    /// Takes the step of a reload.
    pub fn take(&mut self) -> Step {
        while let Some((step, count)) = self.steps.front_mut() {
            match count {
                None => return *step,
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    return *step;
                }
            }
            self.steps.pop_front();
        }
        Step::Ok
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (step, count) in self.steps.iter().filter(|(_, count)| *count != Some(0)) {
            match count {
                Some(count) => write!(f, "{comma}{step}:{count}")?,
                None => write!(f, "{comma}{step}")?,
            }
            comma = ",";
        }
        if comma.is_empty() { f.write_str("ok") } else { Ok(()) }
    }
}

fn parse_step(word: &str) -> Result<(Step, Option<u32>), String> {
    if word == "die-once" {
        return Ok((Step::Die, Some(1)));
    }
    let mut parts = word.split(':');
    let step = match parts.next().unwrap_or_default() {
        "ok" => Step::Ok,
        "slow" => Step::Slow(milliseconds(word, parts.next())?),
        "refuse" | "refuse-502" => Step::Refuse(502),
        "refuse-500" => Step::Refuse(500),
        "refuse-501" => Step::Refuse(501),
        "stuck" => Step::Stuck,
        "hang" => Step::Hang,
        "forget" => Step::Forget,
        "garbage" => Step::Garbage,
        "cut" => Step::Cut,
        "die-on-reload" => Step::Die,
        "die-later" => Step::DieLater(milliseconds(word, parts.next())?),
        _ => return Err(format!("unknown behavior {word:?}")),
    };
    let count = match parts.next() {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| format!("{word:?}: {text:?} is not a count"))?),
    };
    match parts.next() {
        None => Ok((step, count)),
        Some(rest) => Err(format!("{word:?}: nothing is expected before {rest:?}")),
    }
}

fn milliseconds(word: &str, text: Option<&str>) -> Result<Duration, String> {
    let number = text.and_then(|text| text.parse().ok());
    number.map(Duration::from_millis).ok_or_else(|| format!("{word:?} needs milliseconds, as in slow:500"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, count: usize) -> Vec<String> {
        let mut script = Script::parse(text).unwrap();
        (0..count).map(|_| script.take().to_string()).collect()
    }

    #[test]
    fn a_single_word_holds_for_ever() {
        assert_eq!(taken("refuse", 3), ["refuse-502"; 3]);
    }

    #[test]
    fn counts_run_out_into_ok() {
        assert_eq!(taken("die-once", 3), ["die-on-reload", "ok", "ok"]);
        assert_eq!(taken("slow:5:2", 3), ["slow:5", "slow:5", "ok"]);
        assert_eq!(taken("hang:0", 1), ["ok"]);
    }

    #[test]
    fn lists_go_step_by_step() {
        assert_eq!(taken("refuse-500, hang:2,forget", 5), ["refuse-500", "hang", "hang", "forget", "forget"]);
    }

    #[test]
    fn what_is_left_can_be_written_and_read() {
        let mut script = Script::parse("cut:2,garbage,die-later:7").unwrap();
        script.take();
        assert_eq!(script.to_string(), "cut:1,garbage:1,die-later:7");
        assert_eq!(Script::parse(&script.to_string()).unwrap().to_string(), script.to_string());
        script.take();
        assert_eq!((script.peek(), script.to_string().as_str()), (Step::Garbage, "garbage:1,die-later:7"));
        let mut once = Script::parse("die-once").unwrap();
        once.take();
        assert_eq!(once.to_string(), "ok");
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["", "nap", "slow", "slow:x", "ok:x", "ok:1:2", "ok,,ok"] {
            assert!(Script::parse(text).is_err(), "{text:?}");
        }
        assert!(Script::parse("nap").unwrap_err().contains("nap"));
    }
}
