//! The user that `run-as` names. Only root can become another.

use std::path::Path;

use rustix::process::geteuid;

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whether this process may become another user.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// The user of that name.
pub(crate) fn find(name: &str) -> Result<User, String> {
    let text = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    find_in(&text, name).ok_or_else(|| format!("this machine has no user {name}"))
}

fn find_in(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        Some(User {
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

/// Lets other users into a folder and through those above it, and write the saved environment in it.
pub(crate) fn open_to_others(scratch: &Path) -> std::io::Result<()> {
    add_mode(scratch, 0o777)?;
    for file in std::fs::read_dir(scratch)? {
        add_mode(&file?.path(), 0o666)?;
    }
    for folder in scratch.ancestors().skip(1) {
        if folder != Path::new("/") {
            add_mode(folder, 0o001)?;
        }
    }
    Ok(())
}

fn add_mode(path: &Path, bits: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & bits == bits {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:n:/:/bin/false\n";
        let nobody = User {
            uid: 65534,
            gid: 65533,
        };
        assert_eq!(find_in(passwd, "nobody"), Some(nobody));
        assert_eq!(find_in(passwd, "nobod"), None);
    }
}
