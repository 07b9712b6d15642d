//! A gateway for tests: a ROUTER on a thread of its own that does what a script says.

use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// The socket it came from.
    pub peer: Vec<u8>,
    /// The order.
    pub body: Value,
}

/// Something to send, after a pause.
pub struct Reply {
    to: Vec<u8>,
    after: Duration,
    frames: Vec<Vec<u8>>,
}

impl Request {
    pub fn reply(&self, body: impl Into<Vec<u8>>) -> Reply {
        self.reply_frames(vec![body.into()])
    }

    pub fn reply_frames(&self, frames: Vec<Vec<u8>>) -> Reply {
        Reply { to: self.peer.clone(), after: Duration::ZERO, frames }
    }

    /// A v43 fill of this order.
    pub fn fill(&self, ticket: i64) -> Reply {
        self.reply(json!({"uuid": self.body["uuid"], "status": "FILLED", "ticket": ticket, "price": 1.1}).to_string())
    }

    /// A v43 refusal of this order.
    pub fn refuse(&self, code: &str) -> Reply {
        self.reply(json!({"uuid": self.body["uuid"], "status": "REJECTED", "error_code": code}).to_string())
    }
}

impl Reply {
    /// The only frame.
    pub fn frame(&self) -> Vec<u8> {
        self.frames[0].clone()
    }

    pub fn after_ms(mut self, pause: u64) -> Self {
        self.after = Duration::from_millis(pause);
        self
    }
}

/// A running gateway; dropping it stops it.
pub struct Gateway {
    pub address: String,
    received: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// `script` sees all requests so far whenever one arrives, the newest last.
    pub fn start(script: impl FnMut(&[Request]) -> Vec<Reply> + Send + 'static) -> Self {
        Self::start_at("tcp://127.0.0.1:*", script)
    }

    pub fn start_at(address: &str, mut script: impl FnMut(&[Request]) -> Vec<Reply> + Send + 'static) -> Self {
        let context = zmq::Context::new();
        let socket = context.socket(zmq::ROUTER).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(10).unwrap();
        socket.bind(address).unwrap();
        let address = socket.get_last_endpoint().unwrap().unwrap();
        let (received, stop) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let (all, stopped) = (received.clone(), stop.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Ok(frames) = socket.recv_multipart(0) else { continue };
                assert_eq!(frames.len(), 3, "peer, delimiter, one frame");
                let body = serde_json::from_slice(&frames[2]).unwrap();
                let requests = {
                    let mut all = all.lock().unwrap();
                    all.push(Request { peer: frames[0].clone(), body });
                    all.clone()
                };
                for Reply { to, after, frames } in script(&requests) {
                    thread::sleep(after);
                    let _ = socket.send_multipart([vec![to, Vec::new()], frames].concat(), 0);
                }
            }
        });
        Self { address, received, stop, thread: Some(thread) }
    }

    /// What has arrived so far.
    pub fn received(&self) -> Vec<Request> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
