use std::path::Path;

use super::super::test_support::run;
use super::*;
use crate::time::BatchTime;

type Row = (i64, String);

const INSERT: &str = "INSERT INTO rows VALUES (?1, ?2)";

/// A database in a directory of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("test.db")
    }

    /// A sink for rows with an identity.
    fn sink(&self, output: &str) -> SqliteSink {
        let table = "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
        SqliteSink::new(self.path(), output, INSERT).setup(table).busy_timeout(Duration::ZERO)
    }

    fn database(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn ids(&self) -> Vec<i64> {
        column(&self.path(), "SELECT id FROM rows ORDER BY id")
    }

    fn noted(&self, output: &str) -> Vec<i64> {
        column(&self.path(), &format!("SELECT batch FROM streamflow_batches WHERE output = '{output}' ORDER BY batch"))
    }
}

fn column(path: &Path, query: &str) -> Vec<i64> {
    let database = Connection::open(path).unwrap();
    let mut statement = database.prepare(query).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

fn fresh(second: u64) -> SinkBatch {
    let time = BatchTime::from_millis(second * 1_000);
    SinkBatch { time, is_rerun: false, settled_before: time, partitions: 2 }
}

fn again(second: u64) -> SinkBatch {
    SinkBatch { is_rerun: true, ..fresh(second) }
}

/// A batch while that of `failed` waits for a restart.
fn after_failure(second: u64, failed: u64) -> SinkBatch {
    SinkBatch { settled_before: fresh(failed).time, ..fresh(second) }
}

fn rows(ids: impl IntoIterator<Item = i64>) -> Vec<Vec<Row>> {
    vec![Vec::new(), ids.into_iter().map(|id| (id, format!("row {id}"))).collect()]
}

fn commit(sink: &SqliteSink, batch: SinkBatch, ids: impl IntoIterator<Item = i64>) -> Result<(), String> {
    Sink::<Row>::commit(sink, batch, rows(ids)).map_err(|error| format!("{error:?}"))
}

/// The error of a program with this sink.
fn error_of<T: Params + Clone + Send + Sync + 'static>(sink: SqliteSink, records: Vec<T>) -> Error {
    run(records, |stream| stream.to(sink)).unwrap_err()
}

