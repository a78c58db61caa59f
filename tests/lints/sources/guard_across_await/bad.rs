//! A guard that blocks, held while the task is suspended.

use std::sync::Mutex;

struct Client {
    session: Mutex<u32>,
}

async fn send(_: u32) {}

impl Client {
    async fn call(&self) {
        let session = self.session.lock().unwrap(); //~ guard_across_await
        send(*session).await;
    }

    async fn in_the_call(&self) {
        send(*self.session.lock().unwrap()).await; //~ guard_across_await
    }

    fn block(&self) -> impl Future<Output = ()> + '_ {
        async move {
            let _session = self.session.lock().unwrap(); //~ guard_across_await
            send(1).await;
        }
    }
}
