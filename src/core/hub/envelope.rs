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
    /// RFC 9457.
    #[serde(default)]
    title: Option<Value>,
    #[serde(default)]
    detail: Option<Value>,
    /// A text, or an object with a `message`.
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    error_description: Option<Value>,
    #[serde(default)]
    status_fields: Option<Value>,
    /// Laravel's validation errors, and those of RFC 9457.
    #[serde(default)]
    errors: Option<Value>,
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

    /// Whether it is the API's own: other JSON objects have words to say, and no say over a license.
    pub(in crate::core) const fn is_the_apis(&self) -> bool {
        self.status_code.is_some() || self.resp_code.is_some()
    }

    /// The hub's words; one that is no text yields to one that is.
    pub(in crate::core) fn words(&self, redaction: &Redaction) -> Option<String> {
        let text = |value: &Value| {
            let text = value.as_str().or_else(|| value.get("message")?.as_str())?;
            Some(redaction.one_line(text)).filter(|text| !text.is_empty())
        };
        let first = |values: &[&Option<Value>]| values.iter().find_map(|value| text(value.as_ref()?));
        if let Some(words) = first(&[&self.status_message, &self.resp_message, &self.message]) {
            return Some(words);
        }
        match (first(&[&self.title, &self.error]), first(&[&self.detail, &self.error_description])) {
            (Some(title), Some(detail)) if detail.starts_with(&title) => Some(detail),
            (Some(title), Some(detail)) => Some(format!("{title}: {detail}")),
            (title, detail) => title.or(detail),
        }
    }

    /// A code that is none of success. No code at all is no failure.
    pub(in crate::core) fn has_failed(&self) -> bool {
        self.code().is_some_and(|code| !is_success(code))
    }

    pub(in crate::core) fn fields(&self, redaction: &Redaction) -> Vec<String> {
        let fields = self.status_fields.as_ref().filter(|fields| !fields.is_null()).or(self.errors.as_ref());
        fields.map(|fields| field_errors(fields, redaction)).unwrap_or_default()
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
