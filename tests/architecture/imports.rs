//! Which file of a crate uses which, by the paths in its code: `use` lines and paths in between, followed through the
//! names that a module hands on from another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const ITEMS: [&str; 8] = ["struct", "enum", "trait", "fn", "type", "const", "static", "macro_rules!"];
/// A name handed on from module to module; more would be a circle of names.
const STEPS_MAX: usize = 8;

type Module = Vec<String>;

/// The files of a crate by their module; `src/lib.rs` is the empty one.
pub struct Crate {
    files: BTreeMap<Module, File>,
}

struct File {
    /// From the crate's source folder.
    path: String,
    code: String,
    /// Every path that is named in it.
    paths: Vec<Module>,
    /// Name here, path that it stands for; `*` for all of a module.
    imports: Vec<(String, Module)>,
}

pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether a file is nothing but tests, or what tests need.
pub fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    let is_of_tests = |name: &str| ["tests", "fixtures"].contains(&name) || name.ends_with("_tests");
    is_of_tests(&stem) || path.components().any(|part| is_of_tests(&part.as_os_str().to_string_lossy()))
}

/// A file's code without its tests and comments.
pub fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

impl Crate {
    /// Reads all of it but the tests.
    pub fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in rust_files(source).into_iter().filter(|path| !is_test_file(path)) {
            let relative = path.strip_prefix(source).unwrap();
            let mut module: Module =
                relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
                module.pop();
            }
            let code = code(&path);
            let (paths, imports) = (paths(&code), imports(&code));
            files.insert(module, File { path: relative.display().to_string(), code, paths, imports });
        }
        Self { files }
    }

    /// The files that each file uses. A file and the parts in its folder are one thing, and no use of each other.
    pub fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |(module, file): (&Module, &File)| {
            let used = file.paths.iter().filter_map(|path| self.resolve(module, path, STEPS_MAX));
            let used = used.filter(|used| !used.starts_with(module) && !module.starts_with(used));
            let used = used.map(|used| self.files.get(&used).unwrap().path.as_str()).collect();
            (self.files.get(module).unwrap().path.as_str(), used)
        };
        self.files.iter().map(of).collect()
    }

    /// The module in whose file that is defined which a path in `module` names; `None` for another crate's.
    fn resolve(&self, module: &[String], path: &[String], steps: usize) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let (mut at, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            "self" => (module.to_vec(), rest),
            "super" => (module.get(..module.len().checked_sub(1)?)?.to_vec(), rest),
            child => {
                let below = [module, &[child.to_owned()]].concat();
                self.files.contains_key(&below).then_some((below, rest))?
            }
        };
        while let Some((next, others)) = rest.split_first() {
            let below = [&at[..], std::slice::from_ref(next)].concat();
            if next == "super" {
                at.pop();
            } else if self.files.contains_key(&below) {
                at = below;
            } else {
                return Some(self.handed_on(&at, next, steps).unwrap_or(at));
            }
            rest = others;
        }
        Some(at)
    }

    /// Where a name of this module comes from, if it is another's.
    fn handed_on(&self, at: &Module, name: &str, steps: usize) -> Option<Module> {
        let file = self.files.get(at)?;
        let steps = steps.checked_sub(1)?;
        if let Some((_, path)) = file.imports.iter().find(|(known, _)| known == name) {
            return self.resolve(at, path, steps);
        }
        let all = file.imports.iter().filter(|(known, _)| known == "*");
        all.filter_map(|(_, path)| self.resolve(at, path, steps)).find(|from| {
            let defines = |file: &File| ITEMS.iter().any(|item| file.code.contains(&format!("{item} {name}")));
            self.files.get(from).is_some_and(defines)
        })
    }
}

/// `a::{b, c::d as e}` as `a::b` and `a::c::d`, each with the name it has here.
fn expand(text: &str, before: &[String], found: &mut Vec<(String, Module)>) {
    let text = text.trim();
    if let Some(group) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let (mut depth, mut from) = (0_usize, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&group[from..at], before, found);
                    from = at + 1;
                }
                _ => {}
            }
        }
        return expand(&group[from..], before, found);
    }
    let group = text.find('{').unwrap_or(text.len());
    match text[..group].find("::") {
        Some(at) => expand(&text[at + 2..], &[before, &[text[..at].to_owned()]].concat(), found),
        None if text.is_empty() => {}
        None => {
            let (name, here) = text.split_once(" as ").unwrap_or((text, text));
            let own = if name == "self" || name == "*" { Vec::new() } else { vec![name.to_owned()] };
            let path = [before, &own].concat();
            let here = if here == "self" { path.last().cloned().unwrap_or_default() } else { here.trim().to_owned() };
            found.push((here, path));
        }
    }
}

fn imports(code: &str) -> Vec<(String, Module)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let is_line = code[..at].rsplit('\n').next().is_some_and(|before| {
            let before = before.trim();
            before.is_empty() || before.starts_with("pub")
        });
        if let Some(end) = code[at..].find(';').filter(|_| is_line) {
            let text = code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ");
            expand(&text.replace(":: ", "::"), &[], &mut found);
        }
    }
    found
}

/// Those of `use` lines, and those that begin with `crate::` or `super::` elsewhere.
fn paths(code: &str) -> Vec<Module> {
    let mut found: Vec<Module> = imports(code).into_iter().map(|(_, path)| path).collect();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let path: String =
                code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
            found.push(path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
        }
    }
    found
}

/// Files that use each other, each circle once.
pub fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for next in uses.get(at).into_iter().flatten().filter(|next| seen.insert(**next)) {
                open.push(next);
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> = uses.keys().map(|file| (*file, reached(file))).collect();
    let in_circles = reach.iter().filter(|(file, reached)| reached.contains(**file));
    let circle = |(file, reached): (&&'a str, &BTreeSet<&'a str>)| {
        reached.iter().copied().filter(|other| reach[other].contains(*file)).collect()
    };
    in_circles.map(circle).collect()
}
