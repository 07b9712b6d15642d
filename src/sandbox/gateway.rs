//! A v43 gateway on a ZeroMQ REP socket: one frame of JSON in, one out. What the messages mean is in `broker`.

use super::{
    PriceBoard,
    account::Summary,
    broker::Broker,
    lock,
    server::{RequestCount, Server},
};
use chrono::Utc;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
};
use tmq::{AsZmqSocket, request_reply::RequestReceiver};
use tokio::sync::oneshot;

/// Largest request that is read; a longer one costs the client its connection.
const REQUEST_BYTES_MAX: i64 = 64 << 10;

/// How the gateway runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub addr: SocketAddr,
    /// What it fills at.
    pub prices: PriceBoard,
    /// What it fills at where `prices` knows nothing; `None`: such an order is refused.
    pub price: Option<f64>,
}

/// A running gateway. Stops when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
    broker: Arc<Mutex<Broker>>,
}

impl Gateway {
    /// Where it listens; the real port if port 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Requests answered so far, refused ones included.
    pub fn requests(&self) -> u64 {
        self.server.requests()
    }

    /// Orders, positions and money at present prices.
    pub fn summary(&self) -> Summary {
        lock(&self.broker).summary()
    }

    /// Stops listening and waits for the thread to end.
    pub fn stop(self) {
        self.server.stop();
    }
}

/// Starts the gateway.
///
/// # Errors
/// When the address cannot be bound.
pub fn start(config: Config) -> io::Result<Gateway> {
    let requests = RequestCount::default();
    let count = requests.clone();
    let broker = Arc::new(Mutex::new(Broker::new(config.prices, config.price)));
    let served = broker.clone();
    let server = Server::spawn("gateway", requests, move |started| {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        runtime.block_on(serve(config.addr, &served, &count, &started));
    })?;
    Ok(Gateway { server, broker })
}

type Started = mpsc::Sender<io::Result<(SocketAddr, Box<dyn FnOnce() + Send + Sync>)>>;

async fn serve(addr: SocketAddr, broker: &Mutex<Broker>, count: &RequestCount, started: &Started) {
    let context = tmq::Context::new();
    let (addr, socket) = match bind(&context, addr) {
        Ok(bound) => bound,
        Err(error) => return drop(started.send(Err(error))),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let stop = move || {
        // Nobody listens any more once the thread has ended by itself.
        let _ = stop.send(());
    };
    if started.send(Ok((addr, Box::new(stop)))).is_err() {
        return;
    }
    tokio::select! {
        _ = stopped => {}
        Err(error) = answer_all(socket, broker, count) => tracing::error!(%error, "the sandbox gateway ended"),
    }
}

fn bind(context: &tmq::Context, addr: SocketAddr) -> io::Result<(SocketAddr, RequestReceiver)> {
    // Linger 0: otherwise a reply to a client that is gone keeps the thread from ending.
    let builder = tmq::reply(context).set_linger(0).set_ipv6(addr.is_ipv6()).set_maxmsgsize(REQUEST_BYTES_MAX);
    let socket = builder.bind(&format!("tcp://{addr}")).map_err(|error| match error {
        tmq::TmqError::Zmq(error) => io::Error::from_raw_os_error(error.to_raw()),
        error => io::Error::other(error),
    })?;
    let endpoint = socket.get_socket().get_last_endpoint().map_err(io::Error::other)?.unwrap_or_default();
    let addr = endpoint.trim_start_matches("tcp://").parse().map_err(io::Error::other)?;
    Ok((addr, socket))
}

async fn answer_all(mut socket: RequestReceiver, broker: &Mutex<Broker>, count: &RequestCount) -> tmq::Result<()> {
    loop {
        let (request, sender) = socket.recv().await?;
        count.add();
        // The dialect has one frame; of more, the first alone would be half a request.
        let text = if request.len() == 1 { request.iter().next().map_or(&[][..], |frame| frame) } else { &[] };
        let reply = lock(broker).answer(text, Utc::now()).to_string();
        socket = sender.send(vec![reply.as_bytes()].into()).await?;
    }
}

#[cfg(test)]
mod tests;
