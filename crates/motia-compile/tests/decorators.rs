//! TypeScript's own decorators, in its order and with its metadata: one small project per rule, run by the real Node.

mod support;

use support::{Project, projects};

/// What decorators were applied is in `order`, what metadata they were given in `seen`.
macro_rules! recorded {
    ($text:literal) => {
        concat!(
            "const seen: any[] = [], order: string[] = [];
            (Reflect as any).metadata = (key: string, value: any) => (_: any, name?: string) => {
              const name_of = (v: any) => v?.name
              seen.push([key.slice(7), name, Array.isArray(value) ? value.map(name_of) : name_of(value)])
            }
            const dec = (said: string) => (_: any, name?: any, index?: any) => { order.push(said) }
            ",
            $text
        )
    };
}

const SETTINGS: &str = r#"{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#;

projects! {
    members_of_instances_come_before_those_of_the_class {
        "steps/a.step.ts": recorded!("const made: string[] = []
            class A {
              @dec('s1') static s1() {} @dec('i1') i1() {} @dec('s2') static s2 = made.push('s2'); static { made.push('block') }
              @dec('i2') i2 = made.push('i2'); static s3 = made.push('s3'); i3 = made.push('i3'); @dec('i4') ['x'](@dec('p') a: any) {}
              static m(@dec('sp') a: any) {} constructor(@dec('c') public q: any) {} @dec('g') get g() { return 1 }
            }
            new A(1)
            export const result = [order, made]"),
        "tsconfig.json": SETTINGS,
    } => r#"[["i1","i2","p","i4","g","s1","s2","sp","c"],["s2","block","s3","i2","i3"]]"#;
    fields_keep_their_decorators_and_names_where_they_are_assigned {
        "steps/a.step.ts": recorded!("const names: any[] = [], name = (_: any, name: any) => { names.push(name) }
            class Base { static set x(v: any) { order.push(`set ${v}`) } }
            class A extends Base { static before = order.push('before'); @dec('x') static x = A.name + this.name; @dec('y') static y: string; static after = order.push('after') }
            class B { @name 'a-b' = 1; @name 5 = this['a-b'] + 1; @name ['c'] = 3; @name [`d`] = 4; @name static 'e-f' = 5; @name 'g-h': number; @name i = 6 }
            export const result = [order, Object.keys(A).sort(), names, new B(), B['e-f']]"),
        "tsconfig.json": SETTINGS,
    } => r#"[["before","set AA","after","x","y"],["after","before"],["a-b","5","c","d","g-h","i","e-f"],{"5":2,"a-b":1,"c":3,"d":4,"i":6},5]"#;
    computed_keys_are_computed_in_their_order {
        "steps/a.step.ts": recorded!("const keys: string[] = [], key = (k: string) => { keys.push(k); return k }
            class A { @dec('s') static [key('s')] = 1; @dec('i') [key('i')] = 2 }
            export const result = [keys, order.sort()]"),
        "tsconfig.json": r#"{ "compilerOptions": { "target": "es2022", "experimentalDecorators": true } }"#,
    } => r#"[["s","i"],["i","s"]]"#;
    a_pair_of_accessors_tells_of_the_setter {
        "steps/a.step.ts": recorded!("class A {
              @dec('a') get a(): string { return '' } set a(v) {}
              @dec('b') get b() { return 1 as any } set b(v: number) {}
              get c(): Date { return null! } @dec('c') set c(v) {}
              @dec('d') set d(v: string) {} get d(): string { return '' }
              @dec('e') get e(): string { return '' }
              @dec('f') set f(v: boolean) {}
              @dec('k') get k(): number { return 1 } set k(@dec('p') v: number) {}
            }
            const { get, set } = Object.getOwnPropertyDescriptor(A.prototype, 'b')!
            export const result = [seen, order, typeof get, typeof set]"),
        "tsconfig.json": SETTINGS,
    } => r#"[[
        ["paramtypes","a",["Object"]],["type","a","String"],["paramtypes","b",["Number"]],["type","b","Number"],
        ["paramtypes","c",["Object"]],["type","c","Date"],["paramtypes","d",["String"]],["type","d","String"],
        ["paramtypes","e",[]],["type","e","String"],["paramtypes","f",["Boolean"]],["type","f","Boolean"],
        ["paramtypes","k",["Number"]],["type","k","Number"]
      ],["a","b","c","d","e","f","p","k"],"function","function"]"#;
    a_rest_parameter_counts_as_one_of_its_elements {
        "steps/a.step.ts": recorded!("class A {
              @dec('a') a(...x: string[]) {} @dec('b') b(y: number, ...x: Array<Date>) {} @dec('c') c(...x: readonly string[]) {}
              @dec('d') d(...x) {} constructor(@dec('y') y: string, ...x: Map<string, number>[]) {}
            }
            export const result = seen.filter(([key]) => key === 'paramtypes').map(([, name, types]) => [name ?? 'new', types])"),
        "tsconfig.json": SETTINGS,
    } => r#"[["a",["String"]],["b",["Number","Date"]],["c",["Object"]],["d",["Object"]],["new",["String","Map"]]]"#;
    aliases_of_the_file_are_looked_through {
        "steps/a.step.ts": recorded!("type Status = 'open' | 'done'; type Again = Status; type Maybe = string | undefined; type Call = () => void; type Names = string[]
            enum E { X } type En = E; class C {} type Cl = C; type Make = new () => C; type Of<T> = T | null; type Mixed = Status | number; type Round = { next: Round }
            class A {
              @dec('') a: Status; @dec('') b: Again; @dec('') c: Maybe; @dec('') d: Call; @dec('') e: Names; @dec('') f: En; @dec('') g: Cl; @dec('') h: Make
              @dec('') i: Of<string>; @dec('') j: Mixed; @dec('') k: Round; @dec('') l: Status | null; @dec('') m(x: Status, ...y: Status[]): Maybe { return '' }
            }
            export const result = seen.map(([key, name, type]) => `${key === 'type' ? '' : key + ' '}${name} ${type}`)"),
        "tsconfig.json": SETTINGS,
    } => r#"["a String","b String","c String","d Function","e Array","f Number","g Object","h Object","i Object","j Object","k Object","l String",
        "returntype m String","paramtypes m String,String","m Function"]"#;
    null_counts_where_it_is_checked {
        "steps/a.step.ts": recorded!("type Maybe = string | undefined
            class A { @dec('') a: Maybe; @dec('') b: string | null; @dec('') c?: string }
            export const result = seen.map(([, name, type]) => `${name} ${type}`)"),
        "tsconfig.json": r#"{ "compilerOptions": { "strict": true, "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#,
    } => r#"["a Object","b Object","c String"]"#;
}

#[test]
fn nothing_is_left_of_what_marks_a_getter() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "const dec: any = () => {}\nexport class A { @dec get a(): string { return '' } set a(v) {} }",
        ),
        ("tsconfig.json", SETTINGS),
    ]);
    let generation = project.compile();
    assert!(!project.code(&generation, "steps/a.step.ts.mjs").contains("motia:sets"));
}
