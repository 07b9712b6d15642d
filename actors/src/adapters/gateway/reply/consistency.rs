//! Collects everything that a reply says about an order, wherever it is in the reply, and checks whether it contradicts
//! itself or the order. One rule for all dialects: a word of success or refusal is believed only if nothing else contradicts
//! it.

use super::{Kind, is_id, kind, number, whole};
use crate::{
    adapters::gateway::return_codes::{self, Meaning},
    domain::order::{LOTS_APART, Order, Outcome},
};
use serde_json::{Map, Value};
use tracing::warn;
use uuid::Uuid;

/// Keys of ids that can only be ours. `order_id` may be the broker's number of the order instead.
const IDS: [&str; 3] = ["uuid", "req_id", "client_order_id"];
/// Keys under which a reply reports an error.
const ERRORS: [&str; 4] = ["error", "error_code", "error_msg", "error_message"];
/// Words of success, in lower case. The last four mean that the order was executed; the others may concern only the request.
const SUCCESS: [&str; 7] = ["ok", "success", "completed", "filled", "executed", "done", "closed"];
const EXECUTED: [&str; 4] = ["filled", "executed", "done", "closed"];
/// Words of a refusal, in lower case.
const FAILURE: [&str; 3] = ["error", "rejected", "failed"];

/// How deeply a reply is searched. No known gateway uses more than three levels.
const DEPTH_MAX: usize = 8;
/// Other keys for the broker's numbers of the order's result.
const NUMBERS: [&str; 6] = ["deal", "deal_id", "order", "order_id", "position", "position_id"];
/// Keys of a return code.
const CODES: [&str; 2] = ["retcode", "return_code"];

/// The volumes that a fill may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters::gateway) enum VolumeRule {
    /// At most the ordered volume.
    AtMostOrdered,
    /// The whole volume of the position: a partly closed position is not closed.
    AllOfIt,
    /// Any volume, because the order had none.
    Any,
}

/// The values of a fill that nothing contradicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::adapters::gateway) struct Fill {
    /// The ticket, if the reply has one.
    pub ticket: Option<i64>,
    /// Lots, if the reply has them.
    pub volume: Option<f64>,
    /// Price, if the reply has a valid one.
    pub price: Option<f64>,
    /// Partially executed, by its return code.
    pub is_part: bool,
}

impl Fill {
    /// The outcome, with this ticket.
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

/// The reply and all objects in it that concern the order.
#[derive(Debug)]
pub(in crate::adapters::gateway) struct Claims<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Claims<'a> {
    pub(in crate::adapters::gateway) fn of(reply: &'a Value) -> Self {
        let mut places = Vec::new();
        gather(reply, DEPTH_MAX, &mut places);
        Self(places)
    }

    /// All values under this key, except null.
    fn told(&self, key: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |place| place.get(key)).filter(|value| !value.is_null())
    }

    /// An id that is not this order's.
    pub(in crate::adapters::gateway) fn foreign_id(&self, id: Uuid) -> Option<&'a Value> {
        let is_number = |value: &Value| number(value).is_some();
        let mut ours = IDS.iter().flat_map(|key| self.told(key));
        let mut orders = self.told("order_id").filter(|value| !is_number(value));
        ours.find(|value| !is_id(value, id)).or_else(|| orders.find(|value| !is_id(value, id)))
    }

    /// All errors in the reply: `error_code "MT5_NOT_CONNECTED", error_msg "no terminal"`.
    pub(in crate::adapters::gateway) fn errors(&self) -> Option<String> {
        let told = ERRORS.iter().flat_map(|key| self.told(key).map(move |value| (key, value)));
        let told: Vec<_> =
            told.filter(|(_, value)| !is_no_error(value)).map(|(key, value)| format!("{key} {value}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// The result of a word of success: the fill, or what contradicts it.
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

    /// What contradicts a word of refusal.
    pub(in crate::adapters::gateway) fn against_refusal(&self, order: &Order) -> Result<(), String> {
        self.is_of(order)?;
        let says = |key: &str, test: fn(&Value) -> bool| self.told(key).find(|value| test(value));
        let contradictions = [
            ("ticket", says("ticket", |value| whole(value).is_none_or(|ticket| ticket > 0))),
            ("deal", says("deal", |value| whole(value).is_none_or(|deal| deal > 0))),
            ("deal_id", says("deal_id", |value| whole(value).is_none_or(|deal| deal > 0))),
            // An object with this name is checked separately.
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
        // The refusal of a close may name the position.
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

    /// An item of a list in the place of the result that is not an object, so it cannot be interpreted.
    fn loose_list(&self) -> Option<&'a Value> {
        let lists = ["data", "result"].into_iter().flat_map(|key| self.told(key)).filter_map(Value::as_array);
        lists.flatten().find(|value| !value.is_object())
    }

    /// Whether the values are the order's instrument and its side.
    fn is_of(&self, order: &Order) -> Result<(), String> {
        let gateway_name = order.gateway_name.to_lowercase();
        let is_other =
            |value: &&Value| value.as_str().map(|name| name.trim().to_lowercase()) != Some(gateway_name.clone());
        if let Some(symbol) = self.told("symbol").find(is_other) {
            return Err(format!("it is about {symbol}"));
        }
        if order.closes.is_some() {
            // The reply to a close may have the position's side or its own.
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
        // The broker's number of a filled order. A text is an id of ours, which was checked before.
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

    /// All statuses, including a `result` or `data` that is itself such a word, or `false`.
    pub(in crate::adapters::gateway) fn words(&self) -> impl Iterator<Item = &'a Value> {
        let is_word = |value: &&Value| {
            **value == false || value.as_str().is_some_and(|word| is_success(word) || is_failure(word))
        };
        let instead = ["result", "data"].into_iter().flat_map(move |key| self.told(key).filter(is_word));
        self.told("status").chain(instead)
    }
}

/// All objects in a reply, including those in lists, but without an echo of the request, which does not say what happened.
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

/// Whether it is a word of success, in upper or lower case.
pub(in crate::adapters::gateway) fn is_success(word: &str) -> bool {
    is_one_of(word, &SUCCESS)
}

/// Whether it is a word of refusal, in upper or lower case.
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

/// Whether MQL5 lists the code, but not as a refusal.
fn may_be_executed(code: i64) -> bool {
    return_codes::meaning(code).is_some_and(|meaning| meaning != Meaning::Refused)
}

/// A `type` may be the type of the message. It is only ignored if its text contains no side.
fn is_other_word(value: &Value) -> bool {
    let word = value.as_str().map(str::to_ascii_lowercase);
    kind(value) == Kind::Other && word.is_some_and(|word| !word.contains("buy") && !word.contains("sell"))
}
