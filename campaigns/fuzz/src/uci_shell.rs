//! A shell like the router's, which maps one case after the other with the real script.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What became of one case.
#[derive(Debug)]
pub struct Mapped {
    /// What `netify_licensed_write` returned.
    pub code: i32,
    /// The configuration, when one was written.
    pub text: Option<Vec<u8>>,
    pub errors: Vec<u8>,
}

/// The process; it ends, and removes its directory, when its standard input does.
pub struct Shell {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    directory: PathBuf,
    cases: u64,
}

impl Shell {
    /// busybox as on the router, and this system's own shell: every one that is there.
    pub fn all() -> Vec<Self> {
        let shells = [("busybox", &["sh"][..]), ("dash", &[])];
        let found: Vec<Self> =
            shells.iter().filter_map(|(name, first)| Some(Self::start(&program(name)?, first))).collect();
        if found.is_empty() { vec![Self::start(&program("sh").expect("there is a shell"), &[])] } else { found }
    }

    fn start(shell: &Path, first: &[&str]) -> Self {
        let name = shell.file_name().unwrap_or_default().display();
        let directory = std::env::temp_dir().join(format!("netify-licensed-uci-{}-{name}", std::process::id()));
        let commands = directory.join("commands");
        fs::create_dir_all(&commands).expect("a directory of our own");
        // Nothing else can be called by its name.
        for tool in ["mkdir", "mv", "rm"] {
            std::os::unix::fs::symlink(program(tool).expect("a basic tool"), commands.join(tool)).expect("a link");
        }
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(shell)
            .args(first)
            .arg(fuzz.join("uci-driver.sh"))
            .arg(fuzz.join("../../packaging/openwrt/uci-to-toml.sh"))
            .current_dir(&directory)
            .env_clear()
            .env("PATH", &commands)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { _child: child, input, output, directory, cases: 0 }
    }

    /// Maps a configuration in the form of `uci export`.
    pub fn map(&mut self, export: &[u8]) -> Mapped {
        self.cases += 1;
        let written = self.directory.join("out/config.toml");
        fs::write(self.directory.join("case"), export).expect("the case is written");
        writeln!(self.input, "{}", self.cases).expect("the shell lives");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the shell answers in text");
        let (number, code) = line.trim_end().split_once(' ').expect("the shell lives and answers");
        assert_eq!(number, self.cases.to_string(), "an answer to another case");
        let mapped = Mapped {
            code: code.parse().expect("a number"),
            text: fs::read(&written).ok(),
            errors: fs::read(self.directory.join("errors")).expect("the shell's errors"),
        };
        if mapped.text.is_some() {
            fs::remove_file(&written).expect("removed");
        }
        // A value that is run or redirected leaves something behind.
        assert_eq!(names(&self.directory), ["case", "commands", "errors", "out"]);
        assert!(names(&self.directory.join("out")).is_empty());
        mapped
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
}
