//! Finding Node.

use anyhow::{Result, bail};

use super::interpreter::Interpreter;
use crate::variables::Variables;

/// The oldest Node that runs `require()` of ES modules without a flag.
pub(crate) const OLDEST: (u32, u32) = (20, 19);

/// The `node` on PATH, or the one that `MOTIA_NODE` names.
pub(super) fn find(variables: &Variables) -> Result<Interpreter> {
    if let Some(named) = variables.named("MOTIA_NODE")? {
        return Ok(named);
    }
    match variables.on_path(&["node"]) {
        Some(program) => Ok(Interpreter { program, why: "node on PATH".to_owned(), environment: None }),
        None => bail!(
            "node was not found: TypeScript and JavaScript steps need Node {}.{} or later on PATH (or name it in MOTIA_NODE)",
            OLDEST.0,
            OLDEST.1
        ),
    }
}
