//! Shell completions, from the flag table.

use clap::{Command, CommandFactory};
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

/// A command without what its help hides: that is called by other programs.
fn visible(command: &Command) -> Command {
    // The program ends soon; a name has to live as long as it does.
    let name: &'static str = Box::leak(command.get_name().to_owned().into_boxed_str());
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
    let mut copy = Command::new(name).args(arguments);
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    // Whether there is more to read than a line shows in what is said of --help.
    if let Some(about) = command.get_long_about() {
        copy = copy.long_about(about.clone());
    }
    if command.get_version().is_some() {
        copy = copy.version("");
    }
    command.get_subcommands().filter(|each| !each.is_hide_set()).fold(copy, |copy, each| copy.subcommand(visible(each)))
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut visible(&Cli::command()), NAME, &mut bytes);
    // clap_complete 4.6 names the function of a subcommand in two ways when the program's name has a hyphen, and then
    // completes nothing behind a subcommand.
    String::from_utf8_lossy(&bytes).replace("netify__subcmd__licensed", "netify__licensed")
}
