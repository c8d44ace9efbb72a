//! How long compiling takes: cold, with everything known, and after one file changed.
//!
//! `cargo run --release -p motia-compile --example timings [steps] [rounds]`

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use motia_compile::{Compiler, Config, SdkModules, discover};
use motia_core::{Clock, SystemClock};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |index, default| std::env::args().nth(index).map_or(Ok(default), |count| count.parse());
    let (steps, rounds): (usize, usize) = (argument(1, 30)?, argument(2, 15)?);
    let folder = std::env::temp_dir().join(format!("motia-timings-{}", std::process::id()));
    write_project(&folder, steps)?;

    let clock = SystemClock::default();
    let entries = discover(&folder)?.files;
    let mut times = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for round in 0..rounds {
        let _ = fs::remove_dir_all(folder.join(".motia"));
        let mut time = |index: usize, work: &mut dyn FnMut() -> Result<(), motia_compile::Error>| {
            let start = clock.elapsed();
            let result = work();
            times[index].push(clock.elapsed() - start);
            result
        };
        let mut compiler = compiler(&folder);
        time(0, &mut || compiler.compile(&entries).map(drop))?;
        time(1, &mut || compiler.compile(&entries).map(drop))?;
        fs::write(folder.join("steps/s0.step.ts"), step(0, &format!("round {round}")))?;
        time(2, &mut || compiler.compile(&entries).map(drop))?;
        // Another process: what is on disk is all it has.
        time(3, &mut || self::compiler(&folder).compile(&entries).map(drop))?;
    }
    for (name, times) in
        ["cold", "nothing changed", "one step changed", "new process, nothing changed"].iter().zip(&mut times)
    {
        times.sort();
        println!("{steps} steps, {name:<28} {:>7.2} ms (median of {rounds})", millis(times[rounds / 2]));
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn compiler(root: &Path) -> Compiler {
    let sdk = |name: &str| root.join("sdk").join(name);
    Compiler::new(Config {
        root: root.to_path_buf(),
        motia_dir: root.join(".motia"),
        sdk: SdkModules {
            interop: sdk("interop.mjs"),
            motia: sdk("motia.mjs"),
            core: sdk("core.mjs"),
            plugin: sdk("plugin.mjs"),
            adapter: sdk("adapter.mjs"),
        },
    })
}

fn write_project(root: &Path, steps: usize) -> Result<(), Box<dyn Error>> {
    for folder in ["steps", "lib", "sdk", "node_modules/zod"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for module in ["interop", "motia", "core", "plugin", "adapter"] {
        fs::write(root.join(format!("sdk/{module}.mjs")), "export default {}\n")?;
    }
    fs::write(root.join("tsconfig.json"), r#"{ "compilerOptions": { "target": "es2022", "baseUrl": "." } }"#)?;
    fs::write(root.join("node_modules/zod/package.json"), r#"{ "name": "zod", "main": "./index.js" }"#)?;
    fs::write(
        root.join("node_modules/zod/index.js"),
        "exports.z = { object: (x) => x, string: () => 's', number: () => 'n' }\n",
    )?;
    fs::write(root.join("lib/store.ts"), store())?;
    for index in 0..steps {
        fs::write(root.join(format!("steps/s{index}.step.ts")), step(index, "first"))?;
    }
    Ok(())
}

/// About what a step of a real project is: 2 to 3 KB.
fn step(index: usize, note: &str) -> String {
    let mut code = format!(
        "import {{ ApiRouteConfig, Handlers }} from 'motia'\nimport {{ z }} from 'zod'\nimport {{ Store, Pet, total }} from '../lib/store'\n\n\
         // {note}\nenum Status {{ New = 'new', Done = 'done' }}\n\
         const input = z.object({{ name: z.string(), age: z.number() }})\n\n\
         export const config: ApiRouteConfig = {{ type: 'api', name: 'Step{index}', path: '/s{index}', method: 'POST', bodySchema: input, emits: [] }}\n\n\
         export const handler: Handlers['Step{index}'] = async (req, {{ logger, state }}) => {{\n"
    );
    for line in 0..25 {
        let _ = writeln!(
            code,
            "  const pet{line}: Pet = await Store.get<Pet>(`pet-${{req.body.name}}-{line}`, {{ status: Status.New }})\n  if (pet{line}?.age > {line}) logger.info('old', {{ pet: pet{line}!.name }})"
        );
    }
    code + "  return { status: 200, body: { total: total() } }\n}\n"
}

fn store() -> String {
    let mut code =
        "export interface Pet { name: string; age: number }\nexport const total = () => 1\nexport class Store {\n"
            .to_owned();
    for index in 0..40 {
        let _ = writeln!(
            code,
            "  static async get{index}<T>(key: string, options?: {{ status: string }}): Promise<T> {{ return {{ key, ...options }} as any }}"
        );
    }
    code + "  static get<T>(key: string, options?: object): Promise<T> { return this.get0<T>(key, options as any) }\n}\n"
}
