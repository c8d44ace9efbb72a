//! What is asked of every candidate, and what each must answer.

use serde_json::{Value, json};

/// One request that the load repeats.
pub(crate) struct Scenario {
    /// As `--only` and the tables name it.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    body: Option<Value>,
    /// A body that a candidate which checks bodies refuses.
    bad_body: Option<Value>,
    /// What every candidate answers.
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

impl Scenario {
    /// All of them. Readiness is asked with the first.
    pub(crate) fn all() -> Vec<Self> {
        let item = |sku: &str, quantity, price| json!({ "sku": sku, "quantity": quantity, "price": price });
        let order = |quantity| {
            json!({
                "customer": "c_81f3a2",
                "currency": "EUR",
                "note": "leave it with the neighbour at number 12, please",
                "items": [item("A-1007", quantity, json!(1999)), item("B-2051", json!(1), json!(499))],
            })
        };
        vec![
            Self {
                name: "GET",
                method: "GET",
                path: "/hello",
                body: None,
                bad_body: None,
                status: 200,
                answer: json!({ "hello": "world" }),
            },
            Self {
                name: "POST",
                method: "POST",
                path: "/orders",
                body: Some(order(json!(2))),
                bad_body: Some(order(json!("two"))),
                status: 201,
                answer: json!({ "status": "accepted", "customer": "c_81f3a2", "items": 2, "total": 4497 }),
            },
        ]
    }

    /// The bytes of one request.
    pub(crate) fn request(&self) -> Vec<u8> {
        self.with_body(self.body.as_ref())
    }

    /// The bytes of a request that should be refused; none where there is nothing to refuse.
    pub(crate) fn bad_request(&self) -> Option<Vec<u8>> {
        self.bad_body.as_ref().map(|body| self.with_body(Some(body)))
    }

    /// How many bytes of JSON a request carries.
    pub(crate) fn body_length(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.to_string().len())
    }

    fn with_body(&self, body: Option<&Value>) -> Vec<u8> {
        let (method, path) = (self.method, self.path);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n");
        let text = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", text.len());
        }
        request += "\r\n";
        (request + &text).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole() {
        let all = Scenario::all();
        let text = |bytes| String::from_utf8(bytes).expect("text");
        assert_eq!(
            text(all[0].request()),
            "GET /hello HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
        );
        let post = text(all[1].request());
        let (head, body) = post.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!((180..=220).contains(&body.len()), "about 200 bytes, not {}", body.len());
        assert!(text(all[1].bad_request().expect("one")).contains("\"two\""));
        assert!(all[0].bad_request().is_none());
    }
}
