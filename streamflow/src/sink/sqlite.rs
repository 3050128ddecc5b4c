//! [`SqliteSink`]: rows in an SQLite database, each batch in one transaction with its time.
//!
//! ```text
//!   BEGIN IMMEDIATE
//!     does streamflow_batches have (output, batch)?  then it is a re-run that is done: roll back
//!     the statement, once for each record
//!     note (output, batch); forget the batches that are never given again
//!   COMMIT                                           durable when it returns
//! ```
//!
//! The log of batches learns of the commit only after it. If the program dies between the two, the next start gives the
//! batch again, and the table says that it is there. So a batch is written exactly once, wherever the program dies.
//!
//! *Memory*: the rows of a batch, from its staging to its commit. *Failure*: the transaction is rolled back and the
//! connection closed; the next batch opens a new one.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Statement, Transaction, TransactionBehavior};

use super::custom::{Sink, SinkBatch};
use crate::error::{BoxError, Error, Result};
use crate::time::lock;

/// What outputs have committed, for all outputs in the database.
const BATCHES: &str = "CREATE TABLE IF NOT EXISTS streamflow_batches (
    output TEXT NOT NULL,
    batch INTEGER NOT NULL, -- its time in milliseconds since the Unix epoch
    PRIMARY KEY (output, batch)
) WITHOUT ROWID";

/// How much of a statement an error shows.
const SHOWN: usize = 200;

/// A [`Sink`] that executes a statement in an SQLite database for each record, each batch in one transaction. Needs the
/// feature `sqlite`.
///
/// Records are the parameters of the statement: tuples or arrays of what SQLite can hold, `(String, u64)` or `(i64,)`. Map
/// other records to tuples first.
///
/// **Exactly once**: the transaction also notes the time of the batch, in a table `streamflow_batches` of the sink's own, in
/// the same database. A batch that is given again after a restart, and is noted, is left out. So a statement need not be
/// idempotent: `SET total = total + excluded.total` counts every batch once. The batches are noted by the name of the
/// output, so a database may have any number of outputs, of any number of programs, under different names; the name must be
/// the same after a restart.
///
/// **Order**: batches are committed in the order of their times. Only a batch that failed comes late: after the next start,
/// when later ones are there. A statement that replaces what earlier batches wrote should not rely on the order then.
///
/// **Cost**: a transaction for each batch that has records, which SQLite makes durable by two or more `fsync`s, all on one
/// thread: some hundred thousand rows per second. Rows are kept in memory until the commit.
///
/// **Durability**: the connection runs with `PRAGMA synchronous = EXTRA`, so what is committed outlasts a loss of power. The
/// journal mode is the database's own; `.setup("PRAGMA journal_mode = WAL")` lets others read while a batch is written.
///
/// **Errors**: everything that SQLite refuses (a missing table, a wrong number of parameters, a violated constraint, a
/// database that others hold locked, a full disk) fails the output: nothing of the batch is written, the error names
/// output, database, statement and batch, and the next start gives the batch again. A batch that the table has although this
/// program did not run it before is an error too: then two outputs have the same name, or a program without its earlier
/// checkpoint directory repeats times.
///
/// **Source**: none; Spark's guide tells how one writes this by hand inside `foreachRDD`.
///
/// # Examples
/// ```
/// use streamflow::prelude::*;
/// use streamflow::sink::{SqliteSink, rusqlite};
/// use streamflow::testing::Driver;
///
/// #[stream]
/// fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
///     lines.flat_map(|line| line.split(' ')).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
/// }
///
/// let dir = tempfile::tempdir().unwrap();
/// let database = dir.path().join("words.db");
/// let totals = SqliteSink::new(
///     &database,
///     "totals",
///     "INSERT INTO totals VALUES (?1, ?2) ON CONFLICT DO UPDATE SET count = count + excluded.count",
/// )
/// .setup("CREATE TABLE IF NOT EXISTS totals (word TEXT PRIMARY KEY, count INTEGER NOT NULL)");
///
/// let mut test = Driver::new()?;
/// word_count(test.text(vec![vec!["to be"], vec!["or not", "to be"]])).to(totals);
/// test.run_batches(2)?;
///
/// let database = rusqlite::Connection::open(database).unwrap();
/// let count = "SELECT count FROM totals WHERE word = 'be'";
/// assert_eq!(database.query_row(count, (), |row| row.get::<_, i64>(0)), Ok(2));
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct SqliteSink {
    database: PathBuf,
    output: String,
    statement: String,
    setup: Vec<String>,
    busy_timeout: Duration,
    /// Between batches, if the last one succeeded.
    connection: Mutex<Option<Connection>>,
}

