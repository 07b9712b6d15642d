//! What ends a running daemon from inside: a stage that has stopped, or a notice of the Scheduler.

use super::shutdown::Ended;
use actix::Recipient;
use sentinel_actors::{
    messages::{ActorName, Event, Ping, Telemetry},
    scheduler::Notice,
};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often the stages are pinged, and how long each may take to answer.
const PING_PERIOD: Duration = Duration::from_secs(1);

/// Pings every stage repeatedly; returns the name of the first one that has stopped for good.
pub(super) async fn watch_stages(stages: &[(ActorName, Recipient<Ping>)], metrics: &Telemetry) -> &'static str {
    loop {
        let mut answers = Vec::with_capacity(stages.len());
        for (name, stage) in stages {
            let answered = matches!(tokio::time::timeout(PING_PERIOD, stage.send(Ping)).await, Ok(Ok(())));
            if !answered && !stage.connected() {
                return name.as_str();
            }
            answers.push((*name, answered));
        }
        if !metrics.connected() {
            return "metrics";
        }
        metrics.report(Event::ActorsPinged(answers));
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

    struct Stage {
        panics: bool,
    }

    impl Actor for Stage {
        type Context = Context<Self>;
    }

    impl Handler<Ping> for Stage {
        type Result = ();

        fn handle(&mut self, _: Ping, _: &mut Self::Context) {
            assert!(!self.panics, "as scripted");
        }
    }

    struct Ears(tokio::sync::mpsc::UnboundedSender<Event>);

    impl Actor for Ears {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Ears {
        type Result = ();

        fn handle(&mut self, event: Event, _: &mut Self::Context) {
            self.0.send(event).unwrap();
        }
    }

    #[actix_rt::test]
    async fn a_stage_that_has_stopped_ends_the_watch() {
        let (said, mut heard) = unbounded_channel();
        let metrics = Ears(said).start().recipient().into();
        let (well, ill) = (Stage { panics: false }.start(), Stage { panics: true }.start());
        let only_well = vec![(ActorName::Fetcher, well.clone().recipient())];
        let watching = tokio::time::timeout(Duration::from_millis(200), watch_stages(&only_well, &metrics)).await;
        assert!(watching.is_err(), "it continues as long as all stages answer");
        assert!(
            matches!(heard.recv().await, Some(Event::ActorsPinged(answers)) if answers == [(ActorName::Fetcher, true)])
        );
        let with_ill = vec![(ActorName::Fetcher, well.recipient()), (ActorName::Predictor, ill.recipient())];
        let gone = tokio::time::timeout(Duration::from_secs(5), watch_stages(&with_ill, &metrics)).await;
        assert_eq!(gone, Ok("predictor"));
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
