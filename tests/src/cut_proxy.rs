//! A TCP proxy on loopback that cuts connections where a test says so.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A direction through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// A running proxy. Dropping it cuts everything.
pub struct CutProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many pieces went through, to the server and to the client.
    pieces: [AtomicUsize; 2],
    /// In which direction, and after how many pieces, everything is cut.
    cut: Mutex<Option<(Direction, usize)>>,
    /// Whether nobody is let through any more.
    is_closed: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl CutProxy {
    /// Starts a proxy in front of a server's port on 127.0.0.1.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("cannot listen");
        let port = listener.local_addr().expect("a port").port();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if own.is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let pairs = [
                    (Direction::ToServer, copy(&client), copy(&server)),
                    (Direction::ToClient, copy(&server), copy(&client)),
                ];
                own.streams().extend([client, server]);
                for (direction, from, to) in pairs {
                    let own = Arc::clone(&own);
                    std::thread::spawn(move || own.hand_on(direction, from, to));
                }
            }
        });
        Self { port, shared }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many pieces went through in this direction. A piece is what one side has written at once, or several of that.
    pub fn pieces(&self, direction: Direction) -> usize {
        self.shared.pieces[direction as usize].load(Ordering::SeqCst)
    }

    /// Counts pieces from 0 again, and cuts everything in place of this one. Nobody is let through afterwards.
    pub fn cut_at(&self, direction: Direction, piece: usize) {
        for pieces in &self.shared.pieces {
            pieces.store(0, Ordering::SeqCst);
        }
        *self.shared.cut() = Some((direction, piece));
        self.shared.is_closed.store(false, Ordering::SeqCst);
    }

    /// Whether it has cut.
    pub fn has_cut(&self) -> bool {
        self.shared.is_closed.load(Ordering::SeqCst)
    }

    /// Cuts everything now.
    pub fn cut(&self) {
        self.shared.cut_all();
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        *self.shared.cut() = None;
        self.shared.is_closed.store(false, Ordering::SeqCst);
    }
}

impl Drop for CutProxy {
    fn drop(&mut self) {
        self.shared.cut_all();
        // It notices that there is nothing to do any more.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) -> std::sync::MutexGuard<'_, Option<(Direction, usize)>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_all(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for stream in self.streams().drain(..) {
            // One that is closed already is what we want.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn hand_on(&self, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let piece = self.pieces[direction as usize].fetch_add(1, Ordering::SeqCst);
            let cut = *self.cut();
            if cut.is_some_and(|(of, at)| of == direction && at <= piece) {
                return self.cut_all();
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Write));
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("cannot copy a stream")
}
