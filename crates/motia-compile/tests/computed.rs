//! `import()` and `require` of what only running shows.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use support::{Project, projects};

projects! {
    a_template_finds_typescript_and_javascript {
        "steps/a.step.ts": "const load = async (name: string) => (await import(`../plugins/${name}.js`)).default
            export const result = async () => [await load('one'), await load('two'), await load('deep/three')]",
        "plugins/one.ts": "const one: number = 1\nexport default one",
        "plugins/two.js": "module.exports = 2",
        "plugins/deep/three.mts": "export default 3 as number",
        "plugins/deep/three.ts": "import { three } from './more'\nexport default three",
        "plugins/deep/more.ts": "export const three = 'three of ts'",
    } => r#"[1,2,"three of ts"]"#;
    a_sum_finds_json_and_shares_it {
        "steps/a.step.ts": "import de from '../locales/de.json'
            const load = async (lang: string) => (await import('../locales/' + lang + '.json')).default
            export const result = async () => [await load('de'), (await load('de')) === de, (await import('../locales/' + 'en' + '.json')).hello]",
        "locales/de.json": r#"{ "hello": "hallo" }"#,
        "locales/en.json": r#"{ "hello": "hello" }"#,
    } => r#"[{"hello":"hallo"},true,"hello"]"#;
    an_absolute_path_and_a_url {
        "steps/a.step.ts": "import path from 'node:path'\nimport { pathToFileURL } from 'node:url'
            const name: string = 'one'
            const file = path.join(__dirname, '..', 'lib', name)
            export const result = async () => [
              (await import(path.join(__dirname, '../plugins', `${name}.ts`))).one,
              (await import(pathToFileURL(path.join(import.meta.dirname, '..', 'plugins', name + '.ts')).href)).one,
              (await import(new URL(`../plugins/${name}.ts`, import.meta.url).href)).one,
              (await import(file)).here,
            ]",
        "plugins/one.ts": "export const one: number = 1",
        "lib/one.ts": "export const here: string = 'lib'",
    } => r#"[1,1,1,"lib"]"#;
    nothing_but_a_variable_reaches_the_code_of_the_package {
        "steps/a.step.ts": "const load = (name: string) => import(name)
            export const result = async () => [
              (await load('../lib/a')).a, (await load('~/b')).b, (await load('lib/b')).b, (await load('../lib')).index,
              (await load('esm')).e, (await load('old')).default.o, (await load('node:path')).sep, typeof (await load('fs')).readFileSync,
              (await load('motia')).logger.name, (await load('../data.json')).default.x, (await load('./a.step.ts')).self,
            ]
            export const self = 'self'",
        "lib/a.ts": "import { b } from './b'\nexport const a: string = b + '!'",
        "lib/b.ts": "export const b: string = 'b'",
        "lib/index.ts": "export const index: string = 'index'",
        "data.json": r#"{ "x": 1 }"#,
        "tsconfig.json": r#"{ "compilerOptions": { "paths": { "~/*": ["./lib/*"] }, "baseUrl": "." } }"#,
        "node_modules/esm/package.json": r#"{ "exports": { "import": "./e.mjs" } }"#,
        "node_modules/esm/e.mjs": "export const e = 'e'",
        "node_modules/old/index.js": "exports.o = 'o'",
    } => r#"["b!","b","b","index","e","o","/","function","logger",1,"self"]"#;
    modules_are_shared_with_literal_imports {
        "steps/a.step.ts": "import { count } from '../lib/count'\nconst name: string = 'count'
            export const result = async () => { count.n++; return [(await import('../lib/' + name)).count.n, require('../lib/' + name).count.n] }",
        "lib/count.ts": "export const count: { n: number } = { n: 0 }",
    } => "[1,1]";
    require_in_commonjs {
        "steps/a.step.js": "const path = require('path')
            const plugins = ['one', 'two'].map((name) => require(path.join(__dirname, '../plugins', name)))
            const where = require.resolve('../plugins/' + 'one')
            module.exports = { result: [plugins[0].one, plugins[1].two, path.basename(where), require('../' + 'data.json').x, require('o' + 'ld').o] }",
        "plugins/one.ts": "export const one: number = 1",
        "plugins/two.js": "exports.two = 2",
        "data.json": r#"{ "x": 3 }"#,
        "node_modules/old/index.js": "exports.o = 'o'",
    } => r#"[1,2,"one.ts.mjs",3,"o"]"#;
    import_in_commonjs {
        "steps/a.step.js": "exports.result = async () => { const n = 'one'; const m = await import(`../plugins/${n}`); return [m.one, m.default] }",
        "plugins/one.js": "exports.one = 1",
    } => r#"[1,{"one":1}]"#;
    a_package_nearer_to_the_source_is_taken {
        "steps/sub/a.step.ts": "const name: string = 'pkg'\nexport const result = async () => [(await import(name)).v, require(name).v]",
        "steps/sub/node_modules/pkg/index.js": "exports.v = 'nested'",
        "node_modules/pkg/index.js": "exports.v = 'top'",
    } => r#"["nested","nested"]"#;
    a_loader_of_its_own_finds_what_it_is_told {
        "steps/a.step.ts": "import { load } from '../lib/load'\nexport const result = async () => (await load('../plugins/one')).one",
        "lib/load.ts": "export const load = (name: string) => import(name)",
        "plugins/one.ts": "export const one: number = 1",
    } => "1";
    import_meta_resolve_points_at_sources_and_packages {
        "steps/a.step.ts": "const tail = (url: string) => url.split('/').slice(-2).join('/')
            const name: string = 'x', x = import.meta.resolve('../lib/x.ts')
            export const result = async () => [tail(x), tail(import.meta.resolve(`./${name}.txt`)), tail(import.meta.resolve('esm')), (await import(x)).x, import.meta.resolve('fs')]",
        "lib/x.ts": "export const x: string = 'x'",
        "node_modules/esm/package.json": r#"{ "exports": { "import": "./e.mjs" } }"#,
        "node_modules/esm/e.mjs": "",
    } => r#"["lib/x.ts","steps/x.txt","esm/e.mjs","x","node:fs"]"#;
    an_import_that_is_no_string_is_made_one {
        "steps/a.step.ts": "const url = new URL('../lib/x.ts', import.meta.url)\nexport const result = async () => (await import(url as any)).x",
        "lib/x.ts": "export const x: number = 1",
    } => "1";
}

