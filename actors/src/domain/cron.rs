//! When cycles are due: a cron expression with a seconds field, in UTC.
