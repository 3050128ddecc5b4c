//! Outputs to SQLite: a batch is in the database once, wherever the program dies between database and log.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::sink::rusqlite::{Connection, types::FromSql};
use streamflow::sink::{Sink, SinkBatch, SqliteSink};
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{Clock, DStream, ErrorKind};

use super::World;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Row = (u64, u64);

/// Batches of a run; each has two records with its number.
const BATCHES: u64 = 6;

/// The files and the clock of a program, which a crash hits, and its database, which it does not: SQLite answers for that.
struct Place {
    world: World,
    database: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let place = Self { world: World::new(), database: scratch.path().join("out.db"), _scratch: scratch };
        place.execute(
            "CREATE TABLE rows (batch INTEGER, n INTEGER); CREATE TABLE sums (n INTEGER PRIMARY KEY, sum INTEGER)",
        );
        place
    }

    fn connection(&self) -> Connection {
        Connection::open(&self.database).unwrap()
    }

    fn execute(&self, statements: &str) {
        self.connection().execute_batch(statements).unwrap();
    }

    fn column<T: FromSql>(&self, query: &str) -> Vec<T> {
        let database = self.connection();
        let mut statement = database.prepare(query).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The batches of all rows: each twice if nothing is wrong.
    fn batches(&self) -> Vec<u64> {
        self.column("SELECT batch FROM rows ORDER BY batch")
    }

    /// After a crash, which loses of the engine's files what was not durable.
    fn recovered(self) -> Self {
        Self { world: World { files: self.world.files.recover(), clock: self.world.clock }, ..self }
    }
}

/// No loss of power is tried here, so nothing need be durable.
fn sink(database: &Path, output: &str, statement: &str) -> SqliteSink {
    SqliteSink::new(database, output, statement).setup("PRAGMA synchronous = OFF").busy_timeout(Duration::ZERO)
}

fn rows(database: &Path) -> SqliteSink {
    sink(database, "rows", "INSERT INTO rows VALUES (?1, ?2)")
}

fn sums(database: &Path) -> SqliteSink {
    sink(database, "sums", "INSERT INTO sums VALUES (?2, ?1) ON CONFLICT DO UPDATE SET sum = sum + excluded.sum")
}

fn numbers(driver: &Driver) -> DStream<Row> {
    driver.input((1..=BATCHES + 1).map(|batch| vec![(batch, 0), (batch, 1)]).collect())
}

fn twice(batches: impl IntoIterator<Item = u64>) -> Vec<u64> {
    batches.into_iter().flat_map(|batch| [batch, batch]).collect()
}

/// Lets the machine crash between the commit of one batch in the database and the next thing that the engine does.
struct CrashAfterCommit {
    sink: SqliteSink,
    files: SimulatedFs,
    at: u64,
}

impl Sink<Row> for CrashAfterCommit {
    type Staged = Vec<Row>;

    fn write(
        &self,
        batch: SinkBatch,
        partition: usize,
        rows: &mut dyn Iterator<Item = Row>,
    ) -> Result<Vec<Row>, BoxError> {
        self.sink.write(batch, partition, rows)
    }

    fn commit(&self, batch: SinkBatch, staged: Vec<Vec<Row>>) -> Result<(), BoxError> {
        self.sink.commit(batch, staged)?;
        if batch.time.as_millis() == self.at * 1_000 {
            self.files.crash_at(self.files.operations());
        }
        Ok(())
    }
}

#[test]
fn a_batch_that_the_database_has_and_the_log_has_not_is_left_out() {
    let place = Place::new();
    let mut driver = place.world.driver();
    let crashing = CrashAfterCommit { sink: rows(&place.database), files: place.world.files.clone(), at: 3 };
    numbers(&driver).to(crashing);
    let _ = driver.try_run_batches(5);
    drop(driver);
    assert!(place.world.files.has_crashed());
    assert_eq!(place.batches(), twice(1..=3));

    let place = place.recovered();
    let mut driver = place.world.driver();
    let seen = numbers(&driver);
    seen.clone().to(rows(&place.database));
    let reruns = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&reruns);
    seen.foreach_batch(move |batch| {
        if batch.is_rerun() {
            noted.lock().unwrap().push(batch.time().as_millis() / 1_000);
        }
    });
    driver.run_batches(1).unwrap();
    assert!(reruns.lock().unwrap().starts_with(&[3]), "the batch did come again: {reruns:?}");
    assert_eq!(place.batches(), twice(1..=6));
}

