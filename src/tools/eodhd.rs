//! What EODHD's answers mean to a person: for `sentinel verify market` and `sentinel bars`.

/// Of a status other than 200: its meaning, what to do about it, and whether it holds for every symbol.
pub const fn meaning(status: u16) -> (&'static str, &'static str, bool) {
    match status {
        401 => (
            "the key is not accepted",
            "set EODHD_API_TOKEN, or the file of EODHD_API_TOKEN_FILE, to the key of your EODHD dashboard, without quotes",
            true,
        ),
        402 => (
            "the calls of the day are used up, or the plan does not pay for this",
            "wait for midnight GMT, or take a larger plan; `quota` says what the settings need",
            true,
        ),
        403 => (
            "the key may not have this",
            "does the plan behind this key include intraday data of FOREX? See your EODHD dashboard",
            true,
        ),
        404 => (
            "no such ticker, or no such page",
            "correct this symbol's `ticker` in [[symbols]] (EURUSD.FOREX); if every symbol is missing, data.base_url",
            false,
        ),
        422 => (
            "the arguments are refused",
            "is data.interval one that EODHD has for this ticker, and data.lookback_bars within its range (1m: 120 days)?",
            false,
        ),
        429 => (
            "too many requests",
            "wait as long as it says; then fewer symbols, data.poll = \"bar\", and nothing else that uses this key",
            true,
        ),
        300..=399 => (
            "it points elsewhere, and redirects are not followed: the key would go along",
            "set data.base_url to the address it points to, if that is EODHD's",
            true,
        ),
        500..=599 => ("trouble of its own", "try again later; the daemon does so in every cycle", false),
        _ => ("no answer that EODHD documents", "is data.base_url EODHD's, and no proxy in between?", false),
    }
}
