//! The files of the `static` knob.
//!
//! tower-http reads, compares, cuts and describes files (ETag, ranges, types). What it does not do is done here: nothing outside of the
//! folder is served, also not through symbolic links, and nothing hidden.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, Method, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use motia_core::project::StaticMount;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, DefaultServeDirFallback, TokioBackend, TokioFile};

use crate::edge::Mode;
use crate::response::EdgeBody;

/// What a path may hold as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The files of all mounts.
pub(crate) struct Files {
    /// The longest path first.
    mounts: Vec<Mount>,
    cache: HeaderValue,
}

struct Mount {
    at: String,
    folder: Contained,
    files: ServeDir<DefaultServeDirFallback, Contained>,
    /// The path of the page that answers for pages that are not there.
    fallback: Option<String>,
}

impl Files {
    /// The files of a project in `root`.
    pub(crate) fn new(mounts: &[StaticMount], root: &Path, mode: Mode) -> Self {
        let mounts = mounts.iter().map(|mount| {
            let folder = Contained { root: root.join(&mount.folder).into() };
            Mount {
                at: mount.at.clone(),
                files: ServeDir::with_backend(&folder.root, folder.clone())
                    .redirect_path_prefix(mount.at.clone())
                    .precompressed_br()
                    .precompressed_gzip(),
                folder,
                fallback: mount.fallback.as_ref().map(|file| format!("/{}", utf8_percent_encode(file, PATH))),
            }
        });
        // Both are asked each time: in `dev` since files change, in `start` since their names may stay while they do.
        let cache = match mode {
            Mode::Dev => HeaderValue::from_static("no-cache"),
            Mode::Start => HeaderValue::from_static("public, max-age=0, must-revalidate"),
        };
        Self { mounts: mounts.collect(), cache }
    }

    /// The file that a request is for, if there is one. The error is that of a file that is there and cannot be read.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> io::Result<Option<Response<EdgeBody>>> {
        let (method, uri) = (request.method(), request.uri());
        if !matches!(*method, Method::GET | Method::HEAD) || !is_plain(uri.path()) {
            return Ok(None);
        }
        for mount in &self.mounts {
            let Some(rest) = mount.rest(uri.path()) else { continue };
            if let Some(answer) = mount.find(method, rest, uri.query(), request.headers()).await? {
                return Ok(Some(self.finish(answer)));
            }
        }
        if !wants_page(uri.path(), request.headers()) {
            return Ok(None);
        }
        for mount in &self.mounts {
            if mount.rest(uri.path()).is_some()
                && let Some(page) = &mount.fallback
            {
                let mut headers = request.headers().clone();
                headers.remove(RANGE);
                let answer = mount.serve(method, page, None, &headers).await?;
                return Ok(answer.map(|answer| self.finish(answer)));
            }
        }
        Ok(None)
    }

    fn finish(&self, mut answer: Response<EdgeBody>) -> Response<EdgeBody> {
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, self.cache.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let text = kind.filter(|kind| kind.starts_with("text/") && !kind.contains(';'));
        // Else browsers take it for text of the country that they were made for.
        if let Some(Ok(text)) = text.map(|kind| HeaderValue::from_str(&format!("{kind}; charset=utf-8"))) {
            headers.insert(CONTENT_TYPE, text);
        }
        answer
    }
}

impl Mount {
    /// What is left of a path below the mount: empty or with a slash before it.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.at.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    async fn find(
        &self,
        method: &Method,
        rest: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> io::Result<Option<Response<EdgeBody>>> {
        if rest.is_empty() {
            // The links of a page in a folder are relative to the folder.
            if self.folder.metadata(self.folder.root.to_path_buf()).await.is_err() {
                return Ok(None);
            }
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let mut answer = Response::new(EdgeBody::from(Bytes::new()));
            *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            let to = HeaderValue::from_str(&format!("{}/{query}", self.at)).ok();
            answer.headers_mut().extend(to.map(|to| (LOCATION, to)));
            return Ok(Some(answer));
        }
        let mut headers = headers.clone();
        if method == Method::HEAD || !headers.get(RANGE).is_none_or(is_one_range) {
            // Not understood, or not meant: the whole file is right.
            headers.remove(RANGE);
        }
        let answer = self.serve(method, rest, query, &headers).await?;
        match (headers.get(IF_RANGE), answer) {
            // What the client has is of another version than what would come.
            (Some(version), Some(answer))
                if answer.status() == StatusCode::PARTIAL_CONTENT && !is_version(&answer, version) =>
            {
                headers.remove(RANGE);
                self.serve(method, rest, query, &headers).await
            }
            (_, answer) => Ok(answer),
        }
    }

