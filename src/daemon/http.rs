//! The metrics port: /, /metrics, /health, /sd, /livez, /readyz and /startupz. It runs on its own threads, asks the actors with a
//! deadline, and holds nothing that a cycle waits for. A web-config file adds TLS and passwords.

pub(super) mod accept;
mod connection_slots;
mod landing;
mod one_request;
pub(super) mod password;
mod sd;
pub(super) mod server;
pub(super) mod shared_request;
pub(super) mod sliced_body;
#[cfg(test)]
mod tests;
mod tls;

use super::discovery::Discovery;
use crate::settings::Protection;
use actix::Recipient;
use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Server, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY},
    },
    middleware::from_fn,
    web,
};
pub use landing::Landing;
use password::PasswordGate;
use sd::TargetList;
use sentinel_actors::{
    adapters::{gzip::gzip, prometheus::Format},
    messages::Ping,
    metrics::{
        Exposition, GetHealth, GetMetrics, Snapshot,
        health::{Health, Status},
    },
};
use shared_request::SharedRequest;
use sliced_body::SlicedBody;
use std::{io, net::SocketAddr, time::Duration};
use tracing::{Span, debug, debug_span};
use tracing_actix_web::{RootSpanBuilder, TracingLogger};

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const GZIPPED: (HeaderName, HeaderValue) = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How long a graceful stop waits for connections, in seconds.
const STOP_DEADLINE_S: u64 = 1;

/// How the port is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address or host name to bind, `0.0.0.0`.
    pub host: String,
    /// Port to bind; 0 for a free one.
    pub port: u16,
    /// Connections at a time; one more closes the oldest.
    pub connections_max: usize,
    /// Limit for receiving the head of a request; zero is no limit.
    pub header_deadline: Duration,
    /// Limit for a whole connection, from accepting it to the last byte of the answer.
    pub connection_deadline: Duration,
    /// Longest body of a request, in bytes; 0 if no route takes one.
    pub body_bytes_max: usize,
    /// Longest wait for an actor's answer.
    pub ask_deadline: Duration,
    /// TLS and passwords; `None` is plain HTTP for everyone.
    pub protection: Option<Protection>,
}

/// The actors that HTTP asks.
#[derive(Clone)]
pub struct Deps {
    /// MetricsActor.
    pub metrics: Recipient<GetMetrics>,
    /// MetricsActor.
    pub health: Recipient<GetHealth>,
    /// Scheduler, whose answer is the daemon's liveness.
    pub scheduler: Recipient<Ping>,
    /// The newest text, served when the MetricsActor is late.
    pub snapshot: Snapshot,
    /// The page at `/`.
    pub landing: Landing,
    /// Where the list at `/sd` comes from.
    pub discovery: Discovery,
}

/// Binds the port and creates the server, which serves on its own thread once it is awaited or spawned. It handles no signals:
/// stop it with `handle().stop(false)`. A graceful stop would wait a second for every client that is connected and sends
/// nothing.
///
/// # Errors
/// When the address cannot be bound. It can be tried again.
pub fn serve(config: &HttpConfig, deps: Deps) -> io::Result<(Server, SocketAddr)> {
    let ask_deadline = config.ask_deadline;
    serve_routes(config, move |app| {
        app.app_data(web::Data::new(Worker::new(deps.clone(), ask_deadline)));
        routes(app);
    })
}

/// [`serve`] with other routes: the benchmark compares with static bytes behind the same server.
///
/// # Errors
/// As [`serve`].
pub fn serve_routes(
    config: &HttpConfig,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let gate = gate(config.protection.as_ref());
    let app = move || {
        App::new()
            .wrap(from_fn(password::ask))
            .wrap(TracingLogger::<DebugSpan>::new())
            .configure(&gate)
            .configure(&routes)
    };
    let listener = server::listen(&config.host, config.port)?;
    let tls = tls(config.protection.as_ref())?;
    server::serve(config, listener, tls, app)
}

/// What adds the password check to an app, if there are users.
pub(super) fn gate(protection: Option<&Protection>) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let gate = protection.and_then(PasswordGate::of).map(web::Data::new);
    move |app| _ = gate.clone().map(|gate| app.app_data(gate))
}

/// The TLS of a port, whose files are from now on checked for changes.
pub(super) fn tls(protection: Option<&Protection>) -> io::Result<Option<rustls::ServerConfig>> {
    let Some(protection) = protection else { return Ok(None) };
    let tls = tls::server_config(protection).map_err(io::Error::other)?;
    keep_fresh(protection.clone());
    Ok(tls)
}

/// How often the files of the web-config are checked for changes.
const RENEW_PERIOD: Duration = Duration::from_secs(1);

/// Checks the files for changes every second, as long as this thread's `System` runs.
fn keep_fresh(protection: Protection) {
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(RENEW_PERIOD).await;
            let protection = protection.clone();
            // A disk may be slow, and cycles run on this thread.
            let _ = web::block(move || protection.renew()).await;
        }
    });
}

/// What a worker thread keeps: at most one request to an actor per kind, however many clients wait for it.
struct Worker {
    /// By [`Format`]; plain and compressed.
    metrics: [[SharedRequest<GetMetrics>; 2]; 2],
    health: SharedRequest<GetHealth>,
    scheduler: SharedRequest<Ping>,
    snapshot: Snapshot,
    landing: Landing,
    targets: TargetList,
}

impl Worker {
    fn new(deps: Deps, deadline: Duration) -> Self {
        Self {
            metrics: [Format::Text, Format::OpenMetrics].map(|format| {
                [false, true].map(|is_gzipped| {
                    SharedRequest::new(deps.metrics.clone(), GetMetrics { format, is_gzipped }, deadline)
                })
            }),
            health: SharedRequest::new(deps.health, GetHealth, deadline),
            scheduler: SharedRequest::new(deps.scheduler, Ping, deadline),
            snapshot: deps.snapshot,
            landing: deps.landing,
            targets: TargetList::new(deps.discovery, deadline),
        }
    }
}

