//! A request from the wire to the engine: the head as JSON, the body as bytes.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use encoding_rs::{Encoding, UTF_8};
use http::Version;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, TRANSFER_ENCODING};
use motia_worker::frame::MAX_INLINE_BODY;
use motia_worker::{Content, RequestHead};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::query;
use crate::upload::Upload;

/// Why a request cannot be given to a handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the body is larger than {limit} bytes (bodyLimit in motia.config)")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    TooManyParameters(#[from] query::TooMany),
    #[error("the request must have exactly one Host header")]
    Host,
    #[error("unsupported transfer coding \"{0}\": only chunked is")]
    TransferCoding(String),
    #[error("unsupported charset \"{0}\"")]
    Charset(String),
    #[error("unsupported content encoding \"{0}\"")]
    Encoding(String),
    #[error("the body is not valid {0}")]
    Compressed(&'static str),
    #[error("the body did not come: {0}")]
    CutOff(String),
    #[error("the body came too slowly: {received} bytes in {seconds} s")]
    Slow { received: u64, seconds: u64 },
}

impl BadRequest {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::TooManyParameters(_) => 413,
            Self::Charset(_) | Self::Encoding(_) => 415,
            Self::Compressed(_) | Self::CutOff(_) | Self::Host => 400,
            Self::TransferCoding(_) => 501,
            Self::Slow { .. } => 408,
        }
    }
}

/// Refuses what another server before us may have understood differently. (hyper refuses the rest.)
pub(crate) fn check_head(version: Version, headers: &HeaderMap) -> Result<(), BadRequest> {
    if version == Version::HTTP_11 {
        let mut hosts = headers.get_all(HOST).iter();
        if hosts.next().is_none() || hosts.next().is_some() {
            return Err(BadRequest::Host);
        }
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(one), None) => Err(BadRequest::TransferCoding(latin(one.as_bytes()).into())),
        (Some(_), Some(_)) => Err(BadRequest::TransferCoding("given twice".into())),
    }
}

/// A request's body, as far as it is read.
pub(crate) enum Received {
    /// All of it.
    Whole(Bytes),
    /// Its beginning: the rest is better passed on as it comes.
    Beginning(Bytes),
}

/// Reads the body, or its beginning if it is long and need not be there `whole`, and says what it is. `head` gets its content, charset and split.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    upload: &mut Upload,
    whole: bool,
    head: &mut RequestHead,
) -> Result<Received, BadRequest> {
    if upload.is_empty() {
        return Ok(Received::Whole(Bytes::new()));
    }
    let content_type = ContentType::of(headers);
    let most = if !whole && passes_through(headers, content_type.content) { MAX_INLINE_BODY } else { usize::MAX };
    let received = match upload.collect(headers, most).await? {
        Received::Whole(raw) => Received::Whole(decompress(headers, raw, upload.limit()).await?),
        beginning => beginning,
    };
    match received {
        Received::Whole(raw) if raw.is_empty() => Ok(Received::Whole(raw)),
        Received::Whole(raw) => {
            let body = content_type.describe(raw, head)?;
            head.length = (body.len() > MAX_INLINE_BODY).then_some(body.len());
            Ok(Received::Whole(body))
        }
        Received::Beginning(raw) => {
            head.length = upload.length();
            content_type.describe(raw, head).map(Received::Beginning)
        }
    }
}

/// Whether nobody here has to see the whole body. What is read here (a form, what is compressed) is collected first.
fn passes_through(headers: &HeaderMap, content: Content) -> bool {
    content != Content::Form && headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
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

/// What a request says its body is.
struct ContentType {
    content: Content,
    charset: Option<String>,
}

impl ContentType {
    fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let content = match essence.as_str() {
            "application/json" => Content::Json,
            "application/x-www-form-urlencoded" => Content::Form,
            "multipart/form-data" => Content::Multipart,
            "application/xml" | "application/javascript" | "application/graphql" | "image/svg+xml" => Content::Text,
            _ if essence.ends_with("+json") => Content::Json,
            _ if essence.ends_with("+xml") || essence.starts_with("text/") => Content::Text,
            _ => Content::Binary,
        };
        Self { content, charset: charset(parameters) }
    }

    /// Says it in `head`. Answers with what the handler's side gets.
    fn describe(self, raw: Bytes, head: &mut RequestHead) -> Result<Bytes, BadRequest> {
        head.content = self.content;
        match self.content {
            Content::Json | Content::Form => {
                if let Some(charset) =
                    self.charset.filter(|name| !matches!(name.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii"))
                {
                    return Err(BadRequest::Charset(charset));
                }
            }
            Content::Text => {
                if let Some(name) = self.charset {
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
        let body = ContentType::of(&headers).describe(Bytes::from_static(body.as_bytes()), &mut head)?;
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
