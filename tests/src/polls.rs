//! Futures that are dropped where they stand, as those of a caller are who goes
//! away: cancellation at a chosen await.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls so often and no more; what came of it, if it came to an end.
pub async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
