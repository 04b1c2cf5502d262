//! The command line of the `hub-emulator` program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use hub_emulator::{
    ApiKey, BodyStyle, CertificateName, EnvelopeStyle, FieldsStyle, LicenseSpec, Options, RateLimit, RelayOptions,
    RetryAfterStyle, TlsOptions, Validity,
};

use crate::values::{Given, parse_key, parse_license, parse_rate, parse_span};

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

Controls under /_emulator/:
  GET POST DELETE faults · GET DELETE requests · GET POST licenses · DELETE licenses/SERIAL · POST licenses/SERIAL/renew
  POST down {\"seconds\":N} · POST clock {\"offset\":N} · POST lifetime {\"seconds\":N or null} · GET public-key

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
    licenses: Vec<Given>,
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
        let (username, password) = self.relay_basic.split_once(':').unwrap_or((&self.relay_basic, ""));
        Options {
            listen: self.listen,
            base_path: self.base_path.clone(),
            api_keys: self.api_keys.clone(),
            lifetime: self.lifetime,
            keep_created_at: self.keep_created_at,
            clock_offset: self.clock_offset,
            rate_limit: self.rate_limit,
            retry_after: if self.retry_after_date { RetryAfterStyle::HttpDate } else { RetryAfterStyle::Seconds },
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

    /// The licenses to begin with, by the emulator's clock.
    pub(crate) fn licenses(&self) -> impl Iterator<Item = LicenseSpec> {
        self.licenses.iter().map(|given| {
            let spec = given.spec.clone();
            let mut spec = match self.lifetime {
                Some(lifetime) if !given.own_term => spec.expires_in(lifetime),
                _ => spec,
            };
            spec.created_at = spec.created_at.map(|unix| unix.saturating_add(self.clock_offset));
            spec.expire_at = spec.expire_at.saturating_add(self.clock_offset);
            spec
        })
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
        let asked = TlsOptions { name, validity, client_certificate: self.client_certificate };
        (self.tls || asked != TlsOptions::default()).then_some(asked)
    }
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
    fn licenses_follow_the_emulators_term_and_clock() {
        let args =
            ["x", "--lifetime=10s", "--clock-offset=-1000", "--license=serial=A", "--license=serial=B,expires-in=1h"];
        let lives: Vec<i64> =
            Cli::parse_from(args).licenses().map(|spec| spec.expire_at - spec.created_at.unwrap()).collect();
        // Parsing and asking may fall into different seconds.
        assert!((10..70).contains(&lives[0]) && (3600..3660).contains(&lives[1]), "{lives:?}");
        let created = Cli::parse_from(args).licenses().next().unwrap().created_at;
        assert!(created < Some(LicenseSpec::new("").created_at.unwrap() - 900));
    }
}
