//! Inputs and outputs through a context.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::listener::{ReceiverInfo, StreamingListener};
use streamflow::source::{BadLines, FileOptions, Queue, Receiver, SendError, SocketOptions, Store};
use streamflow::testing::Driver;
use streamflow::{DStream, Error, ErrorKind, Result, StreamingContext};

/// Collects the lines of a stream.
fn lines_of(stream: &DStream<str>) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    stream.foreach_batch(move |batch| seen.lock().unwrap().extend(batch.iter().map(str::to_owned)));
    lines
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn a_queue_gives_one_collection_or_all() {
    let mut test = Driver::new().unwrap();
    let queues = [Queue::from_iter([vec![1], vec![2, 3]]), Queue::from_iter([vec![1], vec![2, 3]])];
    let one = test.output(&test.context().queue_stream(queues[0].clone(), true).unwrap());
    let all = test.output(&test.context().queue_stream(queues[1].clone(), false).unwrap());
    test.run_batches(1).unwrap();
    queues.iter().for_each(|queue| queue.push(vec![4]));
    test.run_batches(3).unwrap();
    assert_eq!(one.batches(), [vec![1], vec![2, 3], vec![4], vec![]]);
    assert_eq!(all.batches(), [vec![1, 2, 3], vec![4], vec![], vec![]]);
}

#[test]
fn a_channel_is_drained_by_a_graceful_stop_and_then_closed() {
    let mut test = Driver::new().unwrap();
    let (sender, stream) = test.context().channel::<u32>(10).unwrap();
    let out = test.output(&stream);
    sender.send(1).unwrap();
    test.run_batches(1).unwrap();
    sender.send(2).unwrap();
    sender.send(3).unwrap();
    test.stop_gracefully().unwrap();
    assert_eq!(out.batches().concat(), [1, 2, 3]);
    assert_eq!(sender.send(4), Err(SendError::Closed(4)));
    assert_eq!(test.context().channel::<u32>(1).unwrap_err().kind(), ErrorKind::IllegalState);
}

/// Stores two records, fails, and goes on; stores one more when it is stopped.
struct Moody {
    calls: u32,
}

impl Receiver for Moody {
    type Record = u32;

    fn receive(&mut self, store: &Store<u32>) -> Result<()> {
        self.calls += 1;
        store.store_many([self.calls * 10, self.calls * 10 + 1])?;
        if self.calls == 1 {
            return Err(Error::input("bad mood"));
        }
        while store.wait(Duration::from_secs(1)) {}
        store.store(99)
    }
}

#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: &str, receiver: &ReceiverInfo) {
        self.0.lock().unwrap().push(format!("{what} {}", receiver.name));
    }
}

impl StreamingListener for Diary {
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        self.note("started", receiver);
    }
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        self.note("error", receiver);
    }
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        self.note("stopped", receiver);
    }
}

#[test]
fn a_receiver_is_started_again_and_loses_nothing_in_a_graceful_stop() {
    let mut test = Driver::new().unwrap();
    let diary = Diary::default();
    test.context().add_listener(diary.clone());
    let out = test.output(&test.context().receiver_stream("moody", Moody { calls: 0 }).unwrap());
    test.run_batches(1).unwrap();
    while out.batches().concat().len() < 4 {
        test.run_batches(1).unwrap();
        std::thread::yield_now();
    }
    test.stop_gracefully().unwrap();
    assert_eq!(out.batches().concat(), [10, 11, 20, 21, 99]);
    let told = diary.0.lock().unwrap().clone();
    assert_eq!(told, ["started moody", "error moody", "started moody", "stopped moody"]);
}

fn live() -> StreamingContext {
    StreamingContext::builder("live").batch_interval(Duration::from_millis(10)).threads(2).build().unwrap()
}

