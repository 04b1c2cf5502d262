//! The envelope that the hub puts around data: codes, words and fields of any shape.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::hub::error::field_errors;
use crate::core::hub::redaction::Redaction;

/// The hub's envelope, and that of the older generation of the same API family. A hub may send both spellings at once;
/// what only one can be right of, `data`, may appear once only.
#[derive(Deserialize)]
pub(in crate::core) struct Envelope<'a> {
    #[serde(default)]
    status_code: Option<Value>,
    #[serde(default)]
    resp_code: Option<Value>,
    #[serde(default)]
    status_message: Option<Value>,
    #[serde(default)]
    resp_message: Option<Value>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default)]
    status_fields: Option<Value>,
    #[serde(default, borrow)]
    pub(in crate::core) data: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// An envelope is an object; the derived reader would take an array for one too.
    pub(in crate::core) fn read(body: &'a [u8]) -> Option<Self> {
        if body.trim_ascii_start().starts_with(b"{") { serde_json::from_slice(body).ok() } else { None }
    }

    pub(in crate::core) fn code(&self) -> Option<&Value> {
        self.status_code.as_ref().or(self.resp_code.as_ref())
    }

    /// The hub's words; one that is no text yields to one that is.
    pub(in crate::core) fn words(&self, redaction: &Redaction) -> Option<String> {
        let mut words = [&self.status_message, &self.resp_message, &self.message].into_iter().flatten();
        words.find_map(Value::as_str).map(|words| redaction.one_line(words)).filter(|words| !words.is_empty())
    }

    /// A code that is none of success. No code at all is no failure.
    pub(in crate::core) fn has_failed(&self) -> bool {
        self.code().is_some_and(|code| !is_success(code))
    }

    pub(in crate::core) fn fields(&self, redaction: &Redaction) -> Vec<String> {
        self.status_fields.as_ref().map(|fields| field_errors(fields, redaction)).unwrap_or_default()
    }
}

/// A 2xx answer whose envelope carries a failure: `"403.000"`, `403`, `422`.
pub(in crate::core) fn http_status_of(code: &Value) -> Option<u16> {
    let number = number_of(code)?;
    (400..600).find(|status| (f64::from(*status)..f64::from(*status) + 1.0).contains(&number))
}

/// `0` and its HTTP equivalents, as number or text.
fn is_success(code: &Value) -> bool {
    number_of(code).is_some_and(|number| number == 0.0 || (200.0..300.0).contains(&number))
}

fn number_of(code: &Value) -> Option<f64> {
    match code {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
