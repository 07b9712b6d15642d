//! Distances from a price. `none` says that no stop is wanted, unlike a setting that is missing.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use std::fmt;

/// A distance from a price, or the word `none`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// No stop is wanted.
    None,
    /// In units of the price, above zero.
    Price(f64),
}

impl Distance {
    /// The distance in units of the price, if a stop is wanted.
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
