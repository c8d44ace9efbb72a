//! Generations on disk: when they are the same, what they share, and when they go.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use motia_compile::{Compiler, Generation};
use support::Project;

const FILES: [(&str, &str); 4] = [
    (
        "steps/a.step.ts",
        "import { x } from '../lib/x'\nimport { get } from 'old'\nexport const result = [x, typeof get]",
    ),
    ("steps/b.step.js", "module.exports = { result: 'b' }"),
    ("lib/x.ts", "export const x: number = 1"),
    ("node_modules/old/index.js", "exports.x = 1"),
];

fn inode(generation: &Generation, path: &str) -> u64 {
    fs::metadata(generation.dir.join(path)).unwrap().ino()
}

/// The names of the generations on disk.
fn on_disk(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.root.join(".motia/compiled")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.contains('.')).collect();
    names.sort();
    names
}

fn compile(project: &Project, compiler: &mut Compiler) -> Generation {
    compiler.compile(&project.entries()).unwrap()
}

#[test]
fn the_same_project_gives_the_same_generation() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    let first = compile(&project, &mut compiler);
    let again = compile(&project, &mut compiler);
    let elsewhere = project.compile();
    assert_eq!((&first.hash, &first.dir), (&again.hash, &again.dir));
    assert_eq!(first.hash, elsewhere.hash);
    assert_eq!(on_disk(&project).len(), 1);
    assert_eq!(project.run(&elsewhere, "steps/a.step.ts").unwrap(), r#"[1,"undefined"]"#);
}

