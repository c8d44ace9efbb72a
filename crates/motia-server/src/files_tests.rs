use std::fs;
use std::os::unix::fs::symlink;

use http_body_util::BodyExt;

use super::*;

/// A folder with a secret beside the files that are served.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Self { folder };
        site.write("secret.txt", "secret");
        site.write("public/index.html", "<h1>home</h1>");
        site.write("public/app.js", "export {}");
        site.write("public/data.bin", "0123456789");
        site.write("public/docs/index.html", "docs");
        site.write("public/empty/inner.txt", "inner");
        site.write("public/.env", "KEY=secret");
        site.write("public/.well-known/security.txt", "Contact");
        site.write("public/a b.txt", "space");
        site.write("public/%2e%2e", "named like an escape");
        site.write("public-secret/x.txt", "secret");
        site
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    fn files(&self, mounts: &[(&str, &str, Option<&str>)]) -> Files {
        let mounts = mounts.iter().map(|(at, folder, fallback)| StaticMount {
            at: (*at).into(),
            folder: folder.into(),
            fallback: fallback.map(str::to_owned),
        });
        Files::new(&mounts.collect::<Vec<_>>(), self.folder.path(), Mode::Start)
    }

    fn public(&self) -> Files {
        self.files(&[("", "public", None)])
    }
}

type Answer = Option<(u16, HeaderMap, String)>;

async fn ask(files: &Files, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("a path");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    let answer = files.answer(&request).await.expect("readable")?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Some((parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned()))
}

async fn get(files: &Files, path: &str) -> Option<String> {
    ask(files, Method::GET, path, &[]).await.map(|(_, _, body)| body)
}

#[tokio::test]
async fn files_and_the_pages_of_folders() {
    let site = Site::new();
    let files = site.public();
    assert_eq!(get(&files, "/").await.as_deref(), Some("<h1>home</h1>"));
    assert_eq!(get(&files, "/docs/").await.as_deref(), Some("docs"));
    assert_eq!(get(&files, "/a%20b.txt").await.as_deref(), Some("space"));
    assert_eq!(get(&files, "/empty/inner.txt?v=1").await.as_deref(), Some("inner"));
    assert_eq!(get(&files, "/.well-known/security.txt").await.as_deref(), Some("Contact"));
    // No listing, no file with a slash behind it.
    for path in ["/empty", "/empty/", "/app.js/", "/nothing", "/docs/nothing"] {
        assert_eq!(get(&files, path).await, None, "{path}");
    }
    let (status, headers, _) = ask(&files, Method::GET, "/docs?q=1", &[]).await.expect("an answer");
    assert_eq!((status, headers[LOCATION].to_str().expect("text")), (307, "/docs/?q=1"));
    assert_eq!(ask(&files, Method::POST, "/app.js", &[]).await, None);
}

#[tokio::test]
async fn headers_say_what_a_file_is_and_how_long_it_holds() {
    let site = Site::new();
    let files = site.public();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/data.bin", "application/octet-stream"),
    ] {
        let (_, headers, body) = ask(&files, Method::GET, path, &[]).await.expect("an answer");
        assert_eq!(headers[CONTENT_TYPE], kind, "{path}");
        assert_eq!(headers[CACHE_CONTROL], "public, max-age=0, must-revalidate");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers["content-length"], body.len().to_string());
        let (status, head, nothing) = ask(&files, Method::HEAD, path, &[]).await.expect("an answer");
        assert_eq!(
            (status, head["content-length"].clone(), nothing.as_str()),
            (200, headers["content-length"].clone(), "")
        );
    }
    let dev = Files::new(
        &[StaticMount { at: String::new(), folder: "public".into(), fallback: None }],
        site.folder.path(),
        Mode::Dev,
    );
    let (_, headers, _) = ask(&dev, Method::GET, "/app.js", &[]).await.expect("an answer");
    assert_eq!(headers[CACHE_CONTROL], "no-cache");
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let site = Site::new();
    let files = site.public();
    let (_, headers, _) = ask(&files, Method::GET, "/data.bin", &[]).await.expect("an answer");
    let text = |name: HeaderName| headers[name].to_str().expect("text").to_owned();
    let (tag, date) = (text(ETAG), text(LAST_MODIFIED));
    for (name, value, status) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", date.as_str(), 304),
        ("if-modified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("if-match", "\"other\"", 412),
    ] {
        let (found, _, body) = ask(&files, Method::GET, "/data.bin", &[(name, value)]).await.expect("an answer");
        assert_eq!((found, body.is_empty()), (status, status != 200), "{name}: {value}");
    }
    site.write("public/data.bin", "other content");
    let (status, _, _) = ask(&files, Method::GET, "/data.bin", &[("if-none-match", &tag)]).await.expect("an answer");
    assert_eq!(status, 200, "the file has changed");
}

