//! Copying content within the host: by the file system in no time, else by the kernel, else by hand.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::io::Errno;

use crate::compare::BLOCK;

/// Makes an empty file hold the first `length` bytes of another one.
pub(crate) fn begin_with(from: &File, to: &File, length: u64) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return to.set_len(length);
    }
    range(from, 0, to, 0, length)
}

/// Copies a part of a file to a place in another one.
pub(crate) fn range(
    from: &File,
    mut at: u64,
    to: &File,
    mut put: u64,
    length: u64,
) -> io::Result<()> {
    let end = at + length;
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut at), to, Some(&mut put), most) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => return Err(error.into()),
            // Another file system, or one that cannot.
            Err(_) => return by_hand(from, at, to, put, end - at),
        }
    }
    Ok(())
}

fn by_hand(from: &File, at: u64, to: &File, put: u64, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    let mut done = 0;
    while done < length {
        let most = (length - done).min(BLOCK as u64) as usize;
        from.read_exact_at(&mut buffer[..most], at + done)?;
        to.write_all_at(&buffer[..most], put + done)?;
        done += most as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};

    #[test]
    fn parts_are_copied_by_the_kernel_and_by_hand_alike() {
        let content = crate::tests::noise(700_000, 3);
        let mut from = tempfile::tempfile().unwrap();
        from.write_all(&content).unwrap();
        type Copy = fn(&File, u64, &File, u64, u64) -> std::io::Result<()>;
        for copy in [super::range as Copy, super::by_hand] {
            let mut to = tempfile::tempfile().unwrap();
            copy(&from, 100, &to, 7, 600_000).unwrap();
            let mut found = Vec::new();
            to.rewind().unwrap();
            to.read_to_end(&mut found).unwrap();
            assert!(found[..7] == [0; 7] && found[7..] == content[100..600_100]);
            assert!(copy(&from, 699_999, &to, 0, 2).is_err());
        }
        let whole = tempfile::tempfile().unwrap();
        super::begin_with(&from, &whole, 500_000).unwrap();
        assert_eq!(whole.metadata().unwrap().len(), 500_000);
    }
}
