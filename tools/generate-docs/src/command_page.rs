//! netify-licensed(8), from the flag table.

use clap::{Arg, Command, CommandFactory};
use netify_licensed::cli::args::Cli;
use netify_licensed::core::license::verify::State;

use crate::roff::{Page, bold, italic};
use crate::states::meaning;

const FILES: [(&str, &str); 10] = [
    ("/etc/netify-licensed/config.toml", "Configuration, `netify-licensed.toml`(5)."),
    (
        "/etc/netify-licensed/keys.d/*.pem",
        "Trusted public keys. Nobody but root and the daemon's own user may be able to write there.",
    ),
    ("/etc/netifyd/license.json", "The license. It is replaced atomically; owner, group and mode are kept."),
    (
        "/run/netify-licensed/status.json",
        "The state, as `status --json` prints it. Readable for everybody; written when something changed.",
    ),
    ("/run/netify-licensed/control.sock", "Control socket, for root, the daemon's user and members of its group."),
    ("/run/netify-licensed/lock", "Held by whoever may write: the daemon, or one command."),
    ("/run/netify-licensed/session.json", "Attempts and waits of this boot, so that a restart does not forget them."),
    (
        "/var/lib/netify-licensed/state.json",
        "Last good time, serial, and which license netifyd is known to have loaded.",
    ),
    (
        "/var/lib/netify-licensed/last-good-config.json",
        "The last configuration that held, with its trusted keys: in force while the file is refused.",
    ),
    (
        "/var/lib/netify-licensed/previous-license.json",
        "The last good license, put back when the file is lost or damaged.",
    ),
];

const ENVIRONMENT: [(&str, &str); 6] = [
    ("CREDENTIALS_DIRECTORY", "Holds the API key in the file `api-key`; set by systemd."),
    ("RUNTIME_DIRECTORY", "Replaces `/run/netify-licensed`; set by systemd."),
    ("STATE_DIRECTORY", "Replaces `/var/lib/netify-licensed`; set by systemd."),
    ("HTTPS_PROXY, NO_PROXY", "Proxy for the hub, unless `hub.proxy` is set."),
    ("NO_COLOR", "If set and not empty, terminals get no colors."),
    (
        "JOURNAL_STREAM",
        "Set by systemd when the journal is connected; if it names standard error, logs go there with their fields.",
    ),
];

const SIGNALS: [(&str, &str); 3] = [
    (
        "SIGHUP",
        "Read the configuration and the license again. A configuration with a mistake is refused whole, and the old one stays in force.",
    ),
    ("SIGUSR1", "Renew now, due or not."),
    ("SIGTERM, SIGINT", "Stop."),
];

const FIELDS: &str = "\
journalctl -u netify-licensed LICENSE_SERIAL=2026-3638-61034042
journalctl -u netify-licensed STATE=expired";

