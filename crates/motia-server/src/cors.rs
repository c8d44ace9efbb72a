//! Who may read responses in a browser (design.md section 6): in `start` any origin, without credentials; in `dev` the pages of
//! this machine; or as the `cors` knob says.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use motia_core::project::Cors;
use motia_core::project::cors::{CorsRules, Origins};

use crate::edge::Mode;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The headers that the `cors` knob asks for.
pub(crate) struct Policy {
    allow: Allow,
    methods: HeaderValue,
    /// Whatever is asked for, if absent.
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
    private_network: bool,
}

/// The origins that may read.
enum Allow {
    Nobody,
    Everybody,
    ThisMachine,
    Only(Origins),
}

impl Policy {
    pub(crate) fn new(cors: &Cors, mode: Mode) -> Self {
        let default = CorsRules::default();
        let (allow, rules) = match (cors, mode) {
            (Cors::Off, _) => (Allow::Nobody, &default),
            (Cors::ByMode, Mode::Start) => (Allow::Everybody, &default),
            (Cors::ByMode, Mode::Dev) => (Allow::ThisMachine, &default),
            (Cors::Rules(rules), _) => match &rules.origins {
                Origins::Any => (Allow::Everybody, rules),
                origins @ Origins::Only(_) => (Allow::Only(origins.clone()), rules),
            },
        };
        let list = |words: &[String]| HeaderValue::from_str(&words.join(", ")).ok();
        Self {
            allow,
            methods: rules.methods.as_deref().and_then(list).unwrap_or(METHODS),
            allowed_headers: rules.allowed_headers.as_deref().and_then(list),
            exposed_headers: Some(&rules.exposed_headers[..]).filter(|words| !words.is_empty()).and_then(list),
            credentials: rules.credentials,
            max_age: seconds(rules.max_age),
            private_network: rules.private_network,
        }
    }

    /// Whether preflights are answered at all.
    pub(crate) fn answers_preflights(&self) -> bool {
        !matches!(self.allow, Allow::Nobody)
    }

