//! A v43 gateway on a ZeroMQ REP socket: one JSON frame in, one out. `broker` handles the messages.

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

/// Largest request that is read; a longer one closes the connection.
const REQUEST_BYTES_MAX: i64 = 64 << 10;

/// The gateway's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on; port 0 chooses a free one.
    pub addr: SocketAddr,
    /// The prices for fills.
    pub prices: PriceBoard,
    /// The price for fills that `prices` does not have; `None`: such an order is refused.
    pub price: Option<f64>,
}

/// A running gateway; stops when dropped.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
    broker: Arc<Mutex<Broker>>,
}

impl Gateway {
    /// The address it listens on, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Requests answered so far, including refused ones.
    pub fn requests(&self) -> u64 {
        self.server.requests()
    }

    /// Orders, positions and money at current prices.
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
        // The receiver may be gone if the thread has ended by itself.
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
    // Linger 0: otherwise a reply to a client that has disconnected would block the thread's end.
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
        // The dialect has one frame; with more, the first would be an incomplete request.
        let text = if request.len() == 1 { request.iter().next().map_or(&[][..], |frame| frame) } else { &[] };
        let reply = lock(broker).answer(text, Utc::now()).to_string();
        socket = sender.send(vec![reply.as_bytes()].into()).await?;
    }
}

#[cfg(test)]
mod tests;
