//! One request, from the first byte to the last.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use motia_core::TraceId;
use motia_core::project::{Cors, ProjectConfig};
use motia_core::step::Method;
use motia_core::trace::TraceParent;
use motia_engine::{ApiReply, ApiRequest, Engine, Readiness, Refusal, RequestBody};
use motia_worker::RequestHead;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Asked, ClientBody};
use crate::cors::Policy;
use crate::files::Files;
use crate::request::{Received, check_head, headers_to_json, read_body};
use crate::response::{EdgeBody, error, json, response, unavailable};
use crate::router::{Match, NoMatch, Routes};
use crate::upload::Upload;
use crate::{admin, app, cors, query, streams};

/// How the project runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `motia dev`: on this machine, reloading.
    Dev,
    /// `motia start`: in production.
    Start,
}

/// A handle on what answers requests. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    mode: Mode,
    site: RwLock<Arc<Site>>,
    app: RwLock<Option<Arc<App>>>,
    admin: axum::Router,
    stopping: AtomicBool,
    /// Ends what would go on for as long as its client likes.
    ended: CancellationToken,
}

/// What the project has to answer with. Never changed: a reload puts another one in its place.
struct Site {
    routes: Routes,
    cors: Policy,
    files: Files,
}

const ADMIN: &str = "/__motia";

impl Edge {
    /// An edge without routes.
    pub fn new(engine: Engine, mode: Mode) -> Self {
        let admin = admin::router(engine.clone());
        let nothing = Site {
            routes: Routes::default(),
            cors: Policy::new(&Cors::default(), mode),
            files: Files::new(&[], Path::new(""), mode),
        };
        let (site, stopping) = (RwLock::new(Arc::new(nothing)), AtomicBool::new(false));
        Self {
            shared: Arc::new(Shared {
                engine,
                mode,
                site,
                app: RwLock::default(),
                admin,
                stopping,
                ended: CancellationToken::new(),
            }),
        }
    }

    /// Replaces the routes, and what `cors` and `static` of a project in `root` say.
    pub fn set_site(&self, routes: Routes, settings: &ProjectConfig, root: &Path) {
        let mode = self.shared.mode;
        let cors = Policy::new(&settings.cors, mode);
        let files = Files::new(&settings.static_files, root, mode);
        *self.shared.site.write() = Arc::new(Site { routes, cors, files });
    }

    /// Puts the project's own application before the steps, or takes it away.
    pub fn set_app(&self, app: Option<Arc<App>>) {
        *self.shared.app.write() = app;
    }

