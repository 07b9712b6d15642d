//! Text for a shell: commands that a person can copy as they are.

/// The text as one word of a POSIX shell.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_if_a_shell_would_split_or_change_it() {
        for plain in ["sentinel", "/home/ann/journal.db", "a-b_c.d+e@f%g:h,i=j"] {
            assert_eq!(quoted(plain), plain);
        }
        for (text, word) in [("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$HOME", "'$HOME'"), ("é", "'é'")]
        {
            assert_eq!(quoted(text), word);
        }
    }
}
