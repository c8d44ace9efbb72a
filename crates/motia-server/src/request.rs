//! A request from the wire to the engine: the head as JSON, the body as bytes.

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use encoding_rs::{Encoding, UTF_8};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::Body;
use motia_worker::{Content, RequestHead};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::app::RequestBody;
use crate::query;

/// How long a client may pause inside a body.
const BODY_PAUSE: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and thrown away, so that the client sees the answer.
const DRAIN_BYTES: u64 = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Why a request cannot be given to a handler.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the body is larger than {limit} bytes (bodyLimit in motia.config)")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    TooManyParameters(#[from] query::TooMany),
    #[error("unsupported charset \"{0}\"")]
    Charset(String),
    #[error("unsupported content encoding \"{0}\"")]
    Encoding(String),
    #[error("the body is not valid {0}")]
    Compressed(&'static str),
    #[error("the body did not come: {0}")]
    CutOff(String),
    #[error("the body did not come within {} s", BODY_PAUSE.as_secs())]
    Slow,
}

impl BadRequest {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::TooManyParameters(_) => 413,
            Self::Charset(_) | Self::Encoding(_) => 415,
            Self::Compressed(_) | Self::CutOff(_) => 400,
            Self::Slow => 408,
        }
    }
}

/// Reads the body and says what it is. `head` gets its content, charset and split.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    mut body: RequestBody,
    limit: u64,
    head: &mut RequestHead,
) -> Result<Bytes, BadRequest> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        // Whoever asks first has sent nothing yet.
        if !headers.contains_key(EXPECT) {
            drain(&mut body).await;
        }
        return Err(BadRequest::TooLarge { limit });
    }
    let raw = collect(&mut body, limit).await?;
    let raw = decompress(headers, raw, limit).await?;
    if raw.is_empty() {
        return Ok(raw);
    }
    describe(headers, raw, head)
}

async fn collect(body: &mut RequestBody, limit: u64) -> Result<Bytes, BadRequest> {
    let mut first = Bytes::new();
    let mut all: Option<BytesMut> = None;
    let mut length = 0;
    loop {
        let frame = match tokio::time::timeout(BODY_PAUSE, body.frame()).await {
            Err(_) => return Err(BadRequest::Slow),
            Ok(None) => return Ok(all.map_or(first, BytesMut::freeze)),
            Ok(Some(Err(error))) => return Err(BadRequest::CutOff(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        if length > limit {
            drain(body).await;
            return Err(BadRequest::TooLarge { limit });
        }
        // The usual body comes in one piece and is not copied.
        match &mut all {
            Some(all) => all.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let hint = usize::try_from(body.size_hint().lower().min(limit)).unwrap_or(0);
                let mut joined = BytesMut::with_capacity(first.len() + data.len() + hint);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                all = Some(joined);
            }
        }
    }
}

/// A client that is still sending would not see an answer on a connection that is closed under it.
async fn drain(body: &mut RequestBody) {
    let reading = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if left == 0 {
                return;
            }
        }
    };
    // Whatever came of it: the answer is sent now.
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}

async fn decompress(headers: &HeaderMap, raw: Bytes, limit: u64) -> Result<Bytes, BadRequest> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(raw) };
    let encoding = encoding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(raw),
        "gzip" | "x-gzip" => inflate(GzipDecoder::new(&raw[..]), "gzip", limit).await,
        "deflate" => inflate(ZlibDecoder::new(&raw[..]), "deflate", limit).await,
        "br" => inflate(BrotliDecoder::new(&raw[..]), "brotli", limit).await,
        _ => Err(BadRequest::Encoding(encoding)),
    }
}

async fn inflate(reader: impl AsyncRead + Unpin, name: &'static str, limit: u64) -> Result<Bytes, BadRequest> {
    let mut out = Vec::new();
    // One byte more than allowed tells that it is too much, and a bomb goes off no further.
    reader.take(limit + 1).read_to_end(&mut out).await.map_err(|_| BadRequest::Compressed(name))?;
    if out.len() as u64 > limit { Err(BadRequest::TooLarge { limit }) } else { Ok(out.into()) }
}

