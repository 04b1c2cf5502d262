//! The values of flags that are more than a word or a number.

use std::time::Duration;

use hub_emulator::{ApiKey, LicenseSpec, RateLimit};

/// A license as given on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) spec: LicenseSpec,
    /// Without a term of its own it gets the emulator's.
    pub(crate) own_term: bool,
}

/// Reads `250ms`, `10s`, `30m`, `12h` or `7d`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 250ms, 10s, 30m, 12h or 7d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

pub(crate) fn parse_rate(text: &str) -> Result<RateLimit, String> {
    let (requests, window) = text.split_once('/').ok_or("write it as 60/1m")?;
    let requests = requests.parse().map_err(|_| format!("`{requests}` is not a number of requests"))?;
    Ok(RateLimit { requests, window: parse_span(window)? })
}

fn names(list: &str) -> Vec<String> {
    list.split('+').map(str::to_owned).collect()
}

pub(crate) fn parse_key(text: &str) -> Result<ApiKey, String> {
    let mut parts = text.split(',');
    let mut key = ApiKey::new(parts.next().unwrap_or_default());
    if key.secret.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    for part in parts {
        key = match part.split_once('=') {
            Some(("max-days", days)) => {
                key.max_term_days(days.parse().map_err(|_| format!("`{days}` is not a number of days"))?)
            }
            Some(("entitlements", list)) => key.only(names(list)),
            None if part == "no-flags" => key.without_flag_rights(),
            _ => {
                return Err(format!("unknown part `{part}`: max-days=N, entitlements=A+B and no-flags are known"));
            }
        };
    }
    Ok(key)
}

pub(crate) fn parse_license(text: &str) -> Result<Given, String> {
    let mut spec = LicenseSpec::new("");
    let mut own_term = false;
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no `=`"))?;
        let flag = || value.parse::<bool>().map_err(|_| format!("{name} must be true or false"));
        spec = match name {
            "serial" => LicenseSpec { serial: value.to_owned(), ..spec },
            "duid" => spec.duid(value),
            "issued-to" => spec.issued_to(value),
            "expires-in" => {
                own_term = true;
                spec.expires_in(parse_span(value)?)
            }
            "issued-ago" => spec.issued_ago(parse_span(value)?),
            "entitlements" => spec.entitlements(names(value)),
            "renewable" => spec.renewable(flag()?),
            "transferable" => spec.transferable(flag()?),
            _ => return Err(format!("unknown member `{name}`")),
        };
    }
    if spec.serial.is_empty() {
        return Err("a license needs serial=…".to_owned());
    }
    Ok(Given { spec, own_term })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_rates() {
        assert_eq!(parse_span("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "10", "s", "10 s", "-1s", "1y", "99999999999999999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_rate("60/1m"), Ok(RateLimit { requests: 60, window: Duration::from_secs(60) }));
    }

    #[test]
    fn keys_and_licenses() {
        let key = parse_key("k,max-days=365,entitlements=a+b,no-flags").unwrap();
        assert_eq!((key.max_term_days, key.entitlements.len(), key.may_set_renewable), (365, 2, false));
        assert!(parse_key("k,nonsense").is_err());
        let spec = parse_license("serial=S,duid=D,renewable=false,entitlements=a").unwrap().spec;
        assert_eq!((spec.serial.as_str(), spec.duid.as_deref(), spec.renewable), ("S", Some("D"), Some(false)));
        assert!(parse_license("duid=D").is_err());
        assert!(parse_license("serial=S,renewable=maybe").is_err());
    }
}
