//! Who has the port, and is it the daemon, alive? What a program says tells more than its name: a proxy may pass on what a
//! daemon behind it says, and a daemon that is stopped says nothing.

use super::{
    Report,
    network::{Endpoint, START_IT},
};
use crate::tools::{
    probe::listener::{Owner, stopped},
    verify::daemon::Seen,
};

const NAME: &str = "sentinel";
/// Programs that pass on what is said behind them.
const PASSING_ON: [&str; 8] =
    ["docker-proxy", "rootlessport", "slirp4netns", "conmon", "nginx", "haproxy", "stunnel4", "socat"];
const GO_ON: &str = "somebody or a debugger stopped it, and it holds its port meanwhile; an order under way may be lost to it. \
                     Let it go on with `kill -CONT` and this pid, or restart the daemon; then look at sentinel orders --unresolved";

/// Who has the port; `None` where nobody is seen.
pub(super) fn owner(endpoint: &Endpoint) -> Option<Owner> {
    endpoint.listening()?.owner()
}

/// Reports who has the port. `seen` is what it said; `None` if it was not asked, for it is stopped.
pub(super) fn check(
    endpoint: &Endpoint,
    owner: Option<&Owner>,
    is_open: bool,
    seen: Option<&Seen>,
    report: &mut Report,
) {
    if !endpoint.is_here() {
        return report.note("process", "it is on another machine; run this there to see it");
    }
    if endpoint.listening().is_none() {
        return report.note("process", "not seen: there is no /proc to look into");
    }
    let is_silent = seen.is_some_and(|seen| seen.is_silent);
    match owner {
        Some(owner) => judge(owner, seen, report),
        None if !is_open => {
            report.failed("process", format!("no process listens on port {}", endpoint.port()), START_IT);
        }
        None => match stopped(NAME).filter(|_| is_silent) {
            Some(pid) => {
                report.failed(
                    "process",
                    format!("nothing answers, and pid {pid}, a {NAME}, is stopped (SIGSTOP)"),
                    GO_ON,
                );
            }
            None => {
                let found = "not seen: only root sees whose a port is, for the daemon hides its memory and files from its own user, too; or \
                             it runs in another container, then run this there";
                report.note("process", found);
            }
        },
    }
}

fn judge(owner: &Owner, seen: Option<&Seen>, report: &mut Report) {
    let Owner { pid, name, command, user, started, is_stopped } = owner;
    let found = format!("pid {pid}, user {user}, since {}: {command}", started.format("%F %T UTC"));
    let is_sentinel = name == NAME;
    let speaks_as_one = seen.is_some_and(Seen::is_sentinel);
    if *is_stopped {
        return report.failed("process", format!("{found}\nit is stopped (SIGSTOP)"), GO_ON);
    }
    match (is_sentinel, speaks_as_one) {
        (true, true) => report.ok("process", found),
        (true, false) if seen.is_some_and(|seen| seen.is_silent) => {
            let way_out = "it hangs: its log and sentinel explain say how far the last cycle came. Restart the daemon; an \
                           order under way stays in its journal";
            report.failed("process", format!("{found}\nit takes connections and never answers"), way_out);
        }
        (true, false) => report.ok("process", found),
        (false, true) => report.note("process", format!("{found}\nno {NAME} by its name, but it answers as one does")),
        (false, false) if PASSING_ON.contains(&name.as_str()) => {
            let way_out = "look at the daemon behind it: docker ps, or what this one is set to pass on to";
            report.failed(
                "process",
                format!("{found}\nit passes on to another program, and no Sentinel answers there"),
                way_out,
            );
        }
        (false, false) => {
            let way_out =
                "stop it, or give it another port; Sentinel takes the port by itself within 5 s (or set metrics.port)";
            report.failed("process", format!("{found}\nthis is not Sentinel"), way_out);
        }
    }
}
