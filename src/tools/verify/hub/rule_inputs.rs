//! The families that the rules read, from INF and from other targets.

use super::rules::{Rule, Wanted};
use std::collections::{BTreeMap, BTreeSet};

/// Created by Prometheus itself, for every target or for its alerts.
const BY_PROMETHEUS: [&str; 6] = [
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
];
/// Families that Sentinel reports only once their values are known, or only where the account is claimed in etcd.
pub(super) const ABSENT_UNTIL_KNOWN: [&str; 17] = [
    "sentinel_account_balance",
    "sentinel_account_drawdown_ratio",
    "sentinel_account_equity",
    "sentinel_account_unexplained",
    "sentinel_cluster_claims_unsent",
    "sentinel_cluster_dead_holder",
    "sentinel_cluster_etcd_up",
    "sentinel_cluster_halted",
    "sentinel_cluster_leader",
    "sentinel_cluster_lease_remaining_seconds",
    "sentinel_cluster_members",
    "sentinel_cluster_shard_owner",
    "sentinel_cluster_shards_owned",
    "sentinel_positions_open",
    "sentinel_profit_open",
    "sentinel_profit_realised",
    "sentinel_profit_today",
];

/// Names of rules by the name of the series that they read.
type ByName<'a> = BTreeMap<String, BTreeSet<&'a str>>;

/// The families that the rules read.
#[derive(Debug, Default)]
pub(super) struct RuleInputs<'a> {
    /// Of INF.
    pub(super) of_inf: ByName<'a>,
    /// Of other targets.
    pub(super) of_others: ByName<'a>,
    /// Jobs in which the rules select Sentinel's families.
    pub(super) jobs: BTreeSet<String>,
}

impl<'a> RuleInputs<'a> {
    /// Collects the families that these rules read; `job` is INF's.
    pub(super) fn of(wanted: &'a Wanted, job: &str) -> Self {
        let recorded = wanted.rules.iter().filter(|rule| rule.kind == "recording").map(|rule| rule.name.as_str());
        let recorded = recorded.collect::<BTreeSet<_>>();
        let mut needs = Self::default();
        for Rule { name: rule, expression, .. } in &wanted.rules {
            for read in expression.iter().flat_map(|expression| expression.selected()) {
                if recorded.contains(read.name.as_str()) || BY_PROMETHEUS.contains(&read.name.as_str()) {
                    continue;
                }
                let is_sentinels = read.name.starts_with("sentinel_");
                needs.jobs.extend(read.job.clone().filter(|_| is_sentinels));
                let is_infs = read.job.as_deref().map_or(is_sentinels, |it| it == job || is_sentinels);
                let by_name = if is_infs { &mut needs.of_inf } else { &mut needs.of_others };
                by_name.entry(read.name).or_default().insert(rule);
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_rules_read_sentinels_families() {
        let wanted = Wanted::new(None).unwrap();
        let needs = RuleInputs::of(&wanted, "sentinel-metrics");
        assert!(needs.of_inf["sentinel_orders_unresolved"].contains("SentinelOrdersUnresolved"));
        assert!(needs.of_inf.contains_key("sentinel_trading_cycle_duration_seconds_bucket"));
        assert!(needs.of_inf.contains_key("process_start_time_seconds"));
        assert!(needs.of_inf.keys().all(|name| !name.contains(':') && name != "up"), "{:?}", needs.of_inf.keys());
        assert!(needs.of_others.keys().all(|name| !name.starts_with("sentinel_")), "{:?}", needs.of_others.keys());
        assert_eq!(needs.jobs, BTreeSet::from(["sentinel-metrics".to_owned()]));
    }
}
