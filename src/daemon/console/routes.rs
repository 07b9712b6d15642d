//! The addresses of the console, and what its thread keeps: the ways to the actors and to the files.

use super::{
    Deps, answers, assets,
    facts::Facts,
    halt::HaltWatch,
    press,
    reader::{Reader, ReaderThread},
    security::failure,
};
use crate::daemon::http::shared_request::SharedRequest;
use actix::Recipient;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue, LOCATION},
    },
    web,
};
use sentinel_actors::{
    adapters::prometheus::Format,
    domain::clock::Clock,
    messages::NotePress,
    metrics::{GetHealth, GetMetrics},
};
use std::{sync::Arc, time::Duration};

/// What the server's thread keeps.
pub(super) struct Desk {
    pub facts: Arc<Facts>,
    pub health: SharedRequest<GetHealth>,
    pub metrics: SharedRequest<GetMetrics>,
    pub press: Recipient<NotePress>,
    pub clock: Arc<dyn Clock>,
    pub halt: HaltWatch,
    /// Held while the kill switch is changed, so that no halt comes between a resume's last look and its removal.
    pub changing: tokio::sync::Mutex<()>,
    pub reader: Reader,
}

impl Desk {
    /// Asks nothing yet.
    pub fn new(deps: Deps, deadline: Duration, thread: ReaderThread) -> Self {
        let Deps { health, metrics, press, clock, facts } = deps;
        let text = GetMetrics { format: Format::Text, is_gzipped: false };
        Self {
            health: SharedRequest::new(health, GetHealth, deadline),
            metrics: SharedRequest::new(metrics, text, deadline),
            press,
            clock,
            halt: HaltWatch::new(facts.halt_file.clone(), facts.failures_max, facts.started),
            changing: tokio::sync::Mutex::new(()),
            reader: Reader::new(facts.clone(), thread),
            facts,
        }
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    macro_rules! get {
        ($($path:literal => $handler:expr,)+) => {
            config$(.service(
                web::resource($path)
                    .route(web::get().to($handler))
                    .route(web::head().to($handler))
                    .default_service(web::to(only_get)),
            ))+
        };
    }
    get! {
        "/" => to_the_page,
        "/console" => to_the_page,
        "/console/api/now" => answers::now,
        "/console/api/decisions" => answers::decisions,
        "/console/api/bars" => answers::bars,
        "/console/api/odds" => answers::odds,
        "/console/api/orders" => answers::orders,
        "/console/api/orders/{id}" => answers::order,
        "/console/api/positions" => answers::positions,
        "/console/api/equity" => answers::equity,
        "/console/api/money" => answers::money,
        "/console/api/stages" => answers::stages,
        "/console/api/model" => answers::model,
        "/console/api/system" => answers::system,
    };
    macro_rules! post {
        ($($path:literal => $handler:expr,)+) => {
            config$(.service(
                web::resource($path).route(web::post().to($handler)).default_service(web::to(only_post)),
            ))+
        };
    }
    post! {
        "/console/api/halt" => press::halt,
        "/console/api/resume" => press::resume,
    };
    config.service(web::resource("/console/api/{rest:.*}").to(nothing_here));
    get! {
        "/console/{name:.*}" => page,
    };
    config.default_service(web::to(nothing_here));
}

async fn page(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    assets::file(&request, &name)
}

/// Relative, so that it is right behind whatever name.
async fn to_the_page() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "/console/")).finish()
}

async fn nothing_here() -> HttpResponse {
    failure(StatusCode::NOT_FOUND, "not_found", "there is no such address")
}

async fn only_get() -> HttpResponse {
    other_method("GET, HEAD")
}

async fn only_post() -> HttpResponse {
    other_method("POST")
}

fn other_method(allowed: &'static str) -> HttpResponse {
    let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "method", &format!("only {allowed} is allowed"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
