//! How specifiers are resolved: one small project per rule, run by the real Node.

mod support;

use support::{Project, projects};

projects! {
    extensions_may_be_left_out {
        "steps/a.step.ts": "import { a } from '../services/openai.service'\nimport { b } from '../lib/env.js'\nimport { c } from './dir'\nimport { d } from './dir/'\nimport { e } from '../mod.mjs'\nimport { f } from '..'\nexport const result = [a, b, c, d, e, f]",
        "services/openai.service.ts": "export const a = 1",
        "lib/env.ts": "export const b = 2",
        "steps/dir/index.ts": "export const c = 3, d = 4",
        "mod.mts": "export const e = 5",
        "index.js": "export const f = 6",
    } => "[1,2,3,4,5,6]";
    a_folder_with_a_manifest {
        "steps/a.step.ts": "import { x } from '../lib'\nexport const result = x",
        "lib/package.json": r#"{ "main": "./src/main.ts" }"#,
        "lib/src/main.ts": "export const x = 1",
    } => "1";
    names_with_odd_characters {
        "steps/a b#%[id]?.step.ts": "import { x } from '../lib/ü %20.ts'\nimport y from '../lib/c d.cjs'\nexport const result = [x, y, import.meta.url === new URL(import.meta.url).href]",
        "lib/ü %20.ts": "export const x = 'x'",
        "lib/c d.cjs": "module.exports = require('../lib/e f').e",
        "lib/e f.ts": "export const e = 'e'",
    } => r#"["x","e",true]"#;
    paths_of_tsconfig {
        "steps/a.step.ts": "import { a } from '@/lib/a'\nimport { b } from '@exact'\nimport { c } from 'services/c'\nimport { d } from '@deep/d.js'\nimport zod from 'zod'\nimport { EventEmitter } from 'events'\nexport const result = [a, b, c, d, zod.z, typeof EventEmitter]",
        "tsconfig.json": "{ // the usual comments\n \"compilerOptions\": { \"baseUrl\": \".\", /* and */ \"paths\": { \"@/*\": [\"./missing/*\", \"./src/*\"], \"@exact\": [\"lib/exact.ts\"], \"@deep/*\": [\"lib/deep/*\"], \"*\": [\"*\"], }, }, }",
        "src/lib/a.ts": "export const a = 1",
        "lib/exact.ts": "export const b = 2",
        "services/c.ts": "export const c = 3",
        "lib/deep/d.ts": "export const d = 4",
        "node_modules/zod/index.js": "exports.z = 'z'",
        "events/index.ts": "export const nothing = 1",
    } => r#"[1,2,3,4,"z","function"]"#;
    tsconfig_extends {
        "steps/a.step.ts": "import { a } from '~/a'\nclass A { x?: number }\nexport const result = [a, Object.keys(new A())]",
        "tsconfig.json": r#"{ "extends": ["./config/one", "base/tsconfig.json"], "compilerOptions": { "strict": true } }"#,
        "config/one.json": r#"{ "extends": "./two.json" }"#,
        "config/two.json": r#"{ "compilerOptions": { "paths": { "~/*": ["../lib/*"] } } }"#,
        "node_modules/base/tsconfig.json": r#"{ "compilerOptions": { "target": "esnext" } }"#,
        "lib/a.ts": "export const a = 1",
    } => r#"[1,["x"]]"#;
    the_config_dir_of_a_base {
        "steps/a.step.ts": "import { a } from '~/a'\nexport const result = a",
        "tsconfig.json": r#"{ "extends": "./config/base.json" }"#,
        "config/base.json": r#"{ "compilerOptions": { "paths": { "~/*": ["${configDir}/lib/*"] } } }"#,
        "lib/a.ts": "export const a = 1",
    } => "1";
    jsconfig_counts_without_a_tsconfig {
        "steps/a.step.js": "import { a } from '~/a.js'\nexport const result = a",
        "jsconfig.json": r#"{ "compilerOptions": { "paths": { "~/*": ["./lib/*"] } } }"#,
        "lib/a.js": "export const a = 1",
    } => "1";
    imports_of_the_own_package {
        "steps/a.step.ts": "import { a } from '#lib/a'\nimport { b } from 'own/b'\nexport const result = [a, b]",
        "package.json": r##"{ "name": "own", "imports": { "#lib/*": "./lib/*.ts" }, "exports": { "./b": "./lib/b.ts" } }"##,
        "lib/a.ts": "export const a = 1",
        "lib/b.ts": "export const b = 2",
    } => "[1,2]";
    the_own_package_by_its_name {
        "steps/a.step.ts": "import { b } from 'shop/lib/b'\nimport { b as again } from '../lib/b'\nconst r = require('shop')\nexport const result = [b, b === again, r.main]",
        "package.json": r#"{ "name": "shop", "exports": { ".": "./lib/main.ts", "./lib/*": "./lib/*.ts" } }"#,
        "lib/b.ts": "export const b: object = { b: 1 }",
        "lib/main.ts": "export const main: string = 'main'",
    } => r#"[{"b":1},true,"main"]"#;
    the_condition_module_sync {
        "steps/a.step.ts": "import { v } from 'pkg'\nconst r = require('pkg')\nexport const result = [v, r.v, (await import('pkg')).v]",
        "node_modules/pkg/package.json": r#"{ "exports": { "module-sync": "./sync.mjs", "default": "./old.cjs" } }"#,
        "node_modules/pkg/sync.mjs": "export const v = 'sync'",
        "node_modules/pkg/old.cjs": "exports.v = 'old'",
    } => r#"["sync","sync","sync"]"#;
    a_package_beside_a_nested_file {
        "steps/sub/a.step.ts": "import { v } from 'pkg'\nconst r = require('pkg')\nimport { top } from '../../lib/top'\nexport const result = [v, r.v, top]",
        "lib/top.ts": "import { v } from 'pkg'\nexport const top = v",
        "steps/sub/node_modules/pkg/index.js": "exports.v = 'nested'",
        "node_modules/pkg/index.js": "exports.v = 'top'",
    } => r#"["nested","nested","top"]"#;
    packages_above_the_root {
        "steps/a.step.ts": "import { v } from 'pkg'\nimport { w } from 'esm'\nexport const result = [v, w]",
        "../node_modules/pkg/index.js": "exports.v = 'above'",
        "../node_modules/esm/index.mjs": "export const w = 'esm'",
        "../node_modules/esm/package.json": r#"{ "exports": "./index.mjs" }"#,
    } => r#"["above","esm"]"#;
    aliases_and_paths_into_node_modules {
        "steps/a.step.ts": "import { v } from '@vendor/thing'\nimport { w } from '../node_modules/esm/index.mjs'\nconst r = require('@vendor/thing')\nexport const result = [v, w, r.v, (await import('@vendor/thing')).v]",
        "tsconfig.json": r#"{ "compilerOptions": { "paths": { "@vendor/*": ["./node_modules/pkg/*"] } } }"#,
        "node_modules/pkg/thing.js": "exports.v = 'v'",
        "node_modules/esm/index.mjs": "export const w = 'w'",
    } => r#"["v","w","v","v"]"#;
    files_outside_the_root {
        "steps/a.step.ts": "import { s } from '../../shared/s'\nimport { t } from '../../shared/sub/s'\nexport const result = [s, t]",
        "../shared/s.ts": "import { v } from 'pkg'\nexport const s: string = v + __dirname.split('/').pop()",
        "../shared/sub/s.ts": "export const t = 't'",
        "../shared/node_modules/pkg/index.js": "exports.v = 'beside '",
    } => r#"["beside shared","t"]"#;
}

