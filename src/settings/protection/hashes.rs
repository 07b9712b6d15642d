//! Hashes of passwords: what a check of one costs, and whose are of the empty password.

use super::web_config::Users;

/// Rounds of bcrypt that a start may take for looking at the hashes, about two seconds.
const EMPTY_WORK_MAX: u64 = 1 << 15;

/// The work of a check is two to the power of this; 0 for what is no hash.
pub fn cost(hash: &str) -> u32 {
    hash.parse::<bcrypt::HashParts>().map_or(0, |parts| parts.get_cost())
}

/// Which users have the hash of the empty password. Each is a check, so many users or dear ones are not all looked at;
/// nobody is let in with that password.
pub fn with_empty_password(users: &Users) -> Vec<&str> {
    let mut work = 0_u64;
    let within = users.0.iter().take_while(|(_, hash)| {
        work += 1 << cost(hash);
        work <= EMPTY_WORK_MAX
    });
    let has_it = within.filter(|(_, hash)| bcrypt::verify("", hash).unwrap_or(false));
    has_it.map(|(name, _)| name.as_str()).collect()
}
