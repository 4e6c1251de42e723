//! A TCP connection over a long way: what is sent arrives later, and the round trips are counted.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A port of this machine that leads to another one, with added latency.
pub struct SlowLink {
    port: u16,
    longest: Arc<Mutex<u32>>,
}

impl SlowLink {
    /// Leads to `port`; a question and its answer take `round_trip` longer.
    ///
    /// # Panics
    /// When no port can be opened.
    pub fn start(port: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("no free port");
        let own = listener.local_addr().expect("it is bound").port();
        let longest = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&longest);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                carry(client, server, round_trip / 2, &seen);
            }
        });
        Self { port: own, longest }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The round trips of the connection that had the most, its beginning by TCP not counted: the longest chain of
    /// something that a client sent, an answer after that had arrived, something sent after that answer had arrived, and
    /// so on. What is answered to a client that has closed its end is not waited for, and not counted.
    pub fn round_trips(&self) -> u32 {
        *self.longest.lock().unwrap()
    }
}

/// How many round trips lie behind what each side knows.
#[derive(Default)]
struct Known {
    client: u32,
    server: u32,
    /// The client waits for nothing any more.
    is_over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Server,
    Client,
}

type Way = Arc<(Mutex<VecDeque<(Instant, u32, Vec<u8>)>>, Condvar)>;

fn carry(client: TcpStream, server: TcpStream, delay: Duration, longest: &Arc<Mutex<u32>>) {
    let known = Arc::new(Mutex::new(Known::default()));
    let pair = |stream: &TcpStream| {
        drop(stream.set_nodelay(true));
        stream.try_clone().expect("it can be cloned")
    };
    for (from, to, towards) in [
        (pair(&client), pair(&server), Towards::Server),
        (server, client, Towards::Client),
    ] {
        let way = Way::default();
        let (filled, known_to_sender) = (Arc::clone(&way), Arc::clone(&known));
        std::thread::spawn(move || take(from, &filled, towards, &known_to_sender, delay));
        let (known, longest) = (Arc::clone(&known), Arc::clone(longest));
        std::thread::spawn(move || deliver(to, &way, towards, &known, &longest));
    }
}

/// Reads what one side sends; an empty message is its end.
fn take(mut from: TcpStream, way: &Way, towards: Towards, known: &Mutex<Known>, delay: Duration) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let round_trips = {
            let mut known = known.lock().unwrap();
            match towards {
                Towards::Server => {
                    known.is_over |= count == 0;
                    known.client
                }
                Towards::Client => known.server,
            }
        };
        let (queue, changed) = &**way;
        let message = (
            Instant::now() + delay,
            round_trips,
            buffer[..count].to_vec(),
        );
        queue.lock().unwrap().push_back(message);
        changed.notify_one();
        if count == 0 {
            return;
        }
    }
}

/// Hands it to the other side once it is due.
fn deliver(
    mut to: TcpStream,
    way: &Way,
    towards: Towards,
    known: &Mutex<Known>,
    longest: &Mutex<u32>,
) {
    let (queue, changed) = &**way;
    loop {
        let queued = queue.lock().unwrap();
        let mut queued = changed
            .wait_while(queued, |queued| queued.is_empty())
            .unwrap();
        let (due, round_trips, bytes) = queued.pop_front().unwrap();
        drop(queued);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        {
            let mut known = known.lock().unwrap();
            match towards {
                Towards::Server => known.server = known.server.max(round_trips + 1),
                Towards::Client if known.is_over => {}
                Towards::Client => known.client = known.client.max(round_trips),
            }
            let mut longest = longest.lock().unwrap();
            *longest = known.client.max(*longest);
        }
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            drop(to.shutdown(Shutdown::Write));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SlowLink;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn each_answered_question_is_a_round_trip_and_takes_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // It speaks first, as an SSH server does; that costs no round trip.
            stream.write_all(b"!").unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                stream.write_all(&byte).unwrap();
            }
        });
        let link = SlowLink::start(port, Duration::from_millis(40));
        let mut stream = TcpStream::connect(("127.0.0.1", link.port())).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(link.round_trips(), 0);
        let began = Instant::now();
        for question in [b"1", b"2", b"3"] {
            stream.write_all(question).unwrap();
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, question);
        }
        assert!(began.elapsed() >= Duration::from_millis(120));
        assert_eq!(link.round_trips(), 3);
        // What is asked at once costs one.
        stream.write_all(b"45").unwrap();
        let mut both = [0; 2];
        stream.read_exact(&mut both).unwrap();
        assert_eq!(link.round_trips(), 4);
    }
}
