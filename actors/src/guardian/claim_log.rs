//! What the log says about the claim on the account: which sentences a change of its state is worth. Pure.

/// The state of the claim. The log says something only if this changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClaimState {
    pub is_holder: bool,
    pub may_send: bool,
    pub is_etcd_up: bool,
    /// Who holds the account, in words.
    pub holder: Option<String>,
    /// Whether a holder before did not give the account back, and nobody has acknowledged that.
    pub has_dead: bool,
    /// Why all orders are halted in etcd.
    pub halt: Option<String>,
}

/// A sentence, and how serious it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sentence {
    /// This daemon holds the account, and orders may be sent.
    Holds,
    Info(String),
    Warn(String),
    Error(String),
}

/// What to say about the change. `trouble`: why no order may be sent. `dead`: who held the account before and did not give it back.
pub(super) fn sentences(
    before: Option<&ClaimState>,
    now: &ClaimState,
    trouble: Option<&str>,
    dead: Option<&str>,
) -> Vec<Sentence> {
    let was_holder = before.is_some_and(|before| before.is_holder);
    let mut said = Vec::new();
    if before == Some(now) {
        return said;
    }
    if now.is_holder
        && !was_holder
        && let Some(dead) = dead
    {
        said.push(Sentence::Warn(format!(
            "{dead} held the account before and did not give it back: look for its last orders in the account and in its journal, \
             then say so with `sentinel cluster acknowledge`"
        )));
    }
    if was_holder && now.is_holder && !now.has_dead && before.is_some_and(|before| before.has_dead) {
        said.push(Sentence::Info(
            "somebody has acknowledged that the holder before did not give the account back".into(),
        ));
        if before == Some(&ClaimState { has_dead: true, ..now.clone() }) {
            return said;
        }
    }
    said.extend(about_orders(before, now, trouble));
    said
}

/// Whether orders may be sent, or why not.
fn about_orders(before: Option<&ClaimState>, now: &ClaimState, trouble: Option<&str>) -> Option<Sentence> {
    let Some(trouble) = trouble else { return Some(Sentence::Holds) };
    let was_holder = before.is_some_and(|before| before.is_holder);
    Some(match now {
        ClaimState { is_etcd_up: false, .. } => Sentence::Warn(trouble.into()),
        ClaimState { is_holder: true, .. } => Sentence::Info(format!("the account is taken in etcd; {trouble}")),
        _ if was_holder => Sentence::Error(format!("the account is lost in etcd: {trouble}")),
        ClaimState { halt: Some(_), .. } => Sentence::Warn(trouble.into()),
        // Before its first answer; `Keeper::take` says whose it is.
        ClaimState { holder: None, .. } if before.is_none() => return None,
        ClaimState { holder: None, .. } => Sentence::Info(format!("nobody holds the account in etcd; {trouble}")),
        _ => Sentence::Warn(trouble.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up() -> ClaimState {
        ClaimState { is_etcd_up: true, ..ClaimState::default() }
    }

    fn holding() -> ClaimState {
        ClaimState { is_holder: true, may_send: true, holder: Some("me".into()), ..up() }
    }

    #[test]
    fn each_change_of_the_claim_has_its_sentence() {
        let other = ClaimState { holder: Some("m2".into()), ..up() };
        let away = ClaimState { is_etcd_up: false, ..holding() };
        let waiting = ClaimState { may_send: false, ..holding() };
        let info = |text: &str| vec![Sentence::Info(text.into())];
        let (warn, error) =
            (vec![Sentence::Warn("why".into())], vec![Sentence::Error("the account is lost in etcd: why".into())]);
        for (before, now, trouble, said) in [
            (None, up(), Some("why"), vec![]),
            (Some(other.clone()), up(), Some("why"), info("nobody holds the account in etcd; why")),
            (None, other.clone(), Some("why"), warn.clone()),
            (Some(up()), waiting.clone(), Some("why"), info("the account is taken in etcd; why")),
            (Some(waiting), holding(), None, vec![Sentence::Holds]),
            (Some(holding()), holding(), None, vec![]),
            (Some(holding()), away.clone(), Some("why"), warn),
            (Some(away), holding(), None, vec![Sentence::Holds]),
            (Some(holding()), other, Some("why"), error.clone()),
            (
                Some(up()),
                ClaimState { halt: Some("me".into()), ..up() },
                Some("why"),
                vec![Sentence::Warn("why".into())],
            ),
            (Some(holding()), up(), Some("why"), error),
        ] {
            assert_eq!(sentences(before.as_ref(), &now, trouble, None), said, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_dead_holder_is_named_once_until_somebody_acknowledges_it() {
        let dead = ClaimState { has_dead: true, ..holding() };
        let said = sentences(Some(&up()), &dead, None, Some("m2"));
        let [Sentence::Warn(named), Sentence::Holds] = &said[..] else { panic!("{said:?}") };
        assert!(named.starts_with("m2 held the account before"));
        assert_eq!(sentences(Some(&dead), &dead, None, Some("m2")), []);
        let acknowledged = sentences(Some(&dead), &holding(), None, None);
        assert!(matches!(&acknowledged[..], [Sentence::Info(text)] if text.starts_with("somebody has acknowledged")));
        let away = ClaimState { is_etcd_up: false, ..holding() };
        let both = sentences(Some(&dead), &away, Some("why"), None);
        assert!(matches!(&both[..], [Sentence::Info(_), Sentence::Warn(_)]), "{both:?}");
    }
}