fn describe(headers: &HeaderMap, raw: Bytes, head: &mut RequestHead) -> Result<Bytes, BadRequest> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let charset = charset(parameters);
    head.content = match essence.as_str() {
        "application/json" => Content::Json,
        "application/x-www-form-urlencoded" => Content::Form,
        "multipart/form-data" => Content::Multipart,
        "application/xml" | "application/javascript" | "application/graphql" | "image/svg+xml" => Content::Text,
        _ if essence.ends_with("+json") => Content::Json,
        _ if essence.ends_with("+xml") || essence.starts_with("text/") => Content::Text,
        _ => Content::Binary,
    };
    match head.content {
        Content::Json | Content::Form => {
            if let Some(charset) =
                charset.filter(|name| !matches!(name.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii"))
            {
                return Err(BadRequest::Charset(charset));
            }
        }
        Content::Text => {
            if let Some(name) = charset {
                let encoding = Encoding::for_label(name.as_bytes()).ok_or(BadRequest::Charset(name))?;
                head.charset = (encoding != UTF_8).then(|| encoding.name().to_ascii_lowercase());
            }
        }
        Content::None | Content::Multipart | Content::Binary => {}
    }
    if head.content != Content::Form {
        return Ok(raw);
    }
    let json = query::form_to_json(&String::from_utf8_lossy(&raw))?;
    head.split = Some(json.len());
    let mut both = BytesMut::from(json.as_bytes());
    both.extend_from_slice(&raw);
    Ok(both.freeze())
}

fn charset(parameters: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// Headers as a JSON object: names in lower case (as hyper has them), repeated ones joined by `, `.
pub(crate) fn headers_to_json(headers: &HeaderMap) -> String {
    let mut out = String::with_capacity(headers.len() * 48);
    out.push('{');
    for (n, name) in headers.keys().enumerate() {
        if n > 0 {
            out.push(',');
        }
        query::write_text(&mut out, name.as_str());
        out.push(':');
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(one), None) => query::write_text(&mut out, &latin(one.as_bytes())),
            _ => {
                let separator = if name == http::header::COOKIE { "; " } else { ", " };
                let all: Vec<_> = headers.get_all(name).iter().map(|value| latin(value.as_bytes())).collect();
                query::write_text(&mut out, &all.join(separator));
            }
        }
    }
    out.push('}');
    out
}

/// Header bytes as text: UTF-8 where they are, else byte by byte, as Node does.
fn latin(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn described(content_type: &'static str, body: &'static str) -> Result<(RequestHead, Bytes), BadRequest> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let mut head = RequestHead::default();
        let body = describe(&headers, Bytes::from_static(body.as_bytes()), &mut head)?;
        Ok((head, body))
    }

    #[test]
    fn content_types_say_what_a_body_is() {
        for (content_type, content) in [
            ("application/json", Content::Json),
            ("Application/JSON; charset=UTF-8", Content::Json),
            ("application/vnd.api+json", Content::Json),
            ("text/plain; charset=iso-8859-1", Content::Text),
            ("application/xml", Content::Text),
            ("multipart/form-data; boundary=x", Content::Multipart),
            ("application/octet-stream", Content::Binary),
            ("image/png", Content::Binary),
            ("nonsense", Content::Binary),
        ] {
            assert_eq!(described(content_type, "x").expect("fine").0.content, content, "{content_type}");
        }
        assert_eq!(
            described("text/plain; charset=iso-8859-1", "x").expect("fine").0.charset.as_deref(),
            Some("windows-1252")
        );
        assert_eq!(described("application/json; charset=utf-7", "{}").err(), Some(BadRequest::Charset("utf-7".into())));
        assert_eq!(described("text/plain; charset=klingon", "x").err(), Some(BadRequest::Charset("klingon".into())));
    }

    #[test]
    fn a_form_comes_with_its_json_before_it() {
        let (head, body) = described("application/x-www-form-urlencoded", "payload=%7B%7D&a[b]=1").expect("fine");
        let (json, raw) = body.split_at(head.split.expect("a split"));
        assert_eq!(json, br#"{"payload":"{}","a":{"b":"1"}}"#);
        assert_eq!(raw, b"payload=%7B%7D&a[b]=1");
    }

    #[test]
    fn headers_are_joined_as_node_joins_them() {
        let mut headers = HeaderMap::new();
        headers.append("x-multi", HeaderValue::from_static("a"));
        headers.append("x-multi", HeaderValue::from_static("b"));
        headers.append("cookie", HeaderValue::from_static("a=1"));
        headers.append("cookie", HeaderValue::from_static("b=\"2\""));
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").expect("a value"));
        assert_eq!(headers_to_json(&headers), r#"{"x-multi":"a, b","cookie":"a=1; b=\"2\"","x-latin":"café"}"#);
    }

    #[tokio::test]
    async fn a_bomb_goes_off_no_further_than_the_limit() {
        use async_compression::tokio::bufread::GzipEncoder;
        let zeros = vec![0; 1 << 20];
        let mut bomb = Vec::new();
        GzipEncoder::new(&zeros[..]).read_to_end(&mut bomb).await.expect("compressed");
        let limit = 1000;
        assert_eq!(inflate(GzipDecoder::new(&bomb[..]), "gzip", limit).await, Err(BadRequest::TooLarge { limit }));
        assert_eq!(
            inflate(GzipDecoder::new(&b"no gzip"[..]), "gzip", limit).await,
            Err(BadRequest::Compressed("gzip"))
        );
    }
}
