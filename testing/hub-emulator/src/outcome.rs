//! What an operation came to, before it is written as HTTP.

use crate::json::Document;
use crate::license::{Defect, Format, LicenseSpec};
use crate::options::{EnvelopeStyle, FieldsStyle, Options, RetryAfterStyle};
use crate::signer::SigningKey;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

use crate::clock::http_date;

/// What `data` holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    Null,
    License(Box<LicenseSpec>, Format),
    List(Vec<LicenseSpec>, Format),
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// Without one, the usual words of the status.
    pub(crate) message: Option<String>,
    /// Field and complaint.
    pub(crate) fields: Vec<(String, String)>,
    /// Seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) allow: Option<&'static str>,
    pub(crate) payload: Payload,
    /// The relay's manner: the license without envelope, errors as `{"message": …}`.
    pub(crate) bare: bool,
}

impl Outcome {
    pub(crate) fn success(payload: Payload) -> Self {
        Self { payload, ..Self::status(200) }
    }

    pub(crate) fn status(status: u16) -> Self {
        let payload = Payload::Null;
        Self { status, message: None, fields: Vec::new(), retry_after: None, allow: None, payload, bare: false }
    }

    pub(crate) fn error(status: u16, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::status(status) }
    }

    pub(crate) fn invalid(fields: Vec<(String, String)>) -> Self {
        Self { fields, ..Self::status(422) }
    }

    pub(crate) fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Writes outcomes as answers.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) options: &'a Options,
    pub(crate) key: &'a SigningKey,
    /// The emulator's clock, Unix seconds.
    pub(crate) now: i64,
    pub(crate) envelope: EnvelopeStyle,
    pub(crate) defect: Option<Defect>,
}

impl Writer<'_> {
    pub(crate) fn write(&self, outcome: &Outcome) -> Answer {
        let data = self.data(&outcome.payload);
        let message = outcome.message.clone().unwrap_or_else(|| words(outcome.status).to_owned());
        let style = self.options.body_style;
        let body = match (outcome.bare, outcome.status) {
            (_, status) if status != 200 && self.envelope == EnvelopeStyle::None => String::new(),
            (true, 200) => style.write(&data),
            (true, _) => style.write(&json!({ "message": message })),
            (false, status) => {
                let fields = fields_value(&outcome.fields, self.options.fields_style);
                style.write(&Envelope { style: self.envelope, status, message: &message, fields, data })
            }
        };
        let mut answer = Answer::new(outcome.status, "application/json", body);
        if let Some(seconds) = outcome.retry_after {
            answer = answer.with("Retry-After", self.retry_after(seconds));
        }
        if let Some(methods) = outcome.allow {
            answer = answer.with("Allow", methods);
        }
        answer
    }

    fn data(&self, payload: &Payload) -> Data {
        let license = |spec: &LicenseSpec, format| match self.defect {
            Some(defect) => spec.defective(defect, self.key, format, self.now),
            None => spec.signed(self.key, format),
        };
        match payload {
            Payload::Null => Data::Null,
            Payload::License(spec, format) => Data::One(license(spec, *format)),
            Payload::List(specs, format) => Data::Many(specs.iter().map(|spec| license(spec, *format)).collect()),
        }
    }

    fn retry_after(&self, seconds: u64) -> String {
        match self.options.retry_after {
            RetryAfterStyle::Seconds => seconds.to_string(),
            RetryAfterStyle::HttpDate => http_date(self.now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX))),
        }
    }
}

enum Data {
    Null,
    One(Document),
    Many(Vec<Document>),
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::One(license) => license.serialize(serializer),
            Self::Many(licenses) => {
                let mut list = serializer.serialize_seq(Some(licenses.len()))?;
                for license in licenses {
                    list.serialize_element(license)?;
                }
                list.end()
            }
        }
    }
}

