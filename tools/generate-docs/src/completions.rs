//! Shell completions, from the flag table.

use clap::CommandFactory;
use clap_complete::Shell;
use netify_licensed::cli::args::Cli;

const NAME: &str = "netify-licensed";

/// File names, as the shells look for them, with their content.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let files = [
        (Shell::Bash, "netify-licensed.bash"),
        (Shell::Zsh, "_netify-licensed"),
        (Shell::Fish, "netify-licensed.fish"),
    ];
    files.map(|(shell, file)| (file, script(shell))).to_vec()
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut bytes);
    // clap_complete 4.6 names the function of a subcommand in two ways when the program's name has a hyphen, and then
    // completes nothing behind a subcommand.
    String::from_utf8_lossy(&bytes).replace("netify__subcmd__licensed", "netify__licensed")
}
