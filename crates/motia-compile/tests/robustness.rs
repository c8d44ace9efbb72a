//! Whatever is in a file, the compiler says what is wrong with it or gives code that Node can parse.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::fs;

use motia_compile::{Compiler, Generation};
use oxc::allocator::Allocator;
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use proptest::prelude::*;
use support::Project;

/// Sources that use most of the dialect, to be cut and mixed.
const SEEDS: [&str; 6] = [
    "import d, { a as b, type T } from './lib'\nimport * as ns from 'old'\nexport { x as 'a b' } from './lib'\nexport * from 'old'\nconst { default: q, ...rest } = d as any\nexport const handler = async (req: Request) => { await import('old'); return (d as any).default?.x ?? ns.default.y }",
    "enum E { A = 1, B = A << 2 }\nnamespace N { export const x = 1 }\n@dec class C<T> extends B { constructor(private a: T, @p public b?: string) { super() } #z = 1; static { this.y = 2 } declare d: number }\nexport = N",
    "module.exports = { a, __dirname }\nexports.b = require('./lib'), require.resolve('old')\nif (require.main === module) with (x) return\nimport z from './lib'\nexport default class {}",
    "using a = b; await using c = d\nfor await (const x of y) label: while (1) { continue label }\nimport.meta.url; import.meta\nconst f = <T,>(x: T): x is T => x!\nlet v = <any>f satisfies object",
    "export const page = <div {...a} b='c'>{`t${x}`}</div>\nexport type { T } from './lib'\nimport lib = require('./lib')\nexport import q = lib.x\ndeclare module 'motia' { interface A {} }",
    "\u{feff}#!/usr/bin/env node\n'use strict'\nvar a = /[/]\\/(?<n>x)/v, b = 0x1n, c = `a${`b${1}`}`, é = '\u{2028}'\nlabel: { break label }\nasync function* g() { yield* await a?.[b]?.(...c) }\nObject.defineProperty(exports, 'x', { get() {} })",
];

/// Statements that are right by themselves, to be put together at random.
const STATEMENTS: [&str; 34] = [
    "import d1, { a as b1 } from './lib'",
    "import * as ns1 from './lib'",
    "import old, { y, default as again } from 'old'",
    "import * as all from 'old'",
    "import './lib'",
    "import fs, { readFileSync } from 'fs'",
    "export { x } from './lib'",
    "export { default as named, y as 'a b' } from 'old'",
    "export * from './lib'",
    "export * from 'old'",
    "export * as star from 'old'",
    "export * as other from './lib'",
    "export default function () { return old }",
    "export const one = 1, { two, ...three } = { two: 2 }",
    "export class K { static s = __dirname; m() { return super.m() } }",
    "let local = 0; export { local, local as alias }",
    "exports.q = 1",
    "module.exports = { d1, b1, old, y, all, __filename }",
    "const { default: z1, ...rest1 } = old",
    "const { default: z2 } = all, w = z2",
    "for (const { default: f } of [old]) f(y(), y`t`, new y.x(), old.default.default?.q)",
    "const lazy = async () => [await import('old'), (await import('./lib')).default, await import(local)]",
    "require('./lib'); require.resolve('old'); require(local); typeof require",
    "if (require.main === module) { delete old.default; old.default = 1; old?.default }",
    "import.meta.url; import.meta; import.meta.dirname",
    "function fn({ a = y, [b1]: c } = d1, ...e) { arguments; return { y, fs, __dirname, fn } }",
    "label: for (;;) { break label }",
    "try { require('gone') } catch { require('./lib') }",
    "{ using r = null; }",
    "(y, ns1.x)(); ns1.default(); (0, readFileSync)('x'); y?.(); y?.z`x`",
    "var $module = 1, $default = 2, $unwrap = 3, $requireSource = 4",
    "class L extends y { #p = old; static { this.#q } static #q; get [y]() { return this.#p } }",
    "'use strict'",
    "async function later() { for await (const i of y) yield_(i); await using u = old; }",
];

fn survive(compiler: &mut Compiler, project: &Project, source: &str, extension: &str) -> Generation {
    let path = format!("steps/a.step.{extension}");
    project.write(&path, source);
    let generation = compiler.compile(&project.entries()).unwrap();
    for (_, diagnostic) in &generation.failed {
        let rendered = diagnostic.render(true);
        assert!(!rendered.contains("the compiler failed"), "{rendered}\n--- source\n{source}");
    }
    project.remove(&path);
    generation
}

fn compile(compiler: &mut Compiler, project: &Project, source: &str, extension: &str) {
    let generation = survive(compiler, project, source, extension);
    for module in generation.modules.values() {
        let code = fs::read_to_string(module).unwrap();
        let kind = if module.extension().is_some_and(|extension| extension == "mjs") {
            SourceType::mjs()
        } else {
            SourceType::cjs()
        };
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, &code, kind).parse();
        let checked = SemanticBuilder::new_compiler().with_check_syntax_error(true).build(&parsed.program);
        let error = parsed.diagnostics.iter().chain(checked.diagnostics.iter()).next();
        assert!(error.is_none(), "{error:?}\n--- source ({extension})\n{source}\n--- code\n{code}");
    }
}