#[test]
fn lines_from_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ctx = live();
    let lines = lines_of(&ctx.socket_text_stream(&listener.local_addr().unwrap().to_string()).unwrap());
    ctx.start().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    for number in 1..=5 {
        writeln!(peer, "line {number}").unwrap();
    }
    until(|| lines.lock().unwrap().len() == 5);
    ctx.stop_gracefully().unwrap();
    assert_eq!(*lines.lock().unwrap(), ["line 1", "line 2", "line 3", "line 4", "line 5"]);
}

#[test]
fn a_line_that_must_not_be_stops_the_program_after_the_lines_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ctx = live();
    let options = SocketOptions::new().bad_lines(BadLines::Stop);
    let stream = ctx.socket_text_stream_with(&listener.local_addr().unwrap().to_string(), options).unwrap();
    let lines = lines_of(&stream);
    ctx.start().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"good\nb\xffd\n").unwrap();
    let error = ctx.await_termination().unwrap_err();
    assert!(format!("{error:?}").contains("not UTF-8"), "{error:?}");
    assert_eq!(*lines.lock().unwrap(), ["good"]);
}

#[test]
fn a_directory_of_files_to_a_directory_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let incoming = dir.path().join("in");
    std::fs::create_dir(&incoming).unwrap();
    let mut test = Driver::new().unwrap();
    let lines = test.context().text_file_stream(incoming.to_str().unwrap()).unwrap();
    lines.save_as_text_files(dir.path().join("out").to_str().unwrap(), "txt");
    std::fs::write(incoming.join("a"), "to be\nor not\n").unwrap();
    let file = std::fs::File::options().write(true).open(incoming.join("a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(1_500)).unwrap();
    test.run_batches(3).unwrap();
    let saved = |millis: u32| std::fs::read_to_string(dir.path().join(format!("out-{millis}.txt/part-00000")));
    assert_eq!(saved(2_000).unwrap(), "to be\nor not\n");
    assert!(saved(1_000).is_err() && saved(3_000).is_err(), "empty batches have no partition");
    assert!(dir.path().join("out-3000.txt/_SUCCESS").exists());
}

#[test]
fn a_directory_that_is_not_there_makes_the_start_fail() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("in");
    let start = |path: &str| {
        let test = Driver::new().unwrap();
        test.context().text_file_stream(path).unwrap().print(1);
        test.context().start()
    };
    let error = start(missing.to_str().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(&format!("the directory `{}`", missing.display())), "{error}");
    assert!(error.to_string().contains("must_exist(false)"), "{error}");
    std::fs::write(&missing, "a file").unwrap();
    assert!(start(missing.to_str().unwrap()).unwrap_err().to_string().contains("cannot be listed"));
    start(dir.path().join("of-*/").to_str().unwrap()).unwrap();
}

/// Counts the errors of inputs that it hears of.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl StreamingListener for Errors {
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        self.0.lock().unwrap().push(format!("{:?}", receiver.last_error));
    }
}

#[test]
fn a_directory_that_appears_later_is_an_error_once_and_then_read() {
    let dir = tempfile::tempdir().unwrap();
    let later = dir.path().join("later");
    let mut test = Driver::new().unwrap();
    let heard = Errors::default();
    test.context().add_listener(heard.clone());
    let options = FileOptions::new().must_exist(false);
    let lines = lines_of(&test.context().text_file_stream_with(later.to_str().unwrap(), options).unwrap());
    test.run_batches(3).unwrap();
    assert_eq!(test.context().metrics().inputs[0].errors, 1, "three batches, one error");
    std::fs::create_dir(&later).unwrap();
    std::fs::write(later.join("a"), "to be\n").unwrap();
    let file = std::fs::File::options().write(true).open(later.join("a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(3_500)).unwrap();
    test.run_batches(1).unwrap();
    assert_eq!(*lines.lock().unwrap(), ["to be"]);
    test.context().stop().unwrap();
    let heard = heard.0.lock().unwrap();
    assert!(heard.len() == 1 && heard[0].contains("cannot list the files of"), "{heard:?}");
}
