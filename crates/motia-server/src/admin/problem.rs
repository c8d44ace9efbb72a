//! What an admin request that cannot be done is answered with: `{"error": text}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use motia_engine::cron::NotRun;
use motia_engine::queues::NotMoved;
use serde_json::{Value, json};

/// JSON, or why not.
pub(crate) type Answer = Result<Json<Value>, Problem>;

/// Why not.
pub(crate) struct Problem {
    status: StatusCode,
    text: String,
}

impl Problem {
    /// What was asked for makes no sense.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// What was asked for is not there.
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// What it says.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<motia_ports::Error> for Problem {
    fn from(error: motia_ports::Error) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: error.to_string() }
    }
}

impl From<NotRun> for Problem {
    fn from(error: NotRun) -> Self {
        let status = match &error {
            NotRun::Unknown(_) => StatusCode::NOT_FOUND,
            NotRun::Busy(_) => StatusCode::CONFLICT,
            NotRun::Store(..) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, text: error.to_string() }
    }
}

impl From<NotMoved> for Problem {
    fn from(error: NotMoved) -> Self {
        let status = match &error {
            NotMoved::NoSuchStep(_) => StatusCode::NOT_FOUND,
            NotMoved::InUse(_) => StatusCode::CONFLICT,
            NotMoved::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, text: error.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.text }))).into_response()
    }
}
