//! Checks the documents: tables of commands, flags and metrics against the code, the README's size, every link, and that no
//! sentence stands twice, in documents or in base.toml. `SENTINEL_WRITE_README=1 cargo test --test readme` writes the tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "helpers/binary.rs"]
mod binary;

use clap::{Arg, Command, CommandFactory};
use sentinel::cli::Cli;
use sentinel_actors::adapters::prometheus::{FAMILIES, Family, Kind};
use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
};

const BASE: &str = include_str!("../config/base.toml");
/// The flags that live mode also requires.
const LIVE: [&str; 8] = ["--dialect", "v43", "--account", "1", "--stop-loss", "none", "--gtw-host", "127.0.0.1"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Checks that the table with this name in this file is `wanted`, or writes it.
fn hold(file: &str, name: &str, wanted: &str) {
    let path = root().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: tests/readme.rs writes them -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the file marks where the table begins");
    let (table, after) = rest.split_once(&end).expect("the file marks where the table ends");
    if env::var_os("SENTINEL_WRITE_README").is_some() {
        fs::write(&path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "{file}: write it anew: SENTINEL_WRITE_README=1 cargo test --test readme");
}

fn family(family: &Family) -> String {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let labels = family.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>().join(", ");
    format!("| `{}` | {kind} | {labels} | {} |\n", family.name, family.help)
}

#[test]
fn the_families_are_those_of_the_catalogue() {
    let rows: String = FAMILIES.iter().map(family).collect();
    let table = format!("| family | type | labels | meaning |\n|-|-|-|-|\n{rows}");
    hold("config/monitoring/README.md", "families", &table);
}

/// The row of a command, and the rows of its subcommands.
fn command(command: &Command) -> String {
    let below: Vec<_> = visible(command).map(Command::get_name).collect();
    let below = match (below.is_empty(), command.is_subcommand_required_set()) {
        (true, _) => String::new(),
        (false, true) => format!(" {}", below.join("\\|")),
        (false, false) => format!(" [{}]", below.join("\\|")),
    };
    let about = command.get_about().expect("every command says what it does").to_string();
    format!("| `sentinel {}{below}` | {} |\n", command.get_name(), about.replace('|', "\\|"))
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

#[test]
fn the_commands_are_those_of_sentinel_help() {
    let rows: String = visible(&Cli::command()).map(command).collect();
    hold("README.md", "commands", &format!("| command | what it does |\n|-|-|\n{rows}"));
}

/// The settings that `sentinel check` prints, by key.
fn effective(args: &[&str], variable: Option<(&str, &str)>) -> BTreeMap<String, String> {
    let mut check = binary::sentinel();
    check.env("HOME", "/home/you").env("EODHD_API_TOKEN", "any").envs(variable);
    let done = check.arg("check").args(args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    by_key(&String::from_utf8(done.stdout).unwrap())
}

fn by_key(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for (section, value) in text.parse::<toml::Table>().unwrap() {
        match value {
            toml::Value::Table(table) => {
                keys.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), plain(&value))));
            }
            list => drop(keys.insert(format!("[[{section}]]"), plain(&list))),
        }
    }
    keys
}

/// Text without its quotes; for a list of tables, their names.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(list) => {
            list.iter().map(|item| plain(item.get("name").unwrap_or(item))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A value other than a flag's default, by its name in the help.
fn sample(flag: &Arg) -> Option<&'static str> {
    if !flag.get_action().takes_values() {
        return None;
    }
    Some(match flag.get_value_names().unwrap()[0].as_str() {
        "PORT" => "4711",
        "HOST" => "127.0.0.9",
        "NAME" => "GBPUSD",
        "RATIO" => "0.77",
        "INTERVAL" => "5m",
        "N" => "321",
        "URL" => "https://market.example",
        "LOTS" => "0.03",
        "PRICE|none" => "0.0077",
        "DIALECT" => "v43",
        "ACCOUNT" => "4711",
        "FILE" | "PATH" => "/tmp/any",
        "CRON" => "0 * * * * *",
        "CLOCK" => "bars",
        other => panic!("add a value for a flag that takes {other}"),
    })
}

/// The one key that differs. Instruments inherit from [trading]; if they differ, too, the key of [trading] counts.
fn key(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> String {
    let mut keys: Vec<_> =
        after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key).collect();
    if keys.len() > 1 {
        keys.retain(|key| !key.starts_with("[["));
    }
    if keys.len() > 1 {
        // --no-metrics opens no port at all; its own key is that of the metrics.
        keys.retain(|key| *key != "console.enabled");
    }
    assert_eq!(keys.len(), 1, "a flag sets one key, not {keys:?}");
    keys[0].clone()
}

/// The value of `[name value]` in a help text, and the text without it.
fn note(help: &str, name: &str) -> (Option<String>, String) {
    match help.split_once(&format!("[{name} ")) {
        None => (None, help.to_owned()),
        Some((before, rest)) => {
            let (value, after) = rest.split_once(']').unwrap();
            (Some(value.trim_matches('"').to_owned()), format!("{}{after}", before.trim_end()))
        }
    }
}

