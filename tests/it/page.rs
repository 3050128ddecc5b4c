//! The server of the page, asked as a browser would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::common::harness::run_slow_batches;
use serde_json::Value;
use streamflow::ManualClock;
use streamflow::testing::{Driver, IoFailure, SimulatedFs};

/// What a markup-hungry page would stumble over.
const HOSTILE: &str = "</script><script>alert(1)</script>\u{0}\u{1b}[31m\"'&<img src=x onerror=alert(1)>";

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }
}

fn request(address: SocketAddr, host: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn ask(address: SocketAddr, host: &str, path: &str) -> Reply {
    let mut text = String::new();
    request(address, host, path).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn get(test: &Driver, path: &str) -> Reply {
    ask(test.context().ui_address().unwrap(), "localhost", path)
}

/// A driver with the page on a port of the system's choice.
fn watched() -> Driver {
    Driver::with(|builder| builder.ui("127.0.0.1:0")).unwrap()
}

/// Asks until an answer is as it should be: the listeners' thread may lag behind the batches.
fn until(test: &Driver, path: &str, done: impl Fn(&Reply) -> bool) -> Reply {
    for _ in 0..10_000 {
        let reply = get(test, path);
        if done(&reply) {
            return reply;
        }
        std::thread::yield_now();
    }
    panic!("{path} never was as it should be: {}", get(test, path).body);
}

fn completed(count: usize) -> impl Fn(&Reply) -> bool {
    move |reply| reply.json()["completed"].as_array().unwrap().len() == count
}

#[test]
fn the_page_and_its_data_are_served() {
    let mut test = watched();
    let numbers = test.input(vec![vec![1, 2, 3], vec![4]]);
    test.output(&numbers.transform(|batch| batch.map(|n| n * 2)));
    test.run_batches(2).unwrap();

    for (path, kind) in [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")] {
        let reply = get(&test, path);
        assert_eq!(reply.status, 200);
        assert!(reply.head.contains(&format!("content-type: {kind}; charset=utf-8")), "{}", reply.head);
        assert!(
            reply.head.contains("content-security-policy: default-src 'none'; script-src 'self';"),
            "{}",
            reply.head
        );
        assert!(reply.head.contains("x-content-type-options: nosniff"));
    }
    let batches = until(&test, "/api/batches", completed(2)).json();
    assert_eq!(batches["completed"][0]["records"], 3);
    assert_eq!(batches["completed"][1]["time"], 2_000);
    assert_eq!(get(&test, "/api/batches?last=1").json()["completed"].as_array().unwrap().len(), 1);

    let batch = get(&test, "/api/batches/1000").json();
    assert_eq!(batch["output_operations"][0]["failure"], Value::Null);
    assert!(batch["work"].as_array().unwrap().iter().any(|work| work["parts"].as_array().unwrap().len() == 2));
    assert_eq!(get(&test, "/api/batches/1234").status, 404);
    assert_eq!(get(&test, "/api/batches/never").status, 404);

    let status = get(&test, "/api/status").json();
    assert_eq!((&status["name"], &status["batches"]["records"]), (&"test".into(), &4.into()));
    assert!(get(&test, "/metrics").body.contains("streamflow_batches_completed_total 2"));
    assert_eq!(get(&test, "/health").status, 200);
    assert_eq!(get(&test, "/nothing").status, 404);
}

#[test]
fn the_graph_is_that_of_explain() {
    let mut test = watched();
    let numbers = test.input(vec![vec![1]]);
    test.output(&numbers.transform(|batch| batch.map(|n| n * 2)));
    test.output(&numbers);
    test.run_batches(1).unwrap();
    let topology = get(&test, "/api/topology").json();
    let dot = test.context().explain().to_dot();
    let vertices = topology["vertices"].as_array().unwrap();
    assert_eq!(vertices.len(), dot.matches("[shape=").count() - 1, "one for each box, and the default of all boxes");
    for vertex in vertices {
        assert!(dot.contains(&format!("  {} [shape=", vertex["id"].as_str().unwrap())), "{vertex}");
    }
    assert_eq!(topology["edges"].as_array().unwrap().len(), dot.matches(" -> ").count());
}

#[test]
fn what_comes_from_the_program_stays_text() {
    let mut test = watched();
    let input = test.context().source(HOSTILE, Hostile).unwrap();
    test.output(&input);
    assert_eq!(test.try_run_batches(1).unwrap().len(), 1);
    until(&test, "/api/batches", completed(1));

    let reply = get(&test, "/api/status");
    assert!(!reply.body.contains('\u{0}') && !reply.body.contains('\u{1b}'), "control characters are escaped");
    let status = reply.json();
    assert_eq!(status["inputs"][0]["name"], HOSTILE);
    let error = status["inputs"][0]["error"].as_str().unwrap();
    assert!(error.contains("<script>") && error.len() < 10_000, "a record of a megabyte is cut: {} bytes", error.len());
    assert!(reply.body.len() < 50_000);
    assert_eq!(get(&test, "/api/topology").json()["vertices"][0]["lines"][0], HOSTILE);
    let batch = get(&test, "/api/batches/1000");
    assert!(batch.json()["output_operations"][0]["failure"].as_str().unwrap().contains("<script>"));
    assert!(get(&test, "/metrics").body.contains("streamflow_input_errors_total"));
    assert!(!get(&test, "/").body.contains("alert(1)"));
}

#[test]
fn checkpoints_logs_and_recovery_are_shown() {
    let (mut files, clock) = (SimulatedFs::new(1), ManualClock::new());
    for start in 0..2 {
        let mut test = Driver::with_clock(clock.clone(), |builder| {
            let builder = builder.ui("127.0.0.1:0").simulated_files(&files).checkpoint("dir");
            builder.checkpoint_interval(Duration::from_secs(2))
        })
        .unwrap();
        test.output(&test.input(vec![vec![1]; 9]));
        (0..3).for_each(|_| test.run_batches(1).unwrap());
        until(&test, "/api/batches", |reply| reply.json()["completed"].as_array().unwrap().len() >= 3);
        let status = get(&test, "/api/status").json();
        let (last, figures) = (&status["checkpoints"]["last"], test.context().metrics());
        let written = figures.checkpoints.last.unwrap();
        assert_eq!((&last["time"], &last["bytes"]), (&[2_000, 6_000][start].into(), &written.bytes.into()));
        assert_eq!((&last["generations"], &last["kept_bytes"]), (&(start + 1).into(), &written.kept_bytes.into()));
        assert_eq!((&last["failure"], &status["checkpoints"]["failed"]), (&Value::Null, &0.into()));
        let log = &status["logs"][0];
        assert_eq!((&log["name"], &log["bytes"]), (&"batches".into(), &figures.logs[0].bytes.into()));
        let recovery = &status["recovery"];
        if start == 0 {
            assert_eq!(recovery, &Value::Null);
        } else {
            assert_eq!((&recovery["checkpoint"], &recovery["batches"]), (&2_000.into(), &1.into()));
            assert_eq!((&recovery["outputs_due"], &recovery["missed"]), (&0.into(), &0.into()));
        }
        drop(test);
        files = files.restart();
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_shown() {
    let start = |files: &SimulatedFs| {
        let mut test = Driver::with(|builder| {
            let builder = builder.ui("127.0.0.1:0").simulated_files(files).checkpoint("dir");
            builder.checkpoint_interval(Duration::from_secs(1))
        })
        .unwrap();
        test.output(&test.input(vec![vec![1]]));
        test.run_batches(1).unwrap();
        test
    };
    let files = SimulatedFs::new(1);
    drop(start(&files));
    let is_manifest = |n: &u64| files.operation(*n).is_some_and(|what| what.contains("manifest-"));
    let manifest = (0..files.operations()).find(is_manifest).unwrap();

    let files = SimulatedFs::new(1);
    files.fail_at(manifest, IoFailure::NoSpace);
    let test = start(&files);
    let status = until(&test, "/api/status", |reply| reply.json()["errors"] != Value::Array(Vec::new())).json();
    assert_eq!((&status["errors"][0]["place"], &status["errors"][0]["time"]), (&"checkpoint".into(), &1_000.into()));
    let figures = &status["checkpoints"];
    assert_eq!((&figures["failed"], &figures["last"]), (&1.into(), &Value::Null));
    assert!(figures["last_failed"]["failure"].as_str().unwrap().contains("no space left"), "{figures}");
}

#[test]
fn late_batches_and_warnings_are_shown() {
    let mut test = watched();
    run_slow_batches(&mut test, 12);
    let status = until(&test, "/api/status", |reply| reply.json()["warnings"] != Value::Array(Vec::new())).json();
    assert!(status["batches"]["late"].as_u64().unwrap() > 0);
    let warning = status["warnings"][0]["text"].as_str().unwrap();
    assert!(warning.starts_with("batches take longer than their interval"), "{warning}");
    let late = |reply: &Reply| reply.json()["completed"].as_array().unwrap().iter().any(|row| row["late"] == true);
    until(&test, "/api/batches", late);
}

/// Fails with an error that quotes a long line.
struct Hostile;

impl streamflow::source::Source for Hostile {
    type Record = u32;
    type Range = ();
    fn next_range(&mut self, _: streamflow::BatchTime) -> streamflow::Result<()> {
        Ok(())
    }
    fn read(&mut self, _: &()) -> streamflow::Result<Vec<Vec<u32>>> {
        Err(streamflow::Error::input(HOSTILE.repeat(10_000)))
    }
}

#[test]
fn health_says_when_the_program_is_behind() {
    let mut test = watched();
    let (began, began_rx): (Sender<()>, Receiver<()>) = channel();
    let (go_on, go_on_rx): (Sender<()>, Receiver<()>) = channel();
    let (began, go_on_rx) = (Mutex::new(began), Mutex::new(go_on_rx));
    test.input(vec![vec![1]]).foreach_batch(move |_| {
        began.lock().unwrap().send(()).unwrap();
        go_on_rx.lock().unwrap().recv().unwrap();
    });
    test.context().start().unwrap();
    let clock = test.clock().clone();
    clock.advance(Duration::from_secs(1));
    began_rx.recv().unwrap();
    assert_eq!(get(&test, "/health").status, 200);
    clock.advance(Duration::from_secs(5));
    let behind = until(&test, "/health", |reply| reply.status == 503).json();
    assert_eq!((&behind["keeps_up"], &behind["lag"]), (&false.into(), &5_000.into()));
    (0..6).for_each(|_| go_on.send(()).unwrap());
    test.run_batches(0).unwrap();
    until(&test, "/health", |reply| reply.status == 200);
}

#[test]
fn a_taken_port_gives_way_to_the_next() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut test = Driver::with(|builder| builder.ui(format!("127.0.0.1:{port}"))).unwrap();
    test.output(&test.input(vec![vec![1]]));
    assert_eq!(test.context().ui_address(), None, "nothing is served before the start");
    test.run_batches(1).unwrap();
    let found = test.context().ui_address().unwrap();
    assert!(found.port() > port && found.port() <= port + 16, "{found}");
    assert_eq!(get(&test, "/health").status, 200);
    test.context().stop().unwrap();
    assert_eq!(test.context().ui_address(), None);
    assert!(TcpStream::connect(found).is_err(), "the server is gone with the context");
}

#[test]
fn strangers_are_refused() {
    let mut test = watched();
    test.output(&test.input(vec![vec![1]]));
    test.run_batches(1).unwrap();
    let address = test.context().ui_address().unwrap();
    assert_eq!(ask(address, "rebound.example.org", "/api/status").status, 403);
    assert_eq!(ask(address, "127.0.0.1:4040", "/api/status").status, 200);
    let error = Driver::with(|builder| builder.ui("nowhere")).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:4040"), "{error}");
}

#[test]
fn changes_are_sent_as_they_come_and_end_with_the_context() {
    let mut test = watched();
    test.output(&test.input(vec![vec![1, 2], vec![3]]));
    test.run_batches(1).unwrap();
    let address = test.context().ui_address().unwrap();
    let mut events = BufReader::new(request(address, "localhost", "/events?after=0")).lines().map(|line| line.unwrap());
    let mut batches_of_next = || {
        let data = events.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
        serde_json::from_str::<Value>(&data).unwrap()["rows"]["completed"].as_array().unwrap().clone()
    };
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen.extend(batches_of_next());
    }
    test.run_batches(1).unwrap();
    while seen.len() < 2 {
        seen.extend(batches_of_next());
    }
    let times: Vec<&Value> = seen.iter().map(|row| &row["time"]).collect();
    assert_eq!(times, [&Value::from(1_000), &Value::from(2_000)], "each batch comes once");
    test.context().stop().unwrap();
    assert!(events.all(|line| !line.starts_with("data: ")), "the stream ends");
}