#[tokio::test]
async fn parts_of_files() {
    let site = Site::new();
    let files = site.public();
    let (_, headers, _) = ask(&files, Method::GET, "/data.bin", &[]).await.expect("an answer");
    let tag = headers[ETAG].to_str().expect("text").to_owned();
    for (range, status, part, content_range) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=8-100", 206, "89", Some("bytes 8-9/10")),
        ("bytes=10-", 416, "", Some("bytes */10")),
        ("bytes=0-1,4-5", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
        ("bytes=-", 200, "0123456789", None),
    ] {
        let (found, headers, body) =
            ask(&files, Method::GET, "/data.bin", &[("range", range)]).await.expect("an answer");
        let found_range = headers.get("content-range").map(|value| value.to_str().expect("text"));
        assert_eq!((found, body.as_str(), found_range), (status, part, content_range), "{range}");
    }
    for (version, status) in [(tag.as_str(), 206), ("\"other\"", 200)] {
        let headers = [("range", "bytes=0-0"), ("if-range", version)];
        assert_eq!(ask(&files, Method::GET, "/data.bin", &headers).await.expect("an answer").0, status, "{version}");
    }
}

#[tokio::test]
async fn nothing_leaves_the_folder_and_nothing_hidden_shows() {
    let site = Site::new();
    let files = site.public();
    for path in [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/./app.js",
        "//secret.txt",
        "/docs//index.html",
        "/.env",
        "/%2eenv",
        "/.well-known/../.env",
        "/app.js%00",
        "/app.js%00.txt",
        "/%ff",
        "/../public-secret/x.txt",
    ] {
        assert_eq!(get(&files, path).await, None, "{path}");
    }
    // Decoded once: this is a name like any other.
    assert_eq!(get(&files, "/%252e%252e").await.as_deref(), Some("named like an escape"));
    assert_eq!(get(&files, &format!("/{}", "a".repeat(5000))).await, None);
}

#[tokio::test]
async fn links_are_followed_inside_the_folder_alone() {
    let site = Site::new();
    let (root, files) = (site.folder.path(), site.public());
    symlink("app.js", root.join("public/inside.js")).expect("linked");
    symlink(root.join("public/docs"), root.join("public/manual")).expect("linked");
    symlink(root.join("secret.txt"), root.join("public/outside.txt")).expect("linked");
    symlink("../..", root.join("public/docs/up")).expect("linked");
    symlink(root.join("public-secret"), root.join("public/other")).expect("linked");
    symlink("loop", root.join("public/loop")).expect("linked");
    assert_eq!(get(&files, "/inside.js").await.as_deref(), Some("export {}"));
    assert_eq!(get(&files, "/manual/").await.as_deref(), Some("docs"));
    for path in ["/outside.txt", "/docs/up/secret.txt", "/other/x.txt", "/loop"] {
        assert_eq!(get(&files, path).await, None, "{path}");
    }
}

#[tokio::test]
async fn the_longest_mount_is_asked_first_and_a_folder_may_come_later() {
    let site = Site::new();
    let files = site.files(&[("/docs", "manual", None), ("", "public", None)]);
    assert_eq!(get(&files, "/docs/").await.as_deref(), Some("docs"));
    assert_eq!(get(&files, "/docsx").await, None);
    site.write("manual/index.html", "manual");
    assert_eq!(get(&files, "/docs/").await.as_deref(), Some("manual"));
    let (status, headers, _) = ask(&files, Method::GET, "/docs?q", &[]).await.expect("an answer");
    assert_eq!((status, headers[LOCATION].to_str().expect("text")), (307, "/docs/?q"));
}

#[tokio::test]
async fn pages_of_a_single_page_app() {
    let site = Site::new();
    let files = site.files(&[("/app", "public", Some("index.html"))]);
    let html = [("accept", "text/html,*/*")];
    for (path, headers, page) in [
        ("/app/users/5", &html[..], true),
        ("/app/users/jane.doe", &html, true),
        ("/app/users/5", &[], true),
        ("/app/users/5", &[("accept", "*/*")], true),
        ("/app/users/5", &[("accept", "application/json")], false),
        ("/app/old.js", &[("accept", "*/*")], false),
        ("/app/users/5", &[("accept", "*/*"), ("sec-fetch-dest", "empty")], false),
        ("/app/users/5", &[("accept", "text/html"), ("sec-fetch-dest", "document")], true),
        ("/elsewhere", &html, false),
        ("/app/../secret.txt", &html, false),
    ] {
        let answer = ask(&files, Method::GET, path, headers).await.map(|(status, _, body)| (status, body));
        assert_eq!(answer, page.then(|| (200, "<h1>home</h1>".to_owned())), "{path} {headers:?}");
    }
}

#[tokio::test]
async fn packed_files_beside_a_file_are_sent_to_those_who_take_them() {
    let site = Site::new();
    site.write("public/app.js.br", "brotli");
    let files = site.public();
    let (_, headers, body) =
        ask(&files, Method::GET, "/app.js", &[("accept-encoding", "gzip, br")]).await.expect("an answer");
    assert_eq!(
        (body.as_str(), &headers["content-encoding"], &headers[CONTENT_TYPE]),
        ("brotli", &"br".parse().expect("a value"), &"text/javascript; charset=utf-8".parse().expect("a value"))
    );
    assert_eq!(get(&files, "/app.js").await.as_deref(), Some("export {}"));
}