/// The program with both outputs, up to a batch.
fn run(place: &Place, batches: u64) -> streamflow::Result<()> {
    let mut driver = place.world.driver();
    let numbers = numbers(&driver);
    numbers.clone().to(rows(&place.database));
    numbers.to(sums(&place.database));
    let done = place.world.clock.now().as_millis() / 1_000;
    (done..batches).try_for_each(|_| driver.try_run_batches(1).map(drop))
}

#[test]
fn a_crash_at_any_operation_of_the_engine_leaves_every_row_once() {
    let undisturbed = Place::new();
    run(&undisturbed, BATCHES).unwrap();
    let operations = undisturbed.world.files.operations();
    assert_eq!(undisturbed.batches(), twice(1..=BATCHES));
    for at in 0..operations {
        let place = Place::new();
        place.world.files.crash_at(at);
        let _ = run(&place, BATCHES);
        let operation = place.world.files.operation(at).unwrap_or_default();
        let place = place.recovered();
        run(&place, BATCHES + 1).unwrap_or_else(|error| panic!("restart after {at}, {operation}: {error:?}"));
        assert_eq!(place.batches(), twice(1..=BATCHES + 1), "crash at {at}, {operation}");
        let total: u64 = (1..=BATCHES + 1).sum();
        assert_eq!(place.column::<u64>("SELECT sum FROM sums"), [total, total], "crash at {at}, {operation}");
    }
    println!("{operations} points tried and survived");
}

#[test]
fn a_batch_that_the_database_refused_is_written_after_the_next_start() {
    let place = Place::new();
    let mut driver = place.world.driver();
    let stream = numbers(&driver);
    stream.clone().to(rows(&place.database));
    stream.to(sums(&place.database));
    driver.run_batches(1).unwrap();
    let other = place.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let errors = driver.try_run_batches(1).unwrap();
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(errors.len(), 2);
    for (error, output) in errors.iter().zip(["rows", "sums"]) {
        let message = super::message(error);
        assert_eq!(error.kind(), ErrorKind::OutputFailed);
        for part in ["batch 2000 ms", &format!("output `{output}`"), "out.db", "database is locked"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(driver.try_run_batches(2).unwrap().len(), 0);
    assert_eq!(place.batches(), twice([1, 3, 4]));
    drop(driver);

    let place = place.recovered();
    run(&place, 5).unwrap();
    assert_eq!(place.batches(), twice(1..=5));
    assert_eq!(place.column::<u64>("SELECT sum FROM sums"), [15, 15]);
    // Only what can come again is remembered.
    assert_eq!(place.column::<u64>("SELECT batch FROM streamflow_batches"), [5_000, 5_000]);
}

#[test]
fn an_output_beside_one_that_failed_is_not_written_again() {
    let place = Place::new();
    let start = |place: &Place, fails_at: u64, batches: usize| {
        let mut driver = place.world.driver();
        let numbers = numbers(&driver);
        numbers.clone().to(rows(&place.database));
        numbers.foreach_batch(move |batch| match batch.time().as_millis() / 1_000 == fails_at {
            true => Err("not this one"),
            false => Ok(()),
        });
        driver.try_run_batches(batches).unwrap().len()
    };
    assert_eq!(start(&place, 2, 4), 1);
    assert_eq!(place.column::<u64>("SELECT batch FROM streamflow_batches ORDER BY batch"), [2_000, 3_000, 4_000]);
    let place = place.recovered();
    assert_eq!(start(&place, 0, 1), 0);
    assert_eq!(place.batches(), twice(1..=5));
}

#[test]
fn another_program_in_the_same_database_is_not_disturbed() {
    let (place, other) = (Place::new(), World::new());
    run(&place, 2).unwrap();
    // It writes under other names, at the same times, and knows nothing of the first.
    let mut driver = other.driver();
    numbers(&driver).to(sink(&place.database, "others", "INSERT INTO sums VALUES (100 + ?1 * 10 + ?2, 0)"));
    driver.run_batches(3).unwrap();
    run(&place, 4).unwrap();
    assert_eq!(place.batches(), twice(1..=4));
    assert_eq!(place.column::<u64>("SELECT n FROM sums WHERE n >= 100 ORDER BY n"), [110, 111, 120, 121, 130, 131]);
}
