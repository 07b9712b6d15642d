//! Makes text from outside fit to be shown: on one line, short, without invisible characters and passwords.

use std::borrow::Cow;

/// Longest outside text that reaches a log line or an error, in characters.
const LINE_CHARS_MAX: usize = 200;

/// Text for a log line or an error. Hidden characters are removed or become spaces, the login of a URL becomes `...`, and
/// text after 200 characters is cut off.
pub fn one_line(text: &str) -> String {
    let clean = without_logins(text);
    let seen = clean.chars().filter(|c| !is_unseen(*c));
    let clean = seen.map(|c| if is_hidden(c) { ' ' } else { c });
    clean.take(LINE_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// Replaces `://user:password@` with `://...@`, because a quoted address may contain a password.
fn without_logins(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return text.into();
    }
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(part.len());
        clean.push_str("://");
        match part[..end].rfind('@') {
            Some(at) => clean.extend(["...", &part[at..]]),
            None => clean.push_str(part),
        }
    }
    clean.into()
}

/// Whether this character is invisible: control characters, line ends, zero-width characters, marks that change the direction
/// of the text after them, tags, and the replacement character. No name may contain one.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_unseen(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffc}' | '\u{fffd}')
}

/// Unicode's format characters and other characters without width: direction marks and overrides, joiners, the byte order
/// mark, tags. Without them a text reads the same, and a line of a table keeps its order.
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_hidden_and_what_brokers_write_is_not() {
        for c in "\u{0}\n\t\u{7f}\u{85}\u{ad}\u{200b}\u{200d}\u{200e}\u{202e}\u{2028}\u{2060}\u{2066}\u{2069}\u{feff}\u{fffd}".chars()
        {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in " +@!.£$€#&%^~()/\\'\"ÄÜß日経é💰".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn a_login_in_somebodys_address_is_not_said() {
        for (text, said) in [
            ("no https://alice:PW@host:1/a@b here", "no https://...@host:1/a@b here"),
            ("postgresql://u:P@W@db, http://x", "postgresql://...@db, http://x"),
            ("a://b@c d://e:PW@f", "a://...@c d://...@f"),
            ("me@host http://host", "me@host http://host"),
        ] {
            assert_eq!(one_line(text), said);
        }
    }

    #[test]
    fn outside_text_stays_one_line_and_short() {
        assert_eq!(one_line("a\r\nlevel=ERROR\u{2028}b\u{1b}[31m"), "a  level=ERROR b [31m");
        assert_eq!(one_line("ok\u{202e}yrt\u{2066}a\u{200b}b\u{feff}"), "okyrtab");
        assert_eq!(one_line(&"x".repeat(5_000)).len(), LINE_CHARS_MAX);
    }

    #[test]
    fn outside_text_cannot_turn_a_line_or_hide_in_it() {
        let unseen =
            ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{feff}'..='\u{feff}']
                .into_iter()
                .flatten()
                .chain(['\u{ad}', '\u{61c}', '\u{fe0f}', '\u{e0041}']);
        for c in unseen {
            assert_eq!(one_line(&format!("{c}re{c}{c}jected{c}")), "rejected", "U+{:04X}", u32::from(c));
        }
        assert_eq!(
            one_line(&format!("{}end", "\u{202e}".repeat(5_000))),
            "end",
            "they do not take up the room of words"
        );
        let text = "Zu wenig Geld: 10 \u{20ac}, \u{4fdd}\u{8bc1}\u{91d1}\u{4e0d}\u{8db3}, \u{5e9}\u{5dc}\u{5d5}\u{5dd}, \u{1f4b6}";
        assert_eq!(one_line(text), text, "words of any language stay");
    }
}
