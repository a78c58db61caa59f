//! Handles travel as messages, and unsized work as boxes.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

pub fn main() {
    let (requests, inbox) = mpsc::channel::<(u32, mpsc::Sender<u32>)>();
    let server =
        thread::spawn(move || inbox.into_iter().for_each(|(number, reply)| drop(reply.send(number * 2))));
    for number in 0..3 {
        let (reply, answer) = mpsc::channel();
        requests.send((number, reply)).unwrap();
        println!("{:?} {:?}", answer.recv(), answer.recv());
    }
    drop(requests);
    server.join().unwrap();
    let (jobs, work) = mpsc::channel::<Box<dyn FnOnce() -> u8 + Send>>();
    jobs.send(Box::new(|| 7)).unwrap();
    println!("{}", work.recv().unwrap()());
    let work = Arc::new(Mutex::new(work));
    let other = Arc::clone(&work);
    let worker = thread::spawn(move || other.lock().unwrap().recv().map(|job| job()));
    jobs.send(Box::new(|| 8)).unwrap();
    println!("{:?}", worker.join().unwrap());
}