#[test]
fn a_change_makes_a_generation_that_shares_what_is_the_same() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    let first = compile(&project, &mut compiler);
    project.write("lib/x.ts", "export const x: number = 2");
    for second in [compile(&project, &mut compiler), project.compile()] {
        assert_ne!(first.hash, second.hash);
        for path in ["steps/a.step.ts.mjs", "steps/a.step.ts.mjs.map", "steps/b.step.js.cjs"] {
            assert_eq!(inode(&first, path), inode(&second, path), "{path}");
        }
        assert_ne!(inode(&first, "lib/x.ts.mjs"), inode(&second, "lib/x.ts.mjs"));
        assert_eq!(project.run(&second, "steps/a.step.ts").unwrap(), r#"[2,"undefined"]"#);
        assert_eq!(project.run(&first, "steps/a.step.ts").unwrap(), r#"[1,"undefined"]"#);
    }
}

#[test]
fn a_change_elsewhere_reaches_those_that_depend_on_it() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    let hash = |compiler: &mut Compiler| compile(&project, compiler).hash;
    let first = hash(&mut compiler);
    // The helper becomes CommonJS: the step has to import it by other means.
    project.write("lib/x.ts", "exports.x = 'changed'");
    let second = compile(&project, &mut compiler);
    assert_eq!(project.run(&second, "steps/a.step.ts").unwrap(), r#"["changed","undefined"]"#);
    // Settings and packages count.
    project.write("tsconfig.json", "{}");
    let third = hash(&mut compiler);
    project.write("node_modules/old/package.json", r#"{ "version": "2.0.0" }"#);
    let fourth = hash(&mut compiler);
    let all = [&first, &second.hash, &third, &fourth];
    assert!(all.iter().enumerate().all(|(index, hash)| !all[..index].contains(hash)), "{all:?}");
}

#[test]
fn a_file_that_is_put_right_compiles_again() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    project.write("lib/x.ts", "export const x =");
    let broken = compile(&project, &mut compiler);
    assert_eq!(broken.failed.len(), 1);
    assert_eq!(broken.modules.len(), 1);
    assert!(broken.inputs.contains(&project.root.join("lib/x.ts")));
    project.write("lib/x.ts", "export const x = 3");
    let fixed = compile(&project, &mut compiler);
    assert_eq!(project.run(&fixed, "steps/a.step.ts").unwrap(), r#"[3,"undefined"]"#);
    project.remove("lib/x.ts");
    let gone = compile(&project, &mut compiler);
    assert!(gone.inputs.contains(&project.root.join("lib/x/index.js")));
    assert!(gone.failed[0].1.message.contains("cannot find '../lib/x'"));
    project.write("lib/x/index.js", "export const x = 4");
    let moved = compile(&project, &mut compiler);
    assert_eq!(project.run(&moved, "steps/a.step.ts").unwrap(), r#"[4,"undefined"]"#);
}

#[test]
fn pruning_spares_what_is_held_or_kept() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    let change = |text: &str| project.write("lib/x.ts", &format!("export const x = '{text}'"));
    let held = compile(&project, &mut compiler);
    change("kept");
    let kept = compile(&project, &mut compiler).hash;
    change("dropped");
    let dropped = compile(&project, &mut compiler).hash;
    change("last");
    let last = compile(&project, &mut compiler);
    assert_eq!(on_disk(&project).len(), 4);

    // Another process left this behind when it was killed.
    fs::create_dir_all(project.root.join(format!(".motia/compiled/{dropped}.1-0/steps"))).unwrap();
    compiler.prune(std::slice::from_ref(&kept)).unwrap();
    let mut expected = vec![held.hash.to_string(), kept.to_string(), last.hash.to_string()];
    expected.sort();
    assert_eq!(on_disk(&project), expected);

    drop((held, compiler));
    let other = project.compiler();
    other.prune(&[]).unwrap();
    assert_eq!(on_disk(&project), [last.hash.to_string()]);
    drop(last);
    other.prune(&[]).unwrap();
    assert_eq!(on_disk(&project), Vec::<String>::new());
    assert_eq!(fs::read_dir(project.root.join(".motia/compiled")).unwrap().count(), 1, "only the lock of all");
}

#[test]
fn two_hundred_changes_leave_little_behind() {
    let project = Project::new(&[
        ("steps/a.step.ts", "export const result = 0"),
        ("steps/b.step.ts", "export const result = 'b'"),
    ]);
    let mut compiler = project.compiler();
    let mut kept = std::collections::VecDeque::new();
    for change in 0..200 {
        project.write("steps/a.step.ts", &format!("export const result = {change}"));
        if change % 10 == 0 {
            project.write("steps/b.step.ts", "export const result =");
        } else if change % 10 == 1 {
            project.write("steps/b.step.ts", "export const result = 'b'");
        }
        // As the engine does it: the last few stay, for workers that still finish.
        kept.push_back(compile(&project, &mut compiler));
        if kept.len() > 4 {
            kept.pop_front();
        }
        let keep: Vec<_> = kept.iter().map(|generation| generation.hash.clone()).collect();
        compiler.prune(&keep).unwrap();
    }
    assert_eq!(on_disk(&project).len(), 4);
    // Each with its lock, and the lock of all.
    let folder = project.root.join(".motia/compiled");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 9);
}

#[test]
fn a_damaged_generation_is_written_again() {
    let project = Project::new(&FILES);
    let first = project.compile();
    fs::write(first.dir.join("lib/x.ts.mjs"), "").unwrap();
    let again = project.compile();
    assert_eq!(first.hash, again.hash);
    assert_eq!(project.run(&again, "steps/a.step.ts").unwrap(), r#"[1,"undefined"]"#);
}

#[test]
fn an_emptied_folder_is_filled_again() {
    let project = Project::new(&FILES);
    let mut compiler = project.compiler();
    let first = compile(&project, &mut compiler);
    fs::remove_dir_all(project.root.join(".motia")).unwrap();
    let again = compile(&project, &mut compiler);
    assert_eq!(first.hash, again.hash);
    fs::remove_file(again.dir.join("steps/b.step.js.cjs")).unwrap();
    project.write("lib/x.ts", "export const x = 5");
    let changed = compile(&project, &mut compiler);
    assert_eq!(project.run(&changed, "steps/a.step.ts").unwrap(), r#"[5,"undefined"]"#);
    assert_eq!(project.run(&changed, "steps/b.step.js").unwrap(), r#""b""#);
}

#[test]
fn compilers_at_the_same_time_agree() {
    let project = Project::new(&FILES);
    let entries = project.entries();
    let generations: Vec<Generation> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut compiler = project.compiler();
                    let generation = compiler.compile(&entries).unwrap();
                    compiler.prune(&[]).unwrap();
                    generation
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(generations.iter().all(|generation| generation.hash == generations[0].hash));
    assert_eq!(project.run(&generations[0], "steps/a.step.ts").unwrap(), r#"[1,"undefined"]"#);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let project = Project::new(&FILES);
    project.write(".motia", "a file");
    let error = project.compiler().compile(&project.entries()).unwrap_err().to_string();
    assert!(error.contains(".motia/compiled") && error.contains("writable"), "{error}");
}

#[test]
fn a_generation_that_cannot_be_finished_leaves_nothing() {
    let project = Project::new(&FILES);
    // As it is with a full disk: some files can be written, and one cannot, whose name grows too long here.
    project.write(&format!("steps/{}.step.ts", "x".repeat(240)), "export const result = 1");
    let error = project.compiler().compile(&project.entries()).unwrap_err();
    assert!(error.to_string().contains("File name too long"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "the cause would be said twice");
    let names: Vec<_> = fs::read_dir(project.root.join(".motia/compiled")).unwrap().flatten().collect();
    assert!(names.iter().all(|entry| entry.file_name().to_string_lossy().ends_with(".lock")), "{names:?}");
}

#[test]
fn stack_traces_name_the_source() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "import { fail } from '../lib/fail'\nimport { old } from '../lib/old'\n\ninterface Gone {\n  a: string\n}\n\nexport const result = () =>\n  old(() => fail<Gone>())\n",
        ),
        (
            "lib/fail.ts",
            "enum Kind {\n  A,\n}\n\n// ünïcode\nexport function fail<T>(): T {\n  throw new Error(`broken ${Kind.A}`)\n}\n",
        ),
        ("lib/old.js", "import 'fs'\n\nmodule.exports = {\n  old(run) {\n    return run()\n  },\n}\n"),
    ]);
    let error = project.run(&project.compile(), "steps/a.step.ts").unwrap_err();
    for place in ["lib/fail.ts:7:9", "steps/a.step.ts:9:13", "lib/old.js:5:12"] {
        let place = project.root.join(place);
        assert!(error.contains(&*place.to_string_lossy()), "no {} in {error}", place.display());
    }
}

#[test]
fn an_error_while_loading_names_the_source() {
    let project = Project::new(&[("steps/a.step.ts", "type A = 1\n\nexport const result = (undefined as any).x\n")]);
    let error = project.run(&project.compile(), "steps/a.step.ts").unwrap_err();
    assert!(error.contains("steps/a.step.ts:3"), "{error}");
}

#[test]
fn inputs_are_all_that_matters() {
    let project = Project::new(&FILES);
    project.write("tsconfig.json", r#"{ "extends": "./base.json" }"#);
    project.write("base.json", "{}");
    project.write("node_modules/old/package.json", "{}");
    let inputs = project.compile().inputs;
    for path in
        ["steps/a.step.ts", "lib/x.ts", "tsconfig.json", "base.json", "package.json", "node_modules/old/package.json"]
    {
        assert!(inputs.contains(&project.root.join(path)), "{path} not in {inputs:?}");
    }
}