/// The row of a flag: its key is found by using it, its default is base.toml's, and its help must have the same default.
fn flag(arg: &Arg, defaults: &BTreeMap<String, String>, usual: &BTreeMap<String, String>) -> String {
    let name = format!("--{}", arg.get_long().unwrap());
    let help = arg.get_help().unwrap().to_string();
    let ((variable, help), value) = (note(&help, "env"), sample(arg));
    let ((said, help), (unset, _)) = (note(&help, "default"), note(&help, "default:"));
    let help = note(&help, "default:").1;
    let key = match name.as_str() {
        "--live" | "--dry-run" => {
            let with = |flag| effective(&[&LIVE[..], &[flag]].concat(), None);
            key(&with("--dry-run"), &with("--live"))
        }
        _ => key(usual, &effective(&[&[name.as_str()][..], value.as_slice()].concat(), None)),
    };
    if let Some(variable) = &variable {
        let by_variable = effective(&[], Some((variable, value.unwrap())));
        assert_eq!(key, self::key(usual, &by_variable), "{variable} sets what {name} sets");
    }
    let default = defaults.get(&key).cloned();
    // The text of a switch shows its effect, and so its default.
    let is_silent_switch = value.is_none() && said.is_none();
    assert!(is_silent_switch || said == default, "{name}: help says {said:?}, base.toml {default:?}");
    let default = default.map_or(unset.unwrap_or_else(|| "not set".into()), |value| format!("`{value}`"));
    let value = value.map_or(String::new(), |_| format!(" {}", arg.get_value_names().unwrap()[0].replace('|', "\\|")));
    let variable = variable.map_or(String::new(), |name| format!("`{name}`"));
    format!("| `{name}{value}` | {variable} | `{key}` | {default} | {} |\n", help.trim())
}

#[test]
fn the_flags_are_those_of_help_and_their_defaults_those_of_base_toml() {
    let commands = Cli::command();
    let (defaults, usual) = (by_key(BASE), effective(&[], None));
    let args = commands.find_subcommand("check").unwrap().get_arguments();
    let rows: String = args.filter(|arg| arg.get_id() != "config").map(|arg| flag(arg, &defaults, &usual)).collect();
    let table = format!("| flag | variable | key | default | meaning |\n|-|-|-|-|-|\n{rows}");
    hold("config/README.md", "flags", &table);
    let text = fs::read_to_string(root().join("config/README.md")).unwrap();
    assert_eq!(text.matches("(default)").count(), 1, "check other defaults in the text here");
    assert!(text.contains(&format!("| `{}` (default) |", defaults["market.calendar"])));
}

/// `sentinel demo` also has some of the flags.
#[test]
fn a_flag_has_the_same_default_in_every_command() {
    let commands = Cli::command();
    let settings = commands.find_subcommand("check").unwrap();
    let mut seen = 0;
    for command in visible(&commands).flat_map(|command| visible(command).chain([command])) {
        for arg in command.get_arguments() {
            let same = settings.get_arguments().find(|it| it.get_long() == arg.get_long());
            let said = |arg: &Arg| note(&arg.get_help().map(ToString::to_string).unwrap_or_default(), "default").0;
            if let (Some(same), Some(default)) = (same, said(arg)) {
                seen += 1;
                assert_eq!(Some(default), said(same), "{} --{}", command.get_name(), same.get_id());
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (lines, words) = (text.lines().count(), text.split_whitespace().count());
    assert!((150..=170).contains(&lines), "{lines} lines");
    assert!(words < 1500, "{words} words");
}

/// Every document.
fn documents() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".md") && !path.starts_with(root().join("tests/system")) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a document without code blocks.
fn prose(path: &Path) -> Vec<String> {
    let mut is_code = false;
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(str::to_owned).collect()
}

/// The comments of base.toml; a line that is a setting, also one with a `#` before it, ends a paragraph.
fn comments() -> Vec<String> {
    let comment = |line: &str| {
        let text =
            line.strip_prefix("# ").filter(|text| text.split_once(" = ").is_none_or(|(key, _)| key.contains(' ')));
        text.unwrap_or_default().to_owned()
    };
    BASE.lines().map(comment).collect()
}

/// The anchors of a document's headings, as on GitHub.
fn anchors(path: &Path) -> Vec<String> {
    let headings = prose(path).into_iter().filter(|line| line.starts_with('#'));
    let slug = |heading: String| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_has_a_target() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = prose(&document).join("\n");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let leads = target.exists() && (anchor.is_empty() || anchors(&target).iter().any(|known| known == anchor));
            if !link.contains("://") && !leads {
                dead.push(format!("{}: {link}", document.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(dead.is_empty(), "these links have no target:\n{}", dead.join("\n"));
}

#[test]
fn no_sentence_stands_twice() {
    // Within a document, short ones are the language of its entries: "one hour after the last one".
    const WORDS_TWICE: usize = 8;
    const WORDS_TWICE_IN_ONE: usize = 14;
    let mut first: HashMap<String, String> = HashMap::new();
    let mut twice = Vec::new();
    let place = |document: &PathBuf| document.strip_prefix(root()).unwrap().display().to_string();
    let mut texts: Vec<_> = documents().iter().map(|document| (place(document), prose(document))).collect();
    texts.push(("config/base.toml".to_owned(), comments()));
    for (place, lines) in texts {
        // A blank line and the end of a table cell also end a sentence.
        let text = lines.iter().map(|line| if line.is_empty() { ". " } else { line }).collect::<Vec<_>>().join(" ");
        for sentence in
            text.replace(" | ", ". ").split(". ").map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
        {
            let words = sentence.split(' ').count();
            if words >= WORDS_TWICE
                && let Some(other) = first.insert(sentence.clone(), place.clone())
                && (other != place || words >= WORDS_TWICE_IN_ONE)
            {
                twice.push(format!("{other} and {place}: {sentence}"));
            }
        }
    }
    assert!(twice.is_empty(), "these stand twice:\n{}", twice.join("\n"));
}
