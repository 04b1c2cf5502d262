//! Text that others wrote, made fit for a message: licenses, hubs and relays choose names that end in logs and terminals.

/// Longest foreign text in a message, in characters.
const LONGEST: usize = 300;
/// Most entries of a foreign list in a message.
const MOST: usize = 16;

/// One line of bounded length, without control characters and without those that reorder the text around them.
#[must_use]
pub fn one_line(text: &str) -> String {
    let clean: String = text.chars().take(LONGEST).map(|c| if is_hostile(c) { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text whose other characters all matter, without those that act on a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_hostile(*c)).collect()
}

/// The same of several lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hostile(*c)).collect()
}

/// Names in one line, separated by commas; very many are counted instead.
#[must_use]
pub fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST).map(|name| one_line(name)).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Control characters (C0 and C1), Unicode's line ends, and its controls of direction (UAX #9).
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_acts_on_a_terminal() {
        assert_eq!(one_line(" a\u{1b}[31m\r\n\tb\u{9b}c\u{2028}d\u{202e}e "), "a [31m b c d e");
        let hostile = "a\u{1b}[31m\r\n\u{9b}b\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}c";
        assert_eq!((clean(hostile).as_str(), clean_lines(hostile).as_str()), ("a[31mbc", "a[31m\nbc"));
        assert_eq!(one_line("Qu\u{e9}bec \u{1f600}"), "Qu\u{e9}bec \u{1f600}");
        assert_eq!(one_line(&"x".repeat(1_000)).len(), LONGEST);
    }

    #[test]
    fn long_lists_are_counted() {
        let names = |count: usize| vec!["a\n".to_owned(); count];
        assert_eq!(list(&names(2)), "a, a");
        assert!(list(&names(20)).ends_with("a and 4 more"));
    }
}
