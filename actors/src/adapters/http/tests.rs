//! Answers, errors and the connections they come on, against servers that send what they like.

use super::*;

#[test]
fn outside_text_stays_one_line_and_short() {
    assert_eq!(one_line("a\r\nlevel=ERROR\u{2028}b\u{1b}[31m"), "a  level=ERROR b [31m");
    assert_eq!(one_line(&"x".repeat(5_000)).len(), EXCERPT_CHARS_MAX);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
    assert_eq!(retry_after("soon"), None);
    let in_a_minute = (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).to_rfc2822();
    let wait = retry_after(&in_a_minute).unwrap();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), None, "a date in the past is no wait");
}

#[test]
fn a_status_outside_the_closed_set_is_an_exception() {
    let error = |status| HttpError::Status { status, retry_after: None, body: String::new() };
    assert_eq!(error(503).error_code(), "503");
    assert_eq!(error(418).error_code(), "exception");
    assert_eq!(error(302).error_code(), "exception");
}