    /// Adds the headers of a response. Whose handler said who may read it is left as it is: what we would add could open it further.
    pub(crate) fn add(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if self.allow_origin(origin, response)
            && let Some(exposed) = &self.exposed_headers
        {
            set(response, ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    /// The headers of a preflight's answer.
    pub(crate) fn preflight(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if !self.allow_origin(request.get(ORIGIN), response) {
            return;
        }
        set(response, ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let headers = self.allowed_headers.clone().unwrap_or_else(|| {
            vary(response, "Access-Control-Request-Headers");
            // `*` does not cover Authorization.
            request.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(ANY)
        });
        set(response, ACCESS_CONTROL_ALLOW_HEADERS, headers);
        set(response, ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if self.private_network && request.contains_key(REQUEST_PRIVATE_NETWORK) {
            set(response, ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
    }

    /// Whether the origin may read; then the response says so.
    fn allow_origin(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) -> bool {
        let allowed = match &self.allow {
            Allow::Nobody => return false,
            Allow::Everybody => Some(ANY),
            Allow::ThisMachine => origin.filter(|origin| is_loopback(origin)).cloned(),
            Allow::Only(known) => origin.filter(|origin| is_one_of(origin, known)).cloned(),
        };
        if !matches!(self.allow, Allow::Everybody) {
            // Also where it is not allowed: a cache would keep that answer for those who are.
            vary(response, "Origin");
        }
        let Some(allowed) = allowed else { return false };
        set(response, ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            set(response, ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        true
    }
}

/// Whether an origin, as a browser sent it, is among those.
pub(crate) fn is_one_of(origin: &HeaderValue, known: &Origins) -> bool {
    origin.to_str().is_ok_and(|origin| known.include(origin))
}

fn seconds(duration: Duration) -> HeaderValue {
    HeaderValue::from(duration.as_secs())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

fn vary(headers: &mut HeaderMap, name: &'static str) {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|list| {
            list.split(',').map(str::trim).any(|known| known == "*" || known.eq_ignore_ascii_case(name))
        })
    };
    if !headers.get_all(VARY).iter().any(named) {
        headers.append(VARY, HeaderValue::from_static(name));
    }
}

/// Whether an origin is a page of this machine.
pub(crate) fn is_loopback(origin: &HeaderValue) -> bool {
    let Some(host) = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host) else {
        return false;
    };
    is_loopback_host(host)
}

/// Whether a `host[:port]` is this machine. `localhost.` and its subdomains never leave it (RFC 6761).
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split(']').next() == Some("::1"),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(cors: Value) -> Policy {
        let config = motia_core::project::ProjectConfig::parse(&json!({ "cors": cors })).expect("object").value;
        Policy::new(&config.cors, Mode::Start)
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
    }

    fn answer(policy: &Policy, origin: Option<&'static str>) -> Vec<String> {
        let mut response = HeaderMap::new();
        policy.add(origin.map(HeaderValue::from_static).as_ref(), &mut response);
        shown(&response)
    }

    fn preflight(policy: &Policy, request: &[(&'static str, &'static str)]) -> Vec<String> {
        let request =
            request.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut response = HeaderMap::new();
        policy.preflight(&request.collect(), &mut response);
        shown(&response)
    }

    #[test]
    fn start_answers_everyone_and_dev_this_machine() {
        let (start, dev) = (Policy::new(&Cors::ByMode, Mode::Start), Policy::new(&Cors::ByMode, Mode::Dev));
        assert_eq!(answer(&start, Some("https://example.com")), ["access-control-allow-origin: *"]);
        assert_eq!(answer(&start, None), ["access-control-allow-origin: *"]);
        for own in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:3000", "http://app.localhost:1"] {
            assert_eq!(
                answer(&dev, Some(own)),
                ["vary: Origin".to_owned(), format!("access-control-allow-origin: {own}")]
            );
        }
        for foreign in ["https://example.com", "http://localhost.example.com", "http://127.0.0.1.example.com", "null"] {
            assert_eq!(answer(&dev, Some(foreign)), ["vary: Origin"], "{foreign}");
        }
    }

    #[test]
    fn what_the_handler_set_stays_and_nothing_is_added_to_it() {
        let policy = policy(json!({ "origin": "https://a.example", "credentials": true, "exposedHeaders": "x-total" }));
        let mut response = HeaderMap::new();
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://mine.example"));
        policy.add(Some(&HeaderValue::from_static("https://a.example")), &mut response);
        assert_eq!(shown(&response), ["access-control-allow-origin: https://mine.example"]);
    }

    #[test]
    fn listed_pages_may_read_with_credentials() {
        let policy = policy(json!({
            "origin": ["https://a.example", "https://*.b.example"], "credentials": true, "exposedHeaders": ["X-Total", "X-Page"]
        }));
        for origin in ["https://a.example", "https://x.b.example"] {
            assert_eq!(
                answer(&policy, Some(origin)),
                [
                    "vary: Origin".to_owned(),
                    format!("access-control-allow-origin: {origin}"),
                    "access-control-allow-credentials: true".into(),
                    "access-control-expose-headers: X-Total, X-Page".into(),
                ]
            );
        }
        for other in [Some("https://b.example"), Some("null"), None] {
            assert_eq!(answer(&policy, other), ["vary: Origin"]);
        }
    }

    #[test]
    fn vary_is_said_once() {
        let policy = policy(json!({ "origin": "https://a.example" }));
        for (said, after) in [("origin, Accept", 1), ("*", 1), ("Accept-Encoding", 2)] {
            let mut response = HeaderMap::new();
            response.insert(VARY, HeaderValue::from_static(said));
            policy.add(None, &mut response);
            assert_eq!(response.get_all(VARY).iter().count(), after, "{said}");
        }
    }

    #[test]
    fn preflights_are_told_what_is_configured() {
        let ask = [
            ("origin", "https://a.example"),
            ("access-control-request-headers", "authorization,x-own"),
            ("access-control-request-private-network", "true"),
        ];
        assert_eq!(
            preflight(&policy(json!(true)), &ask),
            [
                "access-control-allow-origin: *",
                "access-control-allow-methods: GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD",
                "vary: Access-Control-Request-Headers",
                "access-control-allow-headers: authorization,x-own",
                "access-control-max-age: 600",
            ]
        );
        let configured = policy(json!({
            "origin": "https://a.example", "methods": ["GET"], "headers": ["X-Own"], "maxAge": 5, "privateNetwork": true
        }));
        assert_eq!(
            preflight(&configured, &ask),
            [
                "vary: Origin",
                "access-control-allow-origin: https://a.example",
                "access-control-allow-methods: GET",
                "access-control-allow-headers: X-Own",
                "access-control-max-age: 5",
                "access-control-allow-private-network: true",
            ]
        );
        assert_eq!(preflight(&configured, &[("origin", "https://b.example")]), ["vary: Origin"]);
    }

    #[test]
    fn off_is_off() {
        let off = policy(json!(false));
        assert!(!off.answers_preflights());
        assert_eq!(answer(&off, Some("https://a.example")), [""; 0]);
    }
}
