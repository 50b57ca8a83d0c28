//! No two files use one another: a reader can begin with what a file uses and come to an
//! end.
//!
//! Follows `use` lines, paths in between and what a module hands on, in the packages that are named
//! here. Leaves out tests, and what a file takes of its parent: an error or a constant.

use super::{Source, code, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Where no two files use one another. A package joins once its circles are opened.
const WITHOUT_CIRCLES: &[&str] = &[
    "bench/src",
    "journal/src",
    "snapshots/src",
    "src",
    "tests/sim/src",
    "tests/witness/src",
    "tools/src",
];

#[test]
fn no_two_files_use_one_another() {
    for package in WITHOUT_CIRCLES {
        let circle = Modules::read(package, &sources(&[package])).circle();
        assert!(circle.is_empty(), "a circle in {package}: {}", circle.join(" -> "));
    }
}

#[test]
fn a_circle_of_files_is_found_behind_a_path_or_a_re_export() {
    let circle = |texts: &[(&str, &str)]| {
        let source = |&(path, text): &(&str, &str)| Source {
            path: format!("src/{path}.rs"),
            text: text.to_owned(),
        };
        Modules::read("src", &texts.iter().map(source).collect::<Vec<_>>()).circle().join(" -> ")
    };
    let root = ("lib", "mod a;\nmod b;\npub use b::deep::{\nOther as Shown,\nThing,\n};");
    let a = ("a", "use crate::b::deep::Thing;");
    assert_eq!(circle(&[root, a, ("b/mod", ""), ("b/deep", "use std::fs;")]), "");
    for back in ["use crate::a;", "use super::super::a::{self, B};", "fn f(_: crate::a::Id) {}"] {
        let found = circle(&[root, a, ("b/mod", ""), ("b/deep", back)]);
        assert_eq!(found, "a -> b::deep -> a", "{back}");
    }
    let by_root = ("a", "fn f() -> super::Shown {}\n#[cfg(test)]\nmod tests {\nuse crate::c;\n}");
    let deep = ("b/deep", "use crate::c::d;");
    let c = ("c", "// use crate::b;\nuse crate::a::A;");
    assert_eq!(circle(&[root, by_root, ("b/mod", ""), deep, c]), "a -> b::deep -> c -> a");
    let children = [("p/mod", "use c::{f, g};"), ("p/c", "use super::{LIMIT_MAX, SomeError};")];
    assert_eq!(circle(&children), "", "a constant and an error of the parent");
    let children = [("p/mod", "use c::{f, g};"), ("p/c", "pub(in crate::p) fn f() {}")];
    assert_eq!(circle(&children), "", "whom a thing is shown to");
    let children = [("p/mod", "use c::{f, g};"), ("p/c", "use super::*;")];
    assert_eq!(circle(&children), "p -> p::c -> p");
}

/// The files of a package as modules: `read::walk` for `src/read/walk.rs`, the root without a name.
struct Modules {
    /// Of each, the paths in its code, from the root.
    paths: BTreeMap<String, Vec<String>>,
    /// Where a name leads that a module hands on.
    handed_on: BTreeMap<(String, String), String>,
}

fn join(module: &str, rest: &str) -> String {
    if module.is_empty() { rest.to_owned() } else { format!("{module}::{rest}") }
}

/// Who may see a thing is not what it uses.
fn without_visibility(line: &str) -> String {
    let mut parts = line.split("pub(in ");
    let first = parts.next().expect("a first part").to_owned();
    parts.fold(first, |line, part| line + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

impl Modules {
    /// Reads all code of a package but its tests.
    fn read(folder: &str, sources: &[Source]) -> Self {
        let module = |source: &Source| {
            let path = source.path[folder.len() + 1..].trim_end_matches(".rs");
            let path = path.trim_end_matches("/mod").replace('/', "::");
            if ["lib", "main"].contains(&path.as_str()) { String::new() } else { path }
        };
        let sources = sources.iter().filter(|source| !source.path.ends_with("tests.rs"));
        let files: Vec<_> = sources.map(|source| (module(source), source)).collect();
        let paths = files.iter().map(|(module, _)| (module.clone(), Vec::new())).collect();
        let mut modules = Self { paths, handed_on: BTreeMap::new() };
        for (module, source) in files {
            let mut lines = code(source).take_while(|line| *line != "mod tests {");
            while let Some(line) = lines.next() {
                match line.split_once("use ") {
                    Some((public, tree)) if public.is_empty() || public.starts_with("pub") => {
                        let mut tree = tree.to_owned();
                        while !tree.ends_with(';') {
                            tree += lines.next().expect("a `use` has an end");
                        }
                        let tree = tree.trim_end_matches(';');
                        modules.take_use(&module, "", tree, !public.is_empty());
                    }
                    _ => modules.take_paths(&module, line),
                }
            }
        }
        modules
    }

    /// `a::{b, c as d}` is `a::b` and, under the name `d`, `a::c`.
    fn take_use(&mut self, module: &str, prefix: &str, tree: &str, public: bool) {
        if let Some((head, inner)) = tree.split_once('{') {
            let inner = inner.trim_end_matches('}');
            let mut depth = 0;
            let comma = |letter: char| {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                depth == 0 && letter == ','
            };
            for part in inner.split(comma).map(str::trim).filter(|part| !part.is_empty()) {
                self.take_use(module, &format!("{prefix}{head}"), part, public);
            }
            return;
        }
        let path = format!("{prefix}{tree}");
        let (path, renamed) = path.split_once(" as ").unwrap_or((&path, ""));
        let path = path.trim_end_matches("::self");
        let name = if renamed.is_empty() { path.rsplit("::").next().unwrap() } else { renamed };
        let Some(path) = self.resolve(module, path) else { return };
        if public {
            self.handed_on.insert((module.to_owned(), name.to_owned()), path.clone());
        }
        self.paths.get_mut(module).expect("a module of ours").push(path);
    }

    /// The paths of a line that is no `use`.
    fn take_paths(&mut self, module: &str, line: &str) {
        let line = without_visibility(line);
        let starts = ["crate::", "super::"].into_iter().flat_map(|root| line.match_indices(root));
        for (at, _) in starts.filter(|(at, _)| !line[..*at].ends_with("::")) {
            let ends = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
            let path = line[at..].split(ends).next().expect("a first part");
            let path = self.resolve(module, path.trim_end_matches(':'));
            self.paths.get_mut(module).expect("a module of ours").extend(path);
        }
    }

    /// `None` for what is not of this package.
    fn resolve(&self, mut module: &str, mut path: &str) -> Option<String> {
        if let Some(path) = path.strip_prefix("crate::") {
            return Some(path.to_owned());
        }
        let relative = path.starts_with("super::") || path.starts_with("self::");
        path = path.trim_start_matches("self::");
        while let Some(above) = path.strip_prefix("super::") {
            (module, path) = (parent(module), above);
        }
        let child = join(module, path.split("::").next().expect("a first part"));
        (relative || self.paths.contains_key(&child)).then(|| join(module, path))
    }

    /// The module that has what a path leads to, however it is handed on, and how it is named
    /// there.
    fn home(&self, path: &str) -> (String, String) {
        let mut module = String::new();
        let mut names = path.split("::");
        while let Some(name) = names.next() {
            let child = join(&module, name);
            if self.paths.contains_key(&child) {
                module = child;
            } else if let Some(path) = self.handed_on.get(&(module.clone(), name.to_owned())) {
                return self.home(&names.fold(path.clone(), |path, name| join(&path, name)));
            } else {
                return (module, name.to_owned());
            }
        }
        (module, String::new())
    }

    /// The modules that a module uses: not itself, nor its parent for an error or a constant.
    fn used_by(&self, module: &str) -> BTreeSet<String> {
        let homes = self.paths[module].iter().map(|path| self.home(path));
        let counts = |(home, name): &(String, String)| {
            let constant = !name.is_empty() && name.chars().all(|c| !c.is_lowercase() && c != '*');
            let shared = constant || name.ends_with("Error");
            home != module && !(shared && home == parent(module))
        };
        homes.filter(counts).map(|(home, _)| home).collect()
    }

    /// A shortest circle, its first module at both ends; empty if there is none.
    fn circle(&self) -> Vec<String> {
        let used: BTreeMap<_, _> =
            self.paths.keys().map(|module| (module.as_str(), self.used_by(module))).collect();
        let from = |start: &str| {
            let mut ways = vec![vec![start.to_owned()]];
            let mut seen = BTreeSet::new();
            for at in 0.. {
                let way = ways.get(at)?.clone();
                for next in &used[way.last()?.as_str()] {
                    let way = [way.as_slice(), std::slice::from_ref(next)].concat();
                    if next == start {
                        return Some(way);
                    } else if seen.insert(next) {
                        ways.push(way);
                    }
                }
            }
            None
        };
        self.paths.keys().filter_map(|start| from(start)).min_by_key(Vec::len).unwrap_or_default()
    }
}
