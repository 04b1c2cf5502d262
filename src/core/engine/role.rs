//! The role of this node in a pair of which one is active: while `renewal.active-file` does not exist, it is on standby.

use super::{Engine, Level};

/// What was seen of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveFile {
    /// It exists, or none is configured: this node is active.
    Present,
    /// It does not exist.
    Absent,
    /// It cannot be looked at: one sentence. The role stays as it was.
    Unknown(String),
}

/// The role, and why it may be out of date.
#[derive(Debug, Default)]
pub(super) struct Role {
    pub(super) is_standby: bool,
    pub(super) trouble: Option<String>,
}

impl Engine {
    pub(super) fn role_seen(&mut self, seen: ActiveFile) {
        let was_standby = self.cx.role.is_standby;
        let seen = if self.cx.config.renewal.active_file.is_none() { ActiveFile::Present } else { seen };
        self.cx.role.trouble = match seen {
            ActiveFile::Unknown(ref reason) => Some(format!("renewal.active-file: {reason}; the role stays as it was")),
            _ => None,
        };
        if self.cx.role.trouble.is_none() {
            self.cx.role.is_standby = seen == ActiveFile::Absent;
        }
        match (was_standby, self.cx.role.is_standby) {
            (false, true) => self.note(Level::Info, "this node is on standby: renewal.active-file does not exist"),
            (true, false) => self.take_over(),
            _ => {}
        }
    }

    /// The license is read and judged at once, whatever the other node left; a wait from before is over, and so is the
    /// limit on restores, once.
    fn take_over(&mut self) {
        self.note(Level::Info, "this node takes over: renewal.active-file exists");
        self.lift_restore_limit();
        self.not_before = None;
        self.cx.volatile.not_before = None;
        self.read_license();
    }
}
