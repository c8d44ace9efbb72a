//! `validation`: what becomes of data that does not match its schema (design.md section 6).

use crate::fields::{FieldError, Fields};

/// What becomes of data that does not match its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// Nothing; it is not looked at.
    Off,
    /// It is handled all the same; a sample is looked at, and what is wrong is logged.
    #[default]
    Warn,
    /// It is refused.
    Enforce,
}

impl Validation {
    /// The member of a project's or a step's config, if there.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Option<Self>, FieldError> {
        match fields.string("validation")? {
            None => Ok(None),
            Some("off") => Ok(Some(Self::Off)),
            Some("warn") => Ok(Some(Self::Warn)),
            Some("enforce") => Ok(Some(Self::Enforce)),
            Some(other) => {
                Err(fields.error("validation", format!("should be 'warn', 'enforce' or 'off', but is '{other}'")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: &Value) -> Result<Option<Validation>, String> {
        let mut fields = Fields::new("", config).expect("object");
        Validation::read(&mut fields).map_err(|error| error.to_string())
    }

    #[test]
    fn every_mode_has_its_word() {
        for (word, mode) in [("off", Validation::Off), ("warn", Validation::Warn), ("enforce", Validation::Enforce)] {
            assert_eq!(read(&json!({ "validation": word })), Ok(Some(mode)));
        }
        assert_eq!(read(&json!({})), Ok(None));
        let strict = json!({ "validation": "strict" });
        assert_eq!(
            read(&strict).expect_err("refused"),
            "validation: should be 'warn', 'enforce' or 'off', but is 'strict'"
        );
        let flag = json!({ "validation": true });
        assert_eq!(read(&flag).expect_err("refused"), "validation: should be a string, but is true");
    }
}
