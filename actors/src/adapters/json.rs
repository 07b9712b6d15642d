//! JSON as other programs write it: Python and MQL5 write bare NaN and infinity, which JSON does not allow, and a number may
//! be too large for a double. Such a token must only affect the value that it stands for.

/// How NaN and infinity are written, in lower case; if one is the beginning of another, the longer one is first.
const BARE_TOKENS: [&[u8]; 8] =
    [b"-nan(ind)", b"-infinity", b"infinity", b"nan(ind)", b"-nan", b"-inf", b"nan", b"inf"];

/// The text with every bare `NaN`, `Infinity` and the like replaced by `null`; strings stay as they are.
pub fn without_bare_tokens(text: &[u8]) -> Vec<u8> {
    with_bare_tokens_as(text, b"null")
}

/// The text with every bare `NaN`, `Infinity` and the like, and every number that does not fit into a double, such as
/// `1e999`, replaced by `stand_in`. Strings stay as they are.
pub fn with_bare_tokens_as(text: &[u8], stand_in: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut in_string = false;
    while let Some((&byte, tail)) = rest.split_first() {
        if !in_string && let Some(length) = bare_token(rest) {
            out.extend_from_slice(stand_in);
            rest = &rest[length..];
            continue;
        }
        if !in_string && (byte == b'-' || byte.is_ascii_digit()) {
            let (number, after) = rest.split_at(number_length(rest));
            out.extend_from_slice(if is_too_large(number) { stand_in } else { number });
            rest = after;
            continue;
        }
        out.push(byte);
        rest = tail;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                if let Some((&escaped, tail)) = rest.split_first() {
                    out.push(escaped);
                    rest = tail;
                }
            }
            _ => {}
        }
    }
    out
}

/// The length of the token at the beginning of the text.
fn bare_token(text: &[u8]) -> Option<usize> {
    let begins = |token: &&[u8]| text.get(..token.len()).is_some_and(|start| start.eq_ignore_ascii_case(token));
    BARE_TOKENS.iter().find(|token| begins(token)).map(|token| token.len())
}

/// The length of the number at the beginning of the text; at least 1.
fn number_length(text: &[u8]) -> usize {
    let goes_on = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
    text.iter().skip(1).position(|byte| !goes_on(byte)).map_or(text.len(), |length| length + 1)
}

fn is_too_large(number: &[u8]) -> bool {
    std::str::from_utf8(number).is_ok_and(|number| number.parse().is_ok_and(f64::is_infinite))
}

/// The text without the byte order mark that some Windows programs put before it.
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_tokens_go_and_strings_stay() {
        for token in ["NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "-nan(ind)", "nan(ind)"] {
            let text = format!(r#"{{"a": {token}, "b": "{token}\" {token}", "c": [{token},1]}}"#);
            let wanted = format!(r#"{{"a": null, "b": "{token}\" {token}", "c": [null,1]}}"#);
            assert_eq!(String::from_utf8(without_bare_tokens(text.as_bytes())).unwrap(), wanted);
        }
        let good = br#"{"a": null, "b": [true, false, -1.5e3], "n": "a\\"}"#;
        assert_eq!(without_bare_tokens(good), good);
        assert_eq!(with_bare_tokens_as(b"[NaN]", b"{}"), b"[{}]");
    }

    #[test]
    fn a_number_that_no_double_holds_is_no_number() {
        let long = "9".repeat(400);
        for token in ["1e999", "-1e999", "1.5E+400", &long] {
            let text = format!(r#"{{"a": {token}, "b": "{token}", "c": [{token},1e308,-2.5]}}"#);
            let wanted = format!(r#"{{"a": null, "b": "{token}", "c": [null,1e308,-2.5]}}"#);
            assert_eq!(String::from_utf8(without_bare_tokens(text.as_bytes())).unwrap(), wanted);
        }
        for broken in ["[1e]", "[-]", "[1-2]", "[--1e999]", "1e999x"] {
            assert!(serde_json::from_slice::<serde_json::Value>(&without_bare_tokens(broken.as_bytes())).is_err());
        }
    }

    #[test]
    fn a_byte_order_mark_is_read_over_once() {
        assert_eq!(without_bom(b"\xef\xbb\xbf{}"), b"{}");
        assert_eq!(without_bom(b"{}"), b"{}");
        assert_eq!(without_bom(b"\xef\xbb\xbf\xef\xbb\xbf"), b"\xef\xbb\xbf");
    }
}
