//! The checks of `sentinel cluster verify`: transport, endpoints, latency, clocks, space, history, permissions, and who trades.

mod members;

use super::{FIREWALL, Report};
use crate::{
    net::{Origin, is_loopback},
    process::output::say,
    settings::{Cluster, ClusterMode},
    tools::cluster::{
        account_view::AccountView,
        status::{guard as holder_text, seen as guard_keys},
    },
};
use sentinel_actors::{
    adapters::{
        etcd::{Etcd, EtcdError, upkeep::EndpointStatus},
        http::HttpError,
        system_clock::SystemClock,
    },
    domain::{
        clock::Clock,
        cluster::{Ask, Record, Seen},
    },
};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

type Resolved = crate::settings::Resolved<Cluster>;

/// etcd's own limit, if it does not say another one.
const QUOTA_BYTES: i64 = 2 << 30;
/// A claim writes 17,280 versions a day, some 10 MB; etcd keeps them all unless it is told to compact them.
const REVISIONS_MAX: i64 = 100_000;
const COMPACT: &str = "start etcd with --auto-compaction-mode=periodic --auto-compaction-retention=1h";

/// Clocks that differ by more than this are reported. Prices of one bar and signed orders need no less.
const SKEW_MAX: Duration = Duration::from_secs(2);
const BOTH_BY_NTP: &str = "set the clock of that machine or of this one by NTP";
/// A claim is kept alive in two requests within the time for which it is trusted; slower ones leave no room for a repetition.
const LATENCY_MAX: Duration = Duration::from_millis(500);

/// Makes them, and prints the report.
pub(in crate::tools) async fn main(etcd: Etcd, settings: &Resolved, as_json: bool) -> ExitCode {
    if !as_json {
        say(&format!("Account {}, {}\n", settings.purpose.account, etcd.endpoints().join(", ")));
    }
    verify(etcd, settings).await.conclude(as_json)
}

async fn verify(mut etcd: Etcd, settings: &Resolved) -> Report {
    let is_shared = settings.cluster.mode == ClusterMode::Shared;
    let good = if is_shared { "etcd can keep the account and its members." } else { "etcd can keep the account." };
    let bad = if is_shared { "Not ready." } else { "Not ready: without etcd no order is sent." };
    let mut report = Report::new("cluster", [good, bad]);
    transport(settings, &mut report);
    if !endpoints(&mut etcd, &mut report).await {
        return report;
    }
    let began = Instant::now();
    let account = match AccountView::read(&mut etcd).await {
        Ok(account) => account,
        Err(error @ EtcdError::Login { .. }) => {
            report.failed("user", error, "correct cluster.user and the file cluster.password_file");
            return report;
        }
        Err(error) => {
            let advice =
                if is_denied(&error) { "etcd wants a user: set cluster.user and cluster.password_file" } else { "" };
            report.failed("account", error, advice);
            return report;
        }
    };
    latency(began.elapsed() / (1 + u32::try_from(account.leases.len()).unwrap_or(u32::MAX - 1)), &mut report);
    upkeep(&mut etcd, is_shared, &mut report).await;
    permissions(&mut etcd, settings, &mut report).await;
    let now_s = SystemClock.now_unix();
    members::side_by_side(&account, settings.cluster.mode, &mut report);
    if is_shared || account.view.members().next().is_some() {
        members::check(&mut etcd, account, settings, &mut report).await;
    } else {
        holder(&guard_keys(&account), settings, now_s, &mut report);
    }
    report
}

/// The daemon in guard mode.
fn holder(seen: &Seen, settings: &Resolved, now_s: i64, report: &mut Report) {
    report.note("account", format!("{}: {}", settings.purpose.account, holder_text(seen, now_s)));
    let last = seen.claim.as_ref().and(seen.last.as_ref()).and_then(|last| last.record.as_ref());
    let ahead = last.map_or(0, |record| record.at.saturating_sub(now_s));
    if ahead > SKEW_MAX.as_secs().cast_signed() {
        report.warning("its clock", format!("the holder's clock is {ahead} s ahead of this machine's"), BOTH_BY_NTP);
    }
}

fn latency(took: Duration, report: &mut Report) {
    let took_ms = took.as_millis();
    if took <= LATENCY_MAX {
        report.ok("latency", format!("{took_ms} ms for a read that a majority of etcd confirms"));
    } else {
        let advice = "a slow disk of etcd, or a slow network; several keep-alives in a row may come too late";
        report.warning("latency", format!("{took_ms} ms for a read"), advice);
    }
}

fn transport(settings: &Resolved, report: &mut Report) {
    let plain: Vec<_> =
        settings.cluster.endpoints.iter().filter(|url| !url.to_ascii_lowercase().starts_with("https:")).collect();
    let is_beyond = |url: &&&String| Origin::of(url).is_none_or(|origin| !is_loopback(&origin.host));
    match plain.iter().find(is_beyond) {
        Some(url) => report.warning(
            "TLS",
            format!("{url} is plaintext to another machine"),
            "everyone on that network may read and change what etcd says; use https:// and cluster.ca_file",
        ),
        None if plain.is_empty() => report.ok("TLS", "all endpoints are https"),
        None => report.note("TLS", "plaintext on this machine"),
    }
}