    /// From now on, whoever asks is told that the engine is stopping. What runs goes on.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.ended.cancel();
    }

    /// The admin API, for the engine's own socket.
    pub fn admin(&self) -> axum::Router {
        self.shared.admin.clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Answers a request. Never fails: whatever happens has an answer.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<EdgeBody> {
        let path = request.uri().path();
        if self.shared.stopping.load(Ordering::Relaxed) {
            return health(path, Readiness::Stopping).unwrap_or_else(stopping);
        }
        if let Err(bad) = check_head(request.version(), request.headers()) {
            return closing(traced(error(bad.status(), &bad.to_string()), self.shared.engine.next_trace()));
        }
        if path == ADMIN || path.strip_prefix(ADMIN).is_some_and(|rest| rest.starts_with('/')) {
            return self.admin_on_port(request).await;
        }
        if streams::is_asked_for(&request) {
            return streams::open(&self.shared.engine, self.shared.mode, &request).await;
        }
        let request = request.map(ClientBody::from);
        let app = self.shared.app.read().clone().filter(|app| app.concerns(request.uri().path()));
        // Whether we are well must not depend on another process, which may only have middleware for all paths.
        let about_us = is_health(request.uri().path());
        let app = app.filter(|app| !about_us || app.names(request.uri().path()));
        let Some(app) = app else { return self.answer(request, HeaderMap::new()).await };
        let path = if about_us { request.uri().path().to_owned() } else { String::new() };
        let settings = self.shared.engine.settings();
        match app.ask(request, settings.body_limit, settings.timeouts.api).await {
            Asked::Answered(answer) => traced(answer, self.shared.engine.next_trace()),
            Asked::Down(answer) => health(&path, self.shared.engine.readiness())
                .unwrap_or_else(|| traced(answer, self.shared.engine.next_trace())),
            Asked::Passed(request, headers) => self.answer(*request, headers).await,
        }
    }

    /// What the project answers. `headers`: those that middleware of its application set.
    async fn answer(&self, request: Request<ClientBody>, headers: HeaderMap) -> Response<EdgeBody> {
        let path = request.uri().path();
        let method = request.method().as_str().parse::<Method>();
        let site = Arc::clone(&self.shared.site.read());
        match method.map_err(|()| NoMatch::NotFound).and_then(|method| Ok((method, site.routes.find(method, path)?))) {
            Ok((method, found)) => {
                let origin = request.headers().get(ORIGIN).cloned();
                let mut answer = self.call(method, found, request).await;
                app::merge(headers, answer.headers_mut());
                site.cors.add(origin.as_ref(), answer.headers_mut());
                answer
            }
            Err(_) if self.is_original_emit(&request) => self.original_emit(request).await,
            Err(no_match) => {
                let mut answer = self.no_step(&site, method.ok(), &request, no_match).await;
                answer.headers_mut().extend(headers);
                answer
            }
        }
    }

    async fn call(&self, method: Method, found: Match, request: Request<ClientBody>) -> Response<EdgeBody> {
        let Match { step, params } = found;
        let (mut parts, body) = request.into_parts();
        // HTTP/2 says it in the target, and in HTTP/1 a target that says it counts more (RFC 9112, 3.2.2).
        if let Some(host) = parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            parts.headers.insert(HOST, host);
        }
        let mut head = RequestHead {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            headers: headers_to_json(&parts.headers),
            query: parts.uri.query().map(query::to_json).unwrap_or_default(),
            params: params_to_json(&params),
            ..RequestHead::default()
        };
        let limit = self.shared.engine.settings().body_limit;
        let clock = Arc::clone(self.shared.engine.telemetry().clock());
        let mut upload = Upload::new(&parts.headers, body, limit, clock);
        let whole = self.shared.engine.needs_whole_body(&step);
        let received = match read_body(&parts.headers, &mut upload, whole, &mut head).await {
            Ok(received) => received,
            Err(bad) => {
                upload.drain().await;
                let (trace, reason) = (self.shared.engine.next_trace(), bad.to_string());
                self.shared.engine.turn_away(trace, &step, &reason);
                return traced(error(bad.status(), &reason), trace);
            }
        };
        let parent = parts.headers.get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
        let name = step.name.clone();
        let body = match received {
            Received::Whole(body) => RequestBody::Whole(body),
            Received::Beginning(first) => RequestBody::Coming { first, rest: &mut upload },
        };
        let reply = self.shared.engine.request(ApiRequest { step, method, head, body, parent }).await;
        upload.drain().await;
        let ApiReply { trace, parent, outcome } = reply;
        let mut answer = match outcome.map(|(meta, body)| response(method, meta, body)) {
            Ok(Ok(response)) => response,
            Ok(Err(problem)) => {
                let text = format!("{problem}; the client got 500");
                let level = motia_core::record::Level::Error;
                self.shared.engine.telemetry().log_of(level, Some(trace), Some(name), text);
                error(500, INTERNAL)
            }
            Err(refusal) => refused(&refusal),
        };
        // Of our own making: ASCII without control characters.
        answer.headers_mut().extend(HeaderValue::from_str(&parent.to_string()).ok().map(|value| (TRACEPARENT, value)));
        traced(answer, trace)
    }

    /// What no step answers: preflights, health, files, and what is not there.
    async fn no_step(
        &self,
        site: &Site,
        method: Option<Method>,
        request: &Request<ClientBody>,
        no_match: NoMatch,
    ) -> Response<EdgeBody> {
        if method == Some(Method::Options) && site.cors.answers_preflights() {
            let mut answer = Response::new(EdgeBody::Whole(Bytes::new()));
            *answer.status_mut() = http::StatusCode::NO_CONTENT;
            site.cors.preflight(request.headers(), answer.headers_mut());
            return answer;
        }
        if matches!(method, Some(Method::Get | Method::Head))
            && let Some(answer) = health(request.uri().path(), self.shared.engine.readiness())
        {
            return answer;
        }
        let origin = request.headers().get(ORIGIN);
        if matches!(method, Some(Method::Get | Method::Head)) {
            let Shared { engine, mode, ended, .. } = &*self.shared;
            if let Some(mut answer) = streams::read::answer(engine, *mode, request, ended).await {
                site.cors.add(origin, answer.headers_mut());
                return traced(answer, engine.next_trace());
            }
        }
        match site.files.answer(request).await {
            Ok(None) => {}
            Ok(Some(mut answer)) => {
                site.cors.add(origin, answer.headers_mut());
                return answer;
            }
            Err(problem) => {
                let level = motia_core::record::Level::Error;
                self.shared.engine.telemetry().log(level, format!("a file could not be read: {problem}"));
                return error(500, INTERNAL);
            }
        }
        let mut answer = match no_match {
            NoMatch::BadEncoding => error(400, "the path is not valid percent-encoded UTF-8"),
            NoMatch::NotFound => error(404, "Not found"),
            NoMatch::OtherMethods(methods) => {
                let mut answer = error(405, "Method not allowed");
                let allowed: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
                answer
                    .headers_mut()
                    .extend(HeaderValue::from_str(&allowed.join(", ")).ok().map(|value| (ALLOW, value)));
                answer
            }
        };
        site.cors.add(origin, answer.headers_mut());
        traced(answer, self.shared.engine.next_trace())
    }

    /// `POST /emit` of the original (behaviour-0.17.md C): in `dev` alone, for programs and pages of this machine.
    fn is_original_emit(&self, request: &Request<ClientBody>) -> bool {
        self.shared.mode == Mode::Dev && request.method() == http::Method::POST && request.uri().path() == "/emit"
    }

    async fn original_emit(&self, request: Request<ClientBody>) -> Response<EdgeBody> {
        if !is_of_this_machine(&request) {
            return error(403, "events are taken from programs and pages of this machine only");
        }
        let limit = usize::try_from(self.shared.engine.settings().body_limit).unwrap_or(usize::MAX);
        let body = http_body_util::Limited::new(request.into_body(), limit);
        let body = match http_body_util::BodyExt::collect(body).await {
            Ok(body) => body.to_bytes(),
            Err(problem) => return error(400, &format!("the body did not come: {problem}")),
        };
        match admin::ByHand::parse(&body) {
            Err(problem) => error(400, problem.text()),
            Ok(admin::ByHand { request, data }) => {
                let emitted = serde_json::json!({
                    "topic": request.topic,
                    "data": serde_json::from_slice::<serde_json::Value>(&data).unwrap_or_default(),
                });
                match self.shared.engine.emit(request, data).await {
                    Ok((trace, _)) => {
                        traced(json(200, &serde_json::json!({ "success": true, "emitted": emitted })), trace)
                    }
                    Err(problem) => error(500, &problem.to_string()),
                }
            }
        }
    }

    /// The admin API on the port: in `dev` alone, for programs and pages of this machine (design.md section 9).
    async fn admin_on_port(&self, request: Request<Incoming>) -> Response<EdgeBody> {
        if self.shared.mode == Mode::Start {
            return error(404, "Not found");
        }
        if !is_of_this_machine(&request) {
            return error(403, "the admin API answers programs and pages of this machine only");
        }
        let mut admin = self.shared.admin.clone();
        match tower_service::Service::call(&mut admin, request).await {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                match http_body_util::BodyExt::collect(body).await {
                    Ok(body) => Response::from_parts(parts, EdgeBody::Whole(body.to_bytes())),
                    Err(_) => error(500, INTERNAL),
                }
            }
            Err(never) => match never {},
        }
    }
}

