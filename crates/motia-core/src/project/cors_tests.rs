use serde_json::json;

use super::*;

fn read(cors: Value) -> (Cors, Vec<String>) {
    let config = json!({ "cors": cors });
    let mut warnings = Vec::new();
    let cors = Cors::read(&mut Fields::new("", &config).expect("object"), &mut warnings);
    (cors, warnings)
}

fn rules(cors: Value) -> (CorsRules, Vec<String>) {
    match read(cors) {
        (Cors::Rules(rules), warnings) => (rules, warnings),
        (other, _) => panic!("no rules: {other:?}"),
    }
}

#[test]
fn the_short_forms() {
    assert_eq!(read(json!(null)).0, Cors::ByMode);
    assert_eq!(read(json!(false)).0, Cors::Off);
    assert_eq!(read(json!({ "origin": false })).0, Cors::Off);
    assert_eq!(read(json!(true)).0, Cors::Rules(CorsRules::default()));
    assert_eq!(read(json!({})).0, Cors::Rules(CorsRules::default()));
    let (cors, warnings) = read(json!("*"));
    assert_eq!(cors, Cors::ByMode);
    assert_eq!(warnings, ["cors: should be true, false or an object, but is the string \"*\"; the default holds"]);
}

#[test]
fn every_member_is_read() {
    let (read, warnings) = rules(json!({
        "origin": ["https://app.example.com", "https://*.example.org/"], "methods": "get, POST",
        "allowedHeaders": ["Authorization"], "exposedHeaders": "X-Total,X-Page", "credentials": true, "maxAge": 60,
        "privateNetwork": true
    }));
    assert_eq!(warnings, Vec::<String>::new());
    let origins = ["https://app.example.com", "https://*.example.org"].map(|text| Origin::parse(text).expect("origin"));
    assert_eq!(
        read,
        CorsRules {
            origins: Origins::Only(origins.into()),
            methods: Some(vec!["GET".into(), "POST".into()]),
            allowed_headers: Some(vec!["Authorization".into()]),
            exposed_headers: vec!["X-Total".into(), "X-Page".into()],
            credentials: true,
            max_age: Duration::from_secs(60),
            private_network: true,
        }
    );
    assert_eq!(rules(json!({ "headers": "X-Short" })).0.allowed_headers, Some(vec!["X-Short".into()]));
}

#[test]
fn credentials_for_every_page_are_refused() {
    for origin in [json!("*"), json!(null), json!(["https://a.example", "*"])] {
        let (rules, warnings) = rules(json!({ "origin": origin, "credentials": true }));
        assert!(!rules.credentials);
        assert_eq!(
            warnings,
            ["cors.credentials: is not used, since any page could act as its visitor; name the pages in cors.origin, \
                 such as ['https://app.example.com', 'https://*.example.com']"]
        );
    }
}

#[test]
fn what_is_no_origin_lets_no_page_in() {
    // A function is `true` by the time it gets here, a regular expression an object.
    for origin in [json!(true), json!({ "class": "RegExp" }), json!("example.com"), json!("https://*"), json!(["x", 5])]
    {
        let (rules, warnings) = rules(json!({ "origin": origin.clone(), "credentials": true }));
        assert_eq!(rules.origins, Origins::Only(Vec::new()), "{origin}");
        assert_eq!(warnings.len(), origin.as_array().map_or(1, Vec::len), "{warnings:?}");
    }
    assert_eq!(
        rules(json!({ "origin": true })).1,
        [
            "cors.origin: should be '*', origins such as 'https://example.com' or patterns such as 'https://*.example.com', \
             but is true, which lets no page in (functions and regular expressions cannot be used)"
        ]
    );
}

#[test]
fn odd_members_cost_only_themselves() {
    let (rules, warnings) = rules(json!({ "methods": ["GET", "NO WAY"], "maxAge": "long", "preflightContinue": true }));
    assert_eq!(rules, CorsRules { methods: Some(vec!["GET".into()]), ..CorsRules::default() });
    assert_eq!(
        warnings,
        [
            "cors.methods: 'NO WAY' is not the name of a header or method and is left out",
            "cors.maxAge: should be a number of seconds, 0 or more, or a text such as \"15m\", but is the string \"long\"; the default holds",
            "unknown member 'cors.preflightContinue' is ignored",
        ]
    );
}

#[test]
fn origins_and_patterns() {
    let matches = |pattern: &str, origin: &str| {
        let (pattern, origin) = (Origin::parse(pattern).expect(pattern), Origin::parse(origin).expect(origin));
        pattern.matches(&origin)
    };
    for (pattern, origin) in [
        ("https://example.com", "https://example.com"),
        ("https://Example.com/", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://*.example.com", "https://a.example.com"),
        ("https://*.example.com", "https://a.b.example.com"),
        ("http://localhost:*", "http://localhost:5173"),
        ("http://localhost:*", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[::1]", "http://[::1]"),
        ("capacitor://localhost", "capacitor://localhost"),
    ] {
        assert!(matches(pattern, origin), "{pattern} {origin}");
    }
    for (pattern, origin) in [
        ("https://example.com", "http://example.com"),
        ("https://example.com", "https://example.com:8443"),
        ("https://example.com", "https://example.com.evil.net"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://a.example.com.evil.net"),
        ("https://*.example.com", "https://a.example.com:8443"),
        ("http://localhost:*", "http://localhost.evil.net:80"),
    ] {
        assert!(!matches(pattern, origin), "{pattern} {origin}");
    }
    for text in ["", "*", "null", "https://", "https://*", "https://a*b.com", "https://a.com/path", "https://u@a.com"] {
        assert_eq!(Origin::parse(text), None, "{text}");
    }
}
