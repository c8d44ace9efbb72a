//! `streams` and `streamAuth`: who may watch streams over the network (design.md section 6).

use serde_json::Value;

use super::cors::Origins;
use super::or_warn;
use crate::fields::{Fields, kind};

/// Who may watch streams, beside what `canAccess` of each says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamAccess {
    /// Whether `streamAuth.authenticate` says who a client is, or turns it away.
    pub authenticated: bool,
    /// Streams without `canAccess` are closed.
    pub deny: bool,
    /// The pages that may open connections; as the project runs, if absent: `start` takes every page, `dev` those of this machine.
    pub origins: Option<Origins>,
    /// Over HTTP, a stream may be read without the name of a group in `start` too.
    pub list: bool,
}

impl StreamAccess {
    /// The members of a project's config. Where something cannot be understood, fewer may watch, never more.
    pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Self {
        let mut access = Self { authenticated: reads_auth(fields, warnings), ..Self::default() };
        let mut streams = match fields.object("streams") {
            Ok(None) => return access,
            Ok(Some(streams)) => streams,
            Err(error) => {
                warnings.push(format!("{error}; streams without canAccess are closed"));
                return Self { deny: true, ..access };
            }
        };
        access.deny = match streams.raw("default") {
            None => false,
            Some(Value::String(word)) if word == "allow" => false,
            Some(Value::String(word)) if word == "deny" => true,
            Some(other) => {
                let what = other.as_str().map_or_else(|| kind(other), |word| format!("'{word}'"));
                warnings.push(format!("streams.default: should be 'allow' or 'deny', but is {what}; 'deny' holds"));
                true
            }
        };
        access.origins = streams.raw("origins").map(|origins| {
            Origins::read("streams.origins", Some(origins), warnings).unwrap_or(Origins::Only(Vec::new()))
        });
        access.list = or_warn(streams.boolean("list"), warnings).unwrap_or_default();
        warnings.extend(streams.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        access
    }
}

/// Whether there is a `streamAuth`. Its function arrives here as `true`; whoever imported the config made sure that it is one.
fn reads_auth(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> bool {
    let Some(mut auth) = or_warn(fields.object("streamAuth"), warnings) else {
        // Whatever else it is: it was not meant to let everybody in.
        return fields.raw("streamAuth").is_some_and(|auth| !auth.is_null());
    };
    auth.raw("authenticate");
    // For the types of contexts.
    auth.raw("contextSchema");
    warnings.extend(auth.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: &Value) -> (StreamAccess, Vec<String>) {
        let (mut fields, mut warnings) = (Fields::new("", config).expect("object"), Vec::new());
        let access = StreamAccess::read(&mut fields, &mut warnings);
        warnings.extend(fields.finish());
        (access, warnings)
    }

    #[test]
    fn every_member_is_read() {
        let (access, warnings) = read(&json!({
            "streamAuth": { "authenticate": true, "contextSchema": { "type": "object" } },
            "streams": { "default": "deny", "origins": ["https://app.example.com"], "list": true },
        }));
        assert!(warnings.is_empty(), "{warnings:?}");
        assert!(access.authenticated && access.deny && access.list);
        assert!(matches!(access.origins, Some(Origins::Only(origins)) if origins.len() == 1));
        assert_eq!(read(&json!({})), (StreamAccess::default(), Vec::new()));
        assert_eq!(read(&json!({ "streams": { "default": "allow", "origins": "*" } })).0.origins, Some(Origins::Any));
    }

    #[test]
    fn what_is_not_understood_closes() {
        let (access, warnings) = read(&json!({
            "streamAuth": true, "streams": { "default": "dney", "origins": [true], "list": "yes", "more": 1 },
        }));
        assert!(access.authenticated && access.deny && !access.list);
        assert_eq!(access.origins, Some(Origins::Only(Vec::new())));
        assert_eq!(
            warnings,
            [
                "streamAuth: should be an object, but is true; the default holds",
                "streams.default: should be 'allow' or 'deny', but is 'dney'; 'deny' holds",
                "streams.origins: should be '*', origins such as 'https://example.com' or patterns such as 'https://*.example.com', \
                 but is true, which lets no page in (functions and regular expressions cannot be used)",
                "streams.list: should be true or false, but is the string \"yes\"; the default holds",
                "unknown member 'streams.more' is ignored",
            ]
        );
        assert_eq!(read(&json!({ "streams": { "origins": false } })).0.origins, Some(Origins::Only(Vec::new())));
        let (access, warnings) = read(&json!({ "streams": "deny" }));
        assert!(access.deny && warnings[0].ends_with("streams without canAccess are closed"), "{warnings:?}");
    }
}
