//! All that a reply says about an order, wherever it says it, and whether it contradicts itself or the order. One rule
//! for all dialects: a word is believed only if nothing beside it says otherwise.

use super::{Kind, is_id, kind, number, whole};
use crate::{
    adapters::gateway::return_codes::{self, Meaning},
    domain::order::{LOTS_APART, Order, Outcome},
};
use serde_json::{Map, Value};
use tracing::warn;
use uuid::Uuid;

/// Ids that can only be ours; `order_id` may be the broker's number of the order instead.
const IDS: [&str; 3] = ["uuid", "req_id", "client_order_id"];
/// Where a reply says that something went wrong.
const ERRORS: [&str; 4] = ["error", "error_code", "error_msg", "error_message"];
/// Words of success, in lower case. The last four say that the order was executed, the others may be about the request.
const SUCCESS: [&str; 7] = ["ok", "success", "completed", "filled", "executed", "done", "closed"];
const EXECUTED: [&str; 4] = ["filled", "executed", "done", "closed"];
/// Words of a refusal, in lower case.
const FAILURE: [&str; 3] = ["error", "rejected", "failed"];

/// How deep a reply is looked through. No known gateway goes beyond three.
const DEPTH_MAX: usize = 8;
/// Other names of the broker's numbers for what came of an order.
const NUMBERS: [&str; 6] = ["deal", "deal_id", "order", "order_id", "position", "position_id"];
/// Names of a return code.
const CODES: [&str; 2] = ["retcode", "return_code"];

/// Which volumes a fill may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters::gateway) enum VolumeRule {
    /// No more than was ordered.
    AtMostOrdered,
    /// All that was to be closed: a part is not closed.
    AllOfIt,
    /// Any: the order named none.
    Any,
}

/// What a fill that nothing contradicts tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::adapters::gateway) struct Fill {
    /// The ticket, where one is told.
    pub ticket: Option<i64>,
    /// Lots, where they are told.
    pub volume: Option<f64>,
    /// Price, where one is told that can be one.
    pub price: Option<f64>,
    /// Done in part by its return code.
    pub is_part: bool,
}

impl Fill {
    /// The outcome, under this ticket.
    pub(in crate::adapters::gateway) fn filled(self, order: &Order, ticket: i64) -> Outcome {
        if self.is_part && self.volume.is_none() {
            warn!(
                stage = "send", symbol = %order.symbol, client_order_id = %order.client_order_id, ticket,
                volume = order.volume, "filled in part (10010), and the reply does not say how much: booked as ordered"
            );
        }
        Outcome::Filled { ticket, price: self.price, volume: self.volume }
    }
}

