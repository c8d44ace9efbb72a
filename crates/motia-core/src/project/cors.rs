//! `cors`: which pages may read responses (design.md section 6).

use std::time::Duration;

use serde_json::Value;

use super::or_warn;
use crate::fields::{Fields, kind};

/// Which pages may read the responses of user routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// As the project runs: `start` answers every page, `dev` those of this machine.
    #[default]
    ByMode,
    /// No header and no answer to a preflight.
    Off,
    /// As configured.
    Rules(CorsRules),
}

/// What the `cors` object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsRules {
    /// The pages.
    pub origins: Origins,
    /// Methods that a preflight is told; all that steps can have, if absent.
    pub methods: Option<Vec<String>>,
    /// Request headers that a preflight is told; whatever it asks for, if absent.
    pub allowed_headers: Option<Vec<String>>,
    /// Response headers that pages may read beside the usual ones.
    pub exposed_headers: Vec<String>,
    /// Whether cookies and credentials may come along.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    pub max_age: Duration,
    /// Whether pages of the public web may reach this server in a private network.
    pub private_network: bool,
}

/// Pages, by their origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All.
    Any,
    /// These.
    Only(Vec<Origin>),
}

/// An origin, or a pattern of origins: `https://example.com`, `https://*.example.com`, `http://localhost:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    /// Without the `*.` of a pattern.
    host: String,
    subdomains: bool,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Default,
    Is(u16),
    Any,
}

impl Default for CorsRules {
    fn default() -> Self {
        Self {
            origins: Origins::Any,
            methods: None,
            allowed_headers: None,
            exposed_headers: Vec::new(),
            credentials: false,
            max_age: Duration::from_secs(600),
            private_network: false,
        }
    }
}

impl Cors {
    /// The member of a project's config. Where an origin cannot be understood, fewer pages may read, never more.
    pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Self {
        match fields.raw("cors") {
            None => Self::ByMode,
            Some(Value::Bool(false)) => Self::Off,
            Some(Value::Bool(true)) => Self::Rules(CorsRules::default()),
            Some(object @ Value::Object(_)) => match Fields::new("cors", object) {
                Ok(fields) => CorsRules::read(fields, warnings),
                Err(_) => Self::ByMode,
            },
            Some(other) => {
                warnings.push(format!(
                    "cors: should be true, false or an object, but is {}; the default holds",
                    kind(other)
                ));
                Self::ByMode
            }
        }
    }
}

impl CorsRules {
    fn read(mut fields: Fields<'_>, warnings: &mut Vec<String>) -> Cors {
        let default = Self::default();
        let Some(origins) = Origins::read("cors.origin", fields.raw("origin"), warnings) else { return Cors::Off };
        let mut rules = Self {
            origins,
            methods: words(&mut fields, "methods", warnings)
                .map(|methods| methods.into_iter().map(|method| method.to_ascii_uppercase()).collect()),
            allowed_headers: {
                let short = words(&mut fields, "headers", warnings);
                words(&mut fields, "allowedHeaders", warnings).or(short)
            },
            exposed_headers: words(&mut fields, "exposedHeaders", warnings).unwrap_or_default(),
            credentials: or_warn(fields.boolean("credentials"), warnings).unwrap_or_default(),
            max_age: or_warn(fields.seconds("maxAge"), warnings).unwrap_or(default.max_age),
            private_network: or_warn(fields.boolean("privateNetwork"), warnings).unwrap_or_default(),
        };
        if rules.credentials && rules.origins == Origins::Any {
            warnings.push(
                "cors.credentials: is not used, since any page could act as its visitor; name the pages in cors.origin, \
                 such as ['https://app.example.com', 'https://*.example.com']"
                    .into(),
            );
            rules.credentials = false;
        }
        warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Cors::Rules(rules)
    }
}

impl Origins {
    /// The value of the knob `name`. `None`: it is `false`, no page at all.
    pub(super) fn read(name: &str, value: Option<&Value>, warnings: &mut Vec<String>) -> Option<Self> {
        let items = match value {
            None => return Some(Self::Any),
            Some(Value::Bool(false)) => return None,
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        if items.iter().any(|item| item == "*") {
            return Some(Self::Any);
        }
        let mut origins = Vec::new();
        for item in items {
            match item.as_str().and_then(Origin::parse) {
                Some(origin) => origins.push(origin),
                // A function arrives here as `true`. Whatever it meant, it was not to let every page in.
                None => warnings.push(format!(
                    "{name}: should be '*', origins such as 'https://example.com' or patterns such as \
                     'https://*.example.com', but is {}, which lets no page in (functions and regular expressions cannot be used)",
                    kind(item)
                )),
            }
        }
        Some(Self::Only(origins))
    }
}

impl Origins {
    /// Whether a page of `origin`, as a browser sent it, is among them.
    pub fn include(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(known) => {
                Origin::parse(origin).is_some_and(|origin| known.iter().any(|known| known.matches(&origin)))
            }
        }
    }
}

impl Origin {
    /// Reads an origin as browsers send it, or a pattern of them.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = match rest.rsplit_once(':') {
            // The last colon of `[::1]` is inside.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            // Browsers leave out the port that the scheme has anyway.
            Some("443") if scheme == "https" => Port::Default,
            Some("80") if scheme == "http" => Port::Default,
            Some(port) => Port::Is(port.parse().ok()?),
        };
        let (subdomains, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
        let plain = |text: &str| !text.is_empty() && !text.contains(['*', '/', '@', '?', '#', ' ', ',']);
        (plain(scheme) && plain(host)).then(|| Self { scheme: scheme.into(), host: host.into(), subdomains, port })
    }

    /// Whether `origin`, as a browser sent it, is meant.
    pub fn matches(&self, origin: &Self) -> bool {
        let host = if self.subdomains {
            // At least one label before the dot.
            origin.host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            origin.host == self.host
        };
        host && origin.scheme == self.scheme && (self.port == Port::Any || self.port == origin.port)
    }
}

/// A list of words, or one string of them with commas between.
fn words(fields: &mut Fields<'_>, key: &'static str, warnings: &mut Vec<String>) -> Option<Vec<String>> {
    fields.raw(key)?;
    let listed = or_warn(fields.strings(key).map(Some), warnings)?;
    let split = listed.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let (good, bad): (Vec<&str>, Vec<&str>) = split
        .partition(|word| word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)));
    for word in bad {
        warnings.push(format!("cors.{key}: '{word}' is not the name of a header or method and is left out"));
    }
    Some(good.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
#[path = "cors_tests.rs"]
mod tests;
