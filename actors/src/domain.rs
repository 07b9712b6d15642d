//! The calculations and decisions of Sentinel, as plain functions and types: no actix, no sockets, no disk.
//!
//! - market data: [`bar`], [`interval`], [`resample`], [`window`], [`calendar`], [`regime`], [`features`]
//! - a decision: [`decision`], [`guard`], [`drift`], [`outcome`]; what would have been right: [`label`]
//! - an order: [`instrument`], [`side`], [`order`], [`order_state`], [`order_manager`], [`journal`], [`fill`]
//! - the account on paper: [`paper`]; what points are worth: [`money`]; what closes brought at the gateway: [`profit`]
//! - one account, several machines: [`cluster`]
//! - what is open at the broker: [`position`], [`exposure`], [`symbol_matching`], [`reconcile`]
//! - a cycle: [`schedule`], [`clock`], [`cycle_outcome`], [`breaker`]
//! - names and text: [`names`], [`build_info`], [`sanitize`]

pub mod bar;
pub mod breaker;
pub mod build_info;
pub mod calendar;
pub mod clock;
pub mod cluster;
pub mod cycle_outcome;
pub mod decision;
pub mod drift;
pub mod exposure;
pub mod features;
pub mod fill;
pub mod guard;
pub mod instrument;
pub mod interval;
pub mod journal;
pub mod label;
pub mod money;
pub mod names;
pub mod order;
pub mod order_manager;
pub mod order_state;
pub mod outcome;
pub mod paper;
pub mod position;
pub mod profit;
pub mod reconcile;
pub mod regime;
pub mod resample;
pub mod sanitize;
pub mod schedule;
pub mod side;
pub mod symbol_matching;
pub mod window;
