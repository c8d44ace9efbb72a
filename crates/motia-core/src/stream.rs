//! What a stream file's `config` means (L1418-L1480).

use serde_json::Value;

use crate::clock::Timestamp;
use crate::fields::{FieldError, Fields};
use crate::ids::{Language, SourcePath, StreamName};
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
        let stream = Self {
            name: fields.required_string("name")?.into(),
            source,
            language,
            schema: fields.raw("schema").cloned(),
            guarded: fields.raw("canAccess").is_some(),
            joins: fields.raw("onJoin").is_some(),
            leaves: fields.raw("onLeave").is_some(),
        };
        if let Some(mut base) = fields.object("baseConfig")? {
            match base.string("storageType")? {
                None | Some("default") => {}
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
    fn a_stream_of_custom_storage_is_kept_with_a_warning() {
        let config = json!({"name": "s", "baseConfig": {"storageType": "custom", "factory": true}, "canAccess": true, "onJoin": true, "onLeave": true});
        let parsed = parse(config).expect("understood");
        assert!(parsed.value.guarded && parsed.value.joins && parsed.value.leaves);
        assert_eq!(parsed.warnings.len(), 1);
        assert!(parse(json!({})).is_err());
    }
}
