//! The two buttons. Both work as `sentinel halt` and `sentinel resume` do, and the journal keeps who pressed. A halt waits for
//! nothing; a resume happens only once the journal has it.

use super::{
    answers::{halt_now, unread},
    app_state::AppState,
    halt::{HaltWatch, find},
    security::{Doors, failure, forged, user},
};
use actix_rt::task::{JoinHandle, spawn_blocking};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_LENGTH, IF_MATCH, RETRY_AFTER},
    },
    web,
};
use sentinel_actors::{
    adapters::halt_file,
    domain::{
        journal::{Button, Press},
        sanitize::{is_hidden, one_line},
    },
    messages::{Event, NotePress},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;
/// The account that is typed where the settings have none.
const DRY_RUN: &str = "dry-run";
/// How long the journal's disk may take.
const NOTE_DEADLINE: Duration = Duration::from_secs(3);
/// How much longer the disk of the halt file may take.
const SYNC_DEADLINE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HaltBody {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeBody {
    account: String,
}

type Pressing<T> = Result<T, HttpResponse>;

/// What is not certain of a press that was carried out, each a sentence.
type Doubts = Vec<String>;

pub(super) async fn halt(
    request: HttpRequest,
    doors: web::Data<Doors>,
    app: web::Data<AppState>,
    payload: web::Payload,
) -> HttpResponse {
    answered(press_halt(&request, &doors, &app, payload).await, &request, &app).await
}

pub(super) async fn resume(
    request: HttpRequest,
    doors: web::Data<Doors>,
    app: web::Data<AppState>,
    payload: web::Payload,
) -> HttpResponse {
    answered(press_resume(&request, &doors, &app, payload).await, &request, &app).await
}

async fn answered(pressed: Pressing<Doubts>, request: &HttpRequest, app: &AppState) -> HttpResponse {
    match pressed {
        Ok(doubts) => halt_now(app, &doubts).await,
        Err(refusal) => {
            app.refused.note(&who(request), &refusal, Instant::now());
            refusal
        }
    }
}

async fn press_halt(
    request: &HttpRequest,
    doors: &Doors,
    app: &web::Data<AppState>,
    payload: web::Payload,
) -> Pressing<Doubts> {
    let HaltBody { reason } = body(request, doors, payload).await?;
    let reason = reason.trim().to_owned();
    let is_line = !reason.is_empty() && reason.chars().count() <= REASON_CHARS_MAX && !reason.chars().any(is_hidden);
    if !is_line {
        return Err(bad("the reason must be one line of 1 to 200 characters"));
    }
    let path = file(&app.halt)?;
    to_its_end(make_halt(app.clone(), path, who(request), reason)).await
}

async fn press_resume(
    request: &HttpRequest,
    doors: &Doors,
    app: &web::Data<AppState>,
    payload: web::Payload,
) -> Pressing<Doubts> {
    let ResumeBody { account } = body(request, doors, payload).await?;
    let path = file(&app.halt)?;
    if account.trim() != app.facts.account.as_deref().unwrap_or(DRY_RUN) {
        return Err(bad("this is not the daemon's account"));
    }
    let given = request.headers().get(IF_MATCH).and_then(|value| value.to_str().ok());
    let generation = given.and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    to_its_end(end_halt(app.clone(), path, who(request), generation)).await
}

/// Carries a press out although its browser may go away: between the file and the journal nothing may be left undone.
async fn to_its_end(press: impl Future<Output = Pressing<Doubts>> + 'static) -> Pressing<Doubts> {
    let unknown = |error| failed(&format!("not known to be done: {error}"));
    actix_rt::spawn(press).await.unwrap_or_else(|error| Err(unknown(error)))
}

async fn make_halt(app: web::Data<AppState>, path: PathBuf, who: String, reason: String) -> Pressing<Doubts> {
    let made = {
        let _changing = app.changing.lock().await;
        web::block(move || halt_file::make(&path)).await
    };
    let made = made.map_err(io::Error::other).and_then(|made| made).map_err(|error| {
        tracing::error!(who, reason, error = %error, "the console could not halt");
        failed(&format!("not known to be halted: {error}"))
    })?;
    tracing::warn!(who, reason, "halted from the console: no order is sent");
    app.telemetry.report(Event::ConsolePressed { is_halt: true });
    let at = made.at().unwrap_or_else(|| app.clock.now());
    // At once, but nobody waits for a slow disk to hear that orders are stopped.
    let syncing = spawn_blocking(move || made.sync());
    let mut doubts = Doubts::new();
    let press = Press { who: who.clone(), action: Button::Halt, note: Some(reason), at };
    if let Err(error) = note(&app, press).await {
        tracing::error!(who, error, "the journal does not have who halted");
        doubts.push(format!("the journal does not have who halted: {error}"));
    }
    if let Err(error) = on_disk(syncing).await {
        tracing::error!(who, error, "a power failure may undo this halt");
        doubts.push(format!("a power failure may undo this halt: {error}"));
    }
    Ok(doubts)
}

async fn on_disk(syncing: JoinHandle<io::Result<()>>) -> Result<(), String> {
    match tokio::time::timeout(SYNC_DEADLINE, syncing).await {
        Ok(Ok(synced)) => synced.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its file is not on disk yet".into()),
    }
}

/// Ends the halt that the page showed, which had this generation.
async fn end_halt(app: web::Data<AppState>, path: PathBuf, who: String, generation: Option<u64>) -> Pressing<Doubts> {
    let stale = || {
        let message = "somebody halted or resumed, or orders failed, since this page was read";
        failure(StatusCode::PRECONDITION_FAILED, "stale", message)
    };
    if !is_newest(&app, generation).await? {
        return Err(stale());
    }
    let pressed = |action| Press { who: who.clone(), action, note: None, at: app.clock.now() };
    // Before anything changes: orders are not allowed again without a trace of who did that.
    note(&app, pressed(Button::AskResume)).await.map_err(|error| {
        tracing::error!(who, error, "not resumed from the console: the journal cannot keep it");
        let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, "journal", &format!("not resumed: {error}"));
        response.headers_mut().insert(RETRY_AFTER, 1.into());
        response
    })?;
    // Again: writing took its time, and a halt that came meanwhile must stand.
    let changing = app.changing.lock().await;
    if !is_newest(&app, generation).await? {
        return Err(stale());
    }
    // And once more under the lock that `sentinel halt` takes, too.
    let expected = app.halt.found();
    let removed = web::block(move || halt_file::resume_if(&path, || find(Some(&path)) == expected)).await;
    drop(changing);
    match removed.map_err(io::Error::other).and_then(|removed| removed) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(stale()),
        Err(error) => {
            tracing::error!(who, error = %error, "the console could not resume: orders stay halted");
            return Err(failed(&format!("orders stay halted: {error}")));
        }
    }
    tracing::warn!(who, "resumed from the console: orders may be sent again");
    app.telemetry.report(Event::ConsolePressed { is_halt: false });
    // Only now: a resume that was not carried out starts no count again.
    note(&app, pressed(Button::Resume)).await.map_err(|error| {
        tracing::error!(who, error, "the count of failed orders in a row was not started again");
        failed(&format!("orders may be sent again, but the count of failed orders was not reset: {error}"))
    })?;
    Ok(Doubts::new())
}

