//! `/sd` with a reader of members that answers, fails or hangs.

use super::*;
use crate::daemon::discovery::{GetTargets, Listed};
use std::sync::Mutex;

/// What the reader says next; `None`: nothing.
type Next = Arc<Mutex<Option<Result<Listed, String>>>>;

struct Reader(Next);

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<GetTargets> for Reader {
    type Result = ResponseFuture<Result<Listed, String>>;

    fn handle(&mut self, _: GetTargets, _: &mut Self::Context) -> Self::Result {
        match self.0.lock().unwrap().clone() {
            Some(answer) => Box::pin(async { answer }),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn with_reader() -> (SocketAddr, Next) {
    let next = Next::default();
    let discovery = Discovery::Members(Reader(next.clone()).start().recipient());
    (start(Deps { discovery, ..stubs(Stub::default()) }).0, next)
}

fn list(json: &str) -> Listed {
    Listed { json: json.to_owned().into(), at: Instant::now() }
}

#[actix::test]
async fn a_daemon_alone_lists_itself() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    let (status, head, body) = ask(address, "GET", "/sd").await;
    assert_eq!((status, body.as_str()), (200, "[]"));
    assert!(head.contains("\r\ncontent-type: application/json\r\n") && !head.contains("\r\nwarning:"), "{head}");
}

#[actix::test]
async fn without_any_list_it_is_503() {
    let (address, next) = with_reader();
    let (status, _, body) = ask(address, "GET", "/sd").await;
    assert_eq!((status, body.contains("etcd did not answer in time")), (503, true), "{body}");
    next.lock().unwrap().replace(Err("connection refused".into()));
    let (status, _, body) = ask(address, "GET", "/sd").await;
    assert_eq!((status, body.contains("connection refused")), (503, true), "{body}");
}

#[actix::test]
async fn an_old_list_says_how_old_it_is() {
    let (address, next) = with_reader();
    let read = Listed { at: Instant::now().checked_sub(Duration::from_secs(7)).unwrap(), ..list("[1]") };
    next.lock().unwrap().replace(Ok(read));
    let (status, head, body) = ask(address, "GET", "/sd").await;
    assert_eq!((status, body.as_str(), head.contains("\r\nwarning:")), (200, "[1]", false), "{head}");
    for fault in [Some(Err("connection refused".into())), None] {
        *next.lock().unwrap() = fault;
        let (status, head, body) = ask(address, "GET", "/sd").await;
        assert_eq!((status, body.as_str()), (200, "[1]"));
        assert!(head.contains("\r\nage: 7\r\n") && head.contains("this list is 7 s old"), "{head}");
    }
    next.lock().unwrap().replace(Ok(list("[2]")));
    let (_, head, body) = ask(address, "GET", "/sd").await;
    assert_eq!((body.as_str(), head.contains("\r\nwarning:")), ("[2]", false), "{head}");
}

#[actix::test]
async fn an_etcd_that_hangs_does_not_hold_up_a_scrape() {
    let (address, _next) = with_reader();
    let discovery = actix_rt::spawn(async move { ask(address, "GET", "/sd").await.0 });
    let begun = Instant::now();
    assert_eq!(ask(address, "GET", "/metrics").await.0, 200);
    assert!(begun.elapsed() < config().ask_deadline, "{:?}", begun.elapsed());
    assert_eq!(discovery.await.unwrap(), 503);
}