projects! {
    what_is_only_located_is_compiled {
        "steps/a.step.ts": "import { basename } from 'node:path'
            const located = require.resolve('../lib/only')
            const later = () => require.resolve('../lib/later.js')
            export const result = () => [basename(located), require(located).one, basename(later()), require(later()).two, basename(require.resolve('../data.json'))]",
        "lib/only.ts": "import { one as o } from './dep'\nexport const one: number = o",
        "lib/dep.ts": "export const one: number = 1",
        "lib/later.ts": "export const two: number = 2",
        "data.json": "{}",
    } => r#"["only.ts.mjs",1,"later.ts.mjs",2,"data.json"]"#;
    commonjs_locates_as_well {
        "steps/a.step.js": "exports.result = [require(require.resolve('../lib/only')).one, require.resolve('path')]",
        "lib/only.ts": "export const one: number = 1",
    } => r#"[1,"path"]"#;
    a_thread_of_a_source_runs_what_that_became {
        "steps/a.step.ts": "import { Worker } from 'node:worker_threads'\nimport { readFileSync } from 'node:fs'
            const said = (worker: Worker) => new Promise((done, failed) => worker.once('message', done).once('error', failed))
            const source = new URL('../lib/thread.ts', import.meta.url)
            export const result = async () => [
              await said(new Worker(new URL('../lib/thread.ts', import.meta.url), { workerData: 1 })),
              await said(new Worker(source, { workerData: 2 })),
              readFileSync(source, 'utf8').split(' ')[0], source.pathname.split('/').pop(),
            ]",
        "lib/thread.ts": "import { parentPort, workerData } from 'node:worker_threads'\nimport { double } from './double.js'\nparentPort!.postMessage(double(workerData as number))",
        "lib/double.ts": "export const double = (n: number): number => n * 2",
    } => r#"[2,4,"import","thread.ts"]"#;
    threads_by_other_names_and_paths {
        "steps/a.step.ts": "import * as threads from 'worker_threads'\nimport { Worker as Thread } from 'worker_threads'\nimport { fileURLToPath } from 'url'\nimport path, { join } from 'path'
            const said = (worker: threads.Worker) => new Promise((done) => worker.once('message', done))
            const file = join(__dirname, 'threads', 'a%20b.js')
            export const result = async () => {
              const { Worker } = await import('node:worker_threads')
              return [
                await said(new threads.Worker(fileURLToPath(new URL('./threads/a%2520b.ts', import.meta.url)))),
                await said(new Thread(path.resolve(import.meta.dirname, 'threads/a%20b.ts'))), await said(new Worker(file)),
              ]
            }",
        "steps/threads/a%20b.ts": "import { parentPort } from 'worker_threads'\nparentPort!.postMessage('said' as string)",
    } => r#"["said","said","said"]"#;
    threads_of_commonjs {
        "steps/a.step.js": "const { Worker } = require('worker_threads'), path = require('path')
            exports.result = new Promise((done) => new Worker(path.join(__dirname, '../lib/thread')).once('message', done))",
        "lib/thread.js": "require('worker_threads').parentPort.postMessage(require('./other').said)",
        "lib/other.ts": "export const said: string = 'said'",
    } => r#""said""#;
    a_class_that_is_called_worker_gets_what_it_is_given {
        "steps/a.step.ts": "class Worker { constructor(public url: URL) {} }\nimport 'node:worker_threads'
            export const result = new Worker(new URL('../lib/x.ts', import.meta.url)).url.pathname.split('/').pop()",
        "lib/x.ts": "throw new Error('loaded')",
    } => r#""x.ts""#;
    a_require_that_was_created_finds_typescript {
        "steps/a.step.ts": "import { createRequire as make } from 'node:module'\nimport module from 'module'
            const load = make(import.meta.url)
            export const result = [load('../lib/x').x, load('../lib/y.js').y, make(import.meta.filename)('../lib/x').x, module.createRequire(import.meta.url)('../data.json').d,
              load('old').o, typeof load('fs').readFileSync, load.resolve('../lib/z').split('/').pop(), typeof load.cache, load(['../data', 'json'].join('.')).d]",
        "lib/x.ts": "export const x: string = 'x'",
        "lib/y.ts": "export const y: string = 'y'",
        "lib/z.ts": "export {}",
        "data.json": r#"{ "d": "d" }"#,
        "node_modules/old/index.js": "exports.o = 'o'",
    } => r#"["x","y","x","d","o","function","z.ts.mjs","object","d"]"#;
    a_require_that_was_created_in_commonjs {
        "steps/a.step.cjs": "const { createRequire } = require('module')\nconst load = createRequire(__filename)\nexports.result = load('../lib/x').x",
        "lib/x.ts": "export const x: string = 'x'",
    } => r#""x""#;
}

