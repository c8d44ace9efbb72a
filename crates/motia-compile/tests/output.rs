//! The code that the important rewrites give.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use support::Project;

/// The compiled files of a project, and the generated ones that they name. Those are called by hashes of paths, which
/// differ on each machine, so they are numbered here.
fn written(files: &[(&str, &str)], outputs: &[&str]) -> String {
    let project = Project::new(files);
    let generation = project.compile();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    let mut all: Vec<String> = outputs.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    let mut next = 0;
    while let Some(output) = all.get(next).cloned() {
        next += 1;
        let code = project.code(&generation, &output);
        for (start, _) in code.match_indices("__shims/") {
            let shim = code[start..].split('"').next().unwrap().to_owned();
            if !all.contains(&shim) {
                all.push(shim);
            }
        }
        text += &format!("// {output}\n{code}\n");
    }
    for (number, shim) in all.iter().filter(|output| output.starts_with("__shims/")).enumerate() {
        let (_, extension) = shim.rsplit_once('.').unwrap();
        text = text.replace(shim.as_str(), &format!("__shims/{}.{extension}", number + 1));
    }
    text
}

macro_rules! outputs {
    ($($name:ident { $($path:literal: $text:expr),+ $(,)? } => [$($output:literal),+];)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), written(&[$(($path, $text)),+], &[$($output),+]));
            }
        )+
    };
}

outputs! {
    a_typical_step {
        "steps/create.step.ts": "import { ApiRouteConfig, Handlers } from 'motia'\nimport { z } from 'zod'\nimport { Pet, create } from '../services/pets'\n
enum Kind { Cat = 'cat' }\n
export const config: ApiRouteConfig = {\n  type: 'api',\n  name: 'Create',\n  bodySchema: z.object({ kind: z.nativeEnum(Kind) }),\n}\n
export const handler: Handlers['Create'] = async (req, { logger }) => {\n  const pet: Pet = create(req.body!.kind as Kind)\n  return { status: 200, body: pet }\n}\n",
        "services/pets.ts": "export interface Pet { kind: string }\nexport const create = (kind: string): Pet => ({ kind })",
        "node_modules/zod/package.json": r#"{ "type": "module", "exports": "./index.js" }"#,
        "node_modules/zod/index.js": "export const z = {}",
    } => ["steps/create.step.ts.mjs", "services/pets.ts.mjs"];

    a_commonjs_package_from_esm {
        "steps/a.step.ts": "import Old, { get } from 'old'\nimport * as all from 'old'\nexport const x = [Old.default, new Old.default(), Old?.default?.y, get, all]\nconst { default: D, z } = Old\nexport const lazy = async () => (await import('old')).default",
        "node_modules/old/index.js": "exports.default = class {}",
    } => ["steps/a.step.ts.mjs"];

    imports_in_commonjs {
        "steps/a.step.js": "import d, { a } from '../lib/esm'\nimport * as fs from 'fs'\nimport old from 'old'\nconst bag = { a, d, old }\na(); old(); old.default.x; fs.read\nmodule.exports = { bag }",
        "lib/esm.ts": "export const a = () => 1\nexport default 'd'",
        "node_modules/old/index.js": "exports.default = class {}",
    } => ["steps/a.step.js.cjs"];

    exports_in_commonjs {
        "steps/a.step.js": "export const a = 1\nexport default function () {}\nexport { b as c } from '../lib/b'\nexport * from '../lib/b'\nmodule.exports.own = 1",
        "lib/b.ts": "export const b = 2",
    } => ["steps/a.step.js.cjs"];

    where_and_require_in_esm {
        "steps/a.step.js": "import.meta.url\nconst here = [__dirname, { __filename }]\nconst x = require('../lib/x'), again = require(here[0])\nexport { here, x }",
        "lib/x.js": "module.exports = 1",
    } => ["steps/a.step.js.mjs", "lib/x.js.cjs"];

    types_that_are_passed_on {
        "steps/a.step.ts": "export { Pet, make } from '../lib/pets'\nimport { Kind, list } from '../lib/pets'\nexport { Kind, list }\nexport { Options } from 'tool'",
        "lib/pets.ts": "export type Pet = 1\nexport interface Kind {}\nexport const make = 1, list = 2",
        "node_modules/tool/package.json": r#"{ "type": "module" }"#,
        "node_modules/tool/index.js": "export {}",
    } => ["steps/a.step.ts.mjs"];

    stubs_and_missing_names {
        "motia.config.ts": "import { gone } from 'gone'\nimport plugin from '@motiadev/plugin-logs/plugin'\nimport { nothing } from 'motia'\nconst required = require('@motiadev/plugin-states/plugin')\nexport default { plugins: [gone, plugin, required, nothing] }",
    } => ["motia.config.ts.mjs"];

    data {
        "steps/a.step.ts": "import { version } from '../data.json' with { type: 'json' }\nexport const x = version",
        "data.json": "{ \"version\": \"1\", \"quote\": \"\\\"\" }",
    } => ["steps/a.step.ts.mjs", "data.json.cjs"];
}