impl SqliteSink {
    /// A sink that executes `statement` for each record. `output` is the name under which the database knows which batches
    /// it has. Nothing is opened before the first batch; then the database is created if it does not exist.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, output: impl Into<String>, statement: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            output: output.into(),
            statement: statement.into(),
            setup: Vec::new(),
            busy_timeout: Duration::from_secs(5),
            connection: Mutex::new(None),
        }
    }

    /// Executes these statements, separated by semicolons, whenever the database is opened: at the first batch of every
    /// start, and after a failure. So they must bear repetition: `CREATE TABLE IF NOT EXISTS …`, `PRAGMA …`.
    #[must_use]
    pub fn setup(mut self, statements: impl Into<String>) -> Self {
        self.setup.push(statements.into());
        self
    }

    /// How long to wait for a lock that another connection has on the database, before the batch fails; 5 s if it is not
    /// set. This is real time, whatever the clock of the context, and is cut to 24 days.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX as u64));
        self
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.database).map_err(|cause| self.error("it cannot be opened", cause))?;
        connection.busy_timeout(self.busy_timeout).map_err(|cause| self.error("it cannot be used", cause))?;
        // With less, a loss of power may bring back the journal of a commit, and so undo it, after the log of batches was
        // told of it.
        connection
            .pragma_update(None, "synchronous", "EXTRA")
            .map_err(|cause| self.error("it cannot be used", cause))?;
        for statements in &self.setup {
            let doing = |cause| self.error(format!("cannot set it up by `{}`", shown(statements)), cause);
            connection.execute_batch(statements).map_err(doing)?;
        }
        connection
            .execute_batch(BATCHES)
            .map_err(|cause| self.error("cannot make the table `streamflow_batches`", cause))?;
        // A mistake in it is told before the first record comes.
        self.prepare(&connection)?;
        Ok(connection)
    }

    fn prepare<'c>(&self, connection: &'c Connection) -> Result<Statement<'c>> {
        let failed = |cause| self.error(format!("cannot prepare `{}`", shown(&self.statement)), cause);
        connection.prepare(&self.statement).map_err(failed)
    }

    /// Writes a batch, or finds it written.
    fn store<T: Params>(&self, connection: &mut Connection, batch: SinkBatch, staged: Vec<Vec<T>>) -> Result<()> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|cause| self.error("cannot begin a transaction", cause))?;
        if self.has(&transaction, batch)? {
            if batch.is_rerun {
                tracing::info!(output = self.output, batch = %batch.time, "the database has the batch already");
                return Ok(());
            }
            return Err(self.foreign_batch(batch));
        }
        self.execute(&transaction, staged)?;
        self.note(&transaction, batch)?;
        transaction.commit().map_err(|cause| self.error("cannot commit the transaction", cause))
    }

    fn has(&self, transaction: &Transaction<'_>, batch: SinkBatch) -> Result<bool> {
        let known = "SELECT 1 FROM streamflow_batches WHERE output = ?1 AND batch = ?2";
        let found = transaction.query_row(known, (&self.output, batch.time.as_millis()), |_| Ok(())).optional();
        found.map(|row| row.is_some()).map_err(|cause| self.error("cannot read the table `streamflow_batches`", cause))
    }

    fn note(&self, transaction: &Transaction<'_>, batch: SinkBatch) -> Result<()> {
        let forget = "DELETE FROM streamflow_batches WHERE output = ?1 AND batch < ?2";
        let note = "INSERT INTO streamflow_batches VALUES (?1, ?2)";
        transaction
            .execute(forget, (&self.output, batch.settled_before.as_millis()))
            .and_then(|_| transaction.execute(note, (&self.output, batch.time.as_millis())))
            .map(drop)
            .map_err(|cause| self.error("cannot write the table `streamflow_batches`", cause))
    }

    fn execute<T: Params>(&self, transaction: &Transaction<'_>, staged: Vec<Vec<T>>) -> Result<()> {
        let mut statement = self.prepare(transaction)?;
        for (partition, rows) in staged.into_iter().enumerate() {
            for (row, record) in rows.into_iter().enumerate() {
                if let Err(cause) = statement.execute(record) {
                    return Err(self.refused(&statement, row, cause).in_partition(partition));
                }
            }
        }
        Ok(())
    }

    /// The error for a record.
    fn refused(&self, statement: &Statement<'_>, row: usize, cause: rusqlite::Error) -> Error {
        match cause {
            rusqlite::Error::InvalidParameterCount(given, expected) => {
                let (sql, records) = (shown(&self.statement), if given == 1 { "value" } else { "values" });
                let what =
                    format!("`{sql}` has {expected} parameters, but a record is a tuple or array of {given} {records}");
                self.error(what, cause)
            }
            rusqlite::Error::ToSqlConversionFailure(_) => {
                let what =
                    format!("record {row} has a value that SQLite cannot hold, for `{}`", shown(&self.statement));
                self.error(what, cause)
            }
            cause => {
                // With the values of the record in their places.
                let sql = statement.expanded_sql().map_or(Cow::Borrowed(&*self.statement), Cow::Owned);
                self.error(format!("record {row} cannot be written by `{}`", shown(&sql)), cause)
            }
        }
    }

    fn foreign_batch(&self, batch: SinkBatch) -> Error {
        Error::output(format!(
            "output `{output}` of the database `{}`: it has the batch {} already, which this program has not run before; \
             another output or program uses the same name, or this one has lost its checkpoint directory: use another \
             name, or say `DELETE FROM streamflow_batches WHERE output = '{output}'` if the rows are not those of this program",
            self.database.display(),
            batch.time,
            output = self.output,
        ))
    }

    fn error(&self, what: impl fmt::Display, cause: rusqlite::Error) -> Error {
        let (output, database) = (&self.output, self.database.display());
        let help = self.help(&cause).map_or_else(String::new, |help| format!(" ({help})"));
        Error::output(format!("output `{output}` of the database `{database}`: {what}{help}")).because(cause)
    }

    /// What to do about an error that has one usual reason.
    fn help(&self, cause: &rusqlite::Error) -> Option<String> {
        if let rusqlite::Error::ExecuteReturnedResults = cause {
            return Some("an output needs a statement that only writes, such as INSERT".to_owned());
        }
        Some(match cause.sqlite_error_code()? {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                let timeout = self.busy_timeout;
                format!(
                    "others held a lock for longer than the busy timeout of {timeout:?}: let them commit sooner, or wait longer by `.busy_timeout(..)`"
                )
            }
            ErrorCode::DiskFull => "make room, then start the program again".to_owned(),
            ErrorCode::CannotOpen => "its directory must exist, and both must be writable".to_owned(),
            ErrorCode::Unknown if cause.to_string().contains("no such table") => {
                "make it beforehand, or by `.setup(\"CREATE TABLE IF NOT EXISTS …\")`".to_owned()
            }
            _ => return None,
        })
    }
}

