use super::*;

fn summary(rate: f64, p50: u64) -> Summary {
    Summary {
        rate,
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(3 * p50),
        spread: 0.034,
        root_micros: 21.4,
        below_micros: 0.0,
        generator_micros: 8.0,
        refused: 0,
        broken: 0,
    }
}

fn row(name: &'static str, title: &'static str, summary: Summary, checks: bool) -> Row {
    Row { name, title, summary, checks_bodies: Some(checks) }
}

fn report() -> Report {
    let ours = Summary { below_micros: 19.0, ..summary(30_123.0, 900) };
    let broken = Summary { refused: 7, broken: 1, ..summary(9_000.0, 900) };
    Report {
        setting: Setting {
            date: "2026-11-23 13:00:05 UTC".into(),
            commit: "71d6af016d".into(),
            processor: "AMD EPYC".into(),
            cores: 2,
            memory: 25_276_000_000,
            kernel: "6.1.0".into(),
            load_average: "0.10".into(),
            node: "v20.20.2".into(),
            motia: "motia 0.1.0".into(),
            debug: false,
            fdatasync: Duration::from_micros(180),
        },
        method: Method {
            length: Duration::from_secs(3),
            warm_up: Duration::from_secs(2),
            rounds: 5,
            settle: Duration::from_secs(10),
            starts: 6,
            connections: vec![1, 64],
        },
        footprints: vec![Footprint {
            title: "motia",
            first: Duration::from_millis(170),
            ready: Duration::from_millis(140),
            memory: 100 << 20,
            processes: 3,
        }],
        tables: vec![Table {
            heading: "POST /orders".into(),
            body_length: 199,
            connections: 64,
            rows: vec![
                row(MOTIA, "motia", ours, false),
                row(NODE_HTTP, "node:http + Ajv", summary(25_000.0, 1_200), true),
                row(FASTIFY, "Fastify + Ajv", summary(20_000.0, 1_500), true),
                row("express", "Express + Ajv", broken, true),
            ],
            foreign: 0.012,
            stolen: 0.0,
        }],
    }
}

#[test]
fn a_report_says_where_how_and_what() {
    let expected = "\
- 2026-11-23 13:00:05 UTC, motia 0.1.0 at 71d6af016d, Node v20.20.2
- AMD EPYC, 2 cores, 24 GiB, Linux 6.1.0; load average 0.10 before
- 5 interleaved rounds of 3s after 2s of warm-up; each figure is the median of its rounds
- Calibration: fdatasync of 4 KiB 180 µs; node:http 25,000 POST/s at 64

#### POST /orders, 199 bytes of JSON, 64 connections

| | requests/s | × Fastify | × node:http | p50 | p50 − Fastify's | p99 | spread | CPU per request |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
| motia | 30,123 | 1.51 | 1.20 | 900 µs | -600 µs | 2.70 ms | 3 % | 21 + 19 µs |
| node:http + Ajv | 25,000 | 1.25 | 1.00 | 1.20 ms | -300 µs | 3.60 ms | 3 % | 21 µs |
| Fastify + Ajv | 20,000 | 1.00 | 0.80 | 1.50 ms | – | 4.50 ms | 3 % | 21 µs |
| Express + Ajv | **invalid**: 7 answers with a wrong status, 1 broken connections | | | | | | | |

**motia did not refuse a body that breaks the schema; the others did.** Checking it is work that is missing here.

CPU is of the server's processes, the first + those below it (motia: engine + workers); the load itself takes 8 µs more. \
Meanwhile 1 % of the machine went to other processes, 0 % to other machines.

#### Start and memory, each alone on the machine

Ready is from exec to the first 200. Memory is the PSS of all processes, 10s after a load of both requests.

| | first start | ready (median of 5) | memory | processes |
|---|---:|---:|---:|---:|
| motia | 170 ms | 140 ms | 100 MiB | 3 |
";
    assert_eq!(report().markdown(), expected);
}

#[test]
fn without_a_valid_peer_there_are_no_ratios() {
    let mut report = report();
    report.tables[0].rows.remove(2);
    let text = report.markdown();
    assert!(text.contains("| motia | 30,123 | – | 1.20 | 900 µs | – |"), "{text}");
}

#[test]
fn a_machine_that_was_not_calm_is_said() {
    for share in [|table: &mut Table| table.foreign = 0.2, |table: &mut Table| table.stolen = 0.2] {
        let mut report = report();
        share(&mut report.tables[0]);
        assert!(report.markdown().starts_with("**The machine was not calm"));
    }
}

#[test]
fn a_debug_build_is_said() {
    let mut report = report();
    assert!(!report.markdown().contains("debug"));
    report.setting.debug = true;
    assert!(report.markdown().starts_with("**motia is a debug build"));
}

#[test]
fn a_report_goes_between_the_marks_of_a_file() {
    let file = "before\n<!-- table -->\n\nold\n\n<!-- /table -->\nafter\n";
    let new = "before\n<!-- table -->\n\nnew\n\n<!-- /table -->\nafter\n";
    assert_eq!(put_into(file, "new\n").as_deref(), Some(new));
    assert_eq!(put_into(new, "new\n").as_deref(), Some(new));
    assert_eq!(put_into("<!-- table -->", "new"), None);
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [(7.4, "7"), (999.0, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
        assert_eq!(thousands(number), text);
    }
}