#[test]
fn a_thread_that_does_not_compile_is_warned_of_and_fails_when_it_is_started() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { Worker } from 'node:worker_threads'
            const said = (error: Error) => error.message.split('\\n')[0]
            const thread = () => new Worker(new URL('../lib/thread.ts', import.meta.url))
            export const result = () => new Promise((done) => thread().once('error', (error) => done(said(error))))
            export const gone = () => new Worker(new URL('../lib/gone.ts', import.meta.url))",
        ),
        ("lib/thread.ts", "import { x } from './bad'\nexport default x"),
        ("lib/bad.ts", "export const x ="),
    ]);
    let generation = project.compile();
    let warnings: Vec<String> = generation.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @r"
    Unexpected token
      at lib/bad.ts:1:17
        1 | export const x =
          |                 ^
      imported from steps/a.step.ts → lib/thread.ts → lib/bad.ts
    cannot find '../lib/gone.ts'
      at steps/a.step.ts:5:50
        3 |             const thread = () => new Worker(new URL('../lib/thread.ts', import.meta.url))
        4 |             export const result = () => new Promise((done) => thread().once('error', (error) => done(said(error))))
        5 |             export const gone = () => new Worker(new URL('../lib/gone.ts', import.meta.url))
          |                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      help: check the path and the name; extensions may be left out, upper and lower case count
    ");
    assert_eq!(project.run(&generation, "steps/a.step.ts").unwrap(), r#""lib/thread.ts does not compile""#);
}

const ASKING: &str = "const load = (name: string) => import(`../plugins/${name}.ts`)
    const why = (name: string) => load(name).then((m) => m.default, (error) => [error.name, error.message.split('\\n')[0], error.code ?? ''].join(' | '))
    export const result = async () => [await why('good'), await why('bad'), await why('gone')]";

