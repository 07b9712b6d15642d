//! The error text of a model server's answer.

use crate::adapters::json::without_bom;

/// Most characters of the text that are kept.
const TEXT_CHARS_MAX: usize = 400;

/// The text of an error's body, on one line: MLflow's `message` with the last line of its stack trace, which is the model's
/// own error; otherwise the body as it is.
pub fn error_text(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(without_bom(body)).ok();
    let text = |key| json.as_ref().and_then(|json| json.get(key)?.as_str());
    match (text("message"), text("stack_trace").and_then(|trace| trace.trim_end().lines().last())) {
        (Some(message), Some(cause)) => format!("{} ({})", joined(message), joined(cause)),
        (Some(message), None) => joined(message),
        (None, _) => joined(&String::from_utf8_lossy(body)),
    }
}

fn joined(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_message_on_one_line() {
        let body = br#"{"error_code": "BAD_REQUEST", "message": "no\n  way\u001b[31m"}"#;
        assert_eq!(error_text(body), "no way [31m");
        let body = br#"{"message": "It failed.", "stack_trace": "Traceback\n  in predict\nAssertionError: (1, 2)\n"}"#;
        assert_eq!(error_text(body), "It failed. (AssertionError: (1, 2))");
        assert_eq!(error_text(b"<html>\n502</html>"), "<html> 502</html>");
        assert_eq!(error_text(&[b'x'; 5_000]).len(), TEXT_CHARS_MAX);
    }
}
