//! Reads and writes that may wait for a disk: one after the other, beside the event loop, which a file system that hangs
//! must not stop.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Mutex;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Whose turn it is: a fair lock, so the order is that of the calls.
    turn: Rc<Mutex<()>>,
    left: Rc<RefCell<Vec<&'static str>>>,
}

impl Disk {
    /// Does `work` when all that was asked for before has ended, then `done` on the event loop. Needs a `LocalSet`.
    pub fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        self.left.borrow_mut().push(what);
        let this = self.clone();
        tokio::task::spawn_local(async move {
            let _turn = this.turn.lock().await;
            let result = tokio::task::spawn_blocking(work).await;
            this.left.borrow_mut().remove(0);
            // It fails only when the run has ended.
            if let Ok(result) = result {
                done(result);
            }
        });
    }

    /// Waits until all that was asked for before has ended.
    pub async fn barrier(&self) {
        drop(self.turn.lock().await);
    }

    /// Waits until nothing is left.
    pub async fn idle(&self) {
        while !self.left.borrow().is_empty() {
            // Work that was asked for but has not begun to wait for its turn comes first.
            tokio::task::yield_now().await;
            self.barrier().await;
        }
    }

    /// What has not ended, the oldest first.
    #[must_use]
    pub fn left(&self) -> Vec<&'static str> {
        self.left.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_in_order_and_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let disk = Disk::default();
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (release, wait) = std::sync::mpsc::channel::<()>();
            let first = Rc::clone(&seen);
            disk.run("one", move || assert!(wait.recv().is_err()), move |()| first.borrow_mut().push(1));
            let second = Rc::clone(&seen);
            disk.run("two", || 2, move |number| second.borrow_mut().push(number));
            assert_eq!(disk.left(), ["one", "two"]);
            tokio::task::yield_now().await;
            assert!(seen.borrow().is_empty());
            drop(release);
            disk.idle().await;
            assert_eq!((seen.borrow().as_slice(), disk.left().len()), (&[1, 2][..], 0));
        });
    }
}