/// The beginning of a statement.
fn shown(sql: &str) -> Cow<'_, str> {
    match sql.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &sql[..end]).into(),
        None => sql.into(),
    }
}

impl<T: Params + Send + Sync + 'static> Sink<T> for SqliteSink {
    type Staged = Vec<T>;

    fn open(&self) -> Result<(), BoxError> {
        *lock(&self.connection) = Some(self.connect()?);
        Ok(())
    }

    fn write(&self, _: SinkBatch, _: usize, records: &mut dyn Iterator<Item = T>) -> Result<Vec<T>, BoxError> {
        Ok(records.collect())
    }

    fn commit(&self, batch: SinkBatch, staged: Vec<Vec<T>>) -> Result<(), BoxError> {
        if staged.iter().all(Vec::is_empty) {
            // There is nothing to write twice, so it need not be noted.
            return Ok(());
        }
        let mut connection = lock(&self.connection);
        // It is put back only if all went well: what failed or panicked is closed, and so rolled back.
        let mut open = match connection.take() {
            Some(open) => open,
            None => self.connect()?,
        };
        self.store(&mut open, batch, staged)?;
        *connection = Some(open);
        Ok(())
    }
}

impl fmt::Debug for SqliteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink")
            .field("database", &self.database)
            .field("output", &self.output)
            .field("statement", &self.statement)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
