//! netify-licensed.toml(5), from the table of configuration keys.

use netify_licensed::core::config::{DEFAULT_PATH, KEYS, Key, SECTIONS};

use crate::roff::{Page, bold, escape};

/// A configuration that works, and so short that it explains itself.
const SMALL: &str = "\
[hub]
api-key-file = \"/etc/netify-licensed/api-key\"

[renewal]
renew-before = \"3d\"

[hooks]
on-change = [\"/usr/local/bin/on-license-change\"]";

const RELAY: &str = "\
[hub]
kind = \"relay\"
url = \"https://relay.example/api/netifyd/license\"
username = \"system-id\"
password-file = \"/etc/netify-licensed/relay-password\"";

pub(crate) fn page() -> String {
    let mut page = Page::new("netify-licensed.toml", 5, "File formats");
    page.section("NAME");
    page.raw("netify\\-licensed.toml \\- configuration of the license daemon");
    page.section("DESCRIPTION");
    page.opening(&format!(
        "`{DEFAULT_PATH}`, or the file given with `--config`, configures `netify-licensed`(8). \
         It is written in TOML. Every key is optional; without the file the defaults hold. \
         Keys and sections that are not known are refused with their line and the nearest name that is."
    ));
    page.paragraph(
        "`netify-licensed config check` finds mistakes, also in the files that are named. \
         `netify-licensed config show` prints what is in force. \
         A running daemon reads the file again on SIGHUP (`systemctl reload netify-licensed`): \
         whole, or not at all when there is a mistake in it.",
    );
    page.paragraph(
        "Durations are a number and a unit, such as \"30s\", \"5m\", \"6h\", \"3d\" or \"1h 30m\"; a day has 24 hours. \
         Paths are absolute. Programs are lists that begin with an absolute path; no shell is involved.",
    );
    page.section("KEYS");
    for (section, about) in SECTIONS {
        page.subsection(&escape(&format!("[{section}]")));
        page.opening(about);
        for key in KEYS.iter().filter(|key| key.section == section) {
            page.tagged(&tag(key), key.doc);
            page.continued(&value(key));
        }
    }
    page.section("EXAMPLES");
    page.opening("An API key in a file, a fixed window of three days, and a program that hears of every change:");
    page.verbatim(SMALL);
    page.paragraph("A relay instead of the Licensing API:");
    page.verbatim(RELAY);
    page.section("SEE ALSO");
    page.raw("\\fBnetify\\-licensed\\fR(8)");
    page.finish()
}

fn tag(key: &Key) -> String {
    bold(key.name)
}

fn value(key: &Key) -> String {
    if key.default.is_empty() {
        format!("Not set by default. Example: `{}`", key.example)
    } else {
        format!("Default: `{}`", key.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_place_and_its_value() {
        let page = page();
        // Running text is broken into lines.
        let unbroken = page.replace('\n', " ");
        for key in &KEYS {
            assert!(page.contains(&format!(".TP\n{}\n", tag(key))), "{}", key.name);
            assert!(
                key.default.is_empty() || unbroken.contains(&format!("Default: {}", bold(key.default))),
                "{}",
                key.name
            );
            assert!(unbroken.contains(&escape(key.doc.split(['`', '.']).next().unwrap_or_default())), "{}", key.name);
        }
    }

    #[test]
    fn the_examples_are_configurations() {
        for example in [SMALL, RELAY] {
            assert!(netify_licensed::core::config::parse(example, "example").is_ok(), "{example}");
        }
    }
}
