//! Running as another user, as netifyd does once it is set up.

use std::fs;
use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Account {
    /// Reads `NAME`, `UID` or either with `:GID`; names and primary groups come from /etc/passwd. A number that
    /// is not listed there is its own group.
    pub fn parse(text: &str) -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::parse_with(text, &passwd)
    }

    fn parse_with(text: &str, passwd: &str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let listed = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (name, uid, gid) = (fields.first()?, fields.get(2)?, fields.get(3)?);
            let account = Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
            (*name == user || *uid == user).then_some(account)
        });
        let numeric = || user.parse().ok().map(|id| Self { uid: id, gid: id });
        let mut account = listed.or_else(numeric).ok_or_else(|| format!("there is no user {user:?}"))?;
        if let Some(group) = group {
            account.gid = group.parse().map_err(|_| format!("{group:?} is not a group id"))?;
        }
        // The kernel reads an id of all ones as "leave as it is".
        if account.uid == u32::MAX || account.gid == u32::MAX {
            return Err(format!("{text:?} is not a user"));
        }
        Ok(account)
    }

    /// Becomes this account for good.
    ///
    /// Linux keeps credentials per thread: to be called while there is only one, so that all later ones inherit.
    pub(crate) fn assume(self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let already = rustix::process::geteuid() == uid && rustix::process::getegid() == gid;
        if already && !uid.is_root() {
            return Ok(());
        }
        let failed = |error| io::Error::other(format!("cannot become user {}:{}: {error}", self.uid, self.gid));
        set_thread_groups(&[gid]).map_err(failed)?;
        set_thread_res_gid(gid, gid, gid).map_err(failed)?;
        set_thread_res_uid(uid, uid, uid).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnetify:x:990:980::/:/bin/false\nbroken\n";

    #[test]
    fn names_and_numbers() {
        let parsed = |text| Account::parse_with(text, PASSWD).map(|account| (account.uid, account.gid));
        assert_eq!(parsed("netify"), Ok((990, 980)));
        assert_eq!(parsed("990"), Ok((990, 980)));
        assert_eq!(parsed("netify:7"), Ok((990, 7)));
        assert_eq!(parsed("4242"), Ok((4242, 4242)));
        for wrong in ["nobody-here", "", "netify:x", "4294967295", "-1"] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}
