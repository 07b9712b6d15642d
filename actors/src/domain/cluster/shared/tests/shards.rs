//! Properties of the plan.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn candidates(names: &BTreeSet<u8>) -> Vec<Candidate> {
    names.iter().map(|name| Candidate { name: format!("m{name}"), weight: 1, is_settled: true }).collect()
}

fn moves(before: &Plan, after: &Plan) -> usize {
    Shard::all().filter(|shard| before.owner(*shard) != after.owner(*shard)).count()
}

#[test]
fn a_shard_is_the_last_digit_of_the_digest() {
    // printf EURUSD | sha256sum
    assert_eq!(Shard::of("EURUSD").to_string(), "10", "0xaa");
    assert_eq!(Shard::all().count(), SHARDS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn who_comes_or_goes_moves_its_share(steps in prop::collection::vec(0..6_u8, 1..8)) {
        let (mut plan, mut members) = (Plan::default(), BTreeSet::new());
        for name in steps {
            let is_new = members.insert(name);
            if !is_new {
                members.remove(&name);
            }
            let count = members.len();
            let all = candidates(&members);
            let next = plan.next(&all, true);
            // In any order of the members it is the same.
            let turned: Vec<_> = all.iter().rev().cloned().collect();
            prop_assert_eq!(&next, &plan.next(&turned, true));
            prop_assert_eq!(&next, &next.next(&all, true), "it would change again");
            if members.is_empty() {
                prop_assert!(Shard::all().all(|shard| next.owner(shard).is_none()));
            } else {
                let share = [SHARDS / count, SHARDS.div_ceil(count)];
                for member in &all {
                    prop_assert!(share.contains(&next.load(&member.name)), "{:?}", next);
                }
                let moved = moves(&plan, &next);
                let name = format!("m{name}");
                let own = if is_new { next.load(&name) } else { plan.load(&name) };
                prop_assert_eq!(moved, own, "others moved, too");
            }
            plan = next;
        }
    }

    #[test]
    fn weights_are_kept_with_as_few_moves_as_possible(
        weights in prop::collection::vec((1..5_u32, 1..5_u32, any::<bool>()), 1..6),
    ) {
        let all = |weight: &dyn Fn(&(u32, u32, bool)) -> u32| {
            let named = weights.iter().enumerate();
            named
                .map(|(index, it)| Candidate { name: format!("m{index}"), weight: weight(it), is_settled: true })
                .collect::<Vec<_>>()
        };
        let before = Plan::default().next(&all(&|it| it.0), true);
        // Some are drained, and the others have another weight.
        let changed = all(&|it| if it.2 { 0 } else { it.1 });
        let after = before.next(&changed, true);
        let total: u32 = changed.iter().map(|it| it.weight).sum();
        let mut least = 0;
        for it in &changed {
            let load = after.load(&it.name);
            let exact = SHARDS as f64 * f64::from(it.weight) / f64::from(total.max(1));
            prop_assert!((load as f64 - exact).abs() < 1.0, "{} of {exact}", load);
            least += before.load(&it.name).saturating_sub(load);
        }
        prop_assert_eq!(moves(&before, &after), least);
    }

    #[test]
    fn without_a_rebalance_only_orphans_move(
        present in prop::collection::btree_set(0..6_u8, 1..6),
        unsettled in prop::collection::btree_set(0..6_u8, 0..6),
        lost in 0..6_u8,
    ) {
        let before = Plan::default().next(&candidates(&present), true);
        let mut all = candidates(&present);
        all.retain(|it| it.name != format!("m{lost}"));
        all.push(Candidate { name: "new".into(), weight: 1, is_settled: true });
        for it in &mut all {
            it.is_settled = !unsettled.iter().any(|name| it.name == format!("m{name}"));
        }
        let any_unsettled = all.iter().any(|it| !it.is_settled);
        let after = before.next(&all, any_unsettled);
        for shard in Shard::all() {
            let (old, new) = (before.owner(shard), after.owner(shard));
            prop_assert!(new.is_some());
            if old != Some(format!("m{lost}").as_str()) {
                prop_assert_eq!(old, new);
            } else {
                let receiver = all.iter().find(|it| Some(it.name.as_str()) == new);
                prop_assert!(receiver.is_some_and(|it| it.is_settled), "it has just come back");
            }
        }
    }
}