struct Envelope<'a> {
    style: EnvelopeStyle,
    status: u16,
    message: &'a str,
    fields: Option<Value>,
    data: Data,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (code_name, message_name) = match self.style {
            EnvelopeStyle::OldNames => ("resp_code", "resp_message"),
            _ => ("status_code", "status_message"),
        };
        let code = match (self.style, self.status) {
            (EnvelopeStyle::Text, 200) => json!("0"),
            (EnvelopeStyle::Text, status) => json!(format!("{status}.000")),
            (_, 200) => json!(0),
            (_, status) => json!(status),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(code_name, &code)?;
        map.serialize_entry(message_name, self.message)?;
        if let Some(fields) = &self.fields {
            map.serialize_entry("status_fields", fields)?;
        }
        if self.status == 200 {
            map.serialize_entry("data", &self.data)?;
        }
        map.end()
    }
}

fn fields_value(fields: &[(String, String)], style: FieldsStyle) -> Option<Value> {
    if fields.is_empty() {
        return None;
    }
    let value = match style {
        FieldsStyle::Objects => {
            fields.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect()
        }
        FieldsStyle::Texts => fields.iter().map(|(field, message)| json!(format!("{field}: {message}"))).collect(),
        FieldsStyle::Map => {
            Value::Object(fields.iter().map(|(field, message)| (field.clone(), json!([message]))).collect())
        }
    };
    Some(value)
}

/// The words of a status: the vendor's for the documented ones.
pub(crate) fn words(status: u16) -> &'static str {
    match status {
        200 => "Success.",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Validation Error",
        429 => "Too Many Requests",
        500 => "Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(outcome: &Outcome, envelope: EnvelopeStyle, options: &Options) -> Answer {
        let key = SigningKey::from_seed(1);
        Writer { options, key: &key, now: 1_780_012_800, envelope, defect: None }.write(outcome)
    }

    fn text(outcome: &Outcome, envelope: EnvelopeStyle) -> String {
        String::from_utf8(written(outcome, envelope, &Options::default()).body).unwrap()
    }

    #[test]
    fn every_style_of_the_envelope() {
        let denied = Outcome::error(403, "No.");
        assert_eq!(text(&denied, EnvelopeStyle::Integer), r#"{"status_code":403,"status_message":"No."}"#);
        assert_eq!(text(&denied, EnvelopeStyle::Text), r#"{"status_code":"403.000","status_message":"No."}"#);
        assert_eq!(text(&denied, EnvelopeStyle::OldNames), r#"{"resp_code":403,"resp_message":"No."}"#);
        assert_eq!(text(&denied, EnvelopeStyle::None), "");
        assert_eq!(text(&denied.clone().bare(), EnvelopeStyle::Integer), r#"{"message":"No."}"#);
        let fine = r#"{"status_code":0,"status_message":"Success.","data":null}"#;
        assert_eq!(text(&Outcome::success(Payload::Null), EnvelopeStyle::Integer), fine);
    }

    #[test]
    fn every_shape_of_field_errors() {
        let fields = [("duid".to_owned(), "Too odd.".to_owned())];
        let shown = |style| fields_value(&fields, style).unwrap().to_string();
        assert_eq!(shown(FieldsStyle::Objects), r#"[{"field":"duid","message":"Too odd."}]"#);
        assert_eq!(shown(FieldsStyle::Texts), r#"["duid: Too odd."]"#);
        assert_eq!(shown(FieldsStyle::Map), r#"{"duid":["Too odd."]}"#);
    }

    #[test]
    fn retry_after_in_both_styles() {
        let outcome = Outcome { retry_after: Some(60), ..Outcome::status(429) };
        let header = |options: &Options| written(&outcome, EnvelopeStyle::Integer, options).headers.pop();
        let name = || "Retry-After".to_owned();
        assert_eq!(header(&Options::default()), Some((name(), "60".to_owned())));
        let dated = Options { retry_after: RetryAfterStyle::HttpDate, ..Options::default() };
        assert_eq!(header(&dated), Some((name(), "Fri, 29 May 2026 00:01:00 GMT".to_owned())));
    }
}
