//! A gateway for tests: a ROUTER on a thread of its own that does what a script says about orders, and answers harmless
//! questions by itself.

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

/// What harmless questions are answered with.
pub struct Account {
    /// As v43 lists them; `None`: the question is not answered.
    pub positions: Option<Vec<Value>>,
    pub equity: f64,
    /// Actions of the questions so far.
    pub asked: Vec<String>,
}

impl Account {
    fn answer(&mut self, request: &Request) -> Option<Option<Reply>> {
        let action = request.body["action"].as_str()?;
        let id = &request.body["uuid"];
        let body = match action {
            "PING" => json!({"uuid": id, "status": "ok"}),
            "check_connection" => json!({"status": "ok"}),
            "HEARTBEAT" => json!({"req_id": request.body["req_id"], "status": "SUCCESS", "data": {}}),
            // The one question that two dialects call by the same name.
            "GET_POSITIONS" if request.body["req_id"].is_string() => {
                json!({"req_id": request.body["req_id"], "status": "SUCCESS", "data": self.positions})
            }
            "GET_ACCOUNT" => json!({"uuid": id, "status": "ok", "balance": self.equity, "equity": self.equity}),
            "GET_POSITIONS" => match &self.positions {
                Some(positions) => json!({"uuid": id, "status": "ok", "positions": positions}),
                None => Value::Null,
            },
            _ => return None,
        };
        self.asked.push(action.to_owned());
        Some((!body.is_null()).then(|| request.reply(body.to_string())))
    }
}

/// A running gateway; dropping it stops it.
pub struct Gateway {
    pub address: String,
    received: Arc<Mutex<Vec<Request>>>,
    account: Arc<Mutex<Account>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// `script` sees all orders so far whenever one arrives, the newest last.
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
        let account = Account { positions: Some(Vec::new()), equity: 1_000.0, asked: Vec::new() };
        let account = Arc::new(Mutex::new(account));
        let (all, stopped, questions) = (received.clone(), stop.clone(), account.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Ok(frames) = socket.recv_multipart(0) else { continue };
                assert_eq!(frames.len(), 3, "peer, delimiter, one frame");
                let body = serde_json::from_slice(&frames[2]).unwrap();
                let request = Request { peer: frames[0].clone(), body };
                let answered = questions.lock().unwrap().answer(&request);
                let replies = match answered {
                    Some(reply) => reply.into_iter().collect(),
                    None => {
                        let mut all = all.lock().unwrap();
                        all.push(request);
                        script(&all)
                    }
                };
                for Reply { to, after, frames } in replies {
                    thread::sleep(after);
                    let _ = socket.send_multipart([vec![to, Vec::new()], frames].concat(), 0);
                }
            }
        });
        Self { address, received, account, stop, thread: Some(thread) }
    }

    /// What questions are answered with, and which were asked.
    pub fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// The orders that have arrived so far.
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
