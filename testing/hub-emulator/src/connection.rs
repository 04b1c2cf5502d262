//! One connection, request after request.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::admin;
use crate::apply::{self, Reply};
use crate::clock::http_date;
use crate::endpoint::Route;
use crate::outcome::{Answer, words};
use crate::request::{self, ReadFailure, Request};
use crate::send::{After, send};
use crate::shared::Shared;
use crate::sync::lock;

/// Serves a connection until either side ends it.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(shared: &Shared, mut stream: S) {
    let mut buffer = Vec::new();
    loop {
        let after = match request::read(&mut stream, &mut buffer).await {
            Ok(request) => answer(shared, &mut stream, request).await,
            Err(ReadFailure::Gone) => return,
            Err(ReadFailure::Malformed) => refuse(shared, &mut stream, 400).await,
            Err(ReadFailure::TooLarge) => refuse(shared, &mut stream, 413).await,
        };
        match after {
            After::KeepAlive => {}
            After::Drop => return,
            After::Close => {
                // The client may be gone already.
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(shared: &Shared, stream: &mut S, status: u16) -> After {
    let date = http_date(lock(&shared.hub).now());
    let answer = Answer::new(status, "text/plain", words(status)).with("Date", date);
    send(stream, &Reply::plain(answer), false, true).await
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(shared: &Shared, stream: &mut S, request: Request) -> After {
    let (route, admin_on, now, at_millis) = {
        let hub = lock(&shared.hub);
        let options = &hub.options;
        let route = Route::find(&request.method, &request.path, &options.base_path, options.renew_without_suffix);
        (route, options.admin, hub.now(), hub.clock().millis())
    };
    let close = request.wants_close();
    let head_only = request.method == "HEAD";
    if let (Route::Admin(path), true) = (&route, admin_on) {
        let (answer, command) = admin::handle(shared, path, &request);
        let reply = Reply::plain(answer.with("Date", http_date(now)));
        let after = send(stream, &reply, head_only, close).await;
        if let Some(command) = command {
            // The listener outlives its connections.
            let _ = shared.commands.send(command);
        }
        return after;
    }
    let endpoint = route.endpoint();
    let number = shared.log.seen(endpoint, request.clone(), at_millis);
    let fault = lock(&shared.faults).take(endpoint, &request.method);
    let reply = apply::reply(&mut lock(&shared.hub), &route, &request, fault);
    tokio::time::sleep(reply.delay).await;
    // Before the first byte, so that a client with an answer in hand finds it in the log.
    shared.log.done(number, endpoint, reply.status());
    send(stream, &reply, head_only, close).await
}
