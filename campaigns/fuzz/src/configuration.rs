//! Configuration text: what is accepted can be shown and read again; what is refused is refused with its line.

use netify_licensed::core::config::{parse, render};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text, "config.toml") {
        Ok(config) => {
            let shown = render(&config);
            let again = parse(&shown, "shown").expect("what is shown can be read");
            assert_eq!(render(&again), shown);
            // The password of a proxy and the query of a relay, which may be a token, are never shown; all else is.
            let has_secret = config.hub.proxy.is_some() || config.hub.url.as_url().query().is_some();
            assert!(again == config || has_secret, "{shown}");
            assert!(config.renewal.min_retry.millis() <= config.renewal.max_retry.millis());
            assert!(config.hub.timeout.millis() >= 1);
        }
        Err(error) => {
            assert!(!error.message.is_empty());
            assert!(error.line.is_none_or(|line| (1..=text.split('\n').count()).contains(&line)), "{error}");
            assert!(error.to_string().starts_with("config.toml:"));
        }
    }
}