/// The reply and the objects in it that speak of the order.
#[derive(Debug)]
pub(in crate::adapters::gateway) struct Claims<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Claims<'a> {
    pub(in crate::adapters::gateway) fn of(reply: &'a Value) -> Self {
        let mut places = Vec::new();
        gather(reply, DEPTH_MAX, &mut places);
        Self(places)
    }

    /// Everything but null that is told under this key.
    fn told(&self, key: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |place| place.get(key)).filter(|value| !value.is_null())
    }

    /// An id that is not this one's.
    pub(in crate::adapters::gateway) fn foreign_id(&self, id: Uuid) -> Option<&'a Value> {
        let is_number = |value: &Value| number(value).is_some();
        let mut ours = IDS.iter().flat_map(|key| self.told(key));
        let mut orders = self.told("order_id").filter(|value| !is_number(value));
        ours.find(|value| !is_id(value, id)).or_else(|| orders.find(|value| !is_id(value, id)))
    }

    /// Every error that is told: `error_code "MT5_NOT_CONNECTED", error_msg "no terminal"`.
    pub(in crate::adapters::gateway) fn errors(&self) -> Option<String> {
        let told = ERRORS.iter().flat_map(|key| self.told(key).map(move |value| (key, value)));
        let told: Vec<_> =
            told.filter(|(_, value)| !is_no_error(value)).map(|(key, value)| format!("{key} {value}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// What a word of success comes to: the fill, or what contradicts it.
    pub(in crate::adapters::gateway) fn fill(&self, order: &Order, rule: VolumeRule) -> Result<Fill, String> {
        self.is_of(order)?;
        let ticket = self.one_ticket()?;
        let is_part = self.done_in_part()?;
        if is_part && rule == VolumeRule::AllOfIt {
            return Err("done in part is not closed".into());
        }
        if let Some(errors) = self.errors() {
            return Err(format!("a fill with {errors}"));
        }
        if let Some(list) = self.loose_list() {
            return Err(format!("a fill with a list of {list}"));
        }
        let told: Vec<i64> = NUMBERS.iter().flat_map(|key| self.told(key)).filter_map(whole).collect();
        if ticket.is_none() && !told.is_empty() && told.iter().all(|number| *number <= 0) {
            return Err("a fill of which every number is 0".into());
        }
        let fits = |word: &str| is_success(word) && (order.closes.is_some() || !is_one_of(word, &["closed"]));
        if let Some(word) = self.words().find(|word| !word.as_str().is_some_and(fits)) {
            return Err(format!("a fill with status {word}"));
        }
        if let Some(success) = self.told("success").find(|value| **value != true) {
            return Err(format!("a fill with success {success}"));
        }
        let volume = self.one_volume(order, rule)?;
        let price = self.told("price").find_map(number).filter(|price| *price > 0.0);
        Ok(Fill { ticket, volume, price, is_part })
    }

    /// What speaks against a word of refusal.
    pub(in crate::adapters::gateway) fn against_refusal(&self, order: &Order) -> Result<(), String> {
        self.is_of(order)?;
        let says = |key: &str, test: fn(&Value) -> bool| self.told(key).find(|value| test(value));
        let contradictions = [
            ("ticket", says("ticket", |value| whole(value).is_none_or(|ticket| ticket > 0))),
            ("deal", says("deal", |value| whole(value).is_none_or(|deal| deal > 0))),
            ("deal_id", says("deal_id", |value| whole(value).is_none_or(|deal| deal > 0))),
            // An object of this name is looked into by itself.
            ("order", says("order", |value| !value.is_object() && whole(value).is_none_or(|order| order > 0))),
            ("order_id", says("order_id", |value| number(value).is_some_and(|order| order > 0.0))),
            ("volume", says("volume", |value| number(value).is_none_or(|volume| volume > 0.0))),
            ("retcode", says("retcode", |value| whole(value).is_none_or(may_be_executed))),
            ("return_code", says("return_code", |value| whole(value).is_none_or(may_be_executed))),
            ("success", says("success", |value| *value != false)),
            ("error", says("error", |value| *value == false)),
        ];
        if let Some((key, value)) = contradictions.iter().find_map(|(key, value)| value.map(|value| (key, value))) {
            return Err(format!("a refusal with {key} {value}"));
        }
        // A close may be refused for the position that it names.
        let is_new = |value: &&Value| {
            let number = whole(value);
            !value.is_object() && number.is_none_or(|number| number > 0) && (number.is_none() || number != order.closes)
        };
        if let Some(position) = ["position", "position_id"].into_iter().flat_map(|key| self.told(key)).find(is_new) {
            return Err(format!("a refusal with position {position}"));
        }
        if let Some(list) = self.loose_list() {
            return Err(format!("a refusal with a list of {list}"));
        }
        match self.words().find(|word| word.as_str().is_some_and(|word| is_one_of(word, &EXECUTED))) {
            Some(word) => Err(format!("a refusal with status {word}")),
            None => Ok(()),
        }
    }

    /// Something in a list that stands in the place of the result, and that nobody can read.
    fn loose_list(&self) -> Option<&'a Value> {
        let lists = ["data", "result"].into_iter().flat_map(|key| self.told(key)).filter_map(Value::as_array);
        lists.flatten().find(|value| !value.is_object())
    }

    /// Whether it is the order's instrument, and its side.
    fn is_of(&self, order: &Order) -> Result<(), String> {
        let gateway_name = order.gateway_name.to_lowercase();
        let is_other =
            |value: &&Value| value.as_str().map(|name| name.trim().to_lowercase()) != Some(gateway_name.clone());
        if let Some(symbol) = self.told("symbol").find(is_other) {
            return Err(format!("it is about {symbol}"));
        }
        if order.closes.is_some() {
            // A close may tell the position's side or its own.
            return Ok(());
        }
        let sides = ["side", "signal"].into_iter().flat_map(|key| self.told(key));
        let types = self.told("type").filter(|value| !is_other_word(value));
        match sides.chain(types).find(|value| kind(value) != Kind::Market(order.side)) {
            Some(side) => Err(format!("its side is {side}")),
            None => Ok(()),
        }
    }

    fn one_ticket(&self) -> Result<Option<i64>, String> {
        let mut told = None;
        for value in self.told("ticket") {
            let ticket = whole(value).filter(|ticket| *ticket > 0 && told.is_none_or(|other| other == *ticket));
            told = Some(ticket.ok_or_else(|| format!("a fill with ticket {value}"))?);
        }
        // The broker's number of an order that was filled; text is an id of ours, looked at before.
        match self.told("order_id").find(|value| number(value).is_some() && whole(value).is_none_or(|order| order <= 0))
        {
            Some(order) => Err(format!("a fill with order_id {order}")),
            None => Ok(told),
        }
    }

    fn done_in_part(&self) -> Result<bool, String> {
        let mut is_part = false;
        for value in CODES.iter().flat_map(|key| self.told(key)) {
            match whole(value).and_then(return_codes::meaning) {
                Some(Meaning::Done) => {}
                Some(Meaning::DoneInPart) => is_part = true,
                _ => return Err(format!("a fill with retcode {value}")),
            }
        }
        Ok(is_part)
    }

    fn one_volume(&self, order: &Order, rule: VolumeRule) -> Result<Option<f64>, String> {
        let mut told = None;
        for value in self.told("volume") {
            let is_good = |volume: &f64| {
                *volume > 0.0
                    && told.is_none_or(|other: f64| (other - volume).abs() <= LOTS_APART)
                    && (rule == VolumeRule::Any || *volume <= order.volume + LOTS_APART)
                    && (rule != VolumeRule::AllOfIt || *volume >= order.volume - LOTS_APART)
            };
            let volume = number(value).filter(is_good);
            told = Some(volume.ok_or_else(|| format!("volume {value} of {}", order.volume))?);
        }
        Ok(told)
    }

    /// Every status, and a `result` or `data` that is such a word itself, or `false`.
    pub(in crate::adapters::gateway) fn words(&self) -> impl Iterator<Item = &'a Value> {
        let is_word = |value: &&Value| {
            **value == false || value.as_str().is_some_and(|word| is_success(word) || is_failure(word))
        };
        let instead = ["result", "data"].into_iter().flat_map(move |key| self.told(key).filter(is_word));
        self.told("status").chain(instead)
    }
}

