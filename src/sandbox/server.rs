//! A sandbox server on threads of its own, so that it works beside any other actix System and alone.

use actix_web::{
    dev::{Extensions, Server as HttpServer, ServerHandle},
    rt::net::TcpStream,
};
use std::{
    any::Any,
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

/// Requests a server answered; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestCount(Arc<AtomicU64>);

impl RequestCount {
    /// Counts one more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// For `HttpServer::on_connect`: without it an answer of several packets waits for the client's delayed ACK, 40 ms.
pub(super) fn send_at_once(connection: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        // Only speed is lost if it fails.
        let _ = stream.set_nodelay(true);
    }
}

/// A running sandbox server. Stops when it is dropped.
pub struct Server {
    addr: SocketAddr,
    requests: RequestCount,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts `serve` on a thread called `name`; `serve` hands `stop`'s means over before it begins to wait.
    pub(super) fn spawn<S: FnOnce() + Send + Sync + 'static>(
        name: &str,
        requests: RequestCount,
        serve: impl FnOnce(mpsc::Sender<io::Result<(SocketAddr, S)>>) + Send + 'static,
    ) -> io::Result<Self> {
        let (started, ready) = mpsc::channel();
        let thread = thread::Builder::new().name(format!("sandbox-{name}")).spawn(move || serve(started))?;
        let (addr, stop) =
            ready.recv().unwrap_or_else(|_| Err(io::Error::other("the server's thread ended at start")))?;
        Ok(Self { addr, requests, stop: Some(Box::new(stop)), thread: Some(thread) })
    }

    /// Starts the HTTP server that `build` makes; `build` says where it listens.
    pub(super) fn spawn_http(
        name: &str,
        requests: RequestCount,
        build: impl FnOnce() -> io::Result<(SocketAddr, HttpServer)> + Send + 'static,
    ) -> io::Result<Self> {
        Self::spawn(name, requests, move |started| {
            actix_rt::System::new().block_on(async move {
                let (addr, server) = match build() {
                    Ok(built) => built,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let handle: ServerHandle = server.handle();
                // Not gracefully: the daemon's kept-alive connections would be waited for, and nothing can be lost.
                let sent = started.send(Ok((addr, move || drop(handle.stop(false)))));
                if sent.is_ok() && server.await.is_err() {
                    tracing::error!("a sandbox server ended with an error");
                }
            });
        })
    }

    /// Where it listens; the real port if port 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests answered so far, refused ones included.
    pub fn requests(&self) -> u64 {
        self.requests.0.load(Ordering::Relaxed)
    }

    /// Stops listening, drops what is under way and waits for the threads to end (milliseconds).
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was reported by the panic hook; there is nobody else to tell here.
            drop(thread.join());
        }
    }
}
