//! The knob `retention`: how long what is finished is kept.

use std::time::Duration;

use super::or_warn;
use crate::fields::Fields;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what is finished is kept. The first limit that is reached counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Dead letters, and those that were replayed.
    pub dead_letters: Limits,
    /// How the instants of schedules went.
    pub ticks: Limits,
    /// How long an idempotency key stands for its first event.
    pub idempotency_keys: Duration,
}

/// By age and by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest age.
    pub age: Duration,
    /// The most bytes of all of them together, as far as users' data and texts go.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            dead_letters: Limits { age: DAY * 30, bytes: 1 << 30 },
            ticks: Limits { age: DAY * 30, bytes: 16 << 20 },
            idempotency_keys: DAY,
        }
    }
}

impl Retention {
    /// `retention: { deadLetters: { age: "30d", bytes: "1gb" }, ticks: { age: "30d" }, idempotencyKeys: "24h" }`
    pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Self {
        let default = Self::default();
        let Some(mut members) = or_warn(fields.object("retention"), warnings) else { return default };
        let mut limits = |key, default: Limits, warnings: &mut Vec<String>| {
            let Some(mut fields) = or_warn(members.object(key), warnings) else { return default };
            let limits = Limits {
                age: or_warn(fields.seconds("age"), warnings).unwrap_or(default.age),
                bytes: or_warn(fields.bytes("bytes"), warnings).unwrap_or(default.bytes),
            };
            warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
            limits
        };
        let retention = Self {
            dead_letters: limits("deadLetters", default.dead_letters, warnings),
            ticks: limits("ticks", default.ticks, warnings),
            idempotency_keys: or_warn(members.seconds("idempotencyKeys"), warnings).unwrap_or(default.idempotency_keys),
        };
        warnings.extend(members.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        retention
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: &Value) -> (Retention, Vec<String>) {
        let mut warnings = Vec::new();
        let mut fields = Fields::new("", config).expect("an object");
        (Retention::read(&mut fields, &mut warnings), warnings)
    }

    #[test]
    fn each_limit_is_read_and_the_others_keep_their_defaults() {
        let default = Retention::default();
        assert_eq!(read(&json!({})), (default, vec![]));
        let (retention, warnings) = read(&json!({"retention": {
            "deadLetters": {"age": "7d", "bytes": "10mb"}, "ticks": {"age": 60}, "idempotencyKeys": "1h"
        }}));
        assert!(warnings.is_empty());
        assert_eq!(retention.dead_letters, Limits { age: DAY * 7, bytes: 10 << 20 });
        assert_eq!(retention.ticks, Limits { age: Duration::from_secs(60), ..default.ticks });
        assert_eq!(retention.idempotency_keys, Duration::from_secs(3600));
    }

    #[test]
    fn what_is_wrong_is_named_and_its_default_holds() {
        let (retention, warnings) =
            read(&json!({"retention": {"deadLetters": {"age": "long", "count": 5}, "traces": {}}}));
        assert_eq!(retention, Retention::default());
        assert_eq!(
            warnings,
            [
                "retention.deadLetters.age: should be a number of seconds, 0 or more, or a text such as \"15m\", but is the string \"long\"; the default holds",
                "unknown member 'retention.deadLetters.count' is ignored",
                "unknown member 'retention.traces' is ignored",
            ]
        );
    }
}