/// Whether a program or a page of this machine asks for something of ours.
fn is_of_this_machine<B>(request: &Request<B>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().host()).unwrap_or_default();
    let foreign_page = request.headers().get(ORIGIN).is_some_and(|origin| !cors::is_loopback(origin));
    !foreign_page && cors::is_loopback_host(host)
}

fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Whether the process lives, and whether requests had better go elsewhere.
fn health(path: &str, readiness: Readiness) -> Option<Response<EdgeBody>> {
    let ok = || json(200, &serde_json::json!({ "status": "ok" }));
    match (path, readiness) {
        ("/healthz", _) | ("/readyz", Readiness::Ready) => Some(ok()),
        ("/readyz", Readiness::Stopping) => Some(json(503, &serde_json::json!({ "status": "stopping" }))),
        ("/readyz", Readiness::Damaged) => Some(json(503, &serde_json::json!({ "status": "the store is damaged" }))),
        ("/readyz", Readiness::Unavailable(runtime)) => {
            let reason = format!("no {runtime} worker serves");
            Some(json(503, &serde_json::json!({ "status": "unavailable", "error": reason })))
        }
        _ => None,
    }
}

fn stopping() -> Response<EdgeBody> {
    closing(refused(&Refusal::Unavailable("the engine is stopping".into())))
}

/// Nothing more is read from this connection.
fn closing(mut answer: Response<EdgeBody>) -> Response<EdgeBody> {
    answer.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

const INTERNAL: &str = "Internal server error";
const TRACE_ID: http::HeaderName = http::HeaderName::from_static("x-trace-id");
const TRACEPARENT: http::HeaderName = http::HeaderName::from_static("traceparent");

/// With the chain's id, by which its log lines are found.
fn traced(mut answer: Response<EdgeBody>, trace: TraceId) -> Response<EdgeBody> {
    answer.headers_mut().extend(HeaderValue::from_str(trace.as_str()).ok().map(|value| (TRACE_ID, value)));
    answer
}

fn refused(refusal: &Refusal) -> Response<EdgeBody> {
    match refusal {
        Refusal::Invalid(reason) | Refusal::Body { reason, .. } => error(refusal.status(), reason),
        Refusal::Mismatch(problems) => {
            json(refusal.status(), &serde_json::json!({ "error": "Validation failed", "details": problems }))
        }
        // The cause is in the log, never in the answer.
        Refusal::Failed => error(refusal.status(), INTERNAL),
        Refusal::WorkerEnded => error(refusal.status(), "The worker ended while it handled the request"),
        Refusal::Unavailable(reason) => unavailable(reason),
        Refusal::TimedOut(_) => error(refusal.status(), "The handler did not answer in time"),
    }
}

fn params_to_json(params: &[(String, String)]) -> String {
    if params.is_empty() {
        return String::new();
    }
    let mut out = String::from("{");
    for (n, (name, value)) in params.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        query::write_text(&mut out, name);
        out.push(':');
        query::write_text(&mut out, value);
    }
    out.push('}');
    out
}
