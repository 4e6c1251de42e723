//! Logs: `tracing` to stderr, as text for people or JSON for machines. stdout is never touched.

use crate::words;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

words! {
    /// How log lines look.
    #[derive(Default)]
    pub enum Format: "a log format" {
        /// One line an event: the message, then its fields. No timestamp: a build log adds its own.
        #[default]
        Text = "text",
        /// One JSON object an event, with a timestamp.
        Json = "json",
    }
}

/// Which events are logged: a level, or `target=level` pairs, comma separated.
#[derive(Debug, Clone)]
pub struct Filter(Targets);

impl Default for Filter {
    fn default() -> Self {
        // Libraries speak only when something is wrong. The SDK's warnings are dumps of its values,
        // and what matters of them is in our own errors.
        let silent = ["aws_config", "aws_runtime", "aws_smithy", "aws_sdk"];
        let quiet = ["hyper", "hyper_util", "rustls", "russh", "h2"];
        let targets = Targets::new().with_default(LevelFilter::INFO);
        let targets = silent.into_iter().fold(targets, |targets, library| {
            targets.with_target(library, LevelFilter::ERROR)
        });
        Self(quiet.into_iter().fold(targets, |targets, library| {
            targets.with_target(library, LevelFilter::WARN)
        }))
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A bare level keeps the libraries quiet; naming targets takes over the whole filter.
        if let Ok(level) = text.parse::<LevelFilter>() {
            return Ok(Self(Filter::default().0.with_default(level)));
        }
        // `Targets` would take any word for the name of a target, a misspelt level among them.
        if let Some(word) = text
            .split(',')
            .find(|part| !part.contains('=') && part.trim().parse::<LevelFilter>().is_err())
        {
            return Err(format!(
                "{word:?} is not a log level; use error, warn, info, debug, trace or off"
            ));
        }
        text.parse::<Targets>()
            .map(Self)
            .map_err(|error| format!("{text:?} is not a log filter ({error}); write one such as debug or info,aws_config=debug"))
    }
}

/// How the lines look; nothing before the start.
static STARTED: OnceLock<Format> = OnceLock::new();

/// How the lines look of the log that was started.
#[must_use]
pub fn format() -> Format {
    STARTED.get().copied().unwrap_or_default()
}

/// Starts logging. Later calls in one process change nothing.
pub fn start(format: Format, filter: Filter) {
    STARTED.get_or_init(|| format);
    let registry = tracing_subscriber::registry().with(filter.0);
    let layer = tracing_subscriber::fmt::layer().with_writer(Hiding::default);
    let started = match format {
        Format::Text => registry
            .with(layer.event_format(Plain).with_ansi(false))
            .try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    // A second start happens only where tests run several programs in one process.
    drop(started);
}

/// When the last line was written.
static LAST_LINE: Mutex<Option<Instant>> = Mutex::new(None);

/// When anybody was told something last, so that a long silence can be broken; nothing before the
/// first line.
#[must_use]
pub fn last_line() -> Option<Instant> {
    *LAST_LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a write to standard error while nothing else stands in its way there.
pub type Aside = Box<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

static ASIDE: RwLock<Option<Aside>> = RwLock::new(None);

/// From now on each line of the log is written inside of `aside`: by what draws below the log on a terminal, and takes its
/// drawing away meanwhile. Without one, lines are just written.
pub fn set_aside(aside: Option<Aside>) {
    *ASIDE.write().unwrap_or_else(PoisonError::into_inner) = aside;
}

/// Standard error without the secrets that are to be hidden. An event arrives in one piece, and is
/// written in one.
#[derive(Default)]
struct Hiding(Vec<u8>);

impl io::Write for Hiding {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.0);
        let text = crate::redact::redacted(&text);
        let mut written = Ok(());
        let mut write =
            || written = io::Write::write_all(&mut io::stderr().lock(), text.as_bytes());
        match &*ASIDE.read().unwrap_or_else(PoisonError::into_inner) {
            Some(aside) => aside(&mut write),
            None => write(),
        }
        if !self.0.is_empty() {
            *LAST_LINE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        self.0.clear();
        written
    }
}

impl Drop for Hiding {
    fn drop(&mut self) {
        // stderr may be closed; there is nobody to tell then.
        drop(io::Write::flush(self));
    }
}

struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        match *metadata.level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            Level::INFO => {}
            _ => write!(writer, "debug: {}: ", metadata.target())?,
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(writer, "{}{}", fields.message, fields.rest)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.rest.push_str(&format!(" {}={value:?}", field.name()));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else if value.is_empty()
            || value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
        {
            self.rest.push_str(&format!(" {}={value:?}", field.name()));
        } else {
            self.rest.push_str(&format!(" {}={value}", field.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Format};

    #[test]
    fn reads_formats_and_filters() {
        assert_eq!("json".parse(), Ok(Format::Json));
        assert!("xml".parse::<Format>().is_err());
        assert!("debug".parse::<Filter>().is_ok());
        assert!("info,aws_config=debug".parse::<Filter>().is_ok());
        assert!(
            "loud".parse::<Filter>().is_err(),
            "an unknown word must not be taken for a target"
        );
    }
}
