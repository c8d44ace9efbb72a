//! ES modules and CommonJS in any mix, in the project and in packages: one small project per rule, run by the real Node.

mod support;

use support::projects;

projects! {
    // The project's own files.
    commonjs_steps_work_in_a_module_package {
        "steps/a.step.js": "const { list } = require('./store')\nexports.config = { name: 'a' }\nexports.result = [list(), Object.keys(exports)]",
        "steps/store.js": "module.exports = { list: () => [1] }",
        "package.json": r#"{ "type": "module" }"#,
    } => r#"[[1],["config"]]"#;
    esm_steps_work_in_a_commonjs_package {
        "steps/a.step.js": "import { list } from './store'\nexport const result = list()",
        "steps/store.js": "export const list = () => [1]",
        "package.json": r#"{ "type": "commonjs" }"#,
    } => "[1]";
    module_exports_of_an_object {
        "steps/a.step.js": "const config = {}\nconst result = 'r'\nmodule.exports = { config, result }",
    } => r#""r""#;
    export_default_of_an_object {
        "steps/a.step.ts": "export default { config: {}, result: 'r' }",
    } => r#""r""#;
    esm_imports_local_commonjs {
        "steps/a.step.ts": "import store, { list as all } from '../lib/store'\nimport * as ns from '../lib/store'
            export const result = [store.list(), all(), ns.list(), Object.keys(ns), typeof ns.default.list]",
        "lib/store.js": "const hidden = { list: () => 1 }\nmodule.exports = hidden",
    } => r#"[1,1,1,["list","default"],"function"]"#;
    local_commonjs_with_es_module_mark {
        "steps/a.step.ts": "import make, { other } from '../lib/made'\nexport const result = [make(), (make as any).default(), other]",
        "lib/made.js": "Object.defineProperty(exports, '__esModule', { value: true })\nexports.default = () => 'made'\nexports.other = 2",
    } => r#"["made","made",2]"#;
    imports_in_a_commonjs_file {
        "steps/a.step.js": "import d, { a, a as b } from '../lib/esm'\nimport * as ns from '../lib/esm'\nimport fs, { existsSync } from 'fs'\nimport old, { x } from 'old'
            const bag = { a, d }
            function self() { return this === undefined }
            module.exports = { result: [a(), b(), d, ns.a(), bag.a(), bag.d, typeof fs.readFileSync, typeof existsSync, old, x, ns.tag`t`] }",
        "lib/esm.ts": "export const a = function (this: any) { return this === undefined ? 'free' : typeof this }\nexport default 'd'\nexport const tag = (s: TemplateStringsArray) => s[0]",
        "node_modules/old/index.js": "module.exports = { x: 'x' }",
    } => r#"["free","free","d","object","object","d","function","function",{"x":"x"},"x","t"]"#;
    exports_and_module_exports_in_one_file {
        "steps/a.step.ts": "import * as lib from '../lib/both'\nimport def, { a, up, count, F, C } from '../lib/both'\nup()
            export const result = [a, lib.b, def(), F(), new C().c, lib.count, lib.inner.x, lib.x]",
        "lib/both.ts": "import { x as y } from './inner'\nexport const a = 1\nexport let count = 0\nexport const up = () => { count++ }\nexport default () => y\nexport function F() { return 'F' }\nexport class C { c = 'C' }
            export * from './inner'\nexport * as inner from './inner'\nexport { x as z } from './inner'\nexports.b = 2",
        "lib/inner.ts": "export const x = 'x'",
    } => r#"[1,2,"x","F","C",1,"x","x"]"#;
    the_extension_decides_over_the_syntax {
        "steps/a.step.ts": "import c from '../lib/c.cjs'\nimport { m } from '../lib/m.mjs'\nimport { t } from '../lib/t.cjs'\nimport { u } from '../lib/u.mjs'\nexport const result = [c, m, t, u]",
        "lib/c.cjs": "import { sep } from 'node:path'\nmodule.exports = sep",
        "lib/m.mjs": "export const m = typeof module",
        "lib/t.cts": "import { sep } from 'path'\nexport const t: string = sep",
        "lib/u.mts": "export const u: number = 1",
    } => r#"["/","object","/",1]"#;
    return_outside_a_function_in_commonjs {
        "steps/a.step.js": "exports.result = 1\nif (exports.result) return\nexports.result = 2",
    } => "1";
    sloppy_code_stays_sloppy {
        "steps/a.step.js": "undeclared = 3\nwith ({ w: 1 }) { var seen = w }\nexports.result = [undeclared, seen, this === exports, 010]",
    } => "[3,1,true,8]";
    circular_commonjs {
        "steps/a.step.js": "exports.early = 1\nconst b = require('../lib/b')\nexports.result = b.seen()",
        "lib/b.js": "const a = require('../steps/a.step')\nexports.seen = () => a.early",
    } => "1";
    commonjs_requires_es_modules {
        "steps/a.step.js": "const { named, default: d } = require('../lib/esm')\nmodule.exports = { result: [named, d] }",
        "lib/esm.ts": "export const named = 'n'\nexport default 'd'",
    } => r#"["n","d"]"#;
    a_lazy_circle_across_the_formats_works {
        "steps/a.step.ts": "import { late } from '../lib/c'\nexport const name = 'a'\nexport const result = () => late()",
        "lib/c.js": "exports.late = () => require('../steps/a.step').name",
    } => r#""a""#;

    a_default_that_only_the_commonjs_side_of_a_package_has {
        "steps/a.step.ts": "import make, { named } from 'dual'\nimport * as all from 'dual'\nimport own from 'whole'\nexport const result = [make.named(), make(), named(), typeof all.named, own]",
        "node_modules/dual/package.json": r#"{ "name": "dual", "exports": { "import": "./index.mjs", "require": "./index.cjs" } }"#,
        "node_modules/dual/index.mjs": "export const named = () => 'esm'",
        "node_modules/dual/index.cjs": "module.exports = () => 'called'\nmodule.exports.named = () => 'cjs'",
        "node_modules/whole/package.json": r#"{ "name": "whole", "exports": { "import": "./index.mjs", "require": "./index.cjs" } }"#,
        "node_modules/whole/index.mjs": "const own = 'esm'\nexport { own as default }",
        "node_modules/whole/index.cjs": "module.exports = 'cjs'",
    } => r#"["cjs","called","cjs","function","esm"]"#;

    // `require` in ES modules.
    require_in_esm_syntax {
        "steps/a.step.js": "import path from 'path'\nconst fs = require('fs')\nconst store = require('../lib/store')\nconst { x } = require('pkg')\nconst data = require('../data.json')
            const name = '../data.json'
            export const result = [typeof fs.readFileSync, store.s, x, data.d, require(name).d, path.basename(require.resolve('../lib/store')), path.basename(require.resolve('../note.txt')), typeof require.cache]",
        "lib/store.ts": "export const s = 's'",
        "note.txt": "",
        "data.json": r#"{ "d": 1 }"#,
        "node_modules/pkg/index.js": "exports.x = 'x'",
    } => r#"["function","s","x",1,1,"store.ts.mjs","note.txt","object"]"#;
    a_computed_require_is_resolved_from_the_source {
        "steps/a.step.js": "const name = './data.json'\nexports.result = [require(name), require.resolve(name).endsWith('steps/data.json'), typeof require]",
        "steps/data.json": "2",
    } => r#"[2,true,"function"]"#;
    an_optional_package_may_be_missing {
        "steps/a.step.ts": "let found: any\ntry { found = require('not-there') } catch (error: any) { found = error.code }\nexport const result = found",
    } => r#""MODULE_NOT_FOUND""#;

    // Packages.
    names_that_nodes_lexer_cannot_see {
        "steps/a.step.ts": "import { get, chunk as parts } from 'lodash'\nimport _ from 'lodash'\nimport * as all from 'lodash'\nexport const result = [get(), parts(), _.get(), all.get(), all.default.get()]",
        "node_modules/lodash/index.js": ";(function () { var lodash = function () {}; lodash.get = () => 'get'; lodash.chunk = () => 'chunk'; (module || {}).exports = lodash }.call(this))",
    } => r#"["get","chunk","get","get","get"]"#;
    both_default_idioms_with_a_frozen_default {
        "steps/a.step.ts": "import Made, { other } from 'made'\nimport * as ns from 'made'\nconst { default: Taken, ...rest } = Made as any\nconst { default: Only } = Made as any, after = 1
            const seen = [Made, (Made as any).default, (Made as any)['default'], (Made as any).default.default, (Made as any)?.default, (ns as any).default, Taken, Only]
            export const result = [seen.map((M) => new M('x').get()), new (Made as any).default('y').get(), (Made as any).default?.make().get(), other, typeof rest, after]",
        "node_modules/made/index.js": "Object.defineProperty(exports, '__esModule', { value: true })\nclass A { #secret; constructor(s) { this.#secret = s } get() { return this.#secret } static make() { return new this('m') } }
            exports.default = Object.freeze(A)\nexports.other = 2\nObject.freeze(exports)",
    } => r#"[["x","x","x","x","x","x","x","x"],"y","m",2,"object",1]"#;
    a_package_whose_default_has_a_default {
        "steps/a.step.ts": "import axios from 'axios'\nexport const result = [axios.get(), (axios as any).default.get(), axios.default === axios]",
        "node_modules/axios/index.js": "const axios = { get: () => 'got' }\nmodule.exports = axios\nmodule.exports.default = axios",
    } => r#"["got","got",true]"#;
    an_esm_only_package {
        "steps/a.step.ts": "import def, { named } from 'esm-only'\nimport * as ns from 'esm-only'\nexport const result = [def.name, (def as any).default.name, named, Object.keys(ns)]",
        "steps/b.step.js": "",
        "node_modules/esm-only/package.json": r#"{ "type": "module", "exports": { "import": "./index.js" } }"#,
        "node_modules/esm-only/index.js": "export default class Thing {}\nexport const named = 1",
    } => r#"["Thing","Thing",1,["default","named"]]"#;
    a_dual_package {
        "steps/a.step.ts": "import { kind } from 'dual'\nconst req = require('dual')\nimport { sub } from 'dual/sub'\nexport const result = [kind, req.kind, sub]",
        "node_modules/dual/package.json": r#"{ "exports": { ".": { "import": "./index.mjs", "require": "./index.cjs" }, "./sub": { "browser": "./no.js", "node": { "import": "./sub.mjs", "default": "./no.js" } } } }"#,
        "node_modules/dual/index.mjs": "export const kind = 'esm'",
        "node_modules/dual/index.cjs": "exports.kind = 'cjs'",
        "node_modules/dual/sub.mjs": "export const sub = 'sub'",
    } => r#"["esm","cjs","sub"]"#;
    a_package_without_a_manifest_in_a_module_project {
        "steps/a.step.ts": "import { x } from 'bare'\nexport const result = x",
        "package.json": r#"{ "type": "module" }"#,
        "node_modules/bare/index.js": "module.exports = Object.assign({}, { x: 1 })",
    } => "1";
    a_module_that_states_no_type {
        "steps/a.step.ts": "import { x } from 'untyped'\nexport const result = x",
        "node_modules/untyped/package.json": r#"{ "main": "./lib.js" }"#,
        "node_modules/untyped/lib.js": "// a comment\nexport const x = 1",
    } => "1";
    files_of_a_package_without_extension {
        "steps/a.step.ts": "import get from 'lodash/get'\nimport { deep } from 'lodash/fp'\nconst again = require('lodash/get')\nexport const result = [get(), deep, again()]",
        "node_modules/lodash/package.json": r#"{ "main": "lodash.js" }"#,
        "node_modules/lodash/get.js": "module.exports = () => 'get'",
        "node_modules/lodash/fp/index.js": "exports.deep = 'deep'",
    } => r#"["get","deep","get"]"#;
    names_that_do_not_exist_are_undefined {
        "steps/a.step.ts": "import { not, 'a-b' as ab, default as d, delete as del } from 'old'\nexport const result = [typeof not, ab, d.x, del]",
        "node_modules/old/index.js": "module.exports = { 'a-b': 1, x: 2, delete: 3 }",
    } => r#"["undefined",1,2,3]"#;
    exports_that_are_not_objects {
        "steps/a.step.ts": "import f, { x } from 'nothing'\nimport fn from 'fn'\nimport * as fns from 'fn'\nexport const result = [f, typeof x, fn(), (fns as any).y]",
        "node_modules/nothing/index.js": "module.exports = null",
        "node_modules/fn/index.js": "module.exports = () => 'called'\nmodule.exports.y = 'y'",
    } => r#"[null,"undefined","called","y"]"#;
    re_exports_of_a_commonjs_package {
        "steps/a.step.ts": "import { get, own, hidden, all, d } from '../lib/tools'\nimport * as tools from '../lib/tools'\nexport const result = [get, own, hidden, all.get, d.get, Object.keys(tools).sort()]",
        "lib/tools.ts": "export * from 'old'\nexport * from 'older'\nexport * as all from 'old'\nexport { default as d } from 'old'\nexport const own = 'own'",
        "node_modules/old/index.js": "exports.get = 'get'\nexports.own = 'theirs'\nexports['hid' + 'den'] = 'hidden'",
        "node_modules/older/index.js": "exports.get = 'older'\nexports.more = 'more'",
    } => r#"["get","own","hidden","get","get",["all","d","get","hidden","more","own"]]"#;
    builtins_in_every_form {
        "steps/a.step.ts": "import fs, { readFileSync } from 'fs'\nimport * as path from 'node:path'\nimport { createHmac } from 'crypto'\nimport { readFile } from 'fs/promises'\nimport test from 'node:test'
            export const result = [fs.readFileSync === readFileSync, path.sep, path.default.sep, typeof createHmac, typeof readFile, typeof (await import('os')).cpus, typeof test]",
    } => r#"[true,"/","/","function","function","function","function"]"#;

    // import().
    dynamic_imports {
        "steps/a.step.ts": "export const result = async () => {
                const esm = await import('../lib/esm'), cjs = await import('../lib/cjs.js'), old = await import('old')
                const { default: Made } = await import('made')
                const json: any = await import('../data.json', { with: { type: 'json' } })
                return [esm.x, cjs.x, cjs.default.x, old.x, (await import('old')).default.x, Made(), ((await import('made')) as any).default.default(), json.default.d, json.d, (await import(`../lib/esm`)).x]
            }",
        "lib/esm.ts": "export const x = 'esm'",
        "lib/cjs.js": "module.exports = { x: 'cjs' }",
        "data.json": r#"{ "d": 1 }"#,
        "node_modules/old/index.js": "module.exports = Object.assign({}, { x: 'old' })",
        "node_modules/made/index.js": "exports.__esModule = true\nexports.default = () => 'made'",
    } => r#"["esm","cjs","cjs","old","old","made","made",1,1,"esm"]"#;
    dynamic_imports_in_commonjs {
        "steps/a.step.js": "exports.result = async () => [(await import('../lib/esm.js')).x, (await import('old')).default.x]",
        "lib/esm.ts": "export const x = 'esm'",
        "node_modules/old/index.js": "module.exports = Object.assign({}, { x: 'old' })",
    } => r#"["esm","old"]"#;
    a_missing_dynamic_import_may_be_caught {
        "steps/a.step.ts": "export const result = () => import('not-there').catch((error) => error.code)",
    } => r#""ERR_MODULE_NOT_FOUND""#;

    // JSON.
    json_in_every_form {
        "steps/a.step.ts": "import data, { version, name as called } from '../package.json'\nimport marked from '../marked.json' with { type: 'json' }\nimport * as ns from '../package.json'\nexport { version as v } from '../package.json'
            const required = require('../package.json')
            export const result = [data.version, version, called, marked.default, ns.version, ns.default.name, required === data, marked['__proto__']]",
        "package.json": r#"{ "name": "p", "version": "1.0.0" }"#,
        "marked.json": "{ \"default\": 1, \"__proto__\": 2, \"text\": \"line\u{2028}`${x}\" }",
    } => r#"["1.0.0","1.0.0","p",1,"1.0.0","p",true,2]"#;
    json_in_commonjs {
        "steps/a.step.js": "import data, { d } from '../data.json'\nmodule.exports = { result: [data, d, require('../data')] }",
        "data.json": r#"{ "d": 1 }"#,
    } => r#"[{"d":1},1,{"d":1}]"#;

    json_of_a_package {
        "steps/a.step.ts": "import data, { name } from 'pkg/package.json'\nexport const result = async () => [data.version, name, (await import('pkg/package.json')).default.name, (await import('pkg/package.json') as any).version, require('pkg/package.json').name]",
        "node_modules/pkg/package.json": r#"{ "name": "pkg", "version": "1.0.0" }"#,
    } => r#"["1.0.0","pkg","pkg","1.0.0","pkg"]"#;

    // The SDK.
    the_sdk_stands_in_for_motia {
        "steps/a.step.ts": "import { logger, Missing } from 'motia'\nimport * as motia from 'motia'\nimport { config } from '@motiadev/core'\nimport plugin, { anything } from '@motiadev/plugin-states/plugin'\nimport { RedisStateAdapter } from '@motiadev/adapter-redis-state'
            const required = require('@motiadev/plugin-logs/plugin'), { defineConfig } = require('motia')
            export const result = [logger.name, typeof Missing, motia.logger.name, config(1), typeof plugin, typeof anything, new RedisStateAdapter({ a: 1 }).options.a, typeof required.whatever, defineConfig(2)]",
        "node_modules/motia/index.js": "throw new Error('the installed one')",
    } => r#"["logger","undefined","logger",1,"function","function",1,"function",2]"#;
    the_sdk_in_commonjs {
        "steps/a.step.js": "const { logger } = require('motia')\nimport plugin, { named } from '@motiadev/plugin-logs'\nmodule.exports = { result: [logger.name, typeof plugin, typeof named] }",
    } => r#"["logger","function","function"]"#;
}
