//! The guard is gone by then, or the lock suspends.

use std::sync::Mutex;

struct Client {
    session: Mutex<u32>,
    shared: tokio::sync::Mutex<u32>,
}

async fn send(_: u32) {}

impl Client {
    async fn copied(&self) {
        let session = *self.session.lock().unwrap();
        send(session).await;
    }

    async fn dropped(&self) {
        let session = self.session.lock().unwrap();
        let copy = *session;
        drop(session);
        send(copy).await;
    }

    async fn of_tokio(&self) {
        let shared = self.shared.lock().await;
        send(*shared).await;
    }

    fn started(&self) {
        let _session = self.session.lock().unwrap();
        let _later = async { send(1).await };
    }
}
