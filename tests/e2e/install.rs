//! `motia install`, with packages that need no registry.

use std::fs;
use std::process::{Command, Output};

use crate::support::Project;

const MANIFEST: &str = r#"{ "name": "p",
  "scripts": { "postinstall": "motia install", "dev": "motia dev", "which": "motia version" },
  "dependencies": { "left": "file:vendor/left", "motia": "^0.17.14", "@motiadev/core": "^0.17.14" },
  "devDependencies": { "@motiadev/plugin-logs": "^0.17.14" } }"#;

const ORIGINAL: [(&str, &str); 2] = [
    ("node_modules/motia/package.json", r#"{ "name": "motia", "version": "0.17.14", "bin": "cli.js" }"#),
    ("node_modules/motia/cli.js", "console.log('original')"),
];

fn project(manifest: &str) -> Project {
    Project::new(&[
        ("package.json", manifest),
        ("vendor/left/package.json", r#"{ "name": "left", "version": "1.0.0" }"#),
        ("steps/s.step.js", "export const config = { type: 'noop', name: 'S' }"),
    ])
}

fn motia(project: &Project, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_motia"));
    command.arg("install").current_dir(project.path()).env_remove("npm_lifecycle_event");
    command.envs(environment.iter().copied()).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn npm_installs_what_is_the_projects_own_and_scripts_run_this_binary() {
    let project = project(MANIFEST);
    for (path, content) in ORIGINAL {
        project.write(path, content);
    }
    let manifest = project.path().join("package.json");
    let before = fs::metadata(&manifest).and_then(|file| file.modified()).expect("a time");
    let installed = motia(&project, &[]);
    assert!(installed.status.success(), "{installed:?}");
    let said = stdout(&installed);
    assert!(said.contains("installing with npm, without @motiadev/core, @motiadev/plugin-logs, motia"), "{said}");
    assert_eq!(fs::read_to_string(&manifest).expect("there"), MANIFEST);
    assert_eq!(fs::metadata(&manifest).and_then(|file| file.modified()).expect("a time"), before);
    assert!(!project.path().join("package-lock.json").exists());
    assert!(project.path().join("node_modules/left/package.json").exists());
    for package in ["motia", "@motiadev/core", "@motiadev/plugin-logs"] {
        let manifest = project.path().join("node_modules").join(package).join("package.json");
        assert!(fs::read_to_string(manifest).expect("linked").contains("motiaManaged"), "{package}");
    }
    let script = Command::new("npm").args(["run", "-s", "which"]).current_dir(project.path()).output().expect("npm");
    assert_eq!(stdout(&script), format!("motia {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn as_a_postinstall_it_links_and_touches_nothing_else() {
    let project = project(MANIFEST);
    for (path, content) in ORIGINAL {
        project.write(path, content);
    }
    // No package manager is there to be called.
    let output = motia(&project, &[("npm_lifecycle_event", "postinstall"), ("PATH", "/nowhere")]);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("node_modules/motia is installed and stays"), "{}", stdout(&output));
    assert!(project.path().join("node_modules/motia/cli.js").exists());
    assert!(project.path().join("node_modules/.bin/motia").exists());
    assert!(!project.path().join("node_modules/left").exists());
}

#[test]
fn what_npm_says_is_shown_and_its_code_is_ours() {
    let project = project(&MANIFEST.replace("\"file:vendor/left\"", "\"file:vendor/missing.tgz\""));
    let output = motia(&project, &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("npm error"), "{output:?}");
    assert!(stdout(&output).contains("package.json and the lock file are as they were"), "{}", stdout(&output));
    assert!(fs::read_to_string(project.path().join("package.json")).expect("there").contains("\"motia\""));
}

#[test]
fn a_missing_manager_is_named_and_so_is_a_missing_package_json() {
    let project = project(&MANIFEST.replace("\"name\": \"p\",", "\"packageManager\": \"pnpm@10.0.0\","));
    let output = motia(&project, &[("PATH", "/nowhere")]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("this project uses pnpm (packageManager in package.json), but pnpm is not on PATH"),
        "{error}"
    );
    let empty = Project::new(&[]);
    let output = motia(&empty, &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("there is no package.json, requirements.txt or Gemfile in")
            && error.contains("nothing to install"),
        "{error}"
    );
    assert_eq!((stdout(&output), fs::read_dir(empty.path()).expect("there").count()), (String::new(), 0));
    // An editor looks for the packages all the same.
    empty.write("tsconfig.json", "{}");
    assert!(motia(&empty, &[]).status.success());
    assert!(empty.path().join("node_modules/motia/index.d.ts").exists());
}

#[test]
fn an_install_that_was_cut_off_is_mended_by_the_next_command() {
    let project = project("{}");
    project.write("package.json.before-motia-install", MANIFEST);
    let engine = project.dev();
    engine.wait_for("package.json is back as it was before a `motia install` that was cut off");
    assert_eq!(fs::read_to_string(project.path().join("package.json")).expect("there"), MANIFEST);
}

#[test]
fn dev_beside_an_original_says_once_what_to_do_and_runs_its_own_sdk() {
    let project = project(MANIFEST);
    for (path, content) in ORIGINAL {
        project.write(path, content);
    }
    let step = "import { globalLogger } from 'motia'
        export const config = { type: 'api', name: 'A', path: '/a', method: 'GET' }
        export const handler = async () => ({ status: 200, body: { sdk: typeof globalLogger.info } })";
    project.write("steps/a.step.js", step);
    let engine = project.dev();
    engine.wait_for("run `motia install` once");
    assert_eq!(engine.get("/a").json()["sdk"], "function");
    drop(engine);
    let again = project.dev();
    assert!(!again.output().contains("motia install"), "{}", again.output());
    assert!(!project.path().join("node_modules/@motiadev").exists(), "the original's packages belong together");
}

#[test]
fn dev_puts_packages_where_editors_look_and_a_read_only_project_starts_all_the_same() {
    let project = project(r#"{ "devDependencies": { "@motiadev/workbench": "0" } }"#);
    drop(project.dev());
    assert!(project.path().join("node_modules/motia/index.d.ts").exists());
    assert!(project.path().join("node_modules/@motiadev/workbench/index.d.ts").exists());
    // A file in their place stands for a folder that cannot be written: tests may run as root.
    fs::remove_dir_all(project.path().join("node_modules")).expect("removed");
    project.write("node_modules", "");
    let engine = project.start();
    assert!(!engine.output().contains("editors"), "{}", engine.output());
}

const TYPED_STEP: &str = "
    import type { ApiMiddleware, ApiRouteConfig, CronConfig, EventConfig, FlowContext, Handlers, NoopConfig, StreamConfig } from 'motia'
    import { defineConfig } from '@motiadev/core'
    import logs from '@motiadev/plugin-logs/plugin'
    import { RedisStateAdapter } from '@motiadev/adapter-redis-state'
    import { BaseHandle, EventNode, Position, type EventNodeProps } from 'motia/workbench'
    export const config: ApiRouteConfig = { type: 'api', name: 'A', path: '/a', method: 'GET', emits: [] }
    export const handler: Handlers['A'] = async (req, { streams }) => {
      await streams.order.set('g', 'i', { name: 'x' })
      return { status: 200, body: { ok: true } }
    }
    // @ts-expect-error a response that types.d.ts does not have
    export const wrong: Handlers['A'] = async () => ({ status: 201, body: { ok: true } })
    export default defineConfig({ plugins: [logs], adapters: { state: new RedisStateAdapter({ host: 'x' }) } })
    export const node = (props: EventNodeProps) => [EventNode(props), BaseHandle({ type: 'source', position: Position.Top })]
    export type All = [EventConfig, CronConfig, NoopConfig, StreamConfig, ApiMiddleware, FlowContext]";

const GENERATED: &str = "
    import { ApiResponse, ApiRouteHandler, MotiaStream } from 'motia'
    declare module 'motia' {
      interface FlowContextStateStreams { 'order': MotiaStream<{ name: string }> }
      interface Handlers { 'A': ApiRouteHandler<Record<string, unknown>, ApiResponse<200, { ok: boolean }>, never> }
    }";

#[test]
fn tsc_finds_the_packages_and_merges_a_committed_types_file() {
    let project = Project::new(&[
        (
            "package.json",
            r#"{ "type": "module", "dependencies": { "@motiadev/plugin-logs": "0", "@motiadev/adapter-redis-state": "0" } }"#,
        ),
        ("steps/a.step.ts", TYPED_STEP),
        ("types.d.ts", GENERATED),
    ]);
    assert!(motia(&project, &[]).status.success());
    let tsc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/node/node_modules/typescript/bin/tsc");
    assert!(fs::exists(tsc).expect("looked up"), "this test needs typescript: run `npm ci` in sdk/node");
    for (module, resolution) in [("ESNext", "bundler"), ("NodeNext", "NodeNext"), ("CommonJS", "node10")] {
        let options = [
            "--noEmit",
            "--skipLibCheck",
            "--strict",
            "--target",
            "ES2022",
            "--module",
            module,
            "--moduleResolution",
            resolution,
        ];
        let mut checked = Command::new("node");
        checked.arg(tsc).args(options).args(["steps/a.step.ts", "types.d.ts"]);
        let checked = checked.current_dir(project.path()).output().expect("tsc runs");
        assert!(checked.status.success(), "{resolution}: {}", stdout(&checked));
    }
}
