//! The command line of the `hub-emulator` program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use hub_emulator::{
    ApiKey, BodyStyle, CertificateName, EnvelopeStyle, FieldsStyle, LicenseSpec, Options, RateLimit,
    RelayOptions, RetryAfterStyle, TlsOptions, Validity,
};

const EXAMPLES: &str = "\
Examples:
  A hub whose licenses live ten seconds, with one license for this device:
    hub-emulator --dir /tmp/hub --lifetime 10s --license serial=2026-0001-00000001,duid=my-device

  The same over TLS, asking for a client certificate (DIR gets ca.pem, client.pem, client-key.pem):
    hub-emulator --dir /tmp/hub --tls --client-certificate

  Scripting a running emulator ($HUB is the first line of its output without the path):
    curl $HUB/_emulator/faults -d '{\"endpoint\":\"renew\",\"count\":2,\"answer\":{\"status\":{\"code\":503,\"retry-after\":30}}}'
    curl $HUB/_emulator/faults -d '{\"endpoint\":\"view\",\"answer\":\"html\"}'
    curl $HUB/_emulator/faults -d '{\"endpoint\":\"any\",\"count\":null,\"delay-ms\":500,\"delivery\":{\"drip\":20}}'
    curl -X DELETE $HUB/_emulator/faults
    curl $HUB/_emulator/down -d '{\"seconds\":5}'
    curl $HUB/_emulator/requests
    curl $HUB/_emulator/licenses -d '{\"serial\":\"2026-0002-00000002\",\"duid\":\"other\",\"expires-in\":1800}'

