//! One job for each item, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls `job` for each item; the results have the items' order. Each thread calls `init` once, for what
/// it uses again and again. Below `least` items for each thread, starting one costs more than it saves.
pub fn map<T: Sync, S, R: Send>(
    items: &[T],
    least: usize,
    init: impl Fn() -> S + Sync,
    job: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    // Threads take the next item as they get free: sizes differ too much for equal shares.
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut own, mut done) = (init(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return done;
            };
            done.push((at, job(&mut own, item)));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(items.len() / least);
    let done = thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    for (at, result) in done {
        results[at] = Some(result);
    }
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    /// Each job waits for the other one to run: behind each other neither would meet it.
    #[test]
    fn jobs_run_side_by_side() {
        if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
            return;
        }
        let (running, changed) = (Mutex::new(0), Condvar::new());
        let met = super::map(
            &[(), ()],
            1,
            || (),
            |(), ()| {
                let mut count = running.lock().unwrap();
                *count += 1;
                changed.notify_all();
                let patience = Duration::from_secs(20);
                let waited = changed.wait_timeout_while(count, patience, |count| *count < 2);
                *waited.unwrap().0
            },
        );
        assert_eq!(met, [2, 2]);
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        for count in [0, 1, 15, 16, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(super::map(&items, 16, || (), |(), item| item * 2), doubled);
        }
    }
}
