//! One line of the text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use super::{Kind, Labels};
use std::str::Chars;

/// The content of a line.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// An empty line, or a comment.
    Empty,
    Help {
        name: String,
        text: String,
    },
    Type {
        name: String,
        kind: Kind,
    },
    Sample(SampleLine),
}

#[derive(Debug, PartialEq)]
pub(super) struct SampleLine {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// Reads a line without its line break.
pub(super) fn read(line: &str) -> Result<Line, String> {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        return Ok(Line::Help { name: metric_name(name)?.into(), text: unescaped(text, false)? });
    }
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').ok_or_else(|| format!("{rest:?} is not a TYPE"))?;
        let kind = match kind {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            other => return Err(format!("{name} has the type {other:?}")),
        };
        return Ok(Line::Type { name: metric_name(name)?.into(), kind });
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Empty);
    }
    sample(line).map(Line::Sample)
}

fn sample(line: &str) -> Result<SampleLine, String> {
    let end = line.find(['{', ' ']).ok_or_else(|| format!("{line:?} is not a sample"))?;
    let (name, rest) = line.split_at(end);
    let name = metric_name(name)?.to_owned();
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    let value = value.strip_prefix(' ').ok_or_else(|| format!("{name} has no value"))?;
    let value = number(value).ok_or_else(|| format!("{value:?} is not a value for {name}"))?;
    Ok(SampleLine { name, labels, value })
}

/// Also refuses a timestamp after the value: Sentinel writes none, and Prometheus would use it.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !text.contains(['i', 'n', '_']) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Reads labels up to the closing brace; returns the rest.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, value) = rest.split_once("=\"").ok_or("a label has no value")?;
        let name = label_name(name)?;
        let end = closing_quote(value).ok_or_else(|| format!("the value of the label {name} has no closing quote"))?;
        let (value, after) = value.split_at(end);
        if labels.insert(name.to_owned(), unescaped(value, true)?).is_some() {
            return Err(format!("the label {name} is a duplicate"));
        }
        rest = &after[1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.starts_with('}') => {}
            None => return Err(format!("the label {name} is not followed by a comma or a brace")),
        }
    }
}

/// Position of the first quote that is not escaped.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => return Some(at),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    None
}

fn unescaped(text: &str, has_quotes: bool) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { escaped(&mut chars, has_quotes)? } else { c });
    }
    Ok(plain)
}

fn escaped(chars: &mut Chars<'_>, has_quotes: bool) -> Result<char, String> {
    match chars.next() {
        Some('\\') => Ok('\\'),
        Some('n') => Ok('\n'),
        Some('"') if has_quotes => Ok('"'),
        other => Err(format!("{:?} is not an escape", other.map_or_else(String::new, |c| format!("\\{c}")))),
    }
}

fn metric_name(name: &str) -> Result<&str, String> {
    let is_one = is_name(name, |c| c == '_' || c == ':');
    if is_one { Ok(name) } else { Err(format!("{name:?} is not a metric name")) }
}

fn label_name(name: &str) -> Result<&str, String> {
    let is_one = is_name(name, |c| c == '_') && !name.starts_with("__");
    if is_one { Ok(name) } else { Err(format!("{name:?} is not a label name")) }
}

fn is_name(name: &str, also: fn(char) -> bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || also(c))
}