fn project() -> Project {
    Project::new(&[
        ("steps/lib.ts", "export const a = 1, x = 2\nexport type T = 1\nexport default {}"),
        ("node_modules/old/index.js", "exports.y = 1"),
    ])
}

#[test]
fn every_prefix_of_a_source_is_survived() {
    let project = project();
    let mut compiler = project.compiler();
    for seed in SEEDS {
        for (end, _) in seed.char_indices().step_by(3) {
            compile(&mut compiler, &project, &seed[..end], "ts");
        }
        compile(&mut compiler, &project, seed, "ts");
        compile(&mut compiler, &project, seed, "js");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixed_sources_are_survived(
        pieces in prop::collection::vec((0..SEEDS.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
        noise in "[\\PC\n]{0,12}",
        extension in prop::sample::select(vec!["ts", "js", "mjs", "cjs"]),
    ) {
        let project = project();
        let mut compiler = project.compiler();
        let mut source = String::new();
        for (seed, from, length) in pieces {
            let characters: Vec<char> = SEEDS[seed].chars().collect();
            let from = from.index(characters.len());
            let length = length.index(characters.len() - from) + 1;
            source.extend(&characters[from..from + length]);
            source += &noise;
        }
        compile(&mut compiler, &project, &source, extension);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statements_in_any_order_are_survived(
        statements in prop::collection::vec(prop::sample::select(&STATEMENTS[..]), 1..9),
        extension in prop::sample::select(vec!["ts", "js", "mjs", "cjs"]),
    ) {
        let project = project();
        let mut compiler = project.compiler();
        compile(&mut compiler, &project, &statements.join("\n"), extension);
    }
}

#[test]
fn deep_nesting_is_survived() {
    let project = project();
    let mut compiler = project.compiler();
    // Parsing the output would need as much stack as the compiler takes.
    let shapes = [
        ("[", "]"),
        ("(", ")"),
        ("{ a: ", " }"),
        ("() => ", ""),
        ("1 + ", ""),
        ("!", ""),
        ("a ? b : ", ""),
        ("a.b = ", ""),
        ("`${", "}`"),
        ("new ", ".x"),
        ("<", ">"),
        ("await ", ""),
    ];
    for (open, close) in shapes {
        let source = format!("export const x = {}1{}", open.repeat(10_000), close.repeat(10_000));
        survive(&mut compiler, &project, &source, "ts");
    }
    for source in [
        "if (x) {} else ".repeat(10_000) + ";",
        format!("type A = 1{}", "[]".repeat(10_000)),
        "a".to_owned() + &"()".repeat(10_000),
    ] {
        survive(&mut compiler, &project, &source, "ts");
    }
}

#[test]
fn a_source_of_many_megabytes_is_compiled() {
    let project =
        Project::new(&[("steps/a.step.ts", "import { rows } from '../lib/rows'\nexport const result = rows.length")]);
    let rows: String =
        (0..50_000).map(|row| format!("  {{ id: {row}, name: 'row {row}', text: `{}` }},\n", "x".repeat(70))).collect();
    assert!(rows.len() > 5 << 20);
    project.write("lib/rows.ts", &format!("export const rows: object[] = [\n{rows}]\n"));
    assert_eq!(project.run(&project.compile(), "steps/a.step.ts").unwrap(), "50000");
    project.write("lib/rows.ts", &format!("export const rows: object[] = [\n{rows}}}\n"));
    let said = project.compile().failed.remove(0).1.to_string();
    assert!(said.contains("lib/rows.ts:50002:1") && said.len() < 2000, "{said}");
}

#[test]
fn nesting_that_nobody_can_run_is_refused() {
    let project = Project::new(&[
        ("steps/a.step.ts", &format!("export const x = 1\nexport const y = {}", "(function () {".repeat(6000))),
        ("steps/b.step.ts", "import { x } from 'deep'\nimport data from './data.json'\nexport const y = [x, data]"),
        ("steps/data.json", &format!("{}{}", "[".repeat(6000), "]".repeat(6000))),
        // Packages are read for their names.
        ("node_modules/deep/index.js", &format!("exports.x = 1; y = {}", "[".repeat(20_000))),
    ]);
    // As large as that of the threads on which the engine compiles.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let compiling =
        thread.spawn(move || project.compile().failed.into_iter().map(|(_, said)| said.message).collect::<Vec<_>>());
    let said = compiling.unwrap().join().unwrap();
    assert_eq!(said, ["more than 10000 brackets are open here"]);
}
