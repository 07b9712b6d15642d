//! The console's listener: a page, and the JSON that it shows (config/console/README.md). Until somebody connects it is only a
//! socket: the thread of its server and the one that reads the journal start then. Trading never waits for it.

// The error of a handler is an answer, as actix-web has it.
#![allow(clippy::result_large_err)]

mod answers;
mod app_state;
mod assets;
mod facts;
mod halt;
mod link;
mod press;
mod reader;
mod refused;
mod routes;
mod security;
#[cfg(test)]
mod tests;
pub mod warnings;

use super::http::{self, DebugSpan, HttpConfig};
use actix::Recipient;
use actix_web::{
    App,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    web,
};
pub use facts::{Facts, SymbolFacts};
pub use link::ConsoleLink;
use reader::ReaderThread;
pub use security::SAFE_HEADERS;
use sentinel_actors::{
    domain::clock::Clock,
    messages::{NotePress, Telemetry},
    metrics::{GetHealth, GetMetrics},
};
use std::{
    cell::RefCell,
    io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tracing_actix_web::TracingLogger;

/// Longest body of a request: a reason has 200 characters.
pub const BODY_BYTES_MAX: usize = 4 * 1024;

/// How long its thread may take to end, more than a question takes.
const CLOSE_DEADLINE: Duration = Duration::from_millis(500);

/// What the console asks.
#[derive(Clone)]
pub struct Deps {
    /// MetricsActor.
    pub health: Recipient<GetHealth>,
    /// MetricsActor.
    pub metrics: Recipient<GetMetrics>,
    /// Journal: who pressed a button.
    pub press: Recipient<NotePress>,
    /// Counts what was pressed.
    pub telemetry: Telemetry,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// What does not change while the daemon runs.
    pub facts: Arc<Facts>,
}

/// The console of a running daemon. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Console(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    link: ConsoleLink,
    server: Option<ServerHandle>,
    reader: ReaderThread,
    is_closed: bool,
}

impl Console {
    /// Listens. If the port is taken, or the server cannot be started for its first client, that is logged, and it is tried
    /// again after each `pause` for as long as the daemon runs.
    pub(super) fn open(config: HttpConfig, deps: Deps, pause: Duration) -> Self {
        warnings::begin();
        let is_secure = config.protection.as_ref().is_some_and(crate::settings::Protection::has_tls);
        let console = Self::default();
        console.0.borrow_mut().link = ConsoleLink::new(is_secure);
        let opened = console.clone();
        let first = http::server::listen(&config.host, config.port);
        if let Err(error) = &first {
            let address = crate::net::authority(&config.host, config.port);
            tracing::warn!(error = %error, address, "no console: the address is taken or not this machine's; it is tried again");
        }
        // At once, not in the task, so that the address is known when this returns.
        let first = first.and_then(|listener| opened.listens(listener));
        actix_rt::spawn(async move {
            let mut listener = first.ok();
            let attempt = async || {
                if opened.0.borrow().is_closed {
                    return Ok(true);
                }
                let again =
                    || http::server::listen(&config.host, config.port).and_then(|listener| opened.listens(listener));
                // A port that is taken was said above.
                let Ok(listener) = listener.take().map_or_else(again, Ok) else { return Ok(false) };
                opened.serve(listener, &config, deps.clone()).await.map(|()| true)
            };
            until_it_ends(attempt, pause).await;
        });
        console
    }

    fn listens(&self, listener: TcpListener) -> io::Result<TcpListener> {
        let link = self.link();
        if link.set(listener.local_addr()?)
            && let Some((url, _)) = link.now()
        {
            tracing::info!(url, "the console listens");
        }
        Ok(listener)
    }

    /// Waits for the first client, and serves from then on.
    async fn serve(&self, listener: TcpListener, config: &HttpConfig, deps: Deps) -> io::Result<()> {
        // tokio tells when a listener has a client only by accepting it, and the server is to do that. It is not particular
        // about what a stream is, so the listener is watched as one; nothing is ever read from it.
        let watched = std::net::TcpStream::from(OwnedFd::from(listener.try_clone()?));
        tokio::net::TcpStream::from_std(watched)?.readable().await?;
        if self.0.borrow().is_closed {
            return Ok(());
        }
        let reader = self.0.borrow().reader.clone();
        let server = server(listener, config, deps, reader)?;
        self.0.borrow_mut().server = Some(server.handle());
        let ended = server.await;
        // Stopped, not failed: whatever it says then.
        if self.0.borrow().is_closed { Ok(()) } else { ended }
    }

    /// Where it listens; `None` while it does not.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.link().address()
    }

    /// The same, for other threads.
    pub(super) fn link(&self) -> ConsoleLink {
        self.0.borrow().link.clone()
    }

    /// Closes it, without waiting for browsers that keep their connection, and then the files that it reads.
    pub(super) async fn close(&self) {
        let (server, reader) = {
            let mut state = self.0.borrow_mut();
            state.is_closed = true;
            (state.server.take(), state.reader.clone())
        };
        if let Some(server) = server {
            server.stop(false).await;
        }
        let closed = web::block(move || reader.close());
        if !matches!(tokio::time::timeout(CLOSE_DEADLINE, closed).await, Ok(Ok(()))) {
            tracing::warn!("the console was reading the journal and did not end in time");
        }
    }
}

/// Tries until an attempt answers that it has ended as it should. Why one failed is logged, the same only once in a row.
async fn until_it_ends(mut attempt: impl AsyncFnMut() -> io::Result<bool>, pause: Duration) {
    let mut said = String::new();
    loop {
        match attempt().await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                let trouble = error.to_string();
                if trouble != said {
                    tracing::error!(error = %error, "the console ended; trading continues without it, and it is tried again");
                    said = trouble;
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn server(listener: TcpListener, config: &HttpConfig, deps: Deps, reader: ReaderThread) -> io::Result<Server> {
    let gate = http::gate(config.protection.as_ref());
    let tls = http::tls(config.protection.as_ref())?;
    let has_users = config.protection.as_ref().is_some_and(|protection| protection.users() > 0);
    let doors = web::Data::new(security::Doors::new(&deps.facts, has_users, tls.is_some()));
    let deadline = config.ask_deadline;
    let app = move || {
        let state = app_state::AppState::new(deps.clone(), deadline, reader.clone());
        App::new()
            .wrap(from_fn(http::password::ask))
            .wrap(TracingLogger::<DebugSpan>::new())
            .wrap(from_fn(security::check))
            .configure(&gate)
            .app_data(doors.clone())
            .app_data(web::Data::new(state))
            .configure(routes::routes)
    };
    Ok(http::server::serve(config, listener, tls, app)?.0)
}
