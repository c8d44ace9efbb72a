//! Finding Ruby.

use anyhow::{Result, bail};

use super::interpreter::Interpreter;
use crate::variables::Variables;

/// The oldest Ruby that the worker runs on.
pub(crate) const OLDEST: (u32, u32) = (3, 0);

/// The `ruby` on PATH, or the one that `MOTIA_RUBY` names.
pub(super) fn find(variables: &Variables) -> Result<Interpreter> {
    if let Some(named) = variables.named("MOTIA_RUBY")? {
        return Ok(named);
    }
    match variables.on_path(&["ruby"]) {
        Some(program) => Ok(Interpreter { program, why: "ruby on PATH".to_owned(), environment: None }),
        None => bail!(
            "ruby was not found: Ruby steps need Ruby {}.{} or later on PATH (or name it in MOTIA_RUBY)",
            OLDEST.0,
            OLDEST.1
        ),
    }
}