/// Whether any of them can be used.
async fn endpoints(etcd: &mut Etcd, report: &mut Report) -> bool {
    let (mut is_any_good, mut bad) = (false, Vec::new());
    for index in 0..etcd.endpoints().len() {
        let (url, began) = (etcd.endpoints()[index].clone(), Instant::now());
        match etcd.status(index).await {
            // An alarm is one of all nodes.
            Ok(status) if !status.errors.is_empty() => report.failed(
                "endpoint",
                format!("{url}: etcd {} reports: {}", status.version, status.errors.join("; ")),
                "with NOSPACE it takes no writes: compact and defragment it, then etcdctl alarm disarm",
            ),
            Ok(status) if status.has_leader => {
                is_any_good = true;
                let took_ms = began.elapsed().as_millis();
                report.ok("endpoint", format!("{url}: etcd {}, {took_ms} ms", status.version));
                skew(status.date, report);
                space(&status, report);
            }
            Ok(status) => bad.push((
                format!("{url}: etcd {} knows no leader", status.version),
                "more than half of etcd's nodes must run and reach each other",
            )),
            Err(error) => {
                let is_lost = matches!(&error, EtcdError::Http { error: HttpError::Timeout { .. }, .. });
                let advice = if is_lost { FIREWALL } else { "start etcd, or correct cluster.endpoints" };
                bad.push((error.to_string(), advice));
            }
        }
    }
    for (found, advice) in bad {
        // The daemon goes on with another one.
        if is_any_good {
            report.warning("endpoint", found, advice);
        } else {
            report.failed("endpoint", found, advice);
        }
    }
    is_any_good
}

/// A full etcd takes no writes, so that no order is sent.
fn space(status: &EndpointStatus, report: &mut Report) {
    let Some(bytes) = status.data_bytes else { return report.note("space", "etcd does not say how large its data is") };
    let quota = status.quota_bytes.unwrap_or(QUOTA_BYTES);
    let found = format!("{} of {} MiB", bytes >> 20, quota >> 20);
    if bytes <= quota / 2 {
        report.ok("space", found);
    } else {
        report.warning(
            "space",
            found,
            format!("at the limit it takes no writes: compact and defragment it; {COMPACT}"),
        );
    }
}

/// How etcd is run: its number of nodes, and whether it forgets old versions of keys.
async fn upkeep(etcd: &mut Etcd, is_shared: bool, report: &mut Report) {
    match etcd.nodes().await {
        Ok(1) if is_shared => {
            report.note("nodes", "1: if it stops, no member orders; with 3, one of them may stop");
        }
        Ok(2) => {
            report.warning("nodes", "2", "two are worse than one: if either stops, nothing can be written; use 1, or 3")
        }
        Ok(count) => report.ok("nodes", count.to_string()),
        Err(error) => report.note("nodes", error.to_string()),
    }
    match etcd.never_compacted().await {
        Ok(Some(kept)) if kept > REVISIONS_MAX => {
            report.warning("history", format!("etcd has kept all {kept} versions of its keys"), COMPACT);
        }
        Ok(Some(kept)) => report.ok("history", format!("{kept} versions; not compacted yet")),
        Ok(None) => report.ok("history", "it is compacted"),
        Err(error) => report.note("history", error.to_string()),
    }
}

/// etcd's date has whole seconds, so its clock may be up to one second later than that.
fn skew(date: Option<i64>, report: &mut Report) {
    let Some(date) = date else { return report.note("clock", "etcd's answer has no date") };
    let (now, date) = (SystemClock.now().as_secs_f64(), date as f64);
    let skew = (date - now).max(now - (date + 1.0)).max(0.0);
    if skew <= SKEW_MAX.as_secs_f64() {
        report.ok("clock", "within 2 s of this machine's");
    } else {
        report.warning("clock", format!("{skew:.0} s from this machine's"), "set both clocks by NTP");
    }
}

/// A transaction whose condition never holds: etcd checks the permissions for all of it and writes nothing.
async fn permissions(etcd: &mut Etcd, settings: &Resolved, report: &mut Report) {
    let nobody = Record {
        instance: "verify".into(),
        member: "verify".into(),
        host: String::new(),
        pid: 0,
        version: String::new(),
        journal: String::new(),
        since: 0,
        at: 0,
        trust_ms: 0,
        bars_after: None,
        before: None,
        released: true,
        newest_order: None,
    };
    let user = settings.cluster.user.as_deref();
    match etcd.perform(&Ask::Beat { epoch: i64::MAX, last_revision: 0, record: nobody }).await {
        Ok(_) => match user {
            Some(user) => report.ok("user", format!("{user} may read and write below {}", settings.cluster.prefix)),
            None => report.note("user", "etcd wants none: everyone who reaches it may take the account"),
        },
        Err(error) => report.failed(
            "user",
            error,
            format!(
                "grant it: etcdctl role grant-permission ROLE --prefix=true readwrite {}/",
                settings.cluster.prefix
            ),
        ),
    }
}

fn is_denied(error: &EtcdError) -> bool {
    matches!(error, EtcdError::Http { error: HttpError::Status { status: 400 | 401 | 403, .. }, .. })
}