pub(crate) fn page() -> Result<String, String> {
    let mut cli = Cli::command();
    cli.build();
    let mut page = Page::new("netify-licensed", 8, "System administration");
    page.section("NAME");
    page.raw("netify\\-licensed \\- license daemon for the Netify Agent");
    page.section("SYNOPSIS");
    page.raw(&format!("{} [{} {}] {}", bold("netify-licensed"), bold("--config"), italic("FILE"), italic("COMMAND")));
    page.section("DESCRIPTION");
    page.opening(&sentence(&text(cli.get_long_about().or(cli.get_about()))));
    page.paragraph(
        "Every license is verified before it is installed: shape, signature, device and dates, in this order. \
         Commands that change something ask the running daemon; without one they do the same themselves, under the same lock. \
         Errors go to standard error, one sentence per cause.",
    );
    page.section("OPTIONS");
    options(&mut page, &cli, true);
    page.section("COMMANDS");
    for command in leaves(&cli) {
        describe(&mut page, &command);
    }
    page.section("LICENSE STATES");
    page.opening("The same words everywhere: verify, status, check, logs, metrics.");
    for state in State::ALL {
        let meaning = meaning(state);
        page.tagged(&bold(state.word()), meaning.means);
        page.continued(meaning.to_do);
    }
    page.section("SIGNALS");
    page.opening("To the daemon:");
    table(&mut page, &SIGNALS);
    page.section("EXIT STATUS");
    for (code, means) in exit_codes(&cli)? {
        page.tagged(&bold(&code), &format!("{means}."));
    }
    page.paragraph(
        "`check` has the exit status of monitoring plugins instead: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    );
    page.section("LOGS");
    page.opening(
        "One line when something changed, none when nothing did. A failure is logged once, then counted, \
         then again when its reason changes, and once a day. In the journal the fields can be searched:",
    );
    page.verbatim(FIELDS);
    page.section("ENVIRONMENT");
    table(&mut page, &ENVIRONMENT);
    page.section("FILES");
    for (path, about) in FILES {
        page.tagged(&italic(path), about);
    }
    page.section("DROP-INS");
    page.opening(
        "The sandbox of the packaged services refuses what an unusual setup needs beyond the usual. Each of these examples, \
         in /usr/share/doc/netify-licensed/examples, allows one thing:",
    );
    for (name, about) in drop_ins()? {
        page.tagged(&italic(&name), &about);
    }
    page.section("EXAMPLES");
    page.opening("Every command, as it is usually run:");
    page.verbatim(&examples(&cli));
    page.section("SEE ALSO");
    page.raw("\\fBnetify\\-licensed.toml\\fR(5), \\fBnetify\\-licensed\\-operating\\fR(7), \\fBjournalctl\\fR(1), \\fBsystemd.exec\\fR(5)");
    Ok(page.finish())
}

/// The examples of drop-ins: the name of each, and the first sentence in it.
fn drop_ins() -> Result<Vec<(String, String)>, String> {
    let directory = crate::docs().join("../systemd/examples");
    let of = |path: &std::path::PathBuf| {
        let text = crate::read(path)?;
        let words: Vec<_> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
        let words = words.join(" ");
        let first = words.split_once(". ").map_or(words.as_str(), |(first, _)| first);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, format!("{}.", first.trim_end_matches('.'))))
    };
    crate::files(&directory, "conf")?.iter().map(of).collect()
}

fn table(page: &mut Page, rows: &[(&str, &str)]) {
    for (name, about) in rows {
        page.tagged(&bold(name), about);
    }
}

/// A command with the words that lead to it.
struct Leaf {
    words: String,
    command: Command,
}

/// The commands that can be run, `hub list` rather than `hub`.
fn leaves(cli: &Command) -> Vec<Leaf> {
    let visible = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let mut found = Vec::new();
    for command in cli.get_subcommands().filter(visible) {
        if command.has_subcommands() {
            found.extend(command.get_subcommands().filter(visible).map(|inner| Leaf {
                words: format!("{} {}", command.get_name(), inner.get_name()),
                command: inner.clone(),
            }));
        } else {
            found.push(Leaf { words: command.get_name().to_owned(), command: command.clone() });
        }
    }
    found
}

fn describe(page: &mut Page, leaf: &Leaf) {
    let arguments = leaf.command.get_positionals().map(|argument| {
        let value = italic(&value_name(argument));
        if argument.is_required_set() { value } else { format!("[{value}]") }
    });
    let flags = leaf.command.get_opts().chain(flags(&leaf.command)).any(is_own);
    let mut heading = vec![bold(&leaf.words)];
    if flags {
        heading.push(format!("[{}]", italic("OPTIONS")));
    }
    heading.extend(arguments);
    page.subsection(&heading.join(" "));
    let long = text(leaf.command.get_long_about().or(leaf.command.get_about()));
    let mut paragraphs = long.split("\n\n");
    page.opening(&sentence(paragraphs.next().unwrap_or_default()));
    for paragraph in paragraphs {
        page.paragraph(&sentence(paragraph));
    }
    options(page, &leaf.command, false);
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !argument.is_positional() && !argument.get_action().takes_values())
}

