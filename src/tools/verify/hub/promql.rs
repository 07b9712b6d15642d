//! Enough of PromQL to compare two expressions and to find the families they read.
//!
//! Prometheus reports a rule in its own spelling: matchers sorted, `by` in front, `209715200` as `2.097152e+08`, `60m` as `1h`. So
//! both texts are parsed into the same tree; unknown syntax is kept, and compared word by word. A whole parser (promql-parser)
//! would need a parser generator.

mod normal_form;
#[cfg(test)]
mod tests;

use super::config::duration;
use normal_form::normal_form;
use std::{collections::BTreeSet, str::Chars};

/// Words before a list of labels, whose order does not matter.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 6] = ["and", "or", "unless", "atan2", "bool", "offset"];
const AGGREGATIONS: [&str; 14] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "stddev",
    "stdvar",
    "group",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
    "limit_ratio",
];
/// The longer first.
const SIGNS: [&str; 18] =
    ["==", "!=", ">=", "<=", "=~", "!~", "=", ">", "<", "+", "-", "*", "/", "%", "^", "@", ",", ":"];

/// An expression in its normal form.
#[derive(Debug, PartialEq)]
pub(super) struct Expression(Vec<Node>);

/// A family that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selected {
    /// Including suffixes such as `_bucket`.
    pub(super) name: String,
    /// The job that it selects; `None` for any.
    pub(super) job: Option<String>,
    /// The instance that it selects; `None` for any.
    pub(super) instance: Option<String>,
}

#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Node {
    Word(String),
    Number(f64),
    Milliseconds(u128),
    Text(String),
    Sign(&'static str),
    Group(char, Vec<Node>),
}

impl Expression {
    /// `None` if it is not PromQL: unbalanced brackets or quotes, or an unknown operator.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let nodes = reader.group(None)?;
        Some(Self(normal_form(nodes)))
    }

    /// The families it reads, including recorded ones.
    pub(super) fn selected(&self) -> BTreeSet<Selected> {
        let mut found = BTreeSet::new();
        select(&self.0, &mut found);
        found
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// Everything up to the end of a group, after its opening bracket.
    fn group(&mut self, opened: Option<char>) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            let Some(first) = self.rest.chars().next() else { return opened.is_none().then_some(nodes) };
            match first {
                '#' => self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest),
                '(' | '[' | '{' => {
                    self.rest = &self.rest[1..];
                    nodes.push(Node::Group(first, self.group(Some(first))?));
                }
                ')' | ']' | '}' => {
                    self.rest = &self.rest[1..];
                    let is_its = matches!((opened, first), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'));
                    return is_its.then_some(nodes);
                }
                '"' | '\'' | '`' => nodes.push(Node::Text(self.text(first)?)),
                '0'..='9' | '.' => nodes.push(self.number()?),
                // Between the durations of a subquery; elsewhere the beginning of a recorded name.
                ':' if opened == Some('[') => nodes.push(self.sign()?),
                'a'..='z' | 'A'..='Z' | '_' | ':' => {
                    let word = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
                    let lower = word.to_ascii_lowercase();
                    nodes.push(match lower.as_str() {
                        "inf" => Node::Number(f64::INFINITY),
                        "nan" => Node::Word(lower),
                        known if is_keyword(known) => Node::Word(lower),
                        _ => Node::Word(word.to_owned()),
                    });
                }
                _ => nodes.push(self.sign()?),
            }
        }
    }

    fn take(&mut self, is_in: impl Fn(char) -> bool) -> &str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !is_in(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn sign(&mut self) -> Option<Node> {
        let sign = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign))?;
        self.rest = &self.rest[sign.len()..];
        Some(Node::Sign(sign))
    }

    fn number(&mut self) -> Option<Node> {
        let mut digits = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).replace('_', "");
        if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            return Some(Node::Number(u64::from_str_radix(hexadecimal, 16).ok()? as f64));
        }
        if let Some(time) = duration(&digits) {
            return Some(Node::Milliseconds(time.as_millis()));
        }
        if digits.ends_with(['e', 'E']) && self.rest.starts_with(['+', '-']) {
            digits.push_str(&self.rest[..1]);
            self.rest = &self.rest[1..];
            digits.push_str(self.take(|c| c.is_ascii_digit()));
        }
        digits.parse().ok().map(Node::Number)
    }

    /// A quoted text, unescaped.
    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest.get(1..)?.chars();
        loop {
            match characters.next()? {
                end if end == quote => {
                    self.rest = characters.as_str();
                    return Some(text);
                }
                '\\' if quote != '`' => text.push(unescaped(&mut characters)?),
                character => text.push(character),
            }
        }
    }
}

/// The character of an escape, after its backslash.
fn unescaped(characters: &mut Chars<'_>) -> Option<char> {
    let kind = characters.next()?;
    let mut code = |first: &str, count, radix| {
        let digits = first.chars().chain(characters.by_ref().take(count)).collect::<String>();
        char::from_u32(u32::from_str_radix(&digits, radix).ok()?)
    };
    match kind {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        'x' => code("", 2, 16),
        'u' => code("", 4, 16),
        'U' => code("", 8, 16),
        '0'..='7' => code(&kind.to_string(), 2, 8),
        itself => Some(itself),
    }
}

fn is_keyword(word: &str) -> bool {
    LISTS.contains(&word) || OPERATORS.contains(&word) || AGGREGATIONS.contains(&word)
}

fn is_word(node: Option<&Node>, words: &[&str]) -> bool {
    matches!(node, Some(Node::Word(word)) if words.contains(&word.as_str()))
}

fn is_group(node: Option<&Node>, opened: char) -> bool {
    matches!(node, Some(Node::Group(it, _)) if *it == opened)
}

fn select(nodes: &[Node], found: &mut BTreeSet<Selected>) {
    let selected = |name: &str, matchers: &[Node]| Selected {
        name: name.to_owned(),
        job: matched(matchers, "job"),
        instance: matched(matchers, "instance"),
    };
    for (at, node) in nodes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| nodes.get(before));
        let after = nodes.get(at + 1);
        match node {
            Node::Group('{', matchers) if !matches!(before, Some(Node::Word(_))) => {
                found.extend(matched(matchers, "__name__").map(|name| selected(&name, matchers)));
            }
            Node::Group('(', inner) if !is_word(before, &LISTS) => select(inner, found),
            Node::Word(name) if !is_keyword(name) && name != "nan" && !is_group(after, '(') => {
                let matchers = match after {
                    Some(Node::Group('{', matchers)) => matchers.as_slice(),
                    _ => &[],
                };
                found.insert(selected(name, matchers));
            }
            _ => {}
        }
    }
}

/// The value that a label must equal.
fn matched(matchers: &[Node], label: &str) -> Option<String> {
    matchers.split(|node| *node == Node::Sign(",")).find_map(|matcher| match matcher {
        [Node::Word(name), Node::Sign("="), Node::Text(value)] if name == label => Some(value.clone()),
        _ => None,
    })
}
