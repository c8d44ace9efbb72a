//! What users read when a file cannot be compiled.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use support::Project;

/// Everything that a project's compile says: what failed, what was warned about, and what works nevertheless.
fn said(files: &[(&str, &str)]) -> String {
    let project = Project::new(files);
    let generation = project.compile();
    let mut out = String::new();
    for (entry, diagnostic) in &generation.failed {
        out += &format!("FAILED {entry}\n{diagnostic}\n\n");
    }
    for warning in &generation.warnings {
        out += &format!("WARNING {warning}\n\n");
    }
    for entry in generation.modules.keys() {
        out += &format!("COMPILED {entry}\n");
    }
    project.anonymous(&out)
}

macro_rules! said {
    ($($name:ident { $($path:literal: $text:expr),+ $(,)? })+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), said(&[$(($path, $text)),+]));
            }
        )+
    };
}

said! {
    a_syntax_error_fails_only_those_that_reach_it {
        "steps/good.step.ts": "export const config = {}",
        "steps/bad.step.ts": "import { a } from '../lib/a'\nexport const config = { a }",
        "lib/a.ts": "import { b } from './b'\n\nexport const a = b",
        "lib/b.ts": "// first\nexport const b = {\n\tx: 1,\n\ty: ,\n}\n// last\n",
    }
    a_syntax_error_in_an_entry { "steps/a.step.js": "export const config = {\n  name: 'a'\n  type: 'api'\n}" }
    an_unfinished_file { "steps/a.step.ts": "export const handler = async () => {\n  if (true) {\n" }
    a_missing_file { "steps/a.step.ts": "import { x } from './not-there'\nexport const result = x" }
    a_missing_package {
        "steps/a.step.ts": "import { x } from '../lib/x'\nexport const result = x",
        "lib/x.ts": "import _ from '@scope/tool/deep'\nimport y from 'y'\nexport const x = _",
    }
    a_package_that_is_listed_and_not_installed {
        "steps/a.step.ts": "import x from 'lodash'\nexport const result = x",
        "package.json": r#"{ "dependencies": { "lodash": "^4.0.0" } }"#,
    }
    a_part_of_node_that_is_not_there {
        "steps/a.step.ts": "import x from 'fs/promises2'\nexport const result = x",
        "steps/b.step.ts": "import x from 'buffer/'\nexport const result = x",
    }
    names_that_no_package_can_have {
        "steps/a.step.ts": "import x from 'fs:promises'\nexport const result = x",
        "steps/b.step.ts": "import x from '@/lib/x'\nexport const result = x",
    }
    an_alias_that_leads_nowhere {
        "steps/a.step.ts": "import x from '@l/gone'\nexport const result = x",
        "steps/b.step.ts": "import x from '@l/listed'\nexport const result = x",
        "tsconfig.json": r#"{ "compilerOptions": { "paths": { "@l/*": ["lib/*", "./shared/*.ts"], "*": ["types/*"] } } }"#,
        "package.json": r#"{ "dependencies": { "@l/listed": "1" } }"#,
    }
    an_entry_of_imports_that_is_not_there {
        "steps/a.step.ts": "import x from '#nope'\nexport const result = x",
        "steps/b.step.ts": "import x from '#lib/gone'\nexport const result = x",
        "steps/c.step.ts": "import x from '#validate'\nexport const result = x",
        "package.json": r##"{ "imports": { "#validate": "zod/v4", "#lib/*": { "types": "./lib/*.d.ts", "default": "./lib/*.ts" } } }"##,
    }
    an_entry_of_imports_without_a_manifest { "steps/a.step.ts": "import x from '#nope'\nexport const result = x" }
    a_module_from_the_network { "steps/a.step.ts": "import x from 'https://esm.sh/x'\nexport const result = x" }
    a_manifest_that_is_not_json {
        "steps/a.step.ts": "import { x } from '../lib/x'\nexport const result = x",
        "lib/x.ts": "import { h } from './h'\nexport const x = h",
        "lib/h.ts": "export const h = 1",
        "package.json": "{\n  \"name\": \"shop\"\n  \"version\": \"1\"\n}\n",
    }
    a_manifest_of_a_package_that_is_empty {
        "steps/a.step.ts": "import x from 'pkg'\nexport const result = x",
        "node_modules/pkg/package.json": "",
    }
    a_configuration_that_is_a_list { "steps/a.step.ts": "export const result = 1", "tsconfig.json": "[]" }
    a_configuration_that_is_not_json { "steps/a.step.ts": "export const result = 1", "tsconfig.json": "{\n  \"compilerOptions\": {\n    strict: true\n  }\n}" }
    a_configuration_with_an_endless_comment { "steps/a.step.ts": "export const result = 1", "tsconfig.json": "{\n  /* \"strict\": true\n}" }
    members_of_a_configuration_that_are_wrong {
        "steps/a.step.ts": "import { a } from '@a/a'\nexport const result = a",
        "lib/a.ts": "export const a = 1",
        "tsconfig.json": "\u{feff}{\n  /* über\n     zwei Zeilen */\n  \"extends\": [\"./base\", \"./other\"],\n  \"compilerOptions\": {\n    \"paths\": { \"@b/*\": \"lib/*\", \"@a/*\": [\"lib/*\",], }, // ü\n    \"strict\": \"yes\", \"target\": null,\n    \"jsx\": { \"react\": true },\n  },\n}",
        "base.json": r#"{ "compilerOptions": 5 }"#,
        "other.json": r#"{ "extends": 7, "compilerOptions": { "paths": 5 } }"#,
    }
    a_missing_require { "steps/a.step.js": "const x = require('gone')\nconst lazy = () => require('also-gone')\nmodule.exports = { x }" }
    a_missing_dynamic_import { "steps/a.step.ts": "export const handler = () => import('gone')" }
    a_path_that_a_package_does_not_export {
        "steps/a.step.ts": "import x from 'pkg/inner'\nexport const result = x",
        "node_modules/pkg/package.json": r#"{ "exports": { ".": "./index.js" } }"#,
        "node_modules/pkg/inner.js": "",
    }
    a_file_that_a_package_does_not_have {
        "steps/a.step.ts": "import x from 'pkg/inner'\nexport const result = x",
        "node_modules/pkg/index.js": "",
    }
    a_package_of_typescript {
        "steps/a.step.ts": "import x from 'pkg'\nexport const result = x",
        "node_modules/pkg/package.json": r#"{ "main": "./index.ts" }"#,
        "node_modules/pkg/index.ts": "export default 1",
    }
    a_kind_of_file_that_cannot_be_imported { "steps/a.step.ts": "import css from './a.css'\nexport const result = css", "steps/a.css": "" }
    a_name_that_is_not_exported {
        "steps/a.step.ts": "import { creat } from '../lib/store'\nexport const result = creat()",
        "lib/store.ts": "export const create = () => 1\nexport interface Pet {}",
    }
    an_export_that_is_not_declared { "steps/a.step.ts": "const handle = () => {}\nexport { handler }" }
    names_that_come_twice { "steps/a.step.ts": "export const a = 1\nconst b = 2\nexport { b as a }", "steps/b.step.ts": "export function f() {}\nexport function f() {}" }
    a_json_file_with_an_error { "steps/a.step.ts": "import x from '../x.json'\nexport const result = x", "x.json": "{\n  \"a\": 1,\n  oops\n}" }
    a_require_of_top_level_await {
        "steps/a.step.js": "const { x } = require('../lib/x')\nmodule.exports = { x }",
        "lib/x.ts": "export { y as x } from './y'",
        "lib/y.ts": "export const y = await 1",
    }
    a_circle_across_the_formats {
        "steps/a.step.ts": "import { c } from '../lib/c'\nexport const name = c",
        "lib/c.js": "const { m } = require('./m')\nexports.c = m",
        "lib/m.ts": "import { c } from './c'\nexport const m = () => c",
    }
    await_in_commonjs { "steps/a.step.js": "const x = await 1\nmodule.exports = { x }" }
    decorators_in_javascript { "steps/a.step.js": "export class A {\n  @dec run() {}\n}" }
    decorators_in_typescript_without_the_option {
        "steps/a.step.ts": "import { dec } from '../lib/dec'\nexport class A {\n  @dec run() {}\n}",
        "lib/dec.ts": "export const dec = (value: unknown, context: { kind: string }) => value",
        "tsconfig.json": r#"{ "compilerOptions": { "strict": true } }"#,
    }
    a_decorator_of_a_rest_parameter {
        "steps/a.step.ts": "const dec: any = () => {}\nexport class A {\n  run(@dec first: string, @dec ...rest: string[]) {}\n}",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true } }"#,
    }
    a_decorator_of_a_field_with_a_computed_name {
        "steps/a.step.ts": "const dec: any = () => {}, name = () => 'x'\nexport class A {\n  @dec static [name()] = 1\n}",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true } }"#,
    }
    an_export_assignment_beside_exports { "steps/a.step.ts": "const x = 1\nexport = x\nexport const y = 2" }
    a_namespace_with_a_variable { "steps/a.step.ts": "export namespace N {\n  export let count = 0\n}" }
    a_component_whose_namespace_is_hidden {
        "steps/a.step.ts": "export { view } from '../lib/ui'",
        "lib/ui.tsx": "namespace UI { export const Button = () => 'button' }\nnamespace UI {\n  export const view = (UI: object) => <Button {...UI}/>\n}\nexport const view = UI.view",
    }
    names_that_the_sdk_does_not_have { "steps/a.step.ts": "import { nothing } from 'motia'\nexport const result = nothing" }
    a_configuration_keeps_what_it_can {
        "motia.config.ts": "import gone, { named } from 'gone'\nimport { defineConfig } from 'motia'\nconst other = require('other')\nexport default defineConfig({ plugins: [gone(), named.x, other()] })",
        "steps/a.step.ts": "export const config = {}",
    }
}

#[test]
fn a_missing_package_is_installed_by_the_manager_in_use() {
    let mut help = Vec::new();
    for lock in ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "../pnpm-lock.yaml"] {
        let project = Project::new(&[("steps/a.step.ts", "import x from '@a/b/c'\nexport const y = x"), (lock, "")]);
        help.push(project.compile().failed[0].1.help.clone().unwrap());
    }
    let expected = ["npm install @a/b", "pnpm add @a/b", "yarn add @a/b", "bun add @a/b", "pnpm add @a/b"];
    assert_eq!(help, expected.map(|command| format!("run `{command}`")));
}

#[test]
fn colours_are_the_callers_choice() {
    let project = Project::new(&[("steps/a.step.ts", "let x = ;")]);
    let generation = project.compile();
    let (_, diagnostic) = &generation.failed[0];
    assert!(diagnostic.render(true).contains("\u{1b}["));
    assert!(!diagnostic.render(false).contains('\u{1b}'));
    let location = diagnostic.location.as_ref().unwrap();
    assert_eq!((location.line, location.column, location.span.clone()), (1, 9, 8..9));
}
