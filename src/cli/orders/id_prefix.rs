//! An order's id as a person types it: whole, or as many characters as are unique.

use anyhow::bail;
use sentinel_actors::adapters::journal::Store;
use std::path::Path;
use uuid::Uuid;

/// Hexadecimal digits of an id.
const DIGITS_MAX: usize = 32;
/// How many orders an ambiguous prefix is reported to match; of more, only that there are more.
const NAMED_MAX: u32 = 5;

/// The first characters of an id, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdPrefix(String);

impl IdPrefix {
    /// Hexadecimal digits, with hyphens or without.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.chars().filter(|c| *c != '-').count();
        let is_one = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit()) && (1..=DIGITS_MAX).contains(&digits);
        if is_one { Ok(Self(text.into())) } else { Err("must be an order's id, or the first characters of one".into()) }
    }

    /// The one order with this prefix.
    ///
    /// # Errors
    /// There is none, or there are several, which the error lists.
    pub(super) fn find(&self, store: &Store, path: &Path) -> anyhow::Result<Uuid> {
        let Self(prefix) = self;
        let mut found = store.ids_that_begin(prefix, NAMED_MAX + 1)?;
        match found.as_slice() {
            [one] => Ok(*one),
            [] => bail!(
                "{} has no order {prefix}: `sentinel orders` lists all; --journal names another journal",
                path.display()
            ),
            _ => {
                let more = if found.len() > NAMED_MAX as usize { " and more" } else { "" };
                found.truncate(NAMED_MAX as usize);
                let named = found.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
                bail!("several orders begin with {prefix}: {named}{more}; use more characters")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_only_the_digits_of_an_id() {
        for text in ["f", "F20CFD40", "f20cfd40-", "f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1", &"a".repeat(32)] {
            assert!(IdPrefix::parse(text).is_ok(), "{text}");
        }
        for text in ["", "-", "g", "f20cfd40 ", "%", &"a".repeat(33)] {
            assert!(IdPrefix::parse(text).is_err(), "{text}");
        }
    }
}
