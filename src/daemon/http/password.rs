//! Asks for a password on every path except the probes. A check is slow on purpose. So checks run one at a time outside the
//! server's thread, few requests may wait for one, fewer from the same address, and correct passwords are remembered.

mod queue;

use super::plain;
use crate::settings::{
    Protection,
    protection::{Users, cost},
};
use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    web,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use queue::Queue;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The probes of an orchestrator have no password, and these answers contain no secret.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/startupz"];

/// Checks passwords.
pub(in super::super) struct PasswordGate {
    protection: Protection,
    /// Per user, the digest of the correct password.
    known: Mutex<HashMap<String, [u8; 32]>>,
    /// Different in each process, so that a digest is useless elsewhere.
    salt: [u8; 32],
    queue: Arc<Queue>,
}

/// Who gave the right password, kept with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct User(pub(in super::super) String);

#[derive(Debug, PartialEq, Eq)]
enum PasswordRefusal {
    Unknown,
    Busy,
}

impl PasswordGate {
    /// `None` if this protection has no users.
    pub fn of(protection: &Protection) -> Option<Self> {
        let mut salt = [0; 32];
        salt[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        salt[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        (protection.users() > 0).then(|| Self {
            protection: protection.clone(),
            known: Mutex::default(),
            salt,
            queue: Queue::new(),
        })
    }

    async fn admit(&self, peer: Option<IpAddr>, authorization: Option<&HeaderValue>) -> Result<User, PasswordRefusal> {
        let (name, password) = authorization.and_then(credentials).ok_or(PasswordRefusal::Unknown)?;
        if password.is_empty() {
            return Err(PasswordRefusal::Unknown);
        }
        let users = self.protection.state().users.clone();
        let hash = users.0.get(&name);
        if let Some(hash) = hash {
            let digest = self.digest(&name, hash, &password);
            if self.known().get(&name) == Some(&digest) {
                return Ok(User(name));
            }
        }
        // An unknown name is checked against another user's hash, so the time does not show whether the name exists.
        let costliest = users.0.values().max_by_key(|hash| cost(hash)).cloned().ok_or(PasswordRefusal::Unknown)?;
        let checked = hash.unwrap_or(&costliest).clone();
        let turn = self.queue.place(peer).ok_or(PasswordRefusal::Busy)?.turn().await.ok_or(PasswordRefusal::Busy)?;
        let right = web::block(move || {
            let right = bcrypt::verify(&password, &checked).unwrap_or(false);
            if !right {
                pad(&password, &checked, cost(&costliest));
            }
            // Kept until here even if the client has gone: one check at a time.
            drop(turn);
            right.then_some(password)
        });
        match (right.await, hash) {
            (Ok(Some(password)), Some(hash)) => {
                self.remember(&name, self.digest(&name, hash, &password), &users);
                Ok(User(name))
            }
            _ => Err(PasswordRefusal::Unknown),
        }
    }

    /// Keeps one digest for each user that still exists.
    fn remember(&self, name: &str, digest: [u8; 32], users: &Users) {
        let mut known = self.known();
        known.retain(|name, _| users.0.contains_key(name));
        known.insert(name.to_owned(), digest);
    }

    /// The hash is part of the digest: after a new hash in the file the old password is no longer known.
    fn digest(&self, name: &str, hash: &str, password: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.salt);
        for part in [name.as_bytes(), hash.as_bytes(), password] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, [u8; 32]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a wrong password take as many rounds with a cheap hash as with the costliest: otherwise the time would show which
/// names exist.
fn pad(password: &[u8], checked: &str, costliest: u32) {
    for cost in cost(checked)..costliest {
        // A hash is `$2y$`, two digits of cost, and the rest.
        let at_cost = checked.get(..4).zip(checked.get(6..)).map(|(kind, rest)| format!("{kind}{cost:02}{rest}"));
        let _ = std::hint::black_box(at_cost.map(|hash| bcrypt::verify(password, &hash)));
    }
}

/// Name and password of a `Basic` header, which has base64 of `name:password`.
fn credentials(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let mut name = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = name.iter().position(|byte| *byte == b':')?;
    let password = name.split_off(colon + 1);
    name.truncate(colon);
    scheme.eq_ignore_ascii_case("basic").then_some((String::from_utf8(name).ok()?, password))
}

/// The middleware: checks the password, if this port has users.
pub(in super::super) async fn ask<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let admitted = match request.app_data::<web::Data<PasswordGate>>() {
        Some(gate) if !OPEN.contains(&request.path()) => {
            let peer = request.peer_addr().map(|peer| peer.ip());
            gate.admit(peer, request.headers().get(AUTHORIZATION)).await.map(Some)
        }
        _ => Ok(None),
    };
    match admitted {
        Err(refusal) => Ok(request.into_response(refused(&refusal)).map_into_right_body()),
        Ok(user) => {
            user.map(|user| request.extensions_mut().insert(user));
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
    }
}

fn refused(refusal: &PasswordRefusal) -> HttpResponse {
    let (code, text, header, value) = match refusal {
        PasswordRefusal::Unknown => (StatusCode::UNAUTHORIZED, "a password is required", WWW_AUTHENTICATE, "Basic"),
        PasswordRefusal::Busy => {
            (StatusCode::TOO_MANY_REQUESTS, "too many passwords are being checked", RETRY_AFTER, "1")
        }
    };
    let mut response = plain(code, text.into());
    response.headers_mut().insert(header, HeaderValue::from_static(value));
    response
}

#[cfg(test)]
mod tests;
