//! The modules that the engine brings along, which stand in for `motia` and `@motiadev/*` whatever is installed.

use std::path::{Path, PathBuf};

/// Absolute paths of the SDK's modules: ES modules, if nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkModules {
    /// Exports `$default`, `$unwrap`, `$namespace`, `$import`, `$importFrom`, `$require` and `$resolve`, which compiled code calls. The same
    /// exports lie beside it in a file that ends in `.cjs`, for compiled CommonJS.
    pub interop: PathBuf,
    /// `motia` and its subpaths.
    pub motia: PathBuf,
    /// `@motiadev/core`, and every package of that scope that has no module of its own here.
    pub core: PathBuf,
    /// `@motiadev/plugin-*`. Its default export stands in for anything that such a package may export, and for what
    /// `motia.config` imports and cannot be found.
    pub plugin: PathBuf,
    /// `@motiadev/adapter-*`.
    pub adapter: PathBuf,
}

/// One of the modules of [`SdkModules`] that users import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SdkModule {
    Motia,
    Core,
    Plugin,
    Adapter,
}

impl SdkModule {
    /// The module that a specifier names, if it is one of ours.
    pub(crate) fn named(specifier: &str) -> Option<Self> {
        if specifier == "motia" || specifier.starts_with("motia/") {
            return Some(Self::Motia);
        }
        let package = specifier.strip_prefix("@motiadev/")?;
        Some(if package.starts_with("plugin-") {
            Self::Plugin
        } else if package.starts_with("adapter-") {
            Self::Adapter
        } else {
            Self::Core
        })
    }
}

impl SdkModules {
    pub(crate) fn path(&self, module: SdkModule) -> &Path {
        match module {
            SdkModule::Motia => &self.motia,
            SdkModule::Core => &self.core,
            SdkModule::Plugin => &self.plugin,
            SdkModule::Adapter => &self.adapter,
        }
    }
}
