//! Password hashes: the cost of a check, and which ones are of the empty password.

use super::web_config::Users;

/// Rounds of bcrypt that a start may spend on checking the hashes, about two seconds.
const EMPTY_WORK_MAX: u64 = 1 << 15;

/// The binary logarithm of a check's work; 0 for text that is not a hash.
pub fn cost(hash: &str) -> u32 {
    hash.parse::<bcrypt::HashParts>().map_or(0, |parts| parts.get_cost())
}

/// The users with the hash of the empty password. Each is a check, so of many users, or with costly hashes, not all are
/// checked. The empty password is never accepted in any case.
pub fn with_empty_password(users: &Users) -> Vec<&str> {
    let mut work = 0_u64;
    let within = users.0.iter().take_while(|(_, hash)| {
        work += 1 << cost(hash);
        work <= EMPTY_WORK_MAX
    });
    let has_it = within.filter(|(_, hash)| bcrypt::verify("", hash).unwrap_or(false));
    has_it.map(|(name, _)| name.as_str()).collect()
}
