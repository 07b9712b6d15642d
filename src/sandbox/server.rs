//! A sandbox server on its own threads, so that it works with or without another actix System.

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

/// Requests answered by a server; clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestCount(Arc<AtomicU64>);

impl RequestCount {
    /// Counts a request.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// For `HttpServer::on_connect`: without it, an answer of several packets waits 40 ms for the client's delayed ACK.
pub(super) fn send_at_once(connection: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        // A failure only costs speed.
        let _ = stream.set_nodelay(true);
    }
}

/// A running sandbox server; stops when dropped.
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
    /// Starts `serve` on a thread named after `name`; `serve` first sends its address and how to stop it.
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

    /// Starts the HTTP server built by `build`, which also returns its address.
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
                // Not gracefully, because this would wait for the daemon's keep-alive connections, and no data can be lost.
                let sent = started.send(Ok((addr, move || drop(handle.stop(false)))));
                if sent.is_ok() && server.await.is_err() {
                    tracing::error!("a sandbox server ended with an error");
                }
            });
        })
    }

    /// The address it listens on, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests answered so far, including refused ones.
    pub fn requests(&self) -> u64 {
        self.requests.0.load(Ordering::Relaxed)
    }

    /// Stops listening, drops requests in progress and waits for the threads to end (milliseconds).
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
            // The panic hook has already reported a panic of that thread.
            drop(thread.join());
        }
    }
}
