//! Values with a spelling of their own: secrets, distances that may be `none`, symbols by name or by table.

use super::sections::{Symbol, Symbols};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// A value that no log, error or dump ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<redacted>")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error of a wrong type would quote the value.
        String::deserialize(deserializer).map(Self).map_err(|_| de::Error::custom("must be text"))
    }
}

/// A distance from a price, or the word `none`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// Said not to be wanted.
    None,
    /// In price, above zero.
    Price(f64),
}

impl Distance {
    /// The distance in price, if one is wanted.
    pub const fn price(self) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Price(price) => Some(price),
        }
    }
}

impl Serialize for Distance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Price(price) => serializer.serialize_f64(*price),
        }
    }
}

impl<'de> Deserialize<'de> for Distance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DistanceVisitor;
        impl Visitor<'_> for DistanceVisitor {
            type Value = Distance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a distance in price above 0, or \"none\"")
            }

            fn visit_f64<E: de::Error>(self, price: f64) -> Result<Distance, E> {
                Ok(Distance::Price(price))
            }

            fn visit_i64<E: de::Error>(self, price: i64) -> Result<Distance, E> {
                #[allow(clippy::cast_precision_loss)]
                Ok(Distance::Price(price as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Distance, E> {
                if text.eq_ignore_ascii_case("none") {
                    return Ok(Distance::None);
                }
                text.parse().map(Distance::Price).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(DistanceVisitor)
    }
}

/// `EURUSD` or `{ name = "EURUSD", ... }`.
struct NameOrTable(Symbol);

impl<'de> Deserialize<'de> for NameOrTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTableVisitor;
        impl<'de> Visitor<'de> for NameOrTableVisitor {
            type Value = NameOrTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a symbol's name or its table")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<NameOrTable, E> {
                Ok(NameOrTable(Symbol::named(name)))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<NameOrTable, A::Error> {
                Symbol::deserialize(MapAccessDeserializer::new(map)).map(NameOrTable)
            }
        }
        deserializer.deserialize_any(NameOrTableVisitor)
    }
}

impl<'de> Deserialize<'de> for Symbols {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SymbolsVisitor;
        impl<'de> Visitor<'de> for SymbolsVisitor {
            type Value = Symbols;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of symbols")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Symbols, A::Error> {
                let mut symbols = Vec::new();
                while let Some(NameOrTable(symbol)) = seq.next_element()? {
                    symbols.push(symbol);
                }
                Ok(Symbols(symbols))
            }
        }
        deserializer.deserialize_any(SymbolsVisitor)
    }
}
