//! What every request to the console must pass, and what every answer has: the name it is for, headers that keep a browser from
//! doing more than the page needs, and errors as JSON. And the proof that a press was not made by another site.

use super::facts::Facts;
use crate::{daemon::http::password::User, net};
use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER,
            WWW_AUTHENTICATE,
        },
    },
    middleware::Next,
    web,
};
use serde_json::json;

/// Without exception: no inline script or style, nothing from elsewhere, no frame, no form.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The headers of every answer of both pages.
pub const SAFE_HEADERS: [(&str, &str); 4] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];
const X_SENTINEL: HeaderName = HeaderName::from_static("x-sentinel");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which names are the console's, and who may press.
pub(super) struct Doors {
    hosts: Vec<String>,
    operators: Vec<String>,
    has_users: bool,
    scheme: &'static str,
}

impl Doors {
    /// Those of these settings.
    pub fn new(facts: &Facts, has_users: bool, has_tls: bool) -> Self {
        let mut hosts: Vec<_> = facts.hosts.iter().map(|host| net::without_brackets(host).to_lowercase()).collect();
        hosts.push(net::without_brackets(&facts.bind).to_lowercase());
        let scheme = if has_tls { "https" } else { "http" };
        Self { hosts, operators: facts.operators.clone(), has_users, scheme }
    }

    /// Whether a request for this `Host` is for the console. The port is not looked at: a tunnel may have another one.
    fn is_for_us(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<actix_web::http::uri::Authority>() else { return false };
        if host.contains('@') {
            return false;
        }
        let name = net::without_brackets(authority.host()).to_lowercase();
        net::is_loopback(&name) || self.hosts.contains(&name)
    }

    /// Whether this user may press. Without users everyone on this machine may: no other machine reaches it.
    pub fn is_operator(&self, user: Option<&User>) -> bool {
        match user {
            Some(User(name)) => self.operators.contains(name),
            None => !self.has_users,
        }
    }
}

/// The middleware around all others.
pub(super) async fn check<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_for_us = request.app_data::<web::Data<Doors>>().is_some_and(|doors| {
        let host = only(request.headers(), &HOST);
        let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
        host.is_some_and(|host| doors.is_for_us(host)) && authority.is_none_or(|name| doors.is_for_us(&name))
    });
    let mut answer = if is_for_us {
        next.call(request).await?.map_into_boxed_body()
    } else {
        let message = "the console is not reached by this name: add it to console.hosts";
        request.into_response(failure(StatusCode::MISDIRECTED_REQUEST, "wrong_host", message))
    };
    // The password check answers in plain text.
    let spoken = match answer.status() {
        StatusCode::UNAUTHORIZED => Some(("unauthorised", "a password is required")),
        StatusCode::TOO_MANY_REQUESTS => Some(("busy", "too many passwords are being checked; ask again")),
        _ => None,
    };
    if let Some((code, message)) = spoken {
        let mut spoken = failure(answer.status(), code, message);
        for header in [WWW_AUTHENTICATE, RETRY_AFTER] {
            if let Some(value) = answer.headers().get(&header) {
                spoken.headers_mut().insert(header, value.clone());
            }
        }
        answer = answer.into_response(spoken);
    }
    for (name, value) in SAFE_HEADERS {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !answer.headers().contains_key(CACHE_CONTROL) {
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(answer)
}

/// The user who gave the password.
pub(super) fn user(request: &HttpRequest) -> Option<User> {
    request.extensions().get::<User>().cloned()
}

/// Why this request may not press; `None` if it may.
///
/// A browser sends the password of this site with forms and images of any other site, too. It cannot be made to send these
/// headers there.
pub(super) fn forged(request: &HttpRequest, doors: &Doors) -> Option<HttpResponse> {
    let headers = request.headers();
    let refuse = |message: &str| Some(failure(StatusCode::FORBIDDEN, "forged", message));
    let own = only(headers, &HOST).map(|host| format!("{}://{}", doors.scheme, host.to_lowercase()));
    match (headers.contains_key(SEC_FETCH_SITE), headers.contains_key(ORIGIN)) {
        (true, _) if only(headers, &SEC_FETCH_SITE) != Some("same-origin") => {
            return refuse("the header Sec-Fetch-Site is not same-origin: another site made this request");
        }
        // Only plain http to another machine has no Sec-Fetch-Site.
        (false, false) => return refuse("neither Sec-Fetch-Site nor Origin says which site made this request"),
        (_, true) if only(headers, &ORIGIN).map(str::to_lowercase) != own => {
            return refuse("the header Origin is not the console's: another site made this request");
        }
        _ => {}
    }
    if only(headers, &X_SENTINEL) != Some("1") {
        return refuse("the header X-Sentinel: 1 is missing");
    }
    let content_type = only(headers, &CONTENT_TYPE).unwrap_or_default();
    let is_json = content_type.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Some(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "the body must be application/json"));
    }
    let user = user(request);
    (!doors.is_operator(user.as_ref())).then(|| {
        failure(StatusCode::FORBIDDEN, "not_operator", "this user may only read: console.operators names who may press")
    })
}

/// The value of a header that occurs once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name);
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// The code of an error, kept beside its answer.
pub(super) struct ErrorCode(pub &'static str);

/// An error, as the contract has it.
pub(super) fn failure(status: StatusCode, code: &'static str, message: &str) -> HttpResponse {
    let body = json!({"schema": 1, "error": {"code": code, "message": message}});
    let mut response = HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(body);
    response.extensions_mut().insert(ErrorCode(code));
    response
}
