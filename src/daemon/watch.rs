//! What ends a running daemon from inside: an actor that has stopped for good, or a notice of the Scheduler.

use super::shutdown::Ended;
use actix::Recipient;
use sentinel_actors::{
    domain::names::ActorName,
    messages::{Event, Ping, Telemetry},
    scheduler::Notice,
};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often the actors are pinged, and how long each may take to answer.
const PING_PERIOD: Duration = Duration::from_secs(1);

/// Pings every actor repeatedly; returns the name of the first one that has stopped for good.
pub(super) async fn watch_actors(actors: &[(ActorName, Recipient<Ping>)], metrics: &Telemetry) -> &'static str {
    loop {
        let mut answers = Vec::with_capacity(actors.len());
        for (name, actor) in actors {
            let answered = matches!(tokio::time::timeout(PING_PERIOD, actor.send(Ping)).await, Ok(Ok(())));
            if !answered && !actor.connected() {
                return name.as_str();
            }
            answers.push((*name, answered));
        }
        metrics.report(Event::ActorsPinged(answers));
        tokio::time::sleep(PING_PERIOD).await;
    }
}

/// Pings the Guardian, if there is one; returns its name if it has stopped for good. It has no metric of its own: without it the
/// claim ends.
pub(super) async fn watch_guardian(guardian: Option<Recipient<Ping>>) -> &'static str {
    let Some(guardian) = guardian else { return std::future::pending().await };
    loop {
        // A slow answer is none of a dead one.
        let _ = tokio::time::timeout(PING_PERIOD, guardian.send(Ping)).await;
        if !guardian.connected() {
            return "guardian";
        }
        tokio::time::sleep(PING_PERIOD).await;
    }
}

/// Waits for a notice of the Scheduler that ends the daemon.
pub(super) async fn wait_for_end(
    notices: &mut UnboundedReceiver<Notice>,
    once: bool,
    caught_up: &mut impl FnMut(),
) -> Ended {
    loop {
        match notices.recv().await {
            Some(Notice::CaughtUp) => caught_up(),
            Some(Notice::CyclesEnded { failed, degraded }) if once => {
                // Whether the decision is in the journal is known only once it is closed.
                return Ended::Once { failed: failed > 0, degraded: degraded > 0, is_recorded: true };
            }
            Some(Notice::CyclesEnded { .. }) => {
                tracing::info!("all cycles are done; HTTP keeps serving");
                caught_up();
            }
            Some(Notice::StageGone(actor)) => return Ended::StageGone(actor.as_str()),
            None => return Ended::StageGone(ActorName::Scheduler.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler};
    use tokio::sync::mpsc::unbounded_channel;

    struct Probe {
        panics: bool,
    }

    impl Actor for Probe {
        type Context = Context<Self>;
    }

    impl Handler<Ping> for Probe {
        type Result = ();

        fn handle(&mut self, _: Ping, _: &mut Self::Context) {
            assert!(!self.panics, "as scripted");
        }
    }

    struct Events(tokio::sync::mpsc::UnboundedSender<Event>);

    impl Actor for Events {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Events {
        type Result = ();

        fn handle(&mut self, event: Event, _: &mut Self::Context) {
            self.0.send(event).unwrap();
        }
    }

    #[actix_rt::test]
    async fn an_actor_that_has_stopped_for_good_ends_the_watch() {
        let (sender, mut events) = unbounded_channel();
        let metrics = Events(sender).start().recipient().into();
        let healthy = Probe { panics: false }.start();
        let only_healthy = vec![(ActorName::Fetcher, healthy.clone().recipient())];
        let watching = tokio::time::timeout(Duration::from_millis(200), watch_actors(&only_healthy, &metrics)).await;
        assert!(watching.is_err(), "it continues as long as all actors answer");
        assert!(
            matches!(events.recv().await, Some(Event::ActorsPinged(answers)) if answers == [(ActorName::Fetcher, true)])
        );
        for name in [ActorName::Predictor, ActorName::Metrics] {
            let failing = Probe { panics: true }.start();
            let with_failing = vec![(ActorName::Fetcher, healthy.clone().recipient()), (name, failing.recipient())];
            let stopped = tokio::time::timeout(Duration::from_secs(5), watch_actors(&with_failing, &metrics)).await;
            assert_eq!(stopped, Ok(name.as_str()));
        }
    }

    #[actix_rt::test]
    async fn a_guardian_that_has_stopped_ends_the_watch() {
        let wait = Duration::from_millis(200);
        assert!(tokio::time::timeout(wait, watch_guardian(None)).await.is_err());
        let healthy = Probe { panics: false }.start();
        assert!(tokio::time::timeout(wait, watch_guardian(Some(healthy.recipient()))).await.is_err());
        let failing = Probe { panics: true }.start();
        let stopped = tokio::time::timeout(Duration::from_secs(5), watch_guardian(Some(failing.recipient()))).await;
        assert_eq!(stopped, Ok("guardian"));
    }

    #[actix_rt::test]
    async fn some_notices_of_the_scheduler_end_the_daemon() {
        let (notify, mut notices) = unbounded_channel();
        for (failed, degraded) in [(1, 0), (0, 1), (0, 0)] {
            notify.send(Notice::CyclesEnded { failed, degraded }).unwrap();
            let ended = Ended::Once { failed: failed > 0, degraded: degraded > 0, is_recorded: true };
            assert_eq!(wait_for_end(&mut notices, true, &mut || ()).await, ended);
        }
        notify.send(Notice::CyclesEnded { failed: 1, degraded: 0 }).unwrap();
        notify.send(Notice::CaughtUp).unwrap();
        notify.send(Notice::StageGone(ActorName::Fetcher)).unwrap();
        let mut calls = 0;
        assert_eq!(wait_for_end(&mut notices, false, &mut || calls += 1).await, Ended::StageGone("fetcher"));
        assert_eq!(calls, 2, "the end of all cycles also ends those without a pause");
    }
}
