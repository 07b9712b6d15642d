//! The normal form of an expression that can be written in several ways.

use super::{AGGREGATIONS, LISTS, Node, is_group, is_word};
use std::cmp::Ordering;

/// The nodes in Prometheus's order.
pub(super) fn normal_form(nodes: Vec<Node>) -> Vec<Node> {
    let mut normal: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut rest = nodes.into_iter().peekable();
    while let Some(node) = rest.next() {
        match node {
            Node::Group('{', matchers) => {
                let matchers = sorted(matchers);
                // `up{}` is `up`.
                if !matchers.is_empty() || !matches!(normal.last(), Some(Node::Word(_))) {
                    normal.push(Node::Group('{', matchers));
                }
            }
            Node::Group('(', inner) if is_word(normal.last(), &LISTS) => normal.push(Node::Group('(', sorted(inner))),
            Node::Group(opened, inner) => normal.push(Node::Group(opened, normal_form(inner))),
            node => {
                let is_bare = is_word(Some(&node), &["group_left", "group_right"]) && !is_group(rest.peek(), '(');
                normal.push(node);
                if is_bare {
                    normal.push(Node::Group('(', Vec::new()));
                }
            }
        }
    }
    put_grouping_first(&mut normal);
    put_at_first(&mut normal);
    drop_empty(&mut normal);
    normal
}

/// The parts between commas, sorted.
fn sorted(nodes: Vec<Node>) -> Vec<Node> {
    let mut parts: Vec<_> = nodes.split(|node| *node == Node::Sign(",")).filter(|part| !part.is_empty()).collect();
    parts.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    parts.join(&Node::Sign(","))
}

/// `sum(x) by (y)` is `sum by (y) (x)`.
fn put_grouping_first(nodes: &mut [Node]) {
    for at in 0..nodes.len().saturating_sub(3) {
        let is_after = is_word(nodes.get(at), &AGGREGATIONS)
            && is_group(nodes.get(at + 1), '(')
            && is_word(nodes.get(at + 2), &["by", "without"])
            && is_group(nodes.get(at + 3), '(');
        if is_after {
            nodes[at + 1..at + 4].rotate_left(1);
        }
    }
}

/// `x offset 5m @ 7` is `x @ 7 offset 5m`.
fn put_at_first(nodes: &mut [Node]) {
    for at in 0..nodes.len() {
        let offset = 2 + usize::from(nodes.get(at + 1) == Some(&Node::Sign("-")));
        if is_word(nodes.get(at), &["offset"]) && nodes.get(at + offset) == Some(&Node::Sign("@")) {
            let time = 2 + usize::from(is_group(nodes.get(at + offset + 2), '('));
            if let Some(both) = nodes.get_mut(at..at + offset + time) {
                both.rotate_left(offset);
            }
        }
    }
}

/// Drops `by ()`, and `ignoring ()` without a group, which have no effect.
fn drop_empty(nodes: &mut Vec<Node>) {
    let mut at = 0;
    while at + 1 < nodes.len() {
        let is_empty = nodes[at + 1] == Node::Group('(', Vec::new());
        let has_no_effect = is_word(nodes.get(at), &["by"])
            || is_word(nodes.get(at), &["ignoring"]) && !is_word(nodes.get(at + 2), &["group_left", "group_right"]);
        if is_empty && has_no_effect {
            nodes.drain(at..at + 2);
        } else {
            at += 1;
        }
    }
}
