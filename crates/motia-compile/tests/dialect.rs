//! The dialect of TypeScript and JavaScript: one small project per rule, run by the real Node.

mod support;

use support::projects;

projects! {
    // Types.
    type_imports_from_motia_need_no_mark {
        "steps/a.step.ts": "import { ApiRouteConfig, Handlers, logger } from 'motia'
            export const config: ApiRouteConfig = { type: 'api' } as any
            export const handler: Handlers['A'] = async () => {}
            export const result = logger.name",
    } => r#""logger""#;
    an_import_of_types_alone_is_not_loaded {
        "steps/a.step.ts": "import { Foo } from '../lib/throws'\nexport const result: Foo = 1 as Foo",
        "lib/throws.ts": "export type Foo = number\nthrow new Error('loaded')",
    } => "1";
    types_and_values_in_one_import {
        "steps/a.step.ts": "import { make, Pet, type Cat } from '../lib/pets'
            const pet: Pet = make() satisfies Cat
            export const result = pet!.name as const",
        "lib/pets.ts": "export interface Pet { name: string }\nexport type Cat = Pet\nexport const make = (): Cat => ({ name: 'tom' })",
    } => r#""tom""#;
    a_re_exported_type_falls_away {
        "steps/a.step.ts": "import { make, Pet } from '../lib'\nconst pet: Pet = make()\nexport const result = pet",
        "lib/index.ts": "export { Pet, Kind as PetKind } from './types'\nexport { make } from './make'",
        "lib/types.ts": "export interface Pet { name: string }\nexport type Kind = 'cat'",
        "lib/make.ts": "import { Pet } from './types'\nexport { Pet }\nexport const make = (): Pet => ({ name: 'tom' })",
    } => r#"{"name":"tom"}"#;
    a_type_re_exported_through_three_files_falls_away {
        "steps/a.step.ts": "export { A } from '../lib/one'\nexport const result = 1",
        "lib/one.ts": "import { A } from './two'\nexport { A }",
        "lib/two.ts": "export * from './three'",
        "lib/three.ts": "export type A = 1",
    } => "1";
    a_type_re_exported_from_a_package_falls_away {
        "steps/a.step.ts": "export { Options, run } from 'tool'\nexport { Deep } from 'old'\nimport { run } from 'tool'\nexport const result = run()",
        "node_modules/tool/package.json": r#"{ "type": "module", "exports": "./index.js" }"#,
        "node_modules/tool/index.js": "export const run = () => 'ran'",
        "node_modules/old/index.js": "exports.x = 1",
    } => r#""ran""#;
    a_type_re_exported_from_a_builtin_falls_away {
        "steps/a.step.ts": "import { join } from '../lib/node'\nexport const result = join('a', 'b')",
        "lib/node.ts": "export { join, PlatformPath } from 'node:path'",
    } => r#""a/b""#;
    types_from_a_declaration_file_fall_away {
        "steps/a.step.ts": "export { Pet } from '../lib/types'\nexport * from '../lib/types'\nimport type { Pet } from '../lib/types'\nexport const result: Pet = 1",
        "lib/types.d.ts": "export type Pet = number",
    } => "1";
    a_type_that_is_exported_as_default_falls_away {
        "steps/a.step.ts": "import Pet, { make } from '../lib'\nconst pet: Pet = make()\nexport const result = pet",
        "lib/index.ts": "import Pet from './pet'\nexport default Pet\nexport { default as Again } from './pet'\nexport const make = (): Pet => ({ name: 'tom' })",
        "lib/pet.ts": "export default interface Pet { name: string }",
    } => r#"{"name":"tom"}"#;
    augmented_modules_leave_nothing {
        "steps/a.step.ts": "import { ApiRequest } from 'motia'\ndeclare module 'motia' { interface ApiRequest<T = unknown> { token?: string } }\ndeclare global { var seen: number }\nglobalThis.seen = 1\nexport const result = seen as ApiRequest",
    } => "1";
    circular_re_exports_of_types_end {
        "steps/a.step.ts": "export { T } from '../lib/a'\nexport const result = 1",
        "lib/a.ts": "export { T } from './b'",
        "lib/b.ts": "export * from './a'",
    } => "1";
    an_import_that_is_declared_again_falls_away {
        "steps/a.step.ts": "import { models } from '../lib/models'\nconst models = { a: 1 }\nexport const result = models",
        "lib/models.ts": "export type models = 1",
    } => r#"{"a":1}"#;

    // What TypeScript adds at run time.
    enums_have_values {
        "steps/a.step.ts": "export enum Kind { A = 'a', B = 'b' }\nconst enum Size { S = 1, L = S << 3 }\nenum N { X, Y }
            export const result = [Kind.B, Object.keys(Kind), Size.L, N[N.Y]]",
    } => r#"["b",["A","B"],8,"Y"]"#;
    a_const_enum_of_another_file_has_values {
        "steps/a.step.ts": "import { Size } from '../lib/size'\nexport const result = Size.L",
        "lib/size.ts": "export const enum Size { S = 1, L = 2 }",
    } => "2";
    enums_pass_through_other_files {
        "steps/a.step.ts": "import { Size, Colour, Deep } from '../lib'\nimport * as all from '../lib'
            enum Own { A = Size.Large, B = `${Colour.Red}!` as any }
            export const result = [Size.Large, Size[8], Colour.Red, Deep.X, all.Size.Small, Own.A]",
        "lib/index.ts": "export { Size, Colour } from './sizes'\nexport * from './deep'",
        "lib/sizes.ts": "export const enum Size { Small = 1, Large = Small << 3 }\nexport enum Colour { Red = 'red' }",
        "lib/deep.ts": "export declare const enum Nothing { A }\nexport const enum Deep { X = 'x' }",
        "tsconfig.json": r#"{ "compilerOptions": { "isolatedModules": true, "preserveConstEnums": false } }"#,
    } => r#"[8,"Large","red","x",1,8]"#;
    const_enums_may_be_used_above_their_declaration {
        "steps/a.step.ts": "export const result = [Size.L, Size['S'], (() => Size.L)()]
            const enum Size { S = 1, L = S << 3 }",
    } => "[8,1,8]";
    const_enums_that_are_only_declared_have_values {
        "steps/a.step.ts": "import { Size, Away } from '../lib/size'\nimport * as sizes from '../lib/size'
            declare const enum E { A = 1, B = 'b' }
            declare namespace Outer.Inner { const enum K { X = 5 } type T = 1 }
            namespace Mixed { export declare const enum M { P = 7 } }
            export declare const enum Own { Q = 9 }
            export const result = [E.A, E['B'], Outer.Inner.K.X, Mixed.M.P, Own.Q, Size.L, Away.Far, sizes.Size.S]",
        "lib/size.ts": "export declare const enum Size { S = 1, L = S << 3 }\nexport { Away } from './away'",
        "lib/away.ts": "declare const enum Away { Far = 'far' }\nexport { Away }",
    } => r#"[1,"b",5,7,9,8,"far",1]"#;
    what_is_declared_otherwise_is_left_to_others {
        "steps/a.step.ts": "declare enum E { A = 1 }\ndeclare namespace N { const enum K { X = 1 } const y: number }
            Object.assign(globalThis, { E: { A: 'theirs' }, N: { y: 'theirs' } })
            export const result = [E.A, N.y]",
    } => r#"["theirs","theirs"]"#;
    constructor_parameters_become_properties {
        "steps/a.step.ts": "class A { b = this.a + 1; constructor(private readonly a: number, public c = 3) {} }
            export const result = { ...new A(1) }",
    } => r#"{"a":1,"b":2,"c":3}"#;
    old_targets_assign_class_fields {
        "steps/a.step.ts": "class Base { set x(v: number) { (this as any).seen = v } }
            class A extends Base { x = 1; y?: number }
            export const result = [Object.keys(new A())]",
        "tsconfig.json": r#"{ "compilerOptions": { "target": "es2020" } }"#,
    } => r#"[["seen"]]"#;
    new_targets_define_class_fields {
        "steps/a.step.ts": "class Base { set x(v: number) { (this as any).seen = v } }
            class A extends Base { x = 1; y?: number }
            export const result = [Object.keys(new A())]",
        "tsconfig.json": r#"{ "compilerOptions": { "target": "ES2022" } }"#,
    } => r#"[["x","y"]]"#;
    namespaces_with_constants_work {
        "steps/a.step.ts": "export namespace Limits { export const max = 3; export function twice() { return max * 2 } }
            export const result = Limits.twice()",
    } => "6";
    legacy_decorators_work {
        "steps/a.step.ts": "const log: string[] = []
            const tag = (name: string) => (...args: any[]) => { log.push(`${name}:${args.length}:${String(args[1])}`) }
            @tag('class') class A { @tag('field') x = 1; @tag('method') run(@tag('param') a: number) { return a } }
            export const result = [log, new A().run(2)]",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true } }"#,
    } => r#"[["field:2:x","param:3:run","method:3:run","class:1:undefined"],2]"#;
    a_method_decorator_may_replace_it {
        "steps/a.step.ts": "const twice = (t: any, k: string, d: PropertyDescriptor) => { const f = d.value; d.value = function () { return f.call(this) * 2 } }
            class A { @twice run() { return 4 } static make = () => new A() }
            export const result = A.make().run()",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true } }"#,
    } => "8";
    decorator_metadata_is_written_if_asked_for {
        "steps/a.step.ts": "const seen: any[] = []
            ;(Reflect as any).metadata = (key: string, value: any) => () => { seen.push([key, value?.name ?? value.map((v: any) => v.name)]) }
            const dec: any = () => {}
            class A { @dec run(a: string): number { return 1 } }
            export const result = seen",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#,
    } => r#"[["design:returntype","Number"],["design:paramtypes",["String"]],["design:type","Function"]]"#;
    metadata_names_classes_of_other_files_and_spares_types {
        "steps/a.step.ts": "import { Clock, Zone } from '../lib/clock'
            const seen: any[] = []
            ;(Reflect as any).metadata = (key: string, value: any) => () => { if (key === 'design:paramtypes') seen.push(value.map((v: any) => v.name)) }
            const dec: any = () => {}
            @dec class Shop { constructor(private clock: Clock, zone: Zone, names: string[], any?: unknown) {} }
            export const result = seen",
        "lib/clock.ts": "export class Clock {}\nexport interface Zone { name: string }",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#,
    } => r#"[["Clock","Object","Array","Object"]]"#;
    accessor_fields_are_lowered {
        "steps/a.step.ts": "class A { accessor x: number = 1; static accessor y = 2; accessor #z = 3; z() { return this.#z } }
            const a = new A()\na.x += 10
            export const result = [a.x, A.y, a.z(), Object.keys(a)]",
    } => "[11,2,3,[]]";
    accessor_fields_in_javascript {
        "steps/a.step.js": "class A { accessor x = 1 }\nmodule.exports = { result: new A().x }",
    } => "1";
    using_disposes_in_reverse {
        "steps/a.step.ts": "const log: string[] = []
            const res = (name: string) => ({ [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() { log.push(name) } })
            { using a = res('a'); using b = res('b'); log.push('body') }
            export const result = log",
    } => r#"["body","b","a"]"#;
    import_equals_and_export_equals {
        "steps/a.step.ts": "import lib = require('../lib/old')\nexport const result = lib.x",
        "lib/old.ts": "const value: { x: number } = { x: 7 }\nexport = value",
    } => "7";
    export_equals_of_a_class_with_a_namespace {
        "steps/a.step.ts": "import Shop = require('../lib/shop')\nimport { open } from '../lib/shop'\nimport again from '../lib/shop'
            import kinds = Shop.Kinds
            export const result = [new Shop().name, Shop.open, open, again === Shop, kinds.pet]",
        "lib/shop.ts": "class Shop { name = 'shop' }\nnamespace Shop { export const open = 9; export namespace Kinds { export const pet = 'pet' } }\nexport = Shop",
    } => r#"["shop",9,9,true,"pet"]"#;
    import_equals_may_be_exported_or_a_type {
        "steps/a.step.ts": "export import path = require('node:path')\nimport type old = require('../lib/throws')\nimport gone = require('../lib/throws')
            const x: gone.T = 1\nexport const result = [path.basename('a/b'), x]",
        "lib/throws.ts": "export type T = number\nthrow new Error('loaded')",
    } => r#"["b",1]"#;
    assertions_and_generics_go {
        "steps/a.step.ts": "declare const nothing: string\nabstract class B<T> { abstract x: T; declare y: number }
            function id<T extends object>(this: void, x: T, y?: number): x is T { return x as unknown as any }
            let a!: number; a = <number>1
            export const result = [id<{}>({ a } as const)!, (a satisfies number)]
            export type { B }; export default interface Foo {}",
    } => r#"[{"a":1},1]"#;

    // JSX in helpers.
    jsx_by_the_automatic_runtime {
        "steps/a.step.ts": "import { mail } from '../lib/mail'\nexport const result = mail('x')",
        "lib/mail.tsx": "export const mail = (name: string) => <p id={name}><>hi</></p>",
        "node_modules/react/package.json": r#"{ "exports": { "./jsx-runtime": "./jsx-runtime.js" } }"#,
        "node_modules/react/jsx-runtime.js": "exports.jsx = (type, props) => ({ type, props })\nexports.Fragment = 'fragment'",
    } => r#"{"type":"p","props":{"id":"x","children":{"type":"fragment","props":{"children":"hi"}}}}"#;
    jsx_by_the_classic_runtime {
        "steps/a.step.js": "import { mail } from '../lib/mail.jsx'\nexport const result = mail('x')",
        "lib/mail.jsx": "import React from 'react'\nexport const mail = (name) => <p {...{ id: name }}>hi</p>",
        "node_modules/react/index.js": "exports.createElement = (type, props, ...children) => ({ type, props, children })",
        "tsconfig.json": r#"{ "compilerOptions": { "jsx": "react" } }"#,
    } => r#"{"type":"p","props":{"id":"x"},"children":["hi"]}"#;
    jsx_of_another_library {
        "steps/a.step.ts": "import { mail } from '../lib/mail'\nimport { other } from '../lib/other'\nexport const result = [mail, other]",
        "lib/mail.tsx": "export const mail = <p/>",
        "lib/other.tsx": "/** @jsxImportSource preact */\nexport const other = <b/>",
        "node_modules/hono/package.json": r#"{ "exports": { "./jsx/jsx-runtime": "./r.js" } }"#,
        "node_modules/hono/r.js": "exports.jsx = (type) => `hono ${type}`",
        "node_modules/preact/package.json": r#"{ "exports": { "./jsx-runtime": "./r.js" } }"#,
        "node_modules/preact/r.js": "exports.jsx = (type) => `preact ${type}`",
        "tsconfig.json": r#"{ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "hono/jsx" } }"#,
    } => r#"["hono p","preact b"]"#;
    jsx_by_a_factory_of_its_own {
        "steps/a.step.ts": "import { mail } from '../lib/mail'\nexport const result = mail",
        "lib/mail.tsx": "import { h, Fragment } from './h'\nexport const mail = <><p>hi</p></>",
        "lib/h.ts": "export const Fragment = 'fragment'\nexport const h = (type: string, _props: object | null, ...children: unknown[]) => [type, ...children]",
        "tsconfig.json": r#"{ "compilerOptions": { "jsx": "react", "jsxFactory": "h", "jsxFragmentFactory": "Fragment" } }"#,
    } => r#"["fragment",["p","hi"]]"#;

    // Where am I.
    esm_knows_where_its_source_is {
        "steps/sub/a.step.ts": "import { readFileSync } from 'fs'
            const text = readFileSync(new URL('./note.txt', import.meta.url), 'utf8')
            const base = (path: string) => path.split('/').slice(-2).join('/')
            const { url } = { url: import.meta.url }
            export const result = [text, base(__dirname), base(__filename), base(import.meta.dirname), base(import.meta.filename), base(url), typeof import.meta.resolve]",
        "steps/sub/note.txt": "note",
    } => r#"["note","steps/sub","sub/a.step.ts","steps/sub","sub/a.step.ts","sub/a.step.ts","function"]"#;
    commonjs_knows_where_its_source_is {
        "steps/a.step.js": "const base = (path) => path.split('/').slice(-2).join('/')
            const where = { __dirname, __filename }
            exports.result = [base(where.__dirname), base(where.__filename), require.main === module]",
    } => r#"["project/steps","steps/a.step.js",false]"#;
    own_variables_of_those_names_stay {
        "steps/a.step.mjs": "import { fileURLToPath } from 'url'\nimport { dirname } from 'path'\nimport { createRequire } from 'module'
            const __filename = fileURLToPath(import.meta.url)\nconst __dirname = dirname(__filename)
            const require = createRequire(import.meta.url)
            export const result = [__dirname.split('/').pop(), require('./data.json')]",
        "steps/data.json": "[1]",
    } => r#"["steps",[1]]"#;
    a_file_may_ask_whether_it_is_main {
        "steps/a.step.ts": "export const result = 1\nif (require.main === module) throw new Error('main')",
    } => "1";
    import_meta_in_commonjs {
        "steps/a.step.js": "const { url } = import.meta\nmodule.exports = { result: [url.split('/').pop(), import.meta.filename.split('/').pop()] }",
    } => r#"["a.step.js","a.step.js"]"#;

    // Statements.
    top_level_await {
        "steps/a.step.ts": "import { later } from '../lib/later'\nexport const result = later + (await Promise.resolve(1))",
        "lib/later.ts": "export const later = await new Promise<number>((done) => setTimeout(done, 1, 41))",
    } => "42";
    top_level_await_alone_makes_a_module {
        "steps/a.step.js": "await import('../lib/set.js')\nglobalThis.step = await globalThis.step\nexport const result = globalThis.step",
        "lib/set.js": "globalThis.step = await Promise.resolve(5)",
    } => "5";
    circular_imports {
        "steps/a.step.ts": "import { even } from '../lib/even'\nexport const result = [even(4), even(3)]",
        "lib/even.ts": "import { odd } from './odd'\nexport const even = (n: number): boolean => n === 0 || odd(n - 1)",
        "lib/odd.ts": "import { even } from './even'\nexport const odd = (n: number): boolean => n !== 0 && even(n - 1)",
    } => "[true,false]";
    bindings_are_live {
        "steps/a.step.ts": "import { count, up } from '../lib/count'\nup()\nexport const result = count",
        "lib/count.ts": "export let count = 0\nexport const up = () => { count++ }",
    } => "1";
    every_way_to_export {
        "steps/a.step.ts": "import d, { a, b as c, default as e, ns, fn, K } from '../lib/all'\nimport * as all from '../lib/all'
            export const result = [d(), a, c, e === d, ns.x, fn(), new K().k, Object.keys(all).sort()]",
        "lib/all.ts": "export const a = 1, { b } = { b: 2 }\nexport default function () { return 'd' }\nexport * as ns from './star'\nexport * from './star'
            export function fn() { return 'fn' }\nexport class K { k = 1 }",
        "lib/star.ts": "export const x = 'x'\nexport default 'not passed on'",
    } => r#"["d",1,2,true,"x","fn",1,["K","a","b","default","fn","ns","x"]]"#;
    names_that_are_strings {
        "steps/a.step.mjs": "import { 'a-b' as ab } from '../lib/x.mjs'\nexport const result = ab",
        "lib/x.mjs": "const v = 1\nexport { v as 'a-b' }",
    } => "1";
    a_hashbang_and_a_byte_order_mark_do_no_harm {
        "steps/a.step.js": "#!/usr/bin/env node\nimport { x } from '../lib/x.js'\nexport const result = x",
        "lib/x.js": "\u{feff}export const x = 1",
    } => "1";
    names_that_the_compiler_would_use_are_free {
        "steps/a.step.ts": "import x from 'old'\nconst $default = 1, $requireSource = 2, $import = 3
            const n = 'fs'\nexport const result = [x.default.name, $default, $requireSource, $import, typeof require(n).readFileSync]",
        "node_modules/old/index.js": "exports.__esModule = true\nexports.default = { name: 'old' }",
    } => r#"["old",1,2,3,"function"]"#;
}

#[test]
fn bytes_that_are_not_utf8_do_no_harm() {
    let project = support::Project::new(&[]);
    std::fs::create_dir_all(project.root.join("steps")).unwrap();
    std::fs::write(project.root.join("steps/a.step.js"), b"// caf\xe9\nexport const result = 1").unwrap();
    assert_eq!(project.run(&project.compile(), "steps/a.step.js").unwrap(), "1");
}
