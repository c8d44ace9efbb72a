use motia_core::Language;
use serde_json::json;

use super::*;

fn steps(routes: &[(&str, &str)]) -> Vec<Arc<Step>> {
    routes
        .iter()
        .map(|(method, path)| {
            let name = format!("{method} {path}");
            let config = json!({"type": "api", "name": name, "path": path, "method": method});
            let source = format!("steps/{}.step.ts", name.replace('/', "_")).into();
            Arc::new(Step::parse(source, Language::TypeScript, &config).expect("a step").value)
        })
        .collect()
}

/// `step name: a=1, b=2`, or why not.
fn find(routes: &Routes, method: Method, path: &str) -> String {
    match routes.find(method, path) {
        Ok(Match { step, params }) => {
            let params: Vec<_> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}: {}", step.name, params.join(", ")).trim_end_matches([':', ' ']).to_owned()
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn every_pattern_of_the_original_matches_as_it_did() {
    let list = steps(&[
        ("GET", "/"),
        ("GET", "/hello-ts"),
        ("GET", "/o/:id"),
        ("GET", "/opt/:a/:b?"),
        ("GET", "/w/*"),
        ("GET", "/files/*/meta"),
        ("GET", "/rx/:id(\\d+)"),
        ("GET", "/t/:a-:b"),
        ("GET", "/flights/:from.:to"),
        ("GET", "/user(s)?/list"),
        ("GET", "/v:major(\\d+)/ping"),
    ]);
    let (routes, warnings) = Routes::new(&list);
    assert_eq!(warnings, Vec::<String>::new());
    for (path, expected) in [
        ("/", "GET /"),
        ("/hello-ts", "GET /hello-ts"),
        ("/hello-ts/", "GET /hello-ts"),
        ("/HELLO-TS", "GET /hello-ts"),
        ("/hello%2Dts", "GET /hello-ts"),
        ("/o/5", "GET /o/:id: id=5"),
        ("/o/x%2Fy", "GET /o/:id: id=x/y"),
        ("/o/x%20y", "GET /o/:id: id=x y"),
        ("/o/%00", "GET /o/:id: id=\0"),
        ("/o/..", "GET /o/:id: id=.."),
        ("/o/%ff", "BadEncoding"),
        ("/o", "NotFound"),
        ("/o//", "NotFound"),
        ("/o/5/6", "NotFound"),
        ("//hello-ts", "NotFound"),
        ("/opt/1", "GET /opt/:a/:b?: a=1"),
        ("/opt/1/2", "GET /opt/:a/:b?: a=1, b=2"),
        ("/w/a/b/c", "GET /w/*: 0=a/b/c"),
        ("/w/", "GET /w/*: 0="),
        ("/files/a/b/meta", "GET /files/*/meta: 0=a/b"),
        ("/files/a/b", "NotFound"),
        ("/rx/12", "GET /rx/:id(\\d+): id=12"),
        ("/rx/ab", "NotFound"),
        ("/t/1-2", "GET /t/:a-:b: a=1, b=2"),
        ("/flights/LAX.SFO", "GET /flights/:from.:to: from=LAX, to=SFO"),
        ("/users/list", "GET /user(s)?/list: 0=s"),
        ("/user/list", "GET /user(s)?/list"),
        ("/v2/ping", "GET /v:major(\\d+)/ping: major=2"),
    ] {
        assert_eq!(find(&routes, Method::Get, path), expected, "{path}");
    }
}

#[test]
fn the_most_specific_route_wins_whatever_came_first() {
    let list = steps(&[
        ("GET", "/*"),
        ("GET", "/:any"),
        ("GET", "/users/:id"),
        ("GET", "/users/:id(\\d+)"),
        ("GET", "/users/me"),
        ("GET", "/users/:id/posts/:post"),
        ("GET", "/users/me/posts/latest"),
        ("POST", "/users/me"),
    ]);
    let (routes, warnings) = Routes::new(&list);
    assert_eq!(warnings, Vec::<String>::new());
    for (path, expected) in [
        ("/users/me", "GET /users/me"),
        ("/users/7", "GET /users/:id(\\d+): id=7"),
        ("/users/bob", "GET /users/:id: id=bob"),
        ("/users/me/posts/9", "GET /users/:id/posts/:post: id=me, post=9"),
        ("/users/me/posts/latest", "GET /users/me/posts/latest"),
        ("/x", "GET /:any: any=x"),
        ("/x/y", "GET /*: 0=x/y"),
        ("/users/me/other", "GET /*: 0=users/me/other"),
    ] {
        assert_eq!(find(&routes, Method::Get, path), expected, "{path}");
    }
    // A method that the most specific path does not have goes on to the next one that has it.
    assert_eq!(find(&routes, Method::Post, "/users/me"), "POST /users/me");
    assert_eq!(find(&routes, Method::Post, "/users/7"), "OtherMethods([Get])");
}

#[test]
fn head_is_served_by_get_unless_a_step_has_it() {
    let list = steps(&[("GET", "/a"), ("HEAD", "/b"), ("GET", "/b")]);
    let (routes, _) = Routes::new(&list);
    assert_eq!(find(&routes, Method::Head, "/a"), "GET /a");
    assert_eq!(find(&routes, Method::Head, "/b"), "HEAD /b");
}

#[test]
fn the_same_route_twice_and_patterns_without_sense_are_said() {
    let list = steps(&[
        ("GET", "/a/:id"),
        ("GET", "/A/:other/"),
        ("POST", "/a/:id"),
        ("GET", "/b/:id((/"),
        ("GET", "/w/*"),
        ("GET", "/w/*"),
    ]);
    let (routes, warnings) = Routes::new(&list);
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings[0].contains("route GET /A/:other/ is used by steps/GET _a_:id.step.ts"), "{}", warnings[0]);
    assert!(warnings[1].contains("is not closed; the route is left out"), "{}", warnings[1]);
    assert_eq!(find(&routes, Method::Get, "/a/1"), "GET /a/:id: id=1");
}

#[test]
fn an_expression_that_backtracks_for_ever_is_no_match() {
    let list = steps(&[("GET", "/evil/:x((?=(a+)+$)a*)")]);
    let (routes, warnings) = Routes::new(&list);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(find(&routes, Method::Get, &format!("/evil/{}!", "a".repeat(60))), "NotFound");
}