#[track_caller]
fn assert_says(error: &Error, parts: &[&str]) {
    let message = format!("{error:?}");
    for part in ["test.db`", "batch 0", "output `out`"].iter().chain(parts) {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_batch_is_there_with_its_time_and_older_times_are_forgotten() {
    let place = Place::new();
    let sink = place.sink("out");
    commit(&sink, fresh(1), [1, 2]).unwrap();
    commit(&sink, fresh(2), [3]).unwrap();
    assert_eq!((place.ids(), place.noted("out")), (vec![1, 2, 3], vec![2_000]));
}

#[test]
fn a_batch_that_is_there_is_left_out_when_it_comes_again() {
    let place = Place::new();
    commit(&place.sink("out"), fresh(1), [1]).unwrap();
    // Another start of the program: the rows would violate a constraint if they were written.
    commit(&place.sink("out"), again(1), [1]).unwrap();
    // One that died before its commit is written.
    commit(&place.sink("out"), again(2), [2]).unwrap();
    assert_eq!((place.ids(), place.noted("out")), (vec![1, 2], vec![2_000]));
}

#[test]
fn a_batch_that_is_there_and_was_not_run_before_is_refused() {
    let place = Place::new();
    commit(&place.sink("out"), fresh(1), [1]).unwrap();
    let error = commit(&place.sink("out"), fresh(1), [7]).unwrap_err();
    assert!(error.contains("has the batch 1000 ms already") && error.contains("another name"), "{error}");
    assert_eq!(place.ids(), [1]);
}

#[test]
fn a_failed_batch_is_written_after_later_ones() {
    let place = Place::new();
    let sink = place.sink("out");
    commit(&sink, fresh(1), [1]).unwrap();
    commit(&sink, fresh(2), [2, 1]).unwrap_err();
    for second in 3..6 {
        commit(&sink, after_failure(second, 2), [second as i64]).unwrap();
    }
    assert_eq!((place.ids(), place.noted("out")), (vec![1, 3, 4, 5], vec![3_000, 4_000, 5_000]));
    // The next start: the failed batch, then one that was committed and whose completion the log did not come to hear of.
    let sink = place.sink("out");
    commit(&sink, again(2), [2]).unwrap();
    commit(&sink, again(5), [5]).unwrap();
    commit(&sink, fresh(6), [6]).unwrap();
    assert_eq!((place.ids(), place.noted("out")), ((1..7).collect(), vec![6_000]));
}

#[test]
fn outputs_in_one_database_do_not_see_each_other() {
    let place = Place::new();
    let (a, b) = (place.sink("a"), place.sink("b"));
    commit(&a, fresh(1), [1]).unwrap();
    commit(&b, fresh(1), [10]).unwrap();
    commit(&a, fresh(2), [2]).unwrap();
    commit(&b, again(1), [10]).unwrap();
    assert_eq!((place.ids(), place.noted("a"), place.noted("b")), (vec![1, 2, 10], vec![2_000], vec![1_000]));
}

#[test]
fn an_empty_batch_costs_nothing() {
    let place = Place::new();
    commit(&place.sink("out"), fresh(1), []).unwrap();
    assert!(!place.path().exists());
}

#[test]
fn what_is_committed_outlasts_a_loss_of_power() {
    let place = Place::new();
    let sink = place.sink("out").setup("PRAGMA journal_mode = WAL");
    let pragma =
        |name| sink.connect().unwrap().pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
    // EXTRA.
    assert_eq!(pragma("synchronous").unwrap(), 3.into());
    assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
}

#[test]
fn records_of_all_partitions_are_written() {
    let place = Place::new();
    run((0..100).map(|id| (id, "x".to_owned())).collect::<Vec<Row>>(), |stream| stream.to(place.sink("out"))).unwrap();
    assert_eq!(place.ids(), Vec::from_iter(0..100));
}

#[test]
fn a_constraint_fails_the_whole_batch_and_names_the_row() {
    let place = Place::new();
    let rows = [1, 2, 3, 2].map(|id| (id, format!("row {id}"))).to_vec();
    let error = error_of(place.sink("out"), rows);
    assert_says(
        &error,
        &["record 1 cannot be written by `INSERT INTO rows VALUES (2, 'row 2')`, partition 1", "UNIQUE"],
    );
    assert_eq!(error.kind(), crate::ErrorKind::OutputFailed);
    assert_eq!((place.ids(), place.noted("out")), (vec![], vec![]));
}

#[test]
fn a_locked_database_fails_the_batch_and_not_the_next() {
    let place = Place::new();
    let sink = place.sink("out");
    commit(&sink, fresh(1), [1]).unwrap();
    let other = place.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = commit(&sink, fresh(2), [2]).unwrap_err();
    assert!(error.contains("busy timeout of 0ns") && error.contains("database is locked"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    commit(&sink, after_failure(3, 2), [3]).unwrap();
    commit(&place.sink("out"), again(2), [2]).unwrap();
    assert_eq!(place.ids(), [1, 2, 3]);
}

#[test]
fn a_full_disk_fails_the_batch() {
    let place = Place::new();
    // Of a database that may not grow.
    let sink = place.sink("out").setup("PRAGMA max_page_count = 4");
    let error = error_of(sink, vec![(1, "x".repeat(100_000))]);
    assert_says(&error, &["record 0 cannot be written by `INSERT INTO rows VALUES (1, 'xxx", "make room", "is full"]);
    assert!(format!("{error:?}").len() < 1_000, "a long value is cut");
    assert!(place.ids().is_empty());
    run(vec![(1, "x".repeat(100_000))], |stream| stream.to(place.sink("out"))).unwrap();
}

#[test]
fn mistakes_in_the_statement_are_named() {
    let place = Place::new();
    place.database().execute_batch("CREATE TABLE there (a, b)").unwrap();
    let of = |statement: &str| error_of(SqliteSink::new(place.path(), "out", statement), vec![(1, 2)]);
    assert_says(&of("INSERT INTO nowhere VALUES (?1)"), &["no such table: nowhere", "`INSERT INTO nowhere", ".setup("]);
    assert_says(&of("INSERT INTO there VALUES (?1)"), &["table there has 2 columns but 1 values were supplied"]);
    assert_says(
        &of("INSERT INTO there VALUES (?1, ?2 + ?3)"),
        &["(?1, ?2 + ?3)` has 3 parameters, but a record is a tuple or array of 2 values"],
    );
    assert_says(&of("INSERT INTO there (a) VALUES (?1)"), &["has 1 parameters", "2 values"]);
    assert_says(&of("INSERT INTO there VALUES (?1, ?2); SELECT 1"), &["cannot prepare", "Multiple statements"]);
    assert_says(&of("INSERT here"), &["cannot prepare `INSERT here`", "syntax error"]);
    assert_says(&of("SELECT ?1, ?2"), &["`SELECT 1, 2` (an output needs a statement that only writes"]);
    assert_says(&of("INSERT INTO there VALUES (?1, ?2) RETURNING a"), &["only writes"]);
    assert_eq!(column(&place.path(), "SELECT count(*) FROM there"), [0]);
}

#[test]
fn a_value_that_sqlite_cannot_hold_is_refused() {
    let place = Place::new();
    let error = error_of(place.sink("out"), vec![(u64::MAX, "x".to_owned())]);
    assert_says(&error, &["record 0 has a value that SQLite cannot hold", INSERT, "out of range"]);
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let place = Place::new();
    let missing = SqliteSink::new(place.0.path().join("missing/test.db"), "out", INSERT);
    assert_says(&error_of(missing, vec![(1,)]), &["it cannot be opened (its directory must exist"]);
    std::fs::write(place.path(), "This is a text of more than some bytes, and no database at all.".repeat(20)).unwrap();
    assert_says(&error_of(place.sink("out"), vec![(1, "x".to_owned())]), &["file is not a database"]);
}

#[test]
fn a_foreign_table_of_the_same_name_is_an_error() {
    let place = Place::new();
    place.database().execute_batch("CREATE TABLE streamflow_batches (something)").unwrap();
    let error = error_of(place.sink("out"), vec![(1, "x".to_owned())]);
    assert_says(&error, &["cannot read the table `streamflow_batches`", "no such column"]);
}

#[test]
fn a_long_statement_is_cut_between_characters() {
    let sql = "ü".repeat(SHOWN + 1);
    assert_eq!(shown(&sql), format!("{}…", "ü".repeat(SHOWN)));
    assert_eq!(shown(&sql[2..]), &sql[2..]);
}
