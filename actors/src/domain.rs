//! What Sentinel computes and decides, as plain functions and types: no actix, no sockets, no disk.

pub mod bar;
pub mod breaker;
pub mod build_info;
pub mod calendar;
pub mod clock;
pub mod cycle_verdict;
pub mod decision;
pub mod drift;
pub mod exposure;
pub mod features;
pub mod guard;
pub mod instrument;
pub mod journal;
pub mod names;
pub mod order;
pub mod order_manager;
pub mod order_state;
pub mod position;
pub mod reconcile;
pub mod regime;
pub mod sanitize;
pub mod schedule;
pub mod side;
pub mod spelling;
pub mod window;