/// All objects in a reply, lists included, but an echo of the request: that says what was wanted, not what came of it.
fn gather<'a>(value: &'a Value, depth: usize, places: &mut Vec<&'a Map<String, Value>>) {
    match value {
        Value::Object(place) => {
            places.push(place);
            let inner = place.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("request")).map(|(_, value)| value);
            inner.take_while(|_| depth > 0).for_each(|value| gather(value, depth - 1, places));
        }
        Value::Array(values) if depth > 0 => values.iter().for_each(|value| gather(value, depth - 1, places)),
        _ => {}
    }
}

/// Whether it is a word of success, in any case.
pub(in crate::adapters::gateway) fn is_success(word: &str) -> bool {
    is_one_of(word, &SUCCESS)
}

/// Whether it is a word of refusal, in any case.
pub(in crate::adapters::gateway) fn is_failure(word: &str) -> bool {
    is_one_of(word, &FAILURE)
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// MQL5's own number for no error is 0.
fn is_no_error(value: &Value) -> bool {
    *value == false || value.as_str() == Some("") || value.as_f64() == Some(0.0)
}

/// MQL5 lists it, and not as a refusal.
fn may_be_executed(code: i64) -> bool {
    return_codes::meaning(code).is_some_and(|meaning| meaning != Meaning::Refused)
}

/// A `type` can be that of the message. Only a word that has no side in it is left alone.
fn is_other_word(value: &Value) -> bool {
    let word = value.as_str().map(str::to_ascii_lowercase);
    kind(value) == Kind::Other && word.is_some_and(|word| !word.contains("buy") && !word.contains("sell"))
}