#[test]
fn workspace_packages_that_ship_typescript() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { GameSchema, Player } from '@arena/types/game'\nimport { all } from '@arena/types'\nimport { ui } from '@arena/ui'\nconst p: Player = 1\nexport const result = [GameSchema.z, all, ui, p]",
        ),
        ("../packages/types/package.json", r#"{ "name": "@arena/types", "main": "src/index.ts" }"#),
        (
            "../packages/types/game.ts",
            "import { z } from 'zod'\nexport type Player = number\nexport const GameSchema = { z }",
        ),
        ("../packages/types/src/index.ts", "export * from './all'"),
        ("../packages/types/src/all.ts", "export const all = 'all'"),
        ("../packages/types/node_modules/zod/index.js", "exports.z = 'zod of types'"),
        (
            "../packages/ui/package.json",
            r#"{ "name": "@arena/ui", "exports": { ".": { "types": "./x.d.ts", "default": "./src/ui.tsx" } } }"#,
        ),
        ("../packages/ui/src/ui.tsx", "export const ui: string = 'ui'"),
        ("node_modules/.keep", ""),
    ]);
    std::fs::create_dir_all(project.root.join("node_modules/@arena")).unwrap();
    for name in ["types", "ui"] {
        let link = project.root.join("node_modules/@arena").join(name);
        std::os::unix::fs::symlink(project.outside().join("packages").join(name), link).unwrap();
    }
    let generation = project.compile();
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), r#"["zod of types","all","ui",1]"#);
}

