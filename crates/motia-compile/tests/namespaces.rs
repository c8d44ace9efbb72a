//! Namespaces that are written in several blocks, by the rules of TypeScript: one small project per rule, run by the real Node.

mod support;

use support::projects;

projects! {
    an_export_of_another_block_comes_before_what_is_outside {
        "steps/a.step.ts": "const x = 'outer'
            namespace A { export const x = 1 } namespace A { export const y = x }
            export const result = [A.y, x]",
    } => r#"[1,"outer"]"#;
    blocks_see_what_each_other_export {
        "steps/a.step.ts": "namespace A { export const x = 1; export function f() { return later } export enum K { P = 1, Q } export class C { name = 'c' } export namespace In { export const deep = 7 } }
            namespace A {
              export const y = x + 10; export class D extends C { k = K.Q }
              export const o = { x, C, nested: { x } }; export const later = 'later', d = In.deep, call = f()
              export const t = `${x}${typeof x}`, own = (x: number) => x, defaults = (a = x, { b = x } = {} as any) => [a, b]
            }
            namespace A { export import Q = In; import X = x; export const z = [Q.deep, X] }
            export const result = [A.y, new A.D().k, new A.D().name, A.o.x, A.o.nested, A.d, A.f(), A.call, A.t, A.own(5), A.defaults(), A.z]",
    } => r#"[11,2,"c",1,{"x":1},7,"later","later","1number",5,[1,1],[7,1]]"#;
    a_block_may_read_what_a_block_below_exports {
        "steps/a.step.ts": "namespace A { export const lazy = () => [later(), K.Z, new C().v, In.x] }
            namespace A { export function later() { return 'late' } export enum K { Z = 9 } export class C { v = 4 } export namespace In { export const x = 5 } }
            export const result = A.lazy()",
    } => r#"["late",9,4,5]"#;
    a_block_keeps_its_variables_to_itself {
        "steps/a.step.ts": "var seen: any[] = []; var mine = 'outer'
            namespace A { export const a = 1; const mine = 2; export const get = () => mine; var hoisted = 3; export const h = () => hoisted }
            namespace A {
              { const a = 'block'; tell(a) } function tell(v: any) { seen.push(v, a) }
              try { throw a } catch (e) { seen.push(e) }
              for (const a of ['loop']) seen.push(a)
              class K { a = a; static s = a; get b() { return a } [`c${a}`] = a }
              export const k = Object.values(new K()), b = new K().b, outer = mine
            }
            export const result = [seen, A.k, A.b, A.get(), A.h(), A.outer]",
    } => r#"[["block",1,1,"loop"],[1,1],1,2,3,"outer"]"#;
    namespaces_with_dots_are_merged {
        "steps/a.step.ts": "namespace A.B { export const x = 1; export function f() { return x } }
            namespace A.B.C { export const y = x + f(); export namespace D { export const z = x + y } }
            namespace A { export const w = B.x + B.C.y }
            namespace A.B.C.D { export const q = z + y + x + w }
            export const result = [A.B.C.y, A.w, A.B.C.D.z, A.B.C.D.q]",
    } => "[2,3,3,9]";
    inner_namespaces_are_merged_if_they_are_exported {
        "steps/a.step.ts": "namespace A { namespace P { export const one = 1 } namespace P { export const two = one + 1 } export const p = P.two; export namespace S { export const s = 1 } }
            namespace A { namespace P { export const one = 'other' } export const pp = P.one; export namespace S { export const t = s + 1 } export const st = S.s + S.t }
            export const result = [A.p, A.pp, A.st]",
    } => r#"[2,"other",3]"#;
    namespaces_are_merged_with_functions_classes_and_enums {
        "steps/a.step.ts": "function f() { return f.base + f.more() } namespace f { export const base = 10, self = f } namespace f { export const more = () => base * 2 }
            class C { static s = 1; m() { return C.t } } namespace C { export const t = 't' } namespace C { export const u = t + '!', v = new C().m() }
            enum E { A = 1, B } namespace E { export const parse = (n: number) => E[n] } namespace E { export const all = [parse(1), parse(2)] }
            export const result = [f(), f.self === f, C.u, C.v, E.all]",
    } => r#"[30,true,"t!","t",["A","B"]]"#;
    an_enum_goes_on_in_another_block {
        "steps/a.step.ts": "namespace A { export enum K { X = 1, S = 'str' } }
            namespace A { export enum K { Y = 5, Z = X + 1, W = S } export const k = [K.X, K.Y] }
            export const result = [A.K, A.k]",
    } => r#"[{"1":"X","2":"Z","5":"Y","X":1,"S":"str","Y":5,"Z":2,"W":"str"},[1,5]]"#;
    the_name_of_the_namespace_may_be_hidden {
        "steps/a.step.ts": "namespace A { export const x = 1; export class A { v = 1 } }
            namespace A { export const f = (A: any) => [x, A], g = () => { const A = 2; return x + A } }
            namespace A.B { export const b = 3 } namespace A.B { export const h = (B: any, A: any) => [b, x, A, B] }
            export namespace Z { export const x = 1 } export namespace Z { class Z { m() { return x } } export const q = new Z().m() }
            const $A = 'taken'
            export const result = [A.f(9), A.g(), new A.A().v, A.B.h(1, 2), Z.q, $A]",
    } => r#"[[1,9],3,1,[3,1,2,1],1,"taken"]"#;
    what_is_merely_declared_may_be_assigned {
        "steps/a.step.ts": "namespace A { export declare let n: number; export declare const there: { v: number }; export const o = { n: 1 }; (A as any).there = { v: 3 }; export const own = there.v }
            namespace A {
              n = 5; n += 2; n++; ({ n } = { n: n * 2 }); export const m = n; [n = 4] = []
              for (n of [8]) ; ({ o: n = 3 } = {} as any); export const k = n; ({ n = 9 } = {} as any)
            }
            declare namespace B { const z: number; function g(): number } namespace B { Object.assign(B, { z: 4, g: () => 6 }); export const y = () => z + g() }
            export const result = [A.m, A.k, A.n, A.own, B.y()]",
    } => "[16,3,9,3,10]";
    types_stand_for_no_values {
        "steps/a.step.ts": "const x = 'outer', T = 'outer T', Types = 'outer types'
            namespace A { export const x = 1; export type T = number; export interface U { a: T } export namespace Types { export type Q = 1 } }
            namespace A { interface x { a: 1 } export const y = x, t = T, b = Types as any; const u: U = { a: 1 as T }; export const z = u.a }
            export const result = [A.y, A.t, A.z, A.b]",
    } => r#"[1,"outer T",1,"outer types"]"#;
    an_import_of_the_name_of_an_export_is_not_meant {
        "steps/a.step.ts": "import { sep } from 'node:path'
            namespace A { export const sep = 'own' } namespace A { export const s = sep }
            export const result = [A.s, sep]",
    } => r#"["own","/"]"#;
    components_of_another_block {
        "steps/a.step.ts": "export { result } from '../lib/ui'",
        "lib/ui.tsx": "const React = { createElement: (t: any, p: any, ...c: any[]) => [t(), p, ...c] }
            namespace UI { export const Button = () => 'button', list = { Item: () => 'item' } }
            namespace UI { export const view = <Button a=\"1\"><list.Item/></Button> }
            export const result = UI.view",
        "tsconfig.json": r#"{ "compilerOptions": { "jsx": "react" } }"#,
    } => r#"["button",{"a":"1"},["item",null]]"#;
    metadata_names_classes_of_another_block {
        "steps/a.step.ts": "const seen: any[] = []
            ;(Reflect as any).metadata = (key: string, value: any) => () => { if (key === 'design:type') seen.push(value.name) }
            const dec: any = () => {}
            namespace A { export class C {} export namespace N { export class I {} } }
            namespace A { export class D { @dec c: C; @dec n: N.I } }
            export const result = seen",
        "tsconfig.json": r#"{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#,
    } => r#"["C","I"]"#;
}
