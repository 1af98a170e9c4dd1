//! Serving on a bound port.
//!
//! The connection loop is hyper's own, not axum's: a lost answer must be a connection that closes
//! without a byte, and only a service that fails can do that. Here, where the address is known, a request
//! that is for another server is refused (`guard.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::{Cloud, guard};

/// After a shutdown is asked for, calls in flight may take this long.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Marks the response of [`Cloud::router`] that no client would ever see: the connection was
/// closed by a fault. The status and body of such a response mean nothing.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLost;

/// Serves until `shutdown` is done; then lets calls in flight finish.
pub async fn serve(
    cloud: Cloud,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (router, inner) = (cloud.router(), Arc::clone(&cloud.0));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _peer)) = accepted else {
            // The peer gave up, or descriptors ran out for a moment: neither ends the server.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Small answers must not wait for a full packet; a socket that refuses still works.
        let _set: io::Result<()> = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { continue };
        let (router, inner) = (router.clone(), Arc::clone(&inner));
        let service = service_fn(move |request: Request<Incoming>| {
            let (router, inner) = (router.clone(), Arc::clone(&inner));
            async move {
                if let Err(refused) = guard::check(&request, local, &inner.names) {
                    return Ok(refused.into_response());
                }
                let response = match router.oneshot(request.map(Body::new)).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                if response.extensions().get::<ConnectionLost>().is_some() {
                    return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
                }
                Ok(response)
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        // Joined by the graceful shutdown; a failed connection concerns its client alone.
        tokio::spawn(async move {
            let _ended: Result<(), hyper::Error> = connection.await;
        });
    }
    drop(listener);
    let _in_time: Result<(), _> = tokio::time::timeout(SHUTDOWN_MAX, graceful.shutdown()).await;
    Ok(())
}
