//! How much of a stream may be sent before the receiver says that it took some in.

/// How many bytes may be under way in one direction of one request.
pub const WINDOW: u32 = 1 << 20;

/// How many bytes one message of data holds, at the most.
pub const CHUNK: usize = 64 * 1024;

/// A sender's side of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    left: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { left: WINDOW }
    }
}

impl Window {
    /// How many of so many bytes may be sent now, in one message.
    #[must_use]
    pub fn fits(&self, bytes: usize) -> usize {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        bytes.min(left).min(CHUNK)
    }

    /// So many bytes were sent. More than fit leave nothing.
    pub fn sent(&mut self, bytes: usize) {
        self.left = self
            .left
            .saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// The receiver took so many bytes in. It cannot give more than there was.
    pub fn taken(&mut self, bytes: u32) {
        self.left = self.left.saturating_add(bytes).min(WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, WINDOW, Window};

    #[test]
    fn a_sender_waits_once_the_window_is_full() {
        let mut window = Window::default();
        let mut sent = 0;
        while window.fits(1 << 30) > 0 {
            assert!(window.fits(1 << 30) <= CHUNK);
            sent += window.fits(1 << 30);
            window.sent(window.fits(1 << 30));
        }
        assert_eq!(sent, WINDOW as usize);
        window.taken(10);
        assert_eq!(window.fits(100), 10);
        assert_eq!(window.fits(3), 3);
        window.taken(u32::MAX);
        assert_eq!(window, Window::default());
    }
}