#[test]
fn a_broken_file_matters_only_if_it_is_asked_for() {
    let project = Project::new(&[
        ("steps/a.step.ts", ASKING),
        ("plugins/good.ts", "export default 'good' as string"),
        ("plugins/bad.ts", "export default ="),
        ("plugins/imports-bad.ts", "import './bad'\nimport './nothing'"),
    ]);
    let generation = project.compile();
    assert!(generation.failed.is_empty() && generation.warnings.is_empty(), "{:?}", generation.warnings);
    let printed = project.anonymous(&project.run(&generation, "steps/a.step.ts").unwrap());
    insta::assert_snapshot!(printed, @r#"["good","SyntaxError | plugins/bad.ts does not compile | ","Error | Cannot find module '../plugins/gone.ts' imported from $TMP/project/steps/a.step.ts | ERR_MODULE_NOT_FOUND"]"#);
}

#[test]
fn what_is_said_of_a_broken_file_has_a_code_frame() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "const name: string = 'bad'\nexport const result = () => import('../lib/' + name).catch((error) => error.message)",
        ),
        ("lib/bad.ts", "import { x } from './worse'\nexport default x"),
        ("lib/worse.ts", "export const x = {"),
    ]);
    let printed = project.run(&project.compile(), "steps/a.step.ts").unwrap();
    insta::assert_snapshot!(printed.replace("\\n", "\n"), @r#"
    "lib/bad.ts does not compile
    Expected `}` but found `EOF`
      at lib/worse.ts:1:19
        1 | export const x = {
          |                   ^
      imported from lib/bad.ts → lib/worse.ts"
    "#);
}

#[test]
fn a_file_that_comes_makes_another_generation() {
    let project = Project::new(&[("steps/a.step.ts", ASKING), ("plugins/good.ts", "export default 1")]);
    let mut compiler = project.compiler();
    let first = compiler.compile(&project.entries()).unwrap();
    let path = project.root.join("plugins/new.ts");
    assert!(first.may_load(&path) && !first.inputs.contains(&path));
    assert!(!first.may_load(&project.root.join("plugins/notes.txt")));
    assert!(!first.may_load(&project.root.join("lib/new.ts")));
    project.write("plugins/new.ts", "export default 2");
    let second = compiler.compile(&project.entries()).unwrap();
    assert_ne!(first.hash, second.hash);
    assert!(second.inputs.contains(&path));
    project.remove("plugins/new.ts");
    assert_eq!(compiler.compile(&project.entries()).unwrap().hash, first.hash);
}

#[test]
fn files_of_a_linked_package_and_of_the_working_folder_are_found() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { load } from '@arena/plugins'\nimport { join } from 'node:path'
            export const result = async () => [await load('one'), (await import(join(process.cwd(), 'lib', 'x'))).x]",
        ),
        ("lib/x.ts", "export const x: string = 'x'"),
        ("../packages/plugins/package.json", r#"{ "name": "@arena/plugins", "main": "src/index.ts" }"#),
        (
            "../packages/plugins/src/index.ts",
            "export const load = async (name: string) => (await import(`./all/${name}`)).default",
        ),
        ("../packages/plugins/src/all/one.ts", "import { z } from 'zod'\nexport default z as string"),
        ("../packages/plugins/node_modules/zod/index.js", "exports.z = 'zod of plugins'"),
        ("node_modules/@arena/.keep", ""),
    ]);
    let link = project.root.join("node_modules/@arena/plugins");
    std::os::unix::fs::symlink(project.outside().join("packages/plugins"), link).unwrap();
    assert_eq!(project.run(&project.compile(), "steps/a.step.ts").unwrap(), r#"["zod of plugins","x"]"#);
}
#[test]
fn too_many_files_are_a_warning() {
    let project = Project::new(&[(
        "steps/a.step.ts",
        "const name: string = 'f1'\nexport const result = async () => (await import(name))",
    )]);
    for index in 0..1001 {
        project.write(&format!("lib/f{index}.ts"), "export {}");
    }
    let generation = project.compile();
    insta::assert_snapshot!(generation.warnings[0].to_string(), @"
    this may stand for more than 1000 files: the others cannot be loaded by it
      at steps/a.step.ts:2:49
        1 | const name: string = 'f1'
        2 | export const result = async () => (await import(name))
          |                                                 ^^^^
      help: let it begin with the folder that is meant, as in `./plugins/${name}.js`
    ");
}
