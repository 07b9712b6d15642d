//! Symbols: their names, their scale and the calendar that follows from them.

use super::*;

#[test]
fn named_symbols_keep_their_tables() {
    let tables = "[[symbols]]\nname = \"EURUSD\"\n[[symbols]]\nname = \"GBPUSD\"\ngateway_name = \"GBPUSDm\"\n";
    let (_file, mut sources) = with_file(tables, &[("SENTINEL__SYMBOLS", "GBPUSD, USDJPY")]);
    let names = |sources: &Sources| -> Vec<String> {
        Settings::load(sources).unwrap().instruments().map(|i| i.gateway_name.clone()).collect()
    };
    assert_eq!(names(&sources), ["GBPUSDm", "USDJPY"]);
    sources.symbols = Some(vec!["EURUSD".into()]);
    assert_eq!(names(&sources), ["EURUSD"]);
}

#[test]
fn two_symbols_cannot_share_the_brokers_name() {
    let mut sources = sources(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[[symbols]]\nname = 'EURUSD'\n[[symbols]]\nname = 'EUR2'\ngateway_name = 'EURUSD'\n")
        .unwrap();
    sources.file = Some(file.path().to_owned());
    let (keys, text) = refused(&sources);
    assert!(keys == ["symbols.EUR2.gateway_name"] && text.contains("EURUSD"), "{text}");
}

fn with_symbols(names: &str) -> Sources {
    sources(&[("SENTINEL__SYMBOLS", names)])
}

#[test]
fn a_name_that_has_an_exchange_keeps_it() {
    let derived = |name: &str| {
        let settings = Settings::load(&with_symbols(name)).unwrap();
        let instrument = settings.symbols[0].instrument.clone();
        let printed = settings.toml;
        let line = format!("ticker = \"{}\"\ngateway_name = \"{}\"", instrument.ticker, instrument.gateway_name);
        assert!(printed.contains(&line), "`check` prints what is traded: {printed}");
        (instrument.ticker, instrument.gateway_name)
    };
    for (name, ticker, at_gateway) in [
        ("EURUSD", "EURUSD.FOREX", "EURUSD"),
        ("EURUSD.FOREX", "EURUSD.FOREX", "EURUSD"),
        ("AAPL.US", "AAPL.US", "AAPL.US"),
        ("BTC-USD.CC", "BTC-USD.CC", "BTC-USD.CC"),
        ("GSPC.INDX", "GSPC.INDX", "GSPC.INDX"),
        ("SAP.XETRA", "SAP.XETRA", "SAP.XETRA"),
        // Brokers' suffixes, which EODHD does not know.
        ("EURUSD.a", "EURUSD.a.FOREX", "EURUSD.a"),
        ("EURUSD.raw", "EURUSD.raw.FOREX", "EURUSD.raw"),
        ("US500.cash", "US500.cash.FOREX", "US500.cash"),
        ("BRK.B", "BRK.B.FOREX", "BRK.B"),
        ("US30.24", "US30.24.FOREX", "US30.24"),
        (".US", ".US.FOREX", ".US"),
    ] {
        assert_eq!(derived(name), (ticker.into(), at_gateway.into()), "{name}");
    }
}

#[test]
fn two_names_of_one_instrument_are_refused() {
    let (keys, text) = refused(&with_symbols("EURUSD,EURUSD.FOREX"));
    assert!(keys == ["symbols.EURUSD.FOREX.gateway_name"] && text.contains("EURUSD"), "{text}");
    assert_eq!(refused(&with_symbols("EURUSD,eurusd")).0, ["symbols.eurusd.gateway_name"], "brokers ignore case");
    assert!(Settings::load(&with_symbols("AAPL,AAPL.US")).is_ok(), "two names for a broker");
}

#[test]
fn an_unset_calendar_follows_the_symbols() {
    let calendar = |names: &str, value: &str| {
        let market = Settings::load(&sources(&[("SENTINEL__SYMBOLS", names), ("SENTINEL__MARKET__CALENDAR", value)]));
        let market = market.unwrap();
        (market.calendar_name.clone(), market.calendar.is_open(1_795_867_200))
    };
    // 2026-11-28 12:00 UTC, a Saturday.
    assert_eq!(calendar("EURUSD", ""), ("fx".into(), false), "the default");
    assert_eq!(calendar("EURUSD,USDJPY.FOREX", "auto"), ("fx".into(), false));
    assert_eq!(calendar("EURUSD,BTC-USD.CC", "auto"), ("always".into(), true));
    assert_eq!(calendar("AAPL.US", ""), ("always".into(), true));
    assert_eq!(calendar("EURUSD", "always"), ("always".into(), true));
    assert_eq!(calendar("AAPL.US", "fx"), ("fx".into(), false));
    let printed = Settings::load(&sources(&[])).unwrap().toml;
    assert!(printed.contains("calendar = \"fx\""), "the effective one: {printed}");
}

#[test]
fn stops_that_do_not_fit_a_pairs_prices_are_refused() {
    let stop = |names: &str, distance: &str| {
        sources(&[("SENTINEL__SYMBOLS", names), ("SENTINEL__TRADING__STOP_LOSS", distance)])
    };
    let (keys, text) = refused(&stop("EURUSD,USDJPY", "0.002"));
    assert_eq!(keys, ["symbols.USDJPY.stop_loss", "symbols.USDJPY.digits"], "{text}");
    for part in ["0.002", "0.01", "[[symbols]]", "JPY", "at most 3"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(refused(&stop("USDJPY", "0.2")).0, ["symbols.USDJPY.digits"], "with the 5 of [trading]");
    assert_eq!(refused(&stop("EURJPY.FOREX", "0.002")).0.len(), 2);
    assert_eq!(refused(&stop("EURHUF", "0.002")).0.len(), 2);
    assert!(Settings::load(&stop("JPYUSD,EURUSD,EURJPYX,AAPL.US", "0.002")).is_ok(), "their prices are not in yen");
    assert_eq!(refused(&stop("USDJPY.a", "0.002")).0.len(), 2, "a broker's name");
    assert!(Settings::load(&stop("USDJPY", "none")).is_ok(), "digits only round stops, and there is none");

    let table = |text: &str| with_file(text, &[("SENTINEL__TRADING__STOP_LOSS", "0.002")]);
    let own = "[[symbols]]\nname = \"EURUSD\"\n[[symbols]]\nname = \"USDJPY\"\ndigits = 3\nstop_loss = 0.2\n";
    let (_file, good) = table(own);
    assert!(Settings::load(&good).is_ok());
    let (_file, yen) = table("[[symbols]]\nname = \"YEN\"\nticker = \"JPY.FOREX\"\n");
    assert_eq!(refused(&yen).0, ["symbols.YEN.stop_loss", "symbols.YEN.digits"], "EODHD's name of USD/JPY");
    let (_file, coarse) = table("[[symbols]]\nname = \"EURUSD\"\ndigits = 2\n");
    assert_eq!(refused(&coarse).0, ["symbols.EURUSD.stop_loss"], "the distance of [trading], the digits of its own");
    let (_file, profit) =
        table("[[symbols]]\nname = \"USDJPY\"\ndigits = 3\nstop_loss = \"none\"\ntake_profit = 0.003\n");
    assert_eq!(refused(&profit).0, ["symbols.USDJPY.take_profit"]);
}

#[test]
fn a_symbol_has_costs_of_its_own_within_their_ranges() {
    let of = |text: &str| with_file(&format!("[[symbols]]\nname = \"XAUUSD\"\n{text}\n"), &[]);
    let (_file, good) =
        of("spread_points = 25\nswap_long_points = -30\ncommission_per_lot_side = 3.5\ncontract_size = 100");
    let settings = Settings::load(&good).unwrap();
    let costs = settings.study.costs(&settings.symbols[0].table, 2).unwrap();
    assert_eq!((costs.spread, costs.swap_long, costs.swap_short), (25.0, -30.0, 0.0));
    assert!((costs.commission_side - 3.5).abs() < 1e-9);
    for part in ["spread_points = 25", "swap_long_points = -30", "commission_per_lot_side = 3.5"] {
        assert!(settings.toml.contains(part), "`check` prints it: {}", settings.toml);
    }
    for (text, key) in [
        ("spread_points = -1", "spread_points"),
        ("commission_per_lot_side = -1", "commission_per_lot_side"),
        ("swap_long_points = inf", "swap_long_points"),
        ("swap_short_points = nan", "swap_short_points"),
        ("commission_per_lot_side = 3.5", "contract_size"),
    ] {
        let (_file, bad) = of(text);
        assert_eq!(refused(&bad).0, [format!("symbols.XAUUSD.{key}")], "{text}");
    }
    let commission = ("SENTINEL__STUDY__COMMISSION_PER_LOT_SIDE", "3.5");
    assert_eq!(refused(&sources(&[commission])).0, ["symbols.EURUSD.contract_size"]);
    assert!(Settings::load(&sources(&[commission, ("SENTINEL__TRADING__CONTRACT_SIZE", "100000")])).is_ok());
    let (_, text) = refused(&sources(&[("SENTINEL__STUDY__LOT_SIZE", "100000")]));
    assert!(text.contains("lot_size") || text.contains("LOT_SIZE"), "{text}");
}

#[test]
fn a_brokers_name_is_taken_as_it_is() {
    let named = |name: &str| {
        let table = toml::Table::from_iter([
            ("name".to_owned(), "EURUSD".into()),
            ("gateway_name".to_owned(), toml::Value::from(name)),
        ]);
        let text = toml::Table::from_iter([("symbols".to_owned(), vec![table].into())]).to_string();
        let (_file, sources) = with_file(&text, &[]);
        Settings::load(&sources).map(|settings| settings.symbols[0].instrument.gateway_name.clone())
    };
    let long = "\u{a3}".repeat(64);
    let good = [
        "EURUSD+",
        "@EU6",
        "GBPUSD!",
        "EURUSD.\u{a3}",
        "US Tech 100",
        "EURUSD.raw",
        "#AAPL",
        "EUR/USD",
        "EURUSD^(m)&",
        "\u{65e5}\u{7d4c}225",
        "a",
        "back\\slash",
        &long,
    ];
    for name in good {
        assert_eq!(named(name).as_deref(), Ok(name));
    }
    let longer = format!("{long}x");
    let bad = [
        "",
        " EURUSD",
        "EURUSD ",
        "EUR\tUSD",
        "EURUSD\n",
        "EUR\"USD",
        "EUR'USD",
        "`EURUSD`",
        "\u{201c}EURUSD\u{201d}",
        "EUR\u{200b}USD",
        "EUR\u{202e}USD",
        "EURUSD\u{feff}",
        "EUR\u{a0}USD",
        "EUR\u{0}USD",
        "EUR\u{2066}USD",
        &longer,
    ];
    for name in bad {
        let error = named(name).unwrap_err();
        assert_eq!(error.0[0].key, "symbols.EURUSD.gateway_name", "{name:?}");
    }
}
