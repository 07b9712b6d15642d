//! Characters that nobody sees, or that turn what stands beside them around: no name may have them, and no line of a log.

/// Whether this character has no shape of its own: control characters, line ends, zero-width ones, marks that change the
/// direction of the text after them, tags, and the mark for what could not be read.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}')
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
}
