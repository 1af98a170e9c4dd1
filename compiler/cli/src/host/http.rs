//! HTTP to the outside: one client for the whole run, made by the first request that needs it.

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::{Bytes, BytesMut};
use envc_core::{host_of, is_this_machine, limits::ANSWER_BYTES_MAX};
use envc_exec::ports::{Transport, TransportError};
use futures::future::BoxFuture;

/// Seconds until a connection must stand.
const CONNECT_TIMEOUT_S: u64 = 10;
/// Seconds until the whole answer must be there.
const ANSWER_TIMEOUT_S: u64 = 60;

/// Sends requests over the network: HTTP/2 where the server speaks it, no redirects, proxies as the
/// environment says except for this machine.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    /// Through the proxies of the environment.
    outside: OnceLock<Result<reqwest::Client, String>>,
    /// To this machine: never through a proxy.
    loopback: OnceLock<Result<reqwest::Client, String>>,
    /// To this machine without TLS: the embedded cloud.
    plain: OnceLock<Result<reqwest::Client, String>>,
    answer_bytes_max: usize,
    answer_timeout: Duration,
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpTransport {
    /// Costs nothing until the first request.
    pub(crate) fn new() -> Self {
        Self {
            outside: OnceLock::new(),
            loopback: OnceLock::new(),
            plain: OnceLock::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            answer_timeout: Duration::from_secs(ANSWER_TIMEOUT_S),
        }
    }

    fn client(&self, uri: &http::Uri) -> Result<&reqwest::Client, TransportError> {
        let here = is_this_machine(uri.host().unwrap_or_default());
        let way = match uri.scheme_str() {
            Some("https") if here => Way::Loopback,
            Some("https") => Way::Outside,
            _ if here => Way::Plain,
            // Who names a server is told so before; whatever comes here has a credential with it.
            _ => {
                return Err(TransportError {
                    never_sent: true,
                    message: "without encryption nothing is sent to another machine".into(),
                });
            }
        };
        let slot = match way {
            Way::Outside => &self.outside,
            Way::Loopback => &self.loopback,
            Way::Plain => &self.plain,
        };
        let client = slot.get_or_init(|| build(way, self.answer_timeout));
        client.as_ref().map_err(|message| TransportError {
            never_sent: true,
            message: format!("the HTTP client cannot be made: {message}"),
        })
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let client = self.client(request.uri())?;
        let server = host_of(&request.uri().to_string()).to_owned();
        let request = request.map(reqwest::Body::from);
        let request =
            reqwest::Request::try_from(request).map_err(|error| failure(error, true, &server))?;
        let mut answer = client.execute(request).await.map_err(|error| {
            let never_sent = error.is_connect() || error.is_builder();
            failure(error, never_sent, &server)
        })?;
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.version_mut() = answer.version();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| failure(error, false, &server))?
        {
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(TransportError {
                    never_sent: false,
                    message: format!("the answer has more than {} bytes", self.answer_bytes_max),
                });
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

/// Where a request goes.
#[derive(Clone, Copy)]
enum Way {
    Outside,
    Loopback,
    Plain,
}

fn build(way: Way, answer_timeout: Duration) -> Result<reqwest::Client, String> {
    // The process may have a provider already; both are ring.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("envc/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
        .timeout(answer_timeout)
        .redirect(reqwest::redirect::Policy::none());
    builder = match way {
        Way::Outside => builder,
        Way::Loopback => builder.no_proxy(),
        // Reading the system's certificates takes longer than everything else before the first
        // request, and here nobody shows one.
        Way::Plain => builder.no_proxy().tls_certs_only([]),
    };
    builder.build().map_err(|error| chain(&error))
}

/// The URL is left out but for the server: the caller knows it, and a query may hold what nobody
/// should see.
fn failure(error: reqwest::Error, never_sent: bool, server: &str) -> TransportError {
    let error = error.without_url();
    let message = if error.is_timeout() && !error.is_connect() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        format!("no connection to {server}: {}", root(&error))
    } else {
        root(&error)
    };
    TransportError { never_sent, message }
}

/// The cause of it all: the layers above it only say that there was an error.
fn root(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// A server that reads one request, sends these bytes and hangs up.
    async fn server(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/client/v4/x?secret=1", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 4096];
            let length = stream.read(&mut seen).await.unwrap();
            stream.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&seen[..length]).into_owned()
        });
        (url, task)
    }

    fn post(url: &str) -> http::Request<Bytes> {
        http::Request::post(url).header("authorization", "Bearer t").body("{}".into()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_of_any_status_is_an_answer_and_redirects_are_not_followed() {
        let (url, task) = server(
            b"HTTP/1.1 302 Found\r\nlocation: /y\r\ncf-ray: r\r\ncontent-length: 4\r\n\r\nbody",
        )
        .await;
        let answer = HttpTransport::new().send(post(&url)).await.unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["cf-ray"], "r");
        assert_eq!(answer.body(), "body");
        let seen = task.await.unwrap().to_lowercase();
        assert!(seen.contains("post /client/v4/x?secret=1"), "{seen}");
        assert!(seen.contains(concat!("user-agent: envc/", env!("CARGO_PKG_VERSION"))), "{seen}");
        assert!(seen.contains("authorization: bearer t"), "{seen}");
    }

    #[tokio::test]
    async fn a_refused_connection_was_never_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = HttpTransport::new().send(post(&url)).await.unwrap_err();
        assert!(error.never_sent, "{error:?}");
        assert!(error.message.to_lowercase().contains("refused"), "{error:?}");
    }

    #[tokio::test]
    async fn a_connection_lost_after_sending_leaves_the_outcome_unknown() {
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            let (url, _task) = server(answer).await;
            let error = HttpTransport::new().send(post(&url)).await.unwrap_err();
            assert!(!error.never_sent, "{error:?}");
            assert!(!error.message.contains("secret"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_and_one_that_says_too_much_are_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut transport = HttpTransport::new();
        transport.answer_timeout = Duration::from_millis(50);
        let error = transport.send(post(&url)).await.unwrap_err();
        assert_eq!((error.never_sent, error.message.as_str()), (false, "no answer in time"));

        let (url, _task) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345").await;
        let mut transport = HttpTransport::new();
        transport.answer_bytes_max = 4;
        let error = transport.send(post(&url)).await.unwrap_err();
        assert_eq!(error.message, "the answer has more than 4 bytes");
    }

    /// Whatever was judged before: this is where everything goes through.
    #[tokio::test]
    async fn without_encryption_nothing_is_sent_to_another_machine() {
        for url in ["http://0.0.0.0:9/", "http://192.0.2.1/", "HTTP://a.localhost/", "http://[::]/"]
        {
            let error = HttpTransport::new().send(post(url)).await.unwrap_err();
            assert!(error.never_sent && error.message.contains("without encryption"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_message_names_the_server_and_not_who_logs_in_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let url = format!("http://me:passw0rd@{at}/x?secret=1");
        let error = HttpTransport::new().send(post(&url)).await.unwrap_err();
        assert!(error.message.starts_with(&format!("no connection to {at}: ")), "{error:?}");
    }
}