Faults:
  endpoint  list create view renew delete relay unknown any      count  1 unless given; null = always
  method, skip, delay-ms, carry-out (true/false)                 framing  length chunked until-close
  delivery  whole cut-before lost-answer cut-half hang {\"drip\":MS}
  answer    html empty truncated-json null-data gzip {\"huge\":BYTES} {\"redirect\":[302,\"URL\"]} {\"raw\":\"BYTES\"}
            {\"status\":{\"code\":N,\"envelope\":\"integer|text|old-names|none\",\"retry-after\":S,\"message\":\"…\"}}
            {\"body\":{\"code\":200,\"content-type\":\"…\",\"headers\":[[\"A\",\"b\"]],\"body\":\"…\"}}
            {\"license\":\"other-device|other-serial|tampered|unsigned|other-key|older|expired|not-yet-valid\"}";

/// Emulates the vendor's Licensing API on a loopback address, with a signing key of its own.
///
/// The first line of output is the base URL. Stops on SIGTERM or SIGINT.
#[derive(Debug, Parser)]
#[command(name = "hub-emulator", after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "one per flag")]
pub(crate) struct Cli {
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write keys.d/hub-emulator.pem, url, api-key and, with --tls, the certificates into this directory
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Exit as soon as standard input ends, so as not to outlive the starting script
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
    /// Path before /licenses
    #[arg(long, default_value = "/api/v2/integrator")]
    base_path: String,
    /// API key: SECRET[,max-days=N][,entitlements=A+B][,no-flags]; may be repeated [default: emulator-key]
    #[arg(long = "api-key", value_name = "KEY", value_parser = parse_key)]
    api_keys: Vec<ApiKey>,
    /// Term of licenses when a request names none, such as 10s, 30m or 7d [default: the key's longest]
    #[arg(long, value_parser = parse_span)]
    lifetime: Option<Duration>,
    /// License to begin with: serial=S[,duid=D][,issued-to=N][,expires-in=30m][,issued-ago=1d][,entitlements=A+B]
    /// [,renewable=BOOL][,transferable=BOOL]; may be repeated
    #[arg(long = "license", value_name = "LICENSE", value_parser = parse_license)]
    pub(crate) licenses: Vec<LicenseSpec>,
    /// Renewed licenses keep their first `created_at`
    #[arg(long)]
    keep_created_at: bool,
    /// Seconds added to the clock; may be negative
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    clock_offset: i64,
    /// At most this many API requests within this time, such as 60/1m
    #[arg(long, value_parser = parse_rate)]
    rate_limit: Option<RateLimit>,
    /// Write Retry-After as an HTTP date
    #[arg(long)]
    retry_after_date: bool,
    /// How bodies are written
    #[arg(long, value_enum, default_value_t = Body::Compact)]
    body_style: Body,
    /// How the envelope is written
    #[arg(long, value_enum, default_value_t = Envelope::Integer)]
    envelope: Envelope,
    /// The shape of `status_fields`
    #[arg(long, value_enum, default_value_t = Fields::Objects)]
    fields_style: Fields,
    /// Answer 409 when a device would get a second license
    #[arg(long)]
    one_license_per_duid: bool,
    /// Renew by POST to licenses/SERIAL too, as in the vendor's curl examples
    #[arg(long)]
    renew_without_suffix: bool,
    /// License that the relay paths give out [default: the first]
    #[arg(long, value_name = "SERIAL")]
    relay_serial: Option<String>,
    /// USER:PASSWORD of /enterprise/license and /community/license
    #[arg(long, default_value = "system:relay-secret")]
    relay_basic: String,
    /// Token of /bearer/license
    #[arg(long, default_value = "relay-token")]
    relay_token: String,
    /// The relay renews its license when less than this is left
    #[arg(long, value_parser = parse_span)]
    relay_renew_before: Option<Duration>,
    /// Serve HTTPS with certificates made at start
    #[arg(long)]
    tls: bool,
    /// The name in the server certificate
    #[arg(long, value_enum, default_value_t = Name::Loopback)]
    tls_name: Name,
    /// The dates of the server certificate
    #[arg(long, value_enum, default_value_t = Dates::Good)]
    tls_validity: Dates,
    /// Refuse clients without the certificate in DIR/client.pem
    #[arg(long)]
    client_certificate: bool,
    /// The same serials in every run
    #[arg(long)]
    seed: Option<u64>,
    /// The same signing key in every run
    #[arg(long)]
    key_seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Body {
    Compact,
    Pretty,
    Escaped,
    PrettyEscaped,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Envelope {
    Integer,
    Text,
    OldNames,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fields {
    Objects,
    Texts,
    Map,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Loopback,
    Wrong,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dates {
    Good,
    Expired,
    NotYet,
}

impl Cli {
    /// The options of the library.
    pub(crate) fn options(&self) -> Options {
        let (username, password) = self
            .relay_basic
            .split_once(':')
            .unwrap_or((&self.relay_basic, ""));
        Options {
            listen: self.listen,
            base_path: self.base_path.clone(),
            api_keys: self.api_keys.clone(),
            lifetime: self.lifetime,
            keep_created_at: self.keep_created_at,
            clock_offset: self.clock_offset,
            rate_limit: self.rate_limit,
            retry_after: if self.retry_after_date {
                RetryAfterStyle::HttpDate
            } else {
                RetryAfterStyle::Seconds
            },
            body_style: match self.body_style {
                Body::Compact => BodyStyle::Compact,
                Body::Pretty => BodyStyle::Pretty,
                Body::Escaped => BodyStyle::Escaped,
                Body::PrettyEscaped => BodyStyle::PrettyEscaped,
            },
            envelope: match self.envelope {
                Envelope::Integer => EnvelopeStyle::Integer,
                Envelope::Text => EnvelopeStyle::Text,
                Envelope::OldNames => EnvelopeStyle::OldNames,
                Envelope::None => EnvelopeStyle::None,
            },
            fields_style: match self.fields_style {
                Fields::Objects => FieldsStyle::Objects,
                Fields::Texts => FieldsStyle::Texts,
                Fields::Map => FieldsStyle::Map,
            },
            one_license_per_duid: self.one_license_per_duid,
            renew_without_suffix: self.renew_without_suffix,
            relay: RelayOptions {
                serial: self.relay_serial.clone(),
                username: username.to_owned(),
                password: password.to_owned(),
                token: self.relay_token.clone(),
                renew_before: self.relay_renew_before,
            },
            tls: self.tls_options(),
            seed: self.seed,
            key_seed: self.key_seed,
            admin: true,
        }
    }

    /// Any of the TLS flags asks for TLS.
    fn tls_options(&self) -> Option<TlsOptions> {
        let name = match self.tls_name {
            Name::Loopback => CertificateName::Loopback,
            Name::Wrong => CertificateName::Wrong,
        };
        let validity = match self.tls_validity {
            Dates::Good => Validity::Good,
            Dates::Expired => Validity::Expired,
            Dates::NotYet => Validity::NotYet,
        };
        let asked = TlsOptions {
            name,
            validity,
            client_certificate: self.client_certificate,
        };
        (self.tls || asked != TlsOptions::default()).then_some(asked)
    }
}

/// Reads `250ms`, `10s`, `30m`, `12h` or `7d`.
fn parse_span(text: &str) -> Result<Duration, String> {
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
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

fn parse_rate(text: &str) -> Result<RateLimit, String> {
    let (requests, window) = text.split_once('/').ok_or("write it as 60/1m")?;
    let requests = requests
        .parse()
        .map_err(|_| format!("`{requests}` is not a number of requests"))?;
    Ok(RateLimit {
        requests,
        window: parse_span(window)?,
    })
}

fn names(list: &str) -> Vec<String> {
    list.split('+').map(str::to_owned).collect()
}

fn parse_key(text: &str) -> Result<ApiKey, String> {
    let mut parts = text.split(',');
    let mut key = ApiKey::new(parts.next().unwrap_or_default());
    if key.secret.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    for part in parts {
        key = match part.split_once('=') {
            Some(("max-days", days)) => key.max_term_days(
                days.parse()
                    .map_err(|_| format!("`{days}` is not a number of days"))?,
            ),
            Some(("entitlements", list)) => key.only(names(list)),
            None if part == "no-flags" => key.without_flag_rights(),
            _ => {
                return Err(format!(
                    "unknown part `{part}`: max-days=N, entitlements=A+B and no-flags are known"
                ));
            }
        };
    }
    Ok(key)
}

fn parse_license(text: &str) -> Result<LicenseSpec, String> {
    let mut spec = LicenseSpec::new("");
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` has no `=`"))?;
        let flag = || {
            value
                .parse::<bool>()
                .map_err(|_| format!("{name} must be true or false"))
        };
        spec = match name {
            "serial" => LicenseSpec {
                serial: value.to_owned(),
                ..spec
            },
            "duid" => spec.duid(value),
            "issued-to" => spec.issued_to(value),
            "expires-in" => spec.expires_in(parse_span(value)?),
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
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn spans_and_rates() {
        assert_eq!(parse_span("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "10", "s", "10 s", "-1s", "1y", "99999999999999999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse_rate("60/1m"),
            Ok(RateLimit {
                requests: 60,
                window: Duration::from_secs(60)
            })
        );
    }

    #[test]
    fn keys_and_licenses() {
        let key = parse_key("k,max-days=365,entitlements=a+b,no-flags").unwrap();
        assert_eq!(
            (key.max_term_days, key.entitlements.len(), key.may_set_renewable),
            (365, 2, false)
        );
        assert!(parse_key("k,nonsense").is_err());
        let spec = parse_license("serial=S,duid=D,renewable=false,entitlements=a").unwrap();
        assert_eq!(
            (spec.serial.as_str(), spec.duid.as_deref(), spec.renewable),
            ("S", Some("D"), Some(false))
        );
        assert!(parse_license("duid=D").is_err());
        assert!(parse_license("serial=S,renewable=maybe").is_err());
    }
}
