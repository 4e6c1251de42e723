//! As much of HTTP/1.1 as the AWS clients speak: keep-alive, chunked bodies, trailers.

use std::io::{self, BufRead, Read, Write};

use super::reply::Answer;

/// A request as it came, with the body already joined.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) method: String,
    /// Path and query as sent.
    pub(super) target: String,
    /// Names in lower case; trailers are appended.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Raw {
    /// The value of the header `name`, given in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Joins S3's own chunks, with the checksum after the last one.
    pub(super) fn join_aws_chunks(&mut self) -> io::Result<()> {
        let is_coded = self
            .header("content-encoding")
            .is_some_and(|coding| coding.contains("aws-chunked"));
        if is_coded {
            let coded = std::mem::take(&mut self.body);
            let (body, trailers) = chunks(&mut io::Cursor::new(coded))?;
            self.body = body;
            self.headers.extend(trailers);
        }
        Ok(())
    }
}

/// Reads the next request; `None` when the client closed the connection.
pub(super) fn read(stream: &mut (impl BufRead + Write)) -> io::Result<Option<Raw>> {
    let Some(first) = line(stream)? else {
        return Ok(None);
    };
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(bad("no request line"));
    };
    let mut raw = Raw {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers(stream)?,
        body: Vec::new(),
    };
    if raw
        .header("expect")
        .is_some_and(|what| what.eq_ignore_ascii_case("100-continue"))
    {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.flush()?;
    }
    if raw
        .header("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        let (body, trailers) = chunks(stream)?;
        raw.body = body;
        raw.headers.extend(trailers);
    } else if let Some(length) = raw.header("content-length") {
        let length: usize = length
            .parse()
            .map_err(|_| bad("content-length is no number"))?;
        raw.body = vec![0; length];
        stream.read_exact(&mut raw.body)?;
    }
    raw.join_aws_chunks()?;
    Ok(Some(raw))
}

/// Writes `answer`, or its first `sent` body bytes; a `HEAD` answer keeps its length but no body.
pub(super) fn write(
    stream: &mut impl Write,
    answer: &Answer,
    is_head: bool,
    sent: Option<usize>,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    let has_length = answer
        .headers
        .iter()
        .any(|(name, _)| name == "content-length");
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // 204 and 304 never have a body.
    if !has_length && ![204, 304].contains(&answer.status) {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !is_head {
        let sent = sent.unwrap_or(answer.body.len()).min(answer.body.len());
        bytes.extend_from_slice(&answer.body[..sent]);
    }
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Writes `answer` as HTTP/1.0 does: whoever closes the connection then ends it.
pub(super) fn write_unframed(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut head = format!("HTTP/1.0 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), &answer.body].concat())?;
    stream.flush()
}

type Headers = Vec<(String, String)>;

fn headers(stream: &mut impl BufRead) -> io::Result<Headers> {
    let mut found = Vec::new();
    while let Some(line) = line(stream)? {
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| bad("a header without a colon"))?;
        found.push((name.trim().to_lowercase(), value.trim().to_owned()));
    }
    Ok(found)
}

/// Joins chunks and reads the trailers after them.
fn chunks(stream: &mut impl BufRead) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.ok_or_else(|| bad("chunks end early"))?;
        // A chunk's size may carry an extension such as its signature.
        let size = size.split(';').next().unwrap_or("").trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| bad("a chunk size is no number"))?;
        if size == 0 {
            return Ok((body, headers(stream)?));
        }
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk)?;
        body.extend(chunk);
        line(stream)?;
    }
}

/// One line without its end; `None` at the end of the stream.
fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    stream.take(1 << 20).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    while bytes.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