#[test]
fn packages_as_pnpm_links_them() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { v } from 'outer'\nimport raw from '@shop/raw'\nconst r = require('outer')\nexport const result = [v, r.v, raw]",
        ),
        ("node_modules/.pnpm/outer@1.0.0/node_modules/outer/index.js", "exports.v = require('inner').v"),
        ("node_modules/.pnpm/inner@1.0.0/node_modules/inner/index.js", "exports.v = 'inner'"),
        ("packages/raw/package.json", r#"{ "name": "@shop/raw", "type": "module", "exports": "./src/index.ts" }"#),
        (
            "packages/raw/src/index.ts",
            "import { deep } from './deep.js'\nimport { v } from 'outer'\nexport default `${deep} ${v}`",
        ),
        ("packages/raw/src/deep.ts", "export const deep: string = 'deep'"),
        ("node_modules/@shop/.keep", ""),
        ("packages/raw/node_modules/.keep", ""),
    ]);
    let link =
        |from: &str, to: &str| std::os::unix::fs::symlink(to, project.root.join("node_modules").join(from)).unwrap();
    link("outer", ".pnpm/outer@1.0.0/node_modules/outer");
    link(".pnpm/outer@1.0.0/node_modules/inner", "../../inner@1.0.0/node_modules/inner");
    link("@shop/raw", "../../packages/raw");
    link("../packages/raw/node_modules/outer", "../../../node_modules/.pnpm/outer@1.0.0/node_modules/outer");
    assert_eq!(project.run(&project.compile(), "steps/a.step.ts").unwrap(), r#"["inner","inner","deep inner"]"#);
}

#[test]
fn a_broken_extends_is_a_warning() {
    let project = Project::new(&[
        ("steps/a.step.ts", "import { a } from '~/a'\nexport const result = a"),
        (
            "tsconfig.json",
            r#"{ "extends": ["./gone.json", "./bad.json", "./circle.json"], "compilerOptions": { "paths": { "~/*": ["lib/*"] } } }"#,
        ),
        ("bad.json", "{ nonsense"),
        ("circle.json", r#"{ "extends": "./tsconfig.json" }"#),
        ("lib/a.ts", "export const a = 1"),
    ]);
    let generation = project.compile();
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), "1");
    let warnings: Vec<String> = generation.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @r"
    this configuration extends './gone.json', which does not exist: that is ignored
      at tsconfig.json
    this is not JSON, and is ignored: key must be a string
      at bad.json:1:3
        1 | { nonsense
          |   ^
    this configuration extends itself: the circle is ignored
      at tsconfig.json
    ");
}

