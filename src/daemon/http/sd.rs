//! `/sd`: the list of targets for Prometheus's HTTP discovery (http_sd). Prometheus keeps what it had if the answer is not 200; but one
//! that has just started knows nothing. So an old list is better than none, and says how old it is; an empty one is never a guess.

use super::{JSON, plain, shared_request::SharedRequest};
use crate::daemon::discovery::{Discovery, GetTargets, Listed};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{AGE, CONTENT_TYPE, WARNING},
    },
};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// The list of a worker thread.
pub(super) struct TargetList {
    /// `None` if the list never changes.
    members: Option<SharedRequest<GetTargets>>,
    last: RefCell<Option<Listed>>,
}

impl TargetList {
    pub(super) fn new(discovery: Discovery, deadline: Duration) -> Self {
        let (members, last) = match discovery {
            Discovery::Own(json) => (None, Some(Listed { json, at: Instant::now() })),
            Discovery::Members(reader) => (Some(SharedRequest::new(reader, GetTargets, deadline)), None),
        };
        Self { members, last: RefCell::new(last) }
    }

    pub(super) async fn response(&self) -> HttpResponse {
        let answer = match &self.members {
            Some(members) => members.answer().await.unwrap_or_else(|| Err("etcd did not answer in time".into())),
            None => self.last.borrow().clone().ok_or_else(String::new),
        };
        match answer {
            Ok(listed) => {
                let response = HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(listed.json.clone());
                self.last.replace(Some(listed));
                response
            }
            Err(fault) => self.old(&fault),
        }
    }

    fn old(&self, fault: &str) -> HttpResponse {
        let Some(Listed { json, at }) = self.last.borrow().clone() else {
            let said = format!("the members are not known yet, because etcd gave no usable answer: {fault}");
            return plain(StatusCode::SERVICE_UNAVAILABLE, said);
        };
        let age_s = at.elapsed().as_secs();
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, JSON))
            .insert_header((AGE, age_s))
            // 110 is "response is stale".
            .insert_header((WARNING, format!("110 - \"etcd gave no usable answer; this list is {age_s} s old\"")))
            .body(json)
    }
}
