//! What a stream file's `config` means (L1418-L1480).

use serde_json::Value;

use crate::clock::Timestamp;
use crate::fields::{FieldError, Fields};
use crate::ids::{Language, Runtime, SourcePath, StreamName};
use crate::project::Validation;
use crate::raw::RawObject;
use crate::step::Parsed;

/// A stream: named groups of items that steps write and clients watch.
#[derive(Clone, Debug)]
pub struct Stream {
    /// `ctx.streams.<name>`.
    pub name: StreamName,
    /// The file it comes from.
    pub source: SourcePath,
    /// The file's language.
    pub language: Language,
    /// JSON Schema of an item, if given.
    pub schema: Option<Value>,
    /// Whether the file exports a `canAccess` function.
    pub guarded: bool,
    /// Whether its `onJoin` wants to hear of clients that begin to watch.
    pub joins: bool,
    /// Whether its `onLeave` wants to hear of those that end.
    pub leaves: bool,
    /// What becomes of items that do not match the schema, where the stream has a wish of its own.
    pub validation: Option<Validation>,
    /// Whether its items are kept by an adapter of the project's own: `baseConfig.factory` makes it.
    pub custom: bool,
}

/// When an item says that it was created: its `_createdAt`, in milliseconds (behaviour-0.17.md F1).
pub fn created_at(item: &RawObject<'_>) -> Option<Timestamp> {
    let millis = item.get("_createdAt")?.get().parse::<f64>().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "what is beyond milliseconds is cut off")]
    Some(Timestamp(millis as i64))
}

impl Stream {
    /// Reads the config that a worker extracted from `source`.
    pub fn parse(source: SourcePath, language: Language, config: &Value) -> Result<Parsed<Self>, FieldError> {
        let mut fields = Fields::new("", config)?;
        let mut warnings = Vec::new();
        let name = fields.required_string("name")?;
        if name.starts_with("__motia.") {
            return Err(fields.error("name", "begins with '__motia.', as the engine's own streams do"));
        }
        let mut stream = Self {
            name: name.into(),
            source,
            language,
            schema: fields.raw("schema").cloned(),
            guarded: fields.raw("canAccess").is_some(),
            joins: fields.raw("onJoin").is_some(),
            leaves: fields.raw("onLeave").is_some(),
            validation: Validation::read(&mut fields)?,
            custom: false,
        };
        if let Some(mut base) = fields.object("baseConfig")? {
            match base.string("storageType")? {
                None | Some("default") => {}
                Some("custom") if language.runtime() == Runtime::Node => stream.custom = true,
                Some("custom") => warnings.push(
                    "baseConfig.storageType 'custom' has a meaning in TypeScript and JavaScript alone; items are stored as by 'default'"
                        .into(),
                ),
                Some(other) => {
                    warnings.push(format!(
                        "baseConfig.storageType '{other}' has no meaning here; items are stored as by 'default'"
                    ));
                }
            }
            base.raw("factory");
            warnings.extend(base.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        }
        fields.raw("description");
        fields.raw("hidden");
        warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Ok(Parsed { value: stream, warnings })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: Value) -> Result<Parsed<Stream>, FieldError> {
        Stream::parse("steps/a.stream.ts".into(), Language::TypeScript, &config)
    }

    #[test]
    fn the_documented_config_is_understood() {
        let config =
            json!({"name": "chatMessages", "schema": {"type": "object"}, "baseConfig": {"storageType": "default"}});
        let parsed = parse(config).expect("understood");
        assert_eq!(parsed.value.name.as_str(), "chatMessages");
        assert!(!parsed.value.guarded && !parsed.value.joins && !parsed.value.leaves);
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    }

    #[test]
    fn what_runs_of_a_stream_is_known() {
        let config = json!({"name": "s", "canAccess": true, "onJoin": true, "onLeave": true, "validation": "enforce"});
        let parsed = parse(config).expect("understood");
        assert!(parsed.value.guarded && parsed.value.joins && parsed.value.leaves);
        assert_eq!(parsed.value.validation, Some(Validation::Enforce));
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        assert!(parse(json!({})).is_err());
        assert!(parse(json!({"name": "__motia.logs"})).is_err());
    }

    #[test]
    fn storage_of_the_projects_own_is_for_node_alone() {
        let config = json!({"name": "s", "baseConfig": {"storageType": "custom", "factory": true}});
        let parsed = parse(config.clone()).expect("understood");
        assert!(parsed.value.custom && parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        let python = Stream::parse("steps/s_stream.py".into(), Language::Python, &config).expect("understood");
        assert!(!python.value.custom);
        assert_eq!(python.warnings.len(), 1);
        let odd = parse(json!({"name": "s", "baseConfig": {"storageType": "redis"}})).expect("understood");
        assert!(!odd.value.custom);
        assert_eq!(
            odd.warnings,
            ["baseConfig.storageType 'redis' has no meaning here; items are stored as by 'default'"]
        );
    }
}
