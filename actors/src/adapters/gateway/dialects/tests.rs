//! Which dialects exist, and which queries each of them has.

mod reply_parts;

use super::*;

#[test]
fn a_dialect_that_cannot_be_chosen_says_why() {
    for kind in DialectKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(dialect(kind, DialectParams::default()).kind(), kind);
    }
    let refusal = |text: &str| text.parse::<DialectKind>().unwrap_err();
    assert!(refusal("ea").contains("turns any text into an order"));
    for text in ["ea", "V43", "json", ""] {
        assert!(refusal(text).contains("place_order, v43, envelope or order_send"), "{text}");
    }
}

#[test]
fn a_dialect_has_a_handshake_or_says_that_it_has_none() {
    for kind in DialectKind::ALL {
        let request = dialect(kind, DialectParams::default()).ask(Query::Handshake, Uuid::nil(), Duration::ZERO);
        assert_eq!(request.is_some(), kind.has_handshake(), "{kind}");
    }
}
