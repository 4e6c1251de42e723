//! Bodies that are streamed, such as those of S3 objects: read whole, and asked for again when they
//! break off. The SDK's own retries end where the body begins.

use action::exit::Exit;
use action::failure::Failure;
use aws_smithy_types::byte_stream::{AggregatedBytes, ByteStream};
use std::time::Duration;

/// How often a body is asked for.
const TRIES: u32 = 5;

/// The pause before the second try; it doubles each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for a body until one arrives whole, five times at most; gives it with what came before it.
/// Each try is one whole answer, so that the SDK compares it with its checksum and no two answers are
/// mixed. `deed` reads "cannot fetch …". Bound it by the deadline and the signals of the program.
///
/// # Errors
/// Those of `ask`, at once; [`Exit::Unavailable`] when the last body breaks off too.
pub async fn whole<T>(
    deed: &str,
    mut ask: impl AsyncFnMut() -> Result<(T, ByteStream), Failure>,
) -> Result<(T, AggregatedBytes), Failure> {
    let mut tries = 1;
    let mut pause = PAUSE;
    loop {
        let (head, body) = ask().await?;
        let error = match body.collect().await {
            Ok(bytes) => return Ok((head, bytes)),
            Err(error) => crate::error::chain(&error),
        };
        if tries == TRIES {
            return Err(Failure::new(Exit::Unavailable, deed)
                .detail(format!("the body broke off {TRIES} times"))
                .cause(error)
                .hint("the connection to the service is bad; running again is safe"));
        }
        tries += 1;
        tracing::warn!("{deed}: its body broke off ({error}); try {tries} of {TRIES}");
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
