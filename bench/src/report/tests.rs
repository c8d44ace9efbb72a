use super::*;
use crate::calm::Elsewhere;
use crate::report::figure::Figure;

fn section() -> Section {
    let mut grid = Grid::new(&["p50"]);
    grid.row("motia", vec!["380 µs".into()]);
    Section {
        heading: "One at a time".into(),
        grid,
        bars: vec![Bar::at_most(
            "emit to handler",
            Figure::Duration(Duration::from_micros(380)),
            Figure::Duration(Duration::from_millis(2)),
        )],
        calibration: vec!["25,000 POST/s at 64".into()],
        ..Section::default()
    }
}

fn report() -> Report {
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
            length: Duration::from_secs(2),
            warm_up: Duration::from_secs(1),
            rounds: 5,
            settle: Duration::from_secs(10),
            starts: 6,
            connections: vec![1, 64],
            saves: 60,
            events: 10_000,
            singles: 300,
            many: 1_000_000,
            calls: 1_000_000,
            quick: false,
        },
        parts: vec![
            Measured { title: "Latency of events", outcome: Ok(vec![section()]) },
            Measured { title: "Reload", outcome: Err("motia did not answer\n".into()) },
        ],
        took: Duration::from_secs(1741),
    }
}

#[test]
fn a_report_says_where_how_and_what() {
    let expected = "\
- 2026-11-23 13:00:05 UTC, motia 0.1.0 at 71d6af016d, Node v20.20.2
- AMD EPYC, 2 cores, 24 GiB, Linux 6.1.0; load average 0.10 before
- 5 interleaved rounds of 2s after 1s of warm-up; each figure is the median of its rounds; 30 minutes in all
- At the most 0 % of the machine went to other processes, 0 % to other machines
- Calibration: fdatasync of 4 KiB 180 µs; node:http 25,000 POST/s at 64

### Bars

| | figure | bar | |
|---|---:|---:|---:|
| emit to handler | 380 µs | ≤ 2 ms | met |

### Latency of events

#### One at a time

| | p50 |
|---|---:|
| motia | 380 µs |

- emit to handler: 380 µs, bar ≤ 2 ms: met

### Reload

**Failed**, so there are no figures:

```
motia did not answer
```
";
    assert_eq!(report().markdown(), expected);
    assert!(report().failed());
}

fn of_section(change: impl Fn(&mut Section)) -> String {
    let mut section = section();
    change(&mut section);
    Report { parts: vec![Measured { title: "Part", outcome: Ok(vec![section]) }], ..report() }.markdown()
}

#[test]
fn a_machine_that_was_not_calm_is_said() {
    assert!(!of_section(|_| ()).contains("not calm"));
    for elsewhere in [Elsewhere { foreign: 0.2, stolen: 0.0 }, Elsewhere { foreign: 0.0, stolen: 0.2 }] {
        let text = of_section(|section| section.elsewhere = elsewhere);
        assert!(text.starts_with("**The machine was not calm"), "{text}");
    }
}

#[test]
fn without_bars_there_is_no_table_of_them() {
    assert!(!of_section(|section| section.bars.clear()).contains("### Bars"));
}

#[test]
fn a_run_that_says_nothing_is_said() {
    assert!(!report().markdown().contains("say nothing"));
    let mut debug = report();
    debug.setting.debug = true;
    assert!(debug.markdown().starts_with("**motia is a debug build"));
    let mut quick = report();
    quick.method.quick = true;
    assert!(quick.markdown().starts_with("**A quick run"));
    let mut slow = report();
    slow.setting.fdatasync = Duration::from_micros(900);
    assert!(slow.markdown().contains("The disk is slower than the reference"));
}

#[test]
fn a_report_goes_between_the_marks_of_a_file() {
    let file = "before\n<!-- table -->\n\nold\n\n<!-- /table -->\nafter\n";
    let new = "before\n<!-- table -->\n\nnew\n\n<!-- /table -->\nafter\n";
    assert_eq!(put_into(file, "new\n").as_deref(), Some(new));
    assert_eq!(put_into(new, "new\n").as_deref(), Some(new));
    assert_eq!(put_into("<!-- table -->", "new"), None);
}