async fn is_newest(app: &AppState, generation: Option<u64>) -> Pressing<bool> {
    let (account, failures_max) = (app.facts.journal_account.clone(), app.facts.failures_max);
    let latch = app.reader.journal(move |journal| journal.latch(&account, failures_max)).await.map_err(unread)?;
    Ok(generation == Some(app.halt.look(Some(latch)).generation))
}

/// The body of a press that nobody forged.
async fn body<T: DeserializeOwned>(request: &HttpRequest, doors: &Doors, payload: web::Payload) -> Pressing<T> {
    if let Some(refusal) = forged(request, doors) {
        return Err(refusal);
    }
    let too_large = || failure(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body may have 4 KiB");
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > super::BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let bytes = payload.to_bytes_limited(super::BODY_BYTES_MAX).await.map_err(|_| too_large())?;
    let bytes = bytes.map_err(|_| bad("the body did not come whole"))?;
    serde_json::from_slice(&bytes).map_err(|_| bad("the body must be the JSON object of this button"))
}

fn file(halt: &HaltWatch) -> Pressing<PathBuf> {
    let message = "guards.halt_file is not set, so there is no kill switch";
    halt.path().map(PathBuf::from).ok_or_else(|| failure(StatusCode::CONFLICT, "no_halt_file", message))
}

/// Who presses, as the journal keeps it: `console:ann@10.0.0.7`.
fn who(request: &HttpRequest) -> String {
    let name = user(request).map(|user| one_line(&user.0)).unwrap_or_default();
    let address = request.peer_addr().map_or_else(|| "?".into(), |peer| peer.ip().to_canonical().to_string());
    format!("console:{name}@{address}")
}

async fn note(app: &AppState, press: Press) -> Result<(), String> {
    let until = Instant::now() + NOTE_DEADLINE;
    match tokio::time::timeout(NOTE_DEADLINE, app.press.send(NotePress { press, until })).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the journal did not answer in time".into()),
    }
}

fn failed(message: &str) -> HttpResponse {
    failure(StatusCode::INTERNAL_SERVER_ERROR, "failed", message)
}

fn bad(message: &str) -> HttpResponse {
    failure(StatusCode::BAD_REQUEST, "bad_request", message)
}