    async fn serve(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> io::Result<Option<Response<EdgeBody>>> {
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let Ok(uri) = target.parse::<Uri>() else { return Ok(None) };
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(headers);
        match self.files.clone().try_call(request).await {
            Ok(answer) if answer.status() == StatusCode::NOT_FOUND => Ok(None),
            Ok(answer) => Ok(Some(answer.map(EdgeBody::File))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("{} of {}: {error}", path, self.folder.root.display())))
            }
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | PermissionDenied | NotADirectory | IsADirectory | InvalidFilename | InvalidInput)
}

/// Whether each part of a path is an ordinary name: nothing hidden, no way up, nothing that means something to a file system.
/// Parts are decoded once, as they will be when the file is opened.
fn is_plain(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let path = path.strip_suffix('/').unwrap_or(path);
    path.is_empty()
        || path.split('/').all(|part| {
            percent_decode_str(part).decode_utf8().is_ok_and(|name| {
                !name.is_empty()
                    && (!name.starts_with('.') || name == ".well-known")
                    && !name.contains(['/', '\\', '\0'])
            })
        })
}

/// `bytes=0-99`, `bytes=100-` or `bytes=-100`.
fn is_one_range(range: &HeaderValue) -> bool {
    range.to_str().ok().and_then(|text| text.strip_prefix("bytes=")?.split_once('-')).is_some_and(|(from, to)| {
        let number = |text: &str| text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        number(from) && number(to) && !(from.is_empty() && to.is_empty())
    })
}

fn is_version(answer: &Response<EdgeBody>, version: &HeaderValue) -> bool {
    [ETAG, LAST_MODIFIED].into_iter().any(|name| answer.headers().get(name) == Some(version))
}

/// Whether a browser is on its way to a page, or someone asks who does not say: then a single-page app answers. A script that is not
/// there, and a call of an API, get 404.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    if let Some(purpose) = headers.get(SEC_FETCH_DEST) {
        return purpose == "document" || purpose == "iframe";
    }
    let named_like_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    match headers.get(ACCEPT).map(|accept| accept.to_str().unwrap_or_default()) {
        Some(accept) => accept.contains("text/html") || (accept.contains("*/*") && !named_like_a_file),
        None => !named_like_a_file,
    }
}

/// A folder that nothing is read outside of, whatever links lie in it. It need not be there yet.
#[derive(Clone)]
struct Contained {
    root: Arc<Path>,
}

impl Contained {
    /// Where a path leads, if that is an ordinary file in the folder, or a folder in it with a page.
    async fn resolve(self, path: PathBuf) -> io::Result<PathBuf> {
        let resolved = tokio::task::spawn_blocking(move || {
            let root = self.root.canonicalize()?;
            let found = path.canonicalize()?;
            let metadata = found.metadata()?;
            let fits = found.starts_with(&root)
                && (metadata.is_file() || (metadata.is_dir() && found.join("index.html").is_file()));
            if fits { Ok(found) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
        });
        // Whatever keeps a path from being followed: there is no file for the client.
        resolved.await?.map_err(|_| io::ErrorKind::NotFound.into())
    }
}

type Found<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for Contained {
    type File = TokioFile;
    type Metadata = std::fs::Metadata;
    type OpenFuture = Found<TokioFile>;
    type MetadataFuture = Found<std::fs::Metadata>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let folder = self.clone();
        Box::pin(async move { TokioBackend.open(folder.resolve(path).await?).await })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let folder = self.clone();
        Box::pin(async move { TokioBackend.metadata(folder.resolve(path).await?).await })
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
