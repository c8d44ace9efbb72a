fn main() {
    use motia_compile::*;
    let root = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let sdk = std::path::Path::new("/tmp/realsdk");
    let mut compiler = Compiler::new(Config {
        root: root.clone(),
        motia_dir: root.join(".motia"),
        sdk: SdkModules {
            interop: "/work/main/sdk/node/lib/interop.mjs".into(),
            motia: sdk.join("m.mjs"),
            core: sdk.join("m.mjs"),
            plugin: sdk.join("m.mjs"),
            adapter: sdk.join("m.mjs"),
        },
    });
    let d = discover(&root).unwrap();
    let g = compiler.compile(&d.files).unwrap();
    for (_, d) in &g.failed {
        println!("FAILED {d}");
    }
    for w in &g.warnings {
        println!("WARN {w}");
    }
    for (e, m) in &g.modules {
        println!("{e} {}", m.display());
    }
}
