//! The trading calendar that `[market]` names, from its files. Every refusal says which file and line.

use super::{MarketSettings, Problem};
use sentinel_actors::domain::calendar::{Calendar, Closure, Session, parse_time, parse_zone};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fs, ops::Range, path::Path};
use toml::Spanned;

const CALENDAR_KEY: &str = "market.calendar";
/// The calendar that follows the symbols.
pub(super) const AUTO: &str = "auto";
const HOLIDAYS_KEY: &str = "market.holidays";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    time_zone: Spanned<String>,
    sessions: Vec<Spanned<String>>,
    day_ends: Option<Spanned<String>>,
    #[serde(default)]
    closed: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidaysFile {
    closed: Vec<Spanned<String>>,
}

/// What a calendar is made of, whatever becomes of the files later: a replay makes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarSource {
    /// `fx`, `always`, or the file's path.
    pub name: String,
    /// The text of that file.
    pub file: Option<String>,
    /// The text of the file of holidays.
    pub holidays: Option<String>,
}

impl CalendarSource {
    fn read(market: &MarketSettings) -> Result<Self, Problem> {
        let name = market.calendar.clone();
        let file = match name.as_str() {
            "fx" | "always" => None,
            path => Some(read(CALENDAR_KEY, Path::new(path))?),
        };
        let holidays = market.holidays.as_deref().map(|path| read(HOLIDAYS_KEY, path)).transpose()?;
        Ok(Self { name, file, holidays })
    }

    /// The calendar of these texts.
    ///
    /// # Errors
    /// What is wrong with a text, with its line.
    pub fn calendar(&self) -> Result<Calendar, Problem> {
        self.with_holidays_of(Path::new("the file"))
    }

    fn with_holidays_of(&self, holidays: &Path) -> Result<Calendar, Problem> {
        let mut calendar = match (&self.file, self.name.as_str()) {
            (None, "always") => Calendar::always(),
            (None, _) => Calendar::fx(),
            (Some(text), path) => from_file(&Source { key: CALENDAR_KEY, path: Path::new(path), text: text.clone() })?,
        };
        if let Some(text) = &self.holidays {
            let source = Source { key: HOLIDAYS_KEY, path: holidays, text: text.clone() };
            let file: HolidaysFile = source.parse()?;
            close(&mut calendar, &file.closed, &source)?;
        }
        Ok(calendar)
    }
}

/// Builds the calendar.
pub(super) fn calendar(market: &MarketSettings) -> Result<(Calendar, CalendarSource), Problem> {
    let source = CalendarSource::read(market)?;
    let calendar = source.with_holidays_of(market.holidays.as_deref().unwrap_or(Path::new("")))?;
    Ok((calendar, source))
}

fn read(key: &'static str, path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        let rule = if key == CALENDAR_KEY { "must be auto, fx, always or a file: " } else { "" };
        Problem::new(key, format!("{rule}{}: {error}", path.display()))
    })
}

fn from_file(source: &Source) -> Result<Calendar, Problem> {
    let file: CalendarFile = source.parse()?;
    let zone = source.value(&file.time_zone, parse_zone)?;
    let sessions = file.sessions.iter().map(|text| source.value(text, str::parse::<Session>));
    let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
    let time = |text: &str| parse_time(text).ok_or("must be a time such as 17:00");
    let day_end = file.day_ends.as_ref().map(|text| source.value(text, time)).transpose()?;
    let mut calendar = Calendar::new(zone, sessions, day_end);
    close(&mut calendar, &file.closed, source)?;
    Ok(calendar)
}

fn close(calendar: &mut Calendar, closed: &[Spanned<String>], source: &Source) -> Result<(), Problem> {
    for text in closed {
        calendar.close(source.value(text, str::parse::<Closure>)?);
    }
    Ok(())
}

/// A file, and the key that named it.
struct Source<'a> {
    key: &'static str,
    path: &'a Path,
    text: String,
}

impl<'a> Source<'a> {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(&self.text).map_err(|error| self.problem(error.span(), error.message()))
    }

    fn value<T>(&self, text: &Spanned<String>, parse: impl Fn(&str) -> Result<T, &'static str>) -> Result<T, Problem> {
        let rule = |rule| self.problem(Some(text.span()), &format!("{:?} {rule}", text.get_ref()));
        parse(text.get_ref()).map_err(rule)
    }

    fn problem(&self, at: Option<Range<usize>>, message: &str) -> Problem {
        let offset = at.map_or(0, |span| span.start.min(self.text.len()));
        let line = self.text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::new(self.key, format!("{} line {line}: {message}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The calendar of a `[market]` section with these files.
    fn load(calendar: &str, holidays: Option<&str>) -> Result<Calendar, Problem> {
        let written = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let calendar_file = calendar.contains('=').then(|| written(calendar));
        let holidays_file = holidays.map(written);
        let path = |file: &tempfile::NamedTempFile| file.path().to_owned();
        let made = super::calendar(&MarketSettings {
            calendar: calendar_file.as_ref().map_or(calendar.into(), |file| path(file).display().to_string()),
            holidays: holidays_file.as_ref().map(path),
        });
        let (calendar, source) = made?;
        drop((calendar_file, holidays_file));
        assert_eq!(source.calendar().as_ref(), Ok(&calendar), "its texts make the same calendar, without the files");
        Ok(calendar)
    }

    #[test]
    fn a_calendar_is_a_name_or_a_file() {
        assert_eq!(load("fx", None), Ok(Calendar::fx()));
        assert_eq!(load("always", None), Ok(Calendar::always()));
        let file = "time_zone = \"America/New_York\"\nsessions = [\"Sun 17:00 - Fri 17:00\"]\nday_ends = \"17:00\"\n";
        assert_eq!(load(file, None), Ok(Calendar::fx()));
        let refused = load("FX", None).unwrap_err();
        assert!(refused.key == CALENDAR_KEY && refused.message.contains("auto, fx, always or a file"), "{refused:?}");
    }

    #[test]
    fn holidays_close_the_calendar() {
        let closed = load("fx", Some("closed = [\n  \"2026-12-25\",\n]\n")).unwrap();
        assert!(Calendar::fx().is_open(1_798_200_000) && !closed.is_open(1_798_200_000), "2026-12-25 12:00 UTC");
    }

    #[test]
    fn a_malformed_file_is_refused_with_its_line() {
        for (text, line, word) in [
            ("closed = [\n  \"2026-12-25\",\n  \"2026-13-01\",\n]\n", "line 3", "2026-13-01"),
            ("closed = [\n  20261225,\n]\n", "line 2", "string"),
            ("\nclosed = [\n", "line", ""),
            ("holidays = []\n", "line 1", "holidays"),
        ] {
            let Problem { key, message } = load("fx", Some(text)).unwrap_err();
            assert!(key == HOLIDAYS_KEY && message.contains(line) && message.contains(word), "{text}: {message}");
        }
        let file = "time_zone = \"Moon\"\nsessions = []\n";
        let Problem { key, message } = load(file, None).unwrap_err();
        assert!(key == CALENDAR_KEY && message.contains("line 1") && message.contains("Moon"), "{message}");
    }
}
