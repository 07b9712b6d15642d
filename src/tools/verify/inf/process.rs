//! Which process has the port, and whether it is a working daemon. Its answers matter more than its name, because a proxy may
//! forward a daemon's answers.

use super::{
    Report,
    network::{Endpoint, START_DAEMON},
};
use crate::tools::{
    probe::listener::{Owner, stopped},
    verify::daemon::Seen,
};

const NAME: &str = "sentinel";
/// Programs that forward connections.
const PROXIES: [&str; 8] =
    ["docker-proxy", "rootlessport", "slirp4netns", "conmon", "nginx", "haproxy", "stunnel4", "socat"];
const CONTINUE_IT: &str = "a signal or a debugger stopped it, and it still holds its port; the reply to an order in flight may be \
                           lost. Continue it with `kill -CONT` and this pid, or restart the daemon; then check sentinel orders \
                           --unresolved";

/// The process that has the port; `None` if none is visible.
pub(super) fn owner(endpoint: &Endpoint) -> Option<Owner> {
    endpoint.listening()?.owner()
}

/// Reports which process has the port. `seen` are its answers; `None` if it is stopped and was not asked.
pub(super) fn check(
    endpoint: &Endpoint,
    owner: Option<&Owner>,
    is_open: bool,
    seen: Option<&Seen>,
    report: &mut Report,
) {
    if !endpoint.is_here() {
        return report.note("process", "on another machine; run this command there");
    }
    if endpoint.listening().is_none() {
        return report.note("process", "not visible: there is no /proc");
    }
    let is_silent = seen.is_some_and(|seen| seen.is_silent);
    match owner {
        Some(owner) => judge(owner, seen, report),
        None if !is_open => {
            report.failed("process", format!("no process listens on port {}", endpoint.port()), START_DAEMON);
        }
        None => match stopped(NAME).filter(|_| is_silent) {
            Some(pid) => {
                report.failed(
                    "process",
                    format!("nothing answers, and the {NAME} with pid {pid} is stopped (SIGSTOP)"),
                    CONTINUE_IT,
                );
            }
            None => {
                let found = "not visible: only root can see the process, because the daemon hides its memory and files even from its own \
                             user; or it runs in another container: then run this command there";
                report.note("process", found);
            }
        },
    }
}

fn judge(owner: &Owner, seen: Option<&Seen>, report: &mut Report) {
    let Owner { pid, name, command, user, started, is_stopped } = owner;
    let found = format!("pid {pid}, user {user}, since {}: {command}", started.format("%F %T UTC"));
    let is_sentinel = name == NAME;
    let answers_as_sentinel = seen.is_some_and(Seen::is_sentinel);
    if *is_stopped {
        return report.failed("process", format!("{found}\nit is stopped (SIGSTOP)"), CONTINUE_IT);
    }
    match (is_sentinel, answers_as_sentinel) {
        (true, true) => report.ok("process", found),
        (true, false) if seen.is_some_and(|seen| seen.is_silent) => {
            let advice = "it hangs: its log and sentinel explain show how far the last cycle got. Restart the daemon; an order \
                          in flight stays in its journal";
            report.failed("process", format!("{found}\nit accepts connections and does not answer"), advice);
        }
        (true, false) => report.ok("process", found),
        (false, true) => report.note("process", format!("{found}\nits name is not {NAME}, but it answers as one")),
        (false, false) if PROXIES.contains(&name.as_str()) => {
            let advice = "check the daemon behind it: docker ps, or the configuration of this proxy";
            report.failed(
                "process",
                format!("{found}\nit forwards to another program, which does not answer as Sentinel"),
                advice,
            );
        }
        (false, false) => {
            let advice =
                "stop it, or give it another port; Sentinel then binds the port within 5 s (or set metrics.port)";
            report.failed("process", format!("{found}\nthis is not Sentinel"), advice);
        }
    }
}
