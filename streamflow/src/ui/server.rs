//! The web server: addresses, routes and headers.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use tokio::sync::{oneshot, watch};

use super::history::KEPT_BATCHES;
use super::{Hub, json};
use crate::error::{Error, Result};
use crate::time::BatchTime;

/// How many ports are tried after the one that was asked for.
///
/// **Source**: Spark's `spark.port.maxRetries`.
const NEXT_PORTS: u16 = 16;
/// Changes that come within this time are sent together.
const GATHER: Duration = Duration::from_millis(200);

/// Scripts and styles are the page's own files, data come from this server, and nothing else is loaded or run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where to listen.
#[derive(Clone, Debug)]
pub(crate) struct Address(SocketAddr);

impl Address {
    /// `host:port`; without a host it is loopback.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let port = text.strip_prefix(':').unwrap_or(text);
        if let Ok(port) = port.parse::<u16>() {
            return Ok(Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        let found = text.to_socket_addrs().ok().and_then(|mut found| found.next());
        let wrong =
            || Error::invalid(format!("the page cannot be served at {text:?}: write for instance `127.0.0.1:4040`"));
        found.map(Self).ok_or_else(wrong)
    }

    /// The first port that is free, from the one that was asked for; any if that was 0.
    fn listen(&self) -> io::Result<TcpListener> {
        let mut address = self.0;
        for _ in 0..NEXT_PORTS {
            match TcpListener::bind(address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() < u16::MAX => {
                    address.set_port(address.port() + 1);
                }
                outcome => return outcome,
            }
        }
        TcpListener::bind(address)
    }
}

/// A running server; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts serving.
    pub(crate) fn start(address: &Address, hub: Hub) -> Result<Self> {
        let cannot = |error| Error::io(format!("cannot serve the page at {}", address.0), error);
        let listener = address.listen().map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel();
        let name = format!("{}-ui", hub.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = axum::serve(listener, router(hub, address.ip())) => served,
                    // The sender is dropped at the latest with the context; open requests end with the runtime.
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                tracing::error!(%error, "the page is no longer served");
            }
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread.map_err(cannot)?) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the page panicked");
        }
    }
}

fn router(hub: Hub, ip: IpAddr) -> Router {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/page.css", get(|| file("text/css; charset=utf-8", include_str!("page/page.css"))))
        .route("/page.js", get(|| file("text/javascript; charset=utf-8", include_str!("page/page.js"))))
        .route("/charts.js", get(|| file("text/javascript; charset=utf-8", include_str!("page/charts.js"))))
        .route("/api/status", get(async |State(hub): Hubs| json_of(&json::status(&hub))))
        .route("/api/topology", get(async |State(hub): Hubs| json_of(&json::topology(&hub))))
        .route("/api/batches", get(batches))
        .route("/api/batches/{time}", get(batch))
        .route("/events", get(events))
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .with_state(Arc::new(hub))
        .layer(middleware::map_response(harden))
        .layer(middleware::from_fn(move |request, next| refuse_strangers(ip, request, next)))
}

type Hubs = State<Arc<Hub>>;

async fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn json_of(value: &serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn batches(State(hub): Hubs, uri: Uri) -> Response {
    let last = number(&uri, "last").map_or(KEPT_BATCHES, |last| usize::try_from(last).unwrap_or(usize::MAX));
    json_of(&hub.history.look(|memory| {
        let mut rows = json::rows(memory, 0, last);
        rows["version"] = memory.version.into();
        rows
    }))
}

async fn batch(State(hub): Hubs, Path(time): Path<String>) -> Response {
    let time = time.parse().ok().map(BatchTime::from_millis);
    match time.and_then(|time| hub.history.look(|memory| json::batch(memory, time))) {
        Some(batch) => json_of(&batch),
        None => (StatusCode::NOT_FOUND, "this batch does not exist, or is no longer kept\n").into_response(),
    }
}

async fn metrics(State(hub): Hubs) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], hub.exporter.to_text()).into_response()
}

/// 200 while the program keeps up, 503 otherwise.
async fn health(State(hub): Hubs) -> Response {
    let health = hub.history.look(|memory| json::health(&hub, memory));
    let status = if health["keeps_up"] == true { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json_of(&health)).into_response()
}

/// Tells of changes after `after` as they come: the status, and the batches that changed.
async fn events(State(hub): Hubs, uri: Uri) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (seen, changes) = (number(&uri, "after").unwrap_or(0), hub.history.subscribe());
    Sse::new(stream::unfold((hub, changes, seen), |(hub, mut changes, seen)| async move {
        let seen = next_change(&mut changes, seen).await?;
        let (mut update, version) = (json::status(&hub), seen.0);
        update["rows"] = hub.history.look(|memory| json::rows(memory, seen.1, KEPT_BATCHES));
        Some((Ok(Event::default().data(update.to_string())), (hub, changes, version)))
    }))
}

/// Waits for a version after `seen`, and for others that follow soon; returns it with `seen`.
async fn next_change(changes: &mut watch::Receiver<u64>, seen: u64) -> Option<(u64, u64)> {
    changes.wait_for(|version| *version > seen).await.ok()?;
    tokio::time::sleep(GATHER).await;
    let version = *changes.borrow_and_update();
    Some((version, seen))
}

/// A number in the query.
fn number(uri: &Uri, name: &str) -> Option<u64> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok())
}

/// Adds the headers that keep a browser from running anything that came with the data.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, value.parse().expect("a fixed header is valid"));
    }
    response
}

/// On loopback, answers only requests for loopback: a page of the net whose name was made to point here gets nothing.
async fn refuse_strangers(ip: IpAddr, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if ip.is_loopback() && !is_loopback(host) {
        return (StatusCode::FORBIDDEN, "this server is for the machine that it runs on\n").into_response();
    }
    next.run(request).await
}

/// Whether a `Host` header names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_host_are_loopback() {
        for text in ["4040", ":4040", "127.0.0.1:4040"] {
            assert_eq!(Address::parse(text).unwrap().0.to_string(), "127.0.0.1:4040");
        }
        assert_eq!(Address::parse("0.0.0.0:80").unwrap().0.to_string(), "0.0.0.0:80");
        let error = Address::parse("somewhere").unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:4040"), "{error}");
    }

    #[test]
    fn a_taken_port_gives_way_to_the_next() {
        let taken = Address::parse(":0").unwrap().listen().unwrap();
        let port = taken.local_addr().unwrap().port();
        let next = Address::parse(&format!(":{port}")).unwrap().listen().unwrap().local_addr().unwrap();
        assert!(next.port() > port && next.port() <= port + NEXT_PORTS);
    }

    #[test]
    fn hosts_of_this_machine_are_known() {
        for host in ["localhost", "localhost:4040", "127.0.0.1:4040", "127.1.2.3", "[::1]:4040"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.org", "localhost.example.org:4040", "10.0.0.1:4040", "[::2]:4040"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn numbers_are_read_from_the_query() {
        let uri: Uri = "/events?last=5&after=17&x".parse().unwrap();
        assert_eq!((number(&uri, "after"), number(&uri, "last"), number(&uri, "none")), (Some(17), Some(5), None));
    }
}
