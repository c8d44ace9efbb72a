//! What is asked of every candidate of a comparison, and what each must answer.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::candidate::ENFORCE;
use crate::client::{self, Body};

/// Stands for the number of the connection in a path.
const CONNECTION: &str = "{connection}";

/// One request that the load repeats.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// As `--only` and progress name it.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    /// `{connection}` stands for the number of the connection that asks.
    pub(crate) path: &'static str,
    pub(crate) body: Body,
    /// A body that a candidate which checks bodies refuses.
    bad_body: Option<Value>,
    /// What every candidate answers.
    pub(crate) status: u16,
    answer: Answer,
    /// Candidates to which it would be the same question as to another one.
    pub(crate) without: &'static [&'static str],
}

/// What an answer must be.
#[derive(Clone, Debug)]
enum Answer {
    Exactly(Value),
    /// An object with a number in this member.
    Counts(&'static str),
}

impl Scenario {
    /// The least that a server can do.
    pub(crate) fn get() -> Self {
        Self {
            name: "GET",
            method: "GET",
            path: "/hello",
            body: Body::None,
            bad_body: None,
            status: 200,
            answer: Answer::Exactly(json!({ "hello": "world" })),
            without: &[ENFORCE],
        }
    }

    /// An order of about 200 bytes.
    pub(crate) fn post() -> Self {
        Self {
            name: "POST",
            method: "POST",
            path: "/orders",
            body: Body::Json(order(json!(2))),
            bad_body: Some(order(json!("two"))),
            status: 201,
            answer: Answer::Exactly(json!({ "status": "accepted", "customer": "c_81f3a2", "items": 2, "total": 4497 })),
            without: &[],
        }
    }

    /// The last of the generated routes.
    pub(crate) fn last_route() -> Self {
        Self {
            name: "last-route",
            path: "/routes/last",
            answer: Answer::Exactly(json!({ "route": "last" })),
            ..Self::get()
        }
    }

    /// A megabyte of JSON.
    pub(crate) fn json() -> Self {
        let item = |n: usize| json!({ "sku": format!("A-{n:08}"), "quantity": n % 10, "note": "by the door, please" });
        // 64 bytes each.
        let items: Vec<Value> = (0..1024 * 1024 / 64).map(item).collect();
        let length = items.len();
        Self {
            name: "1MB",
            method: "POST",
            path: "/items",
            body: Body::Json(json!({ "items": items })),
            answer: Answer::Exactly(json!({ "length": length })),
            ..Self::get()
        }
    }

    /// Eight megabytes that nobody parses.
    pub(crate) fn bytes() -> Self {
        let length = 8 * 1024 * 1024;
        Self {
            name: "8MB",
            method: "POST",
            path: "/bytes",
            body: Body::Bytes(length),
            answer: Answer::Exactly(json!({ "length": length })),
            ..Self::get()
        }
    }

    /// A counter that is read and written, one for each connection.
    pub(crate) fn count() -> Self {
        Self {
            name: "count",
            method: "POST",
            path: "/counters/{connection}",
            answer: Answer::Counts("count"),
            ..Self::get()
        }
    }

    /// The bytes that each connection sends.
    pub(crate) fn requests(&self, connections: usize) -> Vec<Arc<[u8]>> {
        let request = |path: &str| -> Arc<[u8]> { client::request(self.method, path, &self.body).into() };
        if self.path.contains(CONNECTION) {
            (0..connections).map(|number| request(&self.path.replace(CONNECTION, &number.to_string()))).collect()
        } else {
            vec![request(self.path); connections]
        }
    }

    /// The bytes of a request that should be refused; none where there is nothing to refuse.
    pub(crate) fn bad_request(&self) -> Option<Vec<u8>> {
        let body = self.bad_body.clone()?;
        Some(client::request(self.method, self.path, &Body::Json(body)))
    }

    /// Whether a candidate answered what all must answer.
    pub(crate) fn check(&self, status: u16, body: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(body);
        ensure!(status == self.status, "{} is answered by {status}: {text}", self.name);
        let found: Value = serde_json::from_slice(body).with_context(|| format!("not JSON: {text}"))?;
        match &self.answer {
            Answer::Exactly(expected) => {
                ensure!(found == *expected, "{} is answered by {found} instead of {expected}", self.name);
            }
            Answer::Counts(member) => {
                ensure!(found[member].is_number(), "{} is answered by {found}, without '{member}'", self.name);
            }
        }
        Ok(())
    }
}

fn order(quantity: Value) -> Value {
    let item = |sku: &str, quantity, price| json!({ "sku": sku, "quantity": quantity, "price": price });
    json!({
        "customer": "c_81f3a2",
        "currency": "EUR",
        "note": "leave it with the neighbour at number 12, please",
        "items": [item("A-1007", quantity, json!(1999)), item("B-2051", json!(1), json!(499))],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[test]
    fn bodies_are_as_long_as_they_should_be() {
        let length = |scenario: &Scenario| scenario.body.bytes().len();
        assert!((180..=220).contains(&length(&Scenario::post())), "{}", length(&Scenario::post()));
        let json = length(&Scenario::json());
        assert!(json.abs_diff(1024 * 1024) < 50_000, "about 1 MiB, not {json}");
        assert_eq!(length(&Scenario::bytes()), 8 << 20);
        assert_eq!(length(&Scenario::get()), 0);
    }

    #[test]
    fn only_orders_can_be_bad() {
        assert!(text(&Scenario::post().bad_request().expect("one")).contains("\"two\""));
        assert!(Scenario::get().bad_request().is_none());
    }

    #[test]
    fn connections_share_a_request_unless_their_number_is_in_it() {
        let same = Scenario::post().requests(3);
        assert!(same.len() == 3 && Arc::ptr_eq(&same[0], &same[2]));
        let counters = Scenario::count().requests(2);
        assert!(text(&counters[0]).starts_with("POST /counters/0 "));
        assert!(text(&counters[1]).starts_with("POST /counters/1 "));
    }

    #[test]
    fn answers_are_checked() {
        assert!(Scenario::get().check(200, b"{\"hello\": \"world\"}").is_ok());
        assert!(Scenario::get().check(201, b"{\"hello\": \"world\"}").is_err());
        assert!(Scenario::get().check(200, b"{\"hello\": \"you\"}").is_err());
        assert!(Scenario::count().check(200, b"{\"count\": 7}").is_ok());
        assert!(Scenario::count().check(200, b"{\"count\": \"7\"}").is_err());
        assert!(Scenario::count().check(200, b"count").is_err());
    }
}
