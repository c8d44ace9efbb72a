//! Who may read responses in a browser (design.md section 6): in `start` any origin, without credentials; in `dev` the pages of
//! this machine.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};

use crate::edge::Mode;

/// Adds the headers of a response. A header that the handler set stays.
pub(crate) fn add(mode: Mode, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
    let allowed = match mode {
        Mode::Start => HeaderValue::from_static("*"),
        Mode::Dev => match origin.filter(|origin| is_loopback(origin)) {
            Some(origin) => {
                response.append(VARY, HeaderValue::from_static("Origin"));
                origin.clone()
            }
            None => return,
        },
    };
    set(response, ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
}

/// The further headers of a preflight's answer.
pub(crate) fn preflight(mode: Mode, request: &HeaderMap, response: &mut HeaderMap) {
    add(mode, request.get(ORIGIN), response);
    if response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        set(
            response,
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD"),
        );
        // `*` does not cover Authorization.
        let asked = request.get("access-control-request-headers").cloned();
        set(response, ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or_else(|| HeaderValue::from_static("*")));
        set(response, ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
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
    use super::*;

    fn answer(mode: Mode, origin: Option<&'static str>) -> Option<String> {
        let mut response = HeaderMap::new();
        add(mode, origin.map(HeaderValue::from_static).as_ref(), &mut response);
        response.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn start_answers_everyone_and_dev_this_machine() {
        assert_eq!(answer(Mode::Start, Some("https://example.com")).as_deref(), Some("*"));
        assert_eq!(answer(Mode::Start, None).as_deref(), Some("*"));
        for own in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:3000", "http://app.localhost:1"] {
            assert_eq!(answer(Mode::Dev, Some(own)).as_deref(), Some(own));
        }
        for foreign in ["https://example.com", "http://localhost.example.com", "http://127.0.0.1.example.com", "null"] {
            assert_eq!(answer(Mode::Dev, Some(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn what_the_handler_set_stays() {
        let mut response = HeaderMap::new();
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://mine.example"));
        add(Mode::Start, None, &mut response);
        assert_eq!(response[ACCESS_CONTROL_ALLOW_ORIGIN], "https://mine.example");
    }
}
