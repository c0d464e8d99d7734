//! A request's body, so that no connection waits for it.
//!
//! A handler's arguments are made in their order, and the body is the last one:
//! `(db: TenantConn, Json(new): Json<New>)` would hold a connection while the
//! client still sends, and as many clients as the pool has connections, each
//! with half a body, would lock out everybody else. So admission puts the body
//! into a [`Spool`], and `TenantConn` has it filled before it borrows. What has
//! arrived stays in the spool, whoever reads on and whoever is dropped on the
//! way; the handler gets it first and then the rest.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::{Extensions, HeaderMap};
use http_body::{Frame, SizeHint};

/// What is kept of a body: as much as axum's extractors read of one unless told
/// otherwise. Who reads longer ones reads the rest with the connection in hand.
const LIMIT: usize = 2 * 1024 * 1024;

/// A way to fill the spool from beside the body that reads it.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Mutex<Spooled>>);

struct Spooled {
    rest: Body,
    /// In one piece: kept as they come, many small ones would take many times
    /// the memory of what is in them.
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    error: Option<axum::Error>,
    ended: bool,
}

impl Spool {
    /// The same body, with a spool for it in `extensions`; where there is
    /// nothing to read, just the body.
    pub(crate) fn of(body: Body, extensions: &mut Extensions) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return body;
        }
        let spool = Self(Arc::new(Mutex::new(Spooled {
            rest: body,
            data: Vec::new(),
            trailers: None,
            error: None,
            ended: false,
        })));
        extensions.insert(spool.clone());
        Body::new(spool)
    }

    /// Waits until the body has ended, or more than the limit of it is here.
    /// What is wrong with it is for its reader to hear.
    pub(crate) async fn fill(&self) {
        poll_fn(|context| self.lock().poll_fill(context)).await;
    }

    fn lock(&self) -> MutexGuard<'_, Spooled> {
        // A body that panicked is asked again, and can say so.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spooled {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.ended && self.data.len() <= LIMIT {
            ready!(self.poll_more(context));
        }
        Poll::Ready(())
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let rest = Pin::new(&mut self.rest);
        match ready!(http_body::Body::poll_frame(rest, context)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.data.extend_from_slice(&data),
                Err(other) => self.trailers = other.into_trailers().ok(),
            },
            Some(Err(error)) => {
                self.error = Some(error);
                self.ended = true;
            }
            None => self.ended = true,
        }
        Poll::Ready(())
    }

    /// What is in the spool, in the order in which it arrived.
    fn take(&mut self) -> Option<Result<Frame<Bytes>, axum::Error>> {
        if !self.data.is_empty() {
            return Some(Ok(Frame::data(std::mem::take(&mut self.data).into())));
        }
        let trailers = self.trailers.take().map(Frame::trailers).map(Ok);
        trailers.or_else(|| self.error.take().map(Err))
    }
}

impl http_body::Body for Spool {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut spooled = self.lock();
        if let Some(frame) = spooled.take() {
            return Poll::Ready(Some(frame));
        }
        if spooled.ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut spooled.rest).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        let spooled = self.lock();
        let empty =
            spooled.data.is_empty() && spooled.trailers.is_none() && spooled.error.is_none();
        empty && (spooled.ended || spooled.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let spooled = self.lock();
        let here = spooled.data.len() as u64;
        let rest = spooled.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(here + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(here + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use axum::body::to_bytes;
    use futures_util::FutureExt as _;
    use http_body::Body as _;

    use super::*;

    /// A body of these frames; `None` is one that has not arrived when it is
    /// first asked for.
    struct Sent(VecDeque<Option<Result<Frame<Bytes>, axum::Error>>>);

    impl http_body::Body for Sent {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            match self.0.pop_front() {
                Some(None) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Some(frame) => Poll::Ready(frame),
                None => Poll::Ready(None),
            }
        }
    }

    fn data(bytes: &[u8]) -> Option<Result<Frame<Bytes>, axum::Error>> {
        Some(Ok(Frame::data(Bytes::copy_from_slice(bytes))))
    }

    fn spooled(
        frames: impl IntoIterator<Item = Option<Result<Frame<Bytes>, axum::Error>>>,
    ) -> (Body, Spool) {
        let mut extensions = Extensions::new();
        let sent = Sent(frames.into_iter().collect());
        let body = Spool::of(Body::new(sent), &mut extensions);
        (body, extensions.remove().unwrap())
    }

    #[tokio::test]
    async fn a_fill_that_is_dropped_at_any_poll_loses_nothing() {
        let frames = || [data(b"ab"), None, data(b"c"), None, None, data(b"de")];
        for polls in 0..6 {
            let (body, spool) = spooled(frames());
            let mut fill = Box::pin(spool.fill());
            let done = (0..polls).any(|_| (&mut fill).now_or_never().is_some());
            assert_eq!(done, polls > 3, "{polls}");
            drop(fill);
            assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), "abcde");
        }
    }

    #[tokio::test]
    async fn no_more_is_kept_than_the_limit_and_the_rest_is_read_on() {
        let chunk = vec![7; 1024 * 1024];
        let (body, spool) = spooled((0..8).map(|_| data(&chunk)));
        spool.fill().await;
        assert_eq!(spool.lock().data.len(), 3 * chunk.len());
        assert_eq!(
            to_bytes(body, usize::MAX).await.unwrap().len(),
            8 * chunk.len()
        );
    }

    #[tokio::test]
    async fn trailers_and_errors_come_after_what_arrived_before_them() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let (mut body, spool) =
            spooled([data(b"a"), data(b"b"), Some(Ok(Frame::trailers(trailers)))]);
        spool.fill().await;
        assert!(!body.is_end_stream());
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(next().await.unwrap().unwrap().is_trailers());
        assert!(next().await.is_none());

        let broken = axum::Error::new(std::io::Error::other("gone"));
        let (mut body, spool) = spooled([data(b"a"), Some(Err(broken))]);
        spool.fill().await;
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "a");
        assert!(next().await.unwrap().is_err());
        assert!(next().await.is_none());
    }

    #[test]
    fn a_request_without_a_body_has_no_spool() {
        let mut extensions = Extensions::new();
        assert!(Spool::of(Body::empty(), &mut extensions).is_end_stream());
        assert!(extensions.get::<Spool>().is_none());
    }
}
