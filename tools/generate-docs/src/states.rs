//! What each license state means and what to do about it: for the manual page and `docs/operating.md`.

use netify_licensed::core::license::verify::State;

/// What one state means.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// One sentence.
    pub means: &'static str,
    /// One or two sentences.
    pub to_do: &'static str,
}

/// What a state means.
#[must_use]
pub const fn meaning(state: State) -> Meaning {
    let (means, to_do) = match state {
        State::Valid => ("Signed by a trusted key, for this device, within its dates.", "Nothing to do."),
        State::Unchecked => (
            "Within its dates and for this device, but nobody checked the signature: `trust.mode` is `transport`.",
            "Nothing, if that was chosen. With the vendor's public key in `trust.keys`, set `trust.mode` to `signature`.",
        ),
        State::Expired => (
            "Genuine and for this device, but past its end. netifyd's plugins may have stopped.",
            "The daemon keeps asking the hub. `netify-licensed renew` tries now and prints the hub's answer.",
        ),
        State::NotYetValid => (
            "Genuine and for this device, but issued more than five minutes in the future.",
            "Compare the clocks: `status` shows this device's against the hub's. It becomes valid by itself.",
        ),
        State::Missing => (
            "There is no license file.",
            "`netify-licensed renew` fetches one, `netify-licensed provision` creates one, `netify-licensed install FILE` takes one from a file.",
        ),
        State::Unreadable => (
            "There is a file, but it cannot be read: rights, a directory in its place, a failing disk.",
            "Correct what the sentence under Problems names; the daemon looks again every minute.",
        ),
        State::Malformed => (
            "The file is no license document: cut off, overwritten, ambiguous, or larger than 64 KiB.",
            "If a good license was kept, the daemon puts it back by itself; `netify-licensed renew` fetches it anew.",
        ),
        State::Unsigned => (
            "A license document without a signature.",
            "Fetch it anew with `netify-licensed renew`. If the hub sends it like that, ask the vendor, or choose `trust.mode` `transport`.",
        ),
        State::BadSignature => (
            "No trusted key made this signature: the document was altered, or the wrong key is trusted.",
            "Compare the ids that `netify-licensed config check` prints with the key that the vendor published.",
        ),
        State::WrongDevice => (
            "Genuine, but bound to another device, or this device's id is not known.",
            "`netify-licensed duid --all` shows the ids of this device. A license that came with a copied disk image has to be replaced.",
        ),
        State::ClockUntrusted => (
            "Genuine and for this device, but this machine's clock cannot be believed, so its dates are not judged.",
            "Set the clock, or start a time service. On a machine without one, `clock.trust` can be set to `always`.",
        ),
    };
    Meaning { means, to_do }
}
