//! Finding Node.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

/// The oldest Node that runs `require()` of ES modules without a flag.
const OLDEST: (u32, u32) = (20, 19);

/// The `node` on PATH, or the one that `MOTIA_NODE` names.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(node) = env::var_os("MOTIA_NODE").filter(|node| !node.is_empty()) {
        let node = PathBuf::from(node);
        if node.is_file() {
            return Ok(node);
        }
        bail!("MOTIA_NODE names {}, which is not there", node.display());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join("node")).find(|node| node.is_file());
    match found {
        Some(node) => Ok(node),
        None => bail!(
            "node was not found: TypeScript and JavaScript steps need Node {}.{} or later on PATH (or name it in MOTIA_NODE)",
            OLDEST.0,
            OLDEST.1
        ),
    }
}

/// What is wrong with a version such as `v18.2.0`, if anything.
pub(crate) fn too_old(version: &str) -> Option<String> {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next()?, numbers.next()?);
    (found < OLDEST).then(|| {
        format!(
            "node {version} is too old: steps need {}.{} or later. Install it, or name another node in MOTIA_NODE",
            OLDEST.0, OLDEST.1
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for version in ["v20.19.0", "v22.3.1", "v100.0.0", "nonsense"] {
            assert_eq!(too_old(version), None, "{version}");
        }
        assert!(too_old("v20.9.0").expect("too old").contains("needs 20.19") || too_old("v18.20.0").is_some());
        assert!(too_old("v20.18.3").is_some());
    }
}
