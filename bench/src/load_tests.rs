use std::net::TcpListener;
use std::thread;

use motia_core::SystemClock;

use super::*;

/// Answers every request on every connection with this, until told to hang up after some.
fn serve(answer: &'static str, hang_up_after: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                for _ in 0..hang_up_after {
                    match stream.read(&mut buffer) {
                        Ok(read) if read > 0 => stream.write_all(answer.as_bytes()).expect("written"),
                        _ => return,
                    }
                }
            });
        }
    });
    address
}

fn short(target: SocketAddr, connections: usize) -> Load {
    let requests = vec![b"GET / HTTP/1.1\r\n\r\n".as_slice().into(); connections];
    let lead_in = Duration::from_millis(5);
    Load { lead_in, ..Load::new(target, requests, 200, Duration::from_millis(50)) }
}

fn run(load: &Load) -> Outcome {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    load.run(&clock).expect("run")
}

fn load(target: SocketAddr, connections: usize) -> Outcome {
    run(&short(target, connections))
}

#[test]
fn good_answers_are_counted_and_timed() {
    let target = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", usize::MAX);
    for connections in [1, 4] {
        let outcome = load(target, connections);
        assert!(outcome.latencies.total() > 0, "{connections} connections");
        assert!(outcome.answers > outcome.latencies.total(), "the lead-in is not timed");
        assert_eq!((outcome.refused, outcome.broken), (0, 0));
        assert!(outcome.latencies.quantile(0.5) > Duration::ZERO);
    }
}

#[test]
fn other_answers_are_refusals_and_not_timed() {
    let target = serve("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", usize::MAX);
    for connections in [1, 4] {
        let outcome = load(target, connections);
        assert_eq!((outcome.latencies.total(), outcome.broken), (0, 0));
        assert!(outcome.refused > 0);
    }
}

#[test]
fn connections_that_end_early_are_counted() {
    let target = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 3);
    for connections in [1, 4] {
        let outcome = load(target, connections);
        assert_eq!((outcome.broken, outcome.answers), (connections as u64, 3 * connections as u64));
    }
    let target = serve("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", usize::MAX);
    assert_eq!(load(target, 4).broken, 4);
}

#[test]
fn a_load_may_be_a_number_of_questions() {
    let target = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", usize::MAX);
    for connections in [1, 4] {
        let most = 10;
        let outcome = run(&Load { most, length: Duration::from_secs(10), ..short(target, connections) });
        assert_eq!((outcome.answers, outcome.broken), (10, 0), "{connections} connections");
    }
}

#[test]
fn a_load_can_be_stopped_and_can_rest() {
    let target = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", usize::MAX);
    for connections in [1, 4] {
        let stop = Arc::new(AtomicBool::new(true));
        let outcome = run(&Load { stop, length: Duration::from_secs(10), ..short(target, connections) });
        assert_eq!((outcome.answers, outcome.broken), (connections as u64, 0), "one answer each, then it ends");
        let pause = Duration::from_millis(20);
        let outcome = run(&Load { pause, ..short(target, connections) });
        assert!(outcome.answers <= 4 * connections as u64, "{} answers", outcome.answers);
    }
}