/// Neither the global `--config` nor `--help`, which every command has.
fn is_own(argument: &Arg) -> bool {
    !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version") && !argument.is_hide_set()
}

fn options(page: &mut Page, command: &Command, whole_program: bool) {
    for argument in command.get_arguments().filter(|argument| whole_program || is_own(argument)) {
        let mut tag = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("{}, {}", bold(&format!("-{short}")), bold(&format!("--{long}"))),
            (None, Some(long)) => bold(&format!("--{long}")),
            (Some(short), None) => bold(&format!("-{short}")),
            (None, None) => String::new(),
        };
        if argument.get_action().takes_values() {
            tag = format!("{tag} {}", italic(&value_name(argument)));
            tag = tag.trim_start().into();
        }
        let mut about = sentence(
            &text(argument.get_long_help().or(argument.get_help()))
                .replace(" [default: ", ". Default: `")
                .replace(']', "`"),
        );
        let values: Vec<String> =
            argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if argument.get_action().takes_values() && !values.is_empty() && values[0] != "`true`" {
            about.push_str(&format!(" One of {}.", values.join(", ")));
        }
        if let [default] = argument.get_default_values()
            && argument.get_action().takes_values()
        {
            about.push_str(&format!(" Default: `{}`.", default.to_string_lossy()));
        }
        page.tagged(&tag, &about);
    }
}

fn value_name(argument: &Arg) -> String {
    let names =
        argument.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    names.unwrap_or_else(|| argument.get_id().as_str().to_uppercase())
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// Help texts have no full stop at their end; sentences do.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', ':', '`']) { text.to_owned() } else { format!("{text}.") }
}

/// The list of exit codes in the program's own help text.
fn exit_codes(cli: &Command) -> Result<Vec<(String, String)>, String> {
    let help = text(cli.get_after_help());
    let list = help
        .lines()
        .find_map(|line| line.strip_prefix("Exit codes: "))
        .ok_or("args.rs: no line of exit codes in the help text")?;
    let codes: Vec<(String, String)> = list
        .trim_end_matches('.')
        .split("; ")
        .filter_map(|entry| entry.split_once(' '))
        .map(|(code, means)| (code.to_owned(), capitalized(means)))
        .collect();
    if codes.iter().all(|(code, _)| code.parse::<u8>().is_ok()) {
        Ok(codes)
    } else {
        Err(format!("args.rs: not a list of exit codes: {list}"))
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The examples of all help texts, each once.
fn examples(cli: &Command) -> String {
    let mut lines: Vec<String> = Vec::new();
    let commands = leaves(cli);
    let helps = commands.iter().map(|leaf| text(leaf.command.get_after_help())).chain([text(cli.get_after_help())]);
    for help in helps {
        for line in
            help.lines().map(str::trim).filter(|line| line.contains("netify-licensed ") && !line.starts_with("Example"))
        {
            if !lines.iter().any(|known| known == line) {
                lines.push(line.to_owned());
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roff::escape;

    #[test]
    fn every_command_and_flag_has_its_place() {
        let page = page().expect("a page");
        let mut cli = Cli::command();
        cli.build();
        let commands = leaves(&cli);
        assert!(commands.len() >= 16, "{}", commands.len());
        for leaf in &commands {
            assert!(page.contains(&format!(".SS {}", bold(&leaf.words))), "{}", leaf.words);
            for argument in leaf.command.get_arguments().filter(|argument| is_own(argument)) {
                let name = argument
                    .get_long()
                    .map_or_else(|| italic(&value_name(argument)), |long| bold(&format!("--{long}")));
                assert!(page.contains(&name), "{} {name}", leaf.words);
            }
        }
    }

    #[test]
    fn the_contracts_exit_codes() {
        let codes = exit_codes(&Cli::command()).expect("codes");
        let numbers: Vec<&str> = codes.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "78"]);
        assert_eq!(escape(&codes[1].1), "Operation failed");
    }
}
