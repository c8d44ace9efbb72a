//! Real code by the thousand: what is in the `node_modules` of the SDK and of the examples is compiled as if it were the project's own,
//! whole and damaged. `MOTIA_CORPUS=all` takes every file; without it large ones are left out and the rest is sampled.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by it; it tells how much it saw")]

mod support;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use motia_compile::Compiler;
use oxc::allocator::Allocator;
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use support::Project;

const EXTENSIONS: [&str; 8] = ["ts", "mts", "cts", "tsx", "js", "mjs", "cjs", "jsx"];

/// How many files are compiled at once: fewer than one `import()` may stand for.
const BATCH: usize = 800;
const SAMPLED: usize = 4000;
/// Files beside each other import each other.
const TOGETHER: usize = 80;
/// In bytes.
const LARGE: u64 = 40_000;
const DAMAGED: usize = 300;

fn corpus() -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let examples = fs::read_dir(repository.join("examples")).unwrap().flatten().map(|entry| entry.path());
    let folders = examples.chain([repository.join("sdk/node")]).map(|folder| folder.join("node_modules"));
    let mut files = files_in(folders.collect());
    files.retain(|path| EXTENSIONS.iter().any(|extension| path.extension() == Some(extension.as_ref())));
    files.sort();
    assert!(!files.is_empty() || env::var_os("CI").is_none(), "no node_modules: run `make sdk-deps example-deps`");
    files
}

fn files_in(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    files
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn sampled(files: Vec<PathBuf>, count: usize) -> Vec<PathBuf> {
    if env::var("MOTIA_CORPUS").is_ok_and(|value| value == "all") {
        return files;
    }
    let small: Vec<PathBuf> =
        files.into_iter().filter(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() < LARGE)).collect();
    let step = small.len().div_ceil(count).max(1);
    small.chunks(TOGETHER).step_by(step).flatten().cloned().collect()
}

/// Compiles sources, named by where they lie in the project, and parses what comes out of them. Gives how many could be compiled.
fn survive(project: &Project, compiler: &mut Compiler, sources: &[(String, String)]) -> usize {
    let folder = project.root.join("lib");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let mut names = BTreeMap::new();
    for (name, source) in sources {
        project.write(name, source);
        names.insert(name.as_str(), source);
    }
    let generation = compiler.compile(&project.entries()).unwrap();
    let list = fs::read_to_string(generation.dir.join("__modules.cjs")).unwrap_or_default();
    assert!(!list.contains("the compiler failed"), "{list}");
    let mut count = 0;
    for path in files_in(vec![generation.dir.join("lib")]) {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("mjs") => SourceType::mjs(),
            Some("cjs") => SourceType::cjs(),
            _ => continue,
        };
        count += 1;
        let code = fs::read_to_string(&path).unwrap();
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, &code, kind).parse();
        let checked = SemanticBuilder::new_compiler().with_check_syntax_error(true).build(&parsed.program);
        let error = parsed.diagnostics.iter().chain(checked.diagnostics.iter()).next();
        let name = path.strip_prefix(&generation.dir).unwrap().with_extension("");
        let source = names.get(name.to_str().unwrap()).map_or("", |source| source);
        assert!(error.is_none(), "{error:?}\n--- {}\n{source}\n--- code\n{code}", name.display());
    }
    count
}

/// A file as one of the project's own. Declarations are read as the sources that they look like.
fn source(path: &Path) -> Option<(String, String)> {
    let (_, inside) = path.to_str()?.split_once("/node_modules/")?;
    let name = inside.replace("node_modules", "modules").replace(".d.", "_d.");
    Some((format!("lib/{name}"), String::from_utf8_lossy(&fs::read(path).ok()?).into_owned()))
}

fn project() -> (Project, Compiler) {
    let project = Project::new(&[
        ("steps/a.step.ts", "export const load = (name: string) => import(`../lib/${name}`)"),
        ("tsconfig.json", r#"{ "compilerOptions": { "experimentalDecorators": true, "target": "es2022" } }"#),
    ]);
    let node_modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/node/node_modules");
    if let Ok(target) = node_modules.canonicalize() {
        std::os::unix::fs::symlink(target, project.root.join("node_modules")).unwrap();
    }
    let compiler = project.compiler();
    (project, compiler)
}

#[test]
fn every_file_of_a_large_corpus_is_survived() {
    let files = corpus();
    let total = files.len();
    let taken = sampled(files, SAMPLED);
    let (project, mut compiler) = project();
    let mut compiled = 0;
    for batch in taken.chunks(BATCH) {
        let sources: Vec<_> = batch.iter().filter_map(|path| source(path)).collect();
        compiled += survive(&project, &mut compiler, &sources);
    }
    println!("{} of {total} files were tried, {compiled} could be compiled", taken.len());
    assert!(compiled > 0 || total == 0);
}

#[test]
fn damaged_files_of_the_corpus_are_survived() {
    let files = sampled(corpus(), DAMAGED);
    let (project, mut compiler) = project();
    let mut numbers = Numbers(7);
    let mut compiled = 0;
    for batch in files.chunks(BATCH) {
        let whole = batch.iter().filter_map(|path| source(path));
        let damaged: Vec<_> = whole.map(|(name, text)| (name, damage(&text, &mut numbers))).collect();
        compiled += survive(&project, &mut compiler, &damaged);
    }
    println!("{} files were damaged, {compiled} could be compiled nevertheless", files.len());
}

/// Cuts a text at any character, or takes some words and signs out of it, or both.
fn damage(text: &str, numbers: &mut Numbers) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let how = numbers.below(3);
    if how != 1 {
        characters.truncate(numbers.below(characters.len()));
    }
    if how != 0 {
        for _ in 0..=numbers.below(6) {
            if characters.is_empty() {
                break;
            }
            let at = numbers.below(characters.len());
            let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
            let word = characters[at..].iter().take_while(|c| is_word(c)).count();
            characters.drain(at..at + word.max(1));
        }
    }
    characters.into_iter().collect()
}