fn routes(config: &mut web::ServiceConfig) {
    macro_rules! get_and_head {
        ($($path:literal => $handler:ident,)+) => {
            config$(.service(
                web::resource($path)
                    .route(web::get().to($handler))
                    .route(web::head().to($handler))
                    .default_service(web::to(method_not_allowed)),
            ))+
        };
    }
    get_and_head! {
        "/" => landing_page,
        "/metrics" => metrics,
        "/health" => health,
        "/sd" => sd,
        "/livez" => livez,
        "/readyz" => readyz,
        "/startupz" => startupz,
    }
    .default_service(web::to(not_found));
}

async fn landing_page(worker: web::Data<Worker>) -> HttpResponse {
    worker.landing.response()
}

/// 200 whatever the state of the daemon, because it matters most when something is wrong; 503 only before the first text.
async fn metrics(request: HttpRequest, worker: web::Data<Worker>) -> HttpResponse {
    let format = accept::format(&accept::all(&request, &ACCEPT));
    let takes_gzip = takes_gzip(&request);
    let question = &worker.metrics[format as usize][usize::from(takes_gzip)];
    match question.answer().await.or_else(|| worker.snapshot.get()) {
        Some(Exposition { format, text, gzip }) => {
            let mut response = HttpResponse::Ok();
            response
                .insert_header((CONTENT_TYPE, HeaderValue::from_static(format.content_type())))
                .insert_header((VARY, HeaderValue::from_static("Accept, Accept-Encoding")));
            match gzip.filter(|_| takes_gzip) {
                Some(gzip) => response.insert_header(GZIPPED).body(SlicedBody::of(gzip)),
                None => response.body(SlicedBody::of(text)),
            }
        }
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "no metrics yet".into()),
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    accept::takes_gzip(&accept::all(request, &ACCEPT_ENCODING))
}

/// Computed and compressed for each request: it contains ages as of now, and is only 2 kB.
async fn health(request: HttpRequest, worker: web::Data<Worker>) -> HttpResponse {
    let body = worker.health.answer().await.and_then(|health| Some((health.status, serde_json::to_vec(&health).ok()?)));
    let (status, body) = body.unwrap_or_else(|| {
        let detail = "the MetricsActor did not answer in time";
        let check = serde_json::json!({ "name": "metrics", "status": Status::Fail, "detail": detail });
        let health = serde_json::json!({ "status": Status::Fail, "ready": false, "checks": [check] });
        (Status::Fail, health.to_string().into_bytes())
    });
    let code = if status == Status::Fail { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut response = HttpResponse::build(code);
    response.insert_header((CONTENT_TYPE, JSON)).insert_header((VARY, HeaderValue::from_static("Accept-Encoding")));
    match takes_gzip(&request).then(|| gzip(&body)).flatten() {
        Some(gzip) => response.insert_header(GZIPPED).body(SlicedBody::of(gzip)),
        None => response.body(SlicedBody::of(body)),
    }
}

async fn sd(worker: web::Data<Worker>) -> HttpResponse {
    worker.targets.response().await
}

/// Asks only the Scheduler: restarting this daemon would not solve problems of EODHD, HUB or GTW.
async fn livez(worker: web::Data<Worker>) -> HttpResponse {
    match worker.scheduler.answer().await {
        Some(()) => plain(StatusCode::OK, "live".into()),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "the Scheduler did not answer in time".into()),
    }
}

async fn readyz(request: HttpRequest, worker: web::Data<Worker>) -> HttpResponse {
    probe(&request, &worker, "ready", |health| (health.ready, health.not_ready_because)).await
}

async fn startupz(request: HttpRequest, worker: web::Data<Worker>) -> HttpResponse {
    probe(&request, &worker, "started", |health| (health.started, health.not_started_because)).await
}

/// The reason may contain addresses, so it is left out if /health needs a password.
async fn probe(
    request: &HttpRequest,
    worker: &Worker,
    good: &str,
    verdict: fn(Health) -> (bool, Option<String>),
) -> HttpResponse {
    let reason = match worker.health.answer().await.map(verdict) {
        Some((true, _)) => return plain(StatusCode::OK, good.into()),
        Some((false, reason)) => reason.unwrap_or_default(),
        None => "the MetricsActor did not answer in time".into(),
    };
    let is_open = request.app_data::<web::Data<PasswordGate>>().is_none();
    plain(StatusCode::SERVICE_UNAVAILABLE, if is_open { reason } else { format!("not {good}") })
}

async fn method_not_allowed() -> HttpResponse {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed".into());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

async fn not_found() -> HttpResponse {
    plain(StatusCode::NOT_FOUND, "not here; try /metrics, /health, /sd, /livez, /readyz or /startupz".into())
}

/// A short text on one line.
fn plain(code: StatusCode, mut reason: String) -> HttpResponse {
    reason.push('\n');
    HttpResponse::build(code).insert_header((CONTENT_TYPE, PLAIN)).body(reason)
}

/// A span per request, at debug: at info, logging would cost a third of the throughput.
pub(super) struct DebugSpan;

impl RootSpanBuilder for DebugSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        // A string value is quoted and escaped, so the path stays on its line.
        let path = request.path();
        debug_span!("http", method = %request.method(), path, peer = request.peer_addr().map(tracing::field::display))
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = outcome.as_ref().map_or(500, |response| response.status().as_u16());
        debug!(parent: &span, status, "request answered");
    }
}
