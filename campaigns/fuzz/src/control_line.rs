//! Request lines of the control socket: read, written and read again, they stay the same.

use netify_licensed::core::control::{Command, parse};

pub fn run(data: &[u8]) {
    let Ok(command) = parse(data) else { return };
    let line = command.clone().line();
    assert!(!line.contains('\n'), "one request is one line");
    assert_eq!(parse(line.as_bytes()).as_ref(), Ok(&command));
    if let Ok(Some(request)) = command.request() {
        let again = Command::of(&request);
        assert_eq!(again.request(), Ok(Some(request)));
    }
}
