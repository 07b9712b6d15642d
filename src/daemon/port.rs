//! The metrics port of a running daemon: opened at start, or as soon as it is free. Trading never waits for it.

use super::http::{self, Deps, HttpConfig};
use actix_web::dev::ServerHandle;
use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, time::Duration};

/// Clones are the same port.
#[derive(Clone, Default)]
pub(super) struct Port(Rc<RefCell<Option<Serving>>>);

struct Serving {
    handle: ServerHandle,
    address: SocketAddr,
}

impl Port {
    /// Opens the port. If that fails it is logged once, and tried again after each `pause` for as long as the daemon runs.
    pub(super) fn open(config: HttpConfig, deps: Deps, pause: Duration) -> Self {
        let port = Self::default();
        let Err(error) = port.serve(&config, &deps) else { return port };
        let address = format!("{}:{}", config.host, config.port);
        tracing::error!(error = %error, address, "cannot listen for HTTP: trading continues without it, and the port is tried again");
        let retried = port.clone();
        actix_rt::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                if retried.serve(&config, &deps).is_ok() {
                    return;
                }
            }
        });
        port
    }

    fn serve(&self, config: &HttpConfig, deps: &Deps) -> io::Result<()> {
        let (server, address) = http::serve(config, deps.clone())?;
        tracing::info!(%address, "serving /metrics and /health");
        *self.0.borrow_mut() = Some(Serving { handle: server.handle(), address });
        actix_rt::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(error = %error, "HTTP ended; trading continues without it");
            }
        });
        Ok(())
    }

    /// Where it listens; `None` while it does not.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.borrow().as_ref().map(|serving| serving.address)
    }

    /// Closes it. Not gracefully: that waits a second for every scraper that keeps its connection.
    pub(super) async fn close(&self) {
        let serving = self.0.borrow_mut().take();
        if let Some(Serving { handle, .. }) = serving {
            handle.stop(false).await;
        }
    }
}
