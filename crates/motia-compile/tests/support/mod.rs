//! Small projects in temporary folders, compiled and run by the real Node.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use motia_compile::{Compiler, Config, Generation, SdkModules, SourceFile, discover};
use motia_core::SourcePath;
use tempfile::TempDir;

pub struct Project {
    _folder: TempDir,
    pub root: PathBuf,
}

/// Prints what the module whose path is its argument exports as `result`, as JSON.
const RUNNER: &str = r"
import { pathToFileURL } from 'node:url'
const module = await import(pathToFileURL(process.argv[2]))
const result = await (module.result ?? module.default?.result)
console.log(JSON.stringify(typeof result === 'function' ? await result() : result))
";

impl Project {
    /// A project of these files, with a fake SDK around the real interop module.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("motia compile ").unwrap();
        let root = folder.path().canonicalize().unwrap().join("project");
        let project = Self { _folder: folder, root };
        project.write(
            "../sdk/motia.mjs",
            "export const logger = { name: 'logger' }\nexport const defineConfig = (x) => x\n",
        );
        project.write("../sdk/core.mjs", "export const config = (x) => x\n");
        project.write("../sdk/plugin.mjs", "const stub = new Proxy(() => stub, { get: (_, name) => (name === 'toJSON' ? () => 'stub' : name === 'then' ? undefined : stub) })\nexport default stub\n");
        project.write(
            "../sdk/adapter.mjs",
            "export class RedisStateAdapter { constructor(options) { this.options = options } }\n",
        );
        project.write("../run.mjs", RUNNER);
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap();
    }

    pub fn outside(&self) -> &Path {
        self.root.parent().unwrap()
    }

    pub fn config(&self) -> Config {
        let sdk = self.outside().join("sdk");
        let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/node/lib/interop.mjs");
        Config {
            root: self.root.clone(),
            motia_dir: self.root.join(".motia"),
            sdk: SdkModules {
                interop: interop.canonicalize().unwrap(),
                motia: sdk.join("motia.mjs"),
                core: sdk.join("core.mjs"),
                plugin: sdk.join("plugin.mjs"),
                adapter: sdk.join("adapter.mjs"),
            },
        }
    }

    pub fn compiler(&self) -> Compiler {
        Compiler::new(self.config())
    }

    pub fn entries(&self) -> Vec<SourceFile> {
        discover(&self.root).unwrap().files
    }

    pub fn compile(&self) -> Generation {
        self.compiler().compile(&self.entries()).unwrap()
    }

    /// What the compiled entry prints, or everything that went wrong.
    pub fn run(&self, generation: &Generation, entry: &str) -> Result<String, String> {
        let module = generation.modules.get(&SourcePath::from(entry)).ok_or_else(|| {
            let failed = generation.failed.iter().map(|(_, diagnostic)| diagnostic.render(false));
            failed.collect::<Vec<_>>().join("\n\n")
        })?;
        let output = self.node(module);
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            let code = fs::read_to_string(module).unwrap();
            Err(format!("{}\n--- {}\n{code}", String::from_utf8_lossy(&output.stderr), module.display()))
        }
    }

    fn node(&self, module: &Path) -> Output {
        Command::new("node")
            .args(["--enable-source-maps", "--disable-warning=ExperimentalWarning"])
            .arg(self.outside().join("run.mjs"))
            .arg(module)
            .current_dir(&self.root)
            .env_remove("NODE_OPTIONS")
            .output()
            .unwrap()
    }

    /// The code that a source was compiled to, with the folders of this machine replaced.
    pub fn code(&self, generation: &Generation, output: &str) -> String {
        let code = fs::read_to_string(generation.dir.join(output)).unwrap();
        self.anonymous(&code)
    }

    pub fn anonymous(&self, text: &str) -> String {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk").canonicalize().unwrap();
        let outside = self.outside().to_string_lossy().into_owned();
        text.replace(&outside.replace(' ', "%20"), "$TMP")
            .replace(&outside, "$TMP")
            .replace(&*sdk.to_string_lossy(), "$SDK")
    }
}

/// Compiles a project, runs its first file, and compares what that exports as `result` with the expected JSON.
#[track_caller]
pub fn check(files: &[(&str, &str)], expected: &str) {
    let project = Project::new(files);
    let generation = project.compile();
    let printed = project.run(&generation, files[0].0).unwrap_or_else(|error| panic!("{error}"));
    let parse =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    if parse(&printed) != parse(expected) {
        let module = &generation.modules[0];
        panic!("printed  {printed}\nexpected {expected}\n{}", fs::read_to_string(module).unwrap());
    }
}

/// Tests of one project each: its files, the entry first, and the JSON that running the entry gives.
#[allow(unused_macros, reason = "each test binary uses a part of this module")]
macro_rules! projects {
    ($($name:ident { $($path:literal: $text:expr),+ $(,)? } => $expected:expr;)+) => {
        $(
            #[test]
            fn $name() {
                crate::support::check(&[$(($path, $text)),+], $expected);
            }
        )+
    };
}
#[allow(unused_imports, reason = "each test binary uses a part of this module")]
pub(crate) use projects;
