//! Who may fetch a license from the relay paths.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::endpoint::RelayPath;
use crate::options::RelayOptions;
use crate::request::Request;

/// Whether a request carries what the path asks for (RFC 7617, RFC 6750).
pub(crate) fn admits(path: RelayPath, request: &Request, options: &RelayOptions) -> bool {
    let (scheme, value) = request.header("authorization").and_then(|value| value.split_once(' ')).unwrap_or_default();
    match path {
        RelayPath::Open => true,
        RelayPath::Bearer => scheme.eq_ignore_ascii_case("bearer") && value.trim() == options.token,
        RelayPath::Enterprise | RelayPath::Community => {
            let expected = format!("{}:{}", options.username, options.password);
            scheme.eq_ignore_ascii_case("basic")
                && STANDARD.decode(value.trim()).is_ok_and(|v| v == expected.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_wants_its_own_credentials() {
        let options = RelayOptions { username: "u".to_owned(), password: "p:q".to_owned(), ..RelayOptions::default() };
        let with = |value: &str| Request {
            headers: vec![("Authorization".to_owned(), value.to_owned())],
            ..Request::default()
        };
        assert!(admits(RelayPath::Open, &Request::default(), &options));
        assert!(admits(RelayPath::Enterprise, &with("Basic dTpwOnE="), &options));
        assert!(admits(RelayPath::Bearer, &with("bearer relay-token"), &options));
        assert!(!admits(RelayPath::Enterprise, &with("Bearer relay-token"), &options));
        assert!(!admits(RelayPath::Bearer, &with("Basic dTpwOnE="), &options));
        assert!(!admits(RelayPath::Community, &Request::default(), &options));
    }
}
