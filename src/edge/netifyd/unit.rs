//! What systemd says about a unit.

/// The part of it that a reload needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) installed: bool,
    pub(super) active: bool,
    pub(super) main_pid: i32,
}

impl Unit {
    /// From the unit's properties `LoadState`, `ActiveState` and `MainPID`.
    pub(super) fn new(load_state: &str, active_state: &str, main_pid: i32) -> Self {
        let active = matches!(active_state, "active" | "reloading" | "refreshing");
        Self { installed: load_state == "loaded", active, main_pid }
    }
}
