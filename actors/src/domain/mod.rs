//! What Sentinel computes and decides, as plain functions and types: no actix, no sockets, no disk.

pub mod bar;
pub mod breaker;
pub mod calendar;
pub mod clock;
pub mod cycle_verdict;
pub mod decision;
pub mod drift;
pub mod exposition;
pub mod exposure;
pub mod features;
pub mod guard;
pub mod health;
pub mod instrument;
pub mod interval;
pub mod journal;
pub mod order;
pub mod order_manager;
pub mod order_state;
pub mod position;
pub mod reconcile;
pub mod regime;
pub mod schedule;
pub mod side;
pub mod spelling;
pub mod text;
pub mod window;