#[test]
fn comments_and_commas_in_tsconfig_do_no_harm_and_its_mistakes_are_told() {
    let project = Project::new(&[
        ("steps/a.step.ts", "import { a } from '@/a'\nimport { b } from '~/b'\nexport const result = [a, b]"),
        (
            "tsconfig.json",
            "\u{feff}{\n  // one\n  \"extends\": \"./bad\", /* two */\n  \"compilerOptions\": { \"paths\": { \"@/*\": [\"lib/*\",], \"~/*\": [\"./lib/*\"], }, },\n}\n",
        ),
        ("bad.json", r#"{ "compilerOptions": { "paths": "lib" } }"#),
        ("lib/a.ts", "export const a = 1"),
        ("lib/b.ts", "export const b = 2"),
    ]);
    let generation = project.compile();
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), "[1,2]");
    insta::assert_snapshot!(generation.warnings[0].to_string(), @r#"
    'paths' has to be an object, { … }: it is ignored
      at bad.json:1:33
        1 | { "compilerOptions": { "paths": "lib" } }
          |                                 ^^^^^
    "#);
}

#[test]
fn what_an_alias_may_come_to_lead_to_is_watched_for() {
    let project = Project::new(&[
        ("steps/a.step.ts", "import { a } from '@l/a'\nexport const result = a"),
        ("tsconfig.json", r#"{ "compilerOptions": { "paths": { "@l/*": ["lib/*"] } } }"#),
    ]);
    let mut compiler = project.compiler();
    let generation = compiler.compile(&project.entries()).unwrap();
    assert!(generation.inputs.contains(&project.root.join("lib/a.ts")));
    project.write("lib/a.ts", "export const a = 1");
    let generation = compiler.compile(&project.entries()).unwrap();
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), "1");
}

#[test]
fn a_root_with_odd_characters_behind_a_link() {
    let project = Project::new(&[("x", "")]);
    let inner = "mein Projekt (früh) 東京 #1 100%";
    project.write(&format!("{inner}/steps/a b.step.ts"), "import { v } from 'pkg'\nimport { x } from '../lib/ü#?%41.js'\nimport data from '../lib/d.json'
        const name: string = 'ü#?%41'
        export const result = async () => [v, x, data.d, (await import(`../lib/${name}.ts`)).x, require('../lib/d.json').d, __dirname.split('/').slice(-2)]");
    project.write(&format!("{inner}/lib/ü#?%41.ts"), "export const x: string = 'x'");
    project.write(&format!("{inner}/lib/d.json"), r#"{ "d": "d" }"#);
    project.write(&format!("{inner}/node_modules/pkg/index.js"), "exports.v = 'v'");
    let link = project.outside().join("link");
    std::os::unix::fs::symlink(project.root.join(inner), &link).unwrap();
    let config = motia_compile::Config { root: link.clone(), motia_dir: link.join(".motia"), ..project.config() };
    let entries = motia_compile::discover(&link).unwrap().files;
    let generation = motia_compile::Compiler::new(config).compile(&entries).unwrap();
    let printed = project.run(&generation, "steps/a b.step.ts").unwrap();
    assert_eq!(printed, format!(r#"["v","x","d","x","d",["{inner}","steps"]]"#));
}

#[test]
fn the_engine_folder_may_lie_elsewhere() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { v } from 'pkg'\nimport { w } from 'esm'\nconst r = require('pkg')\nexport const result = [v, w, r.v]",
        ),
        ("steps/b.step.js", "const r = require('pkg')\nmodule.exports = { result: r.v }"),
        ("node_modules/pkg/index.js", "exports.v = 'pkg'"),
        ("node_modules/esm/package.json", r#"{ "type": "module", "exports": "./x.js" }"#),
        ("node_modules/esm/x.js", "export const w = 'esm'"),
    ]);
    let mut config = project.config();
    config.motia_dir = project.outside().join("elsewhere");
    let generation = motia_compile::Compiler::new(config).compile(&project.entries()).unwrap();
    assert!(generation.dir.starts_with(project.outside().join("elsewhere")));
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), r#"["pkg","esm","pkg"]"#);
    assert_eq!(project.run(&generation, "steps/b.step.js").unwrap(), r#""pkg""#);
}
