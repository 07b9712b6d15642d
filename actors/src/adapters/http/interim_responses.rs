//! Removes interim answers (RFC 9110, 15.2), such as `100 Continue` or `103 Early Hints`, from the bytes before the answer.
//! awc would take the first head for the answer. Pure: bytes in, bytes out.

/// Most interim answers before an answer.
const HEADS_MAX: usize = 100;
/// Most bytes of all of them, including empty lines before them.
const BYTES_MAX: usize = 65_536;
/// The beginning of every interim answer; `d` is any digit.
const PATTERN: &[u8] = b"HTTP/1.d 1dd";
/// Not an interim answer. No other protocol was requested, so it is treated as an answer, which is a failure.
const SWITCHING_PROTOCOLS: &[u8] = b"101";

/// Too many interim answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {HEADS_MAX} interim answers or {BYTES_MAX} bytes of them, and no answer")]
pub struct TooMany;

/// Skips interim answers until the answer begins. A connection carries one answer, so each connection has its own.
#[derive(Debug, Default)]
pub struct Interim {
    /// The beginning of a head that is incomplete, or that may still be an interim answer's.
    held: Vec<u8>,
    /// The first bytes of it that do not contain the end of a head.
    searched: usize,
    heads: usize,
    bytes: usize,
}

/// What the held bytes begin with.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Undecided,
    Interim,
    Answer,
}

impl Interim {
    /// Takes the next bytes of the connection. Returns `None` while all of them belong to interim answers; otherwise the
    /// answer has begun, and this is the part of it that has arrived.
    ///
    /// # Errors
    /// [`TooMany`]; then the connection cannot be used.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, TooMany> {
        self.held.extend_from_slice(bytes);
        loop {
            let empty_lines = self.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.read_over(empty_lines)?;
            match head(&self.held) {
                Head::Undecided => return Ok(None),
                Head::Answer => return Ok(Some(self.rest())),
                Head::Interim => {}
            }
            let Some(end) = self.head_end() else {
                return if self.bytes + self.held.len() > BYTES_MAX { Err(TooMany) } else { Ok(None) };
            };
            self.heads += 1;
            self.read_over(end)?;
        }
    }

    /// The bytes that are held when the connection ends, or when the answer has begun.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn read_over(&mut self, bytes: usize) -> Result<(), TooMany> {
        self.held.drain(..bytes);
        self.searched = 0;
        self.bytes += bytes;
        if self.heads > HEADS_MAX || self.bytes > BYTES_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// The end of the first empty line. Lines may end with LF alone; awc's parser also accepts that.
    fn head_end(&mut self) -> Option<usize> {
        let is_end = |at: usize| {
            let before = &self.held[..at];
            self.held[at] == b'\n' && (before.ends_with(b"\n") || before.ends_with(b"\n\r"))
        };
        let end = (self.searched..self.held.len()).find(|&at| is_end(at));
        self.searched = self.held.len();
        end.map(|at| at + 1)
    }
}

fn head(held: &[u8]) -> Head {
    let fits = |(wanted, byte): (&u8, &u8)| if *wanted == b'd' { byte.is_ascii_digit() } else { wanted == byte };
    if !PATTERN.iter().zip(held).all(fits) || held.get(9..12) == Some(SWITCHING_PROTOCOLS) {
        return Head::Answer;
    }
    match held.get(PATTERN.len()) {
        None => Head::Undecided,
        Some(byte) if byte.is_ascii_digit() => Head::Answer,
        Some(_) => Head::Interim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nfoobar";

    /// The output for `bytes`, given in pieces of this size.
    fn passed(bytes: &[u8], piece: usize) -> Result<Vec<u8>, TooMany> {
        let (mut interim, mut out, mut is_over) = (Interim::default(), Vec::new(), false);
        for piece in bytes.chunks(piece) {
            if is_over {
                out.extend_from_slice(piece);
            } else if let Some(begin) = interim.push(piece)? {
                is_over = true;
                out.extend(begin);
            }
        }
        out.extend(interim.rest());
        Ok(out)
    }

    fn before_the_answer(before: &str) -> Vec<u8> {
        [before.as_bytes(), ANSWER].concat()
    }

    #[test]
    fn interim_answers_are_skipped_wherever_the_bytes_are_split() {
        for before in [
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 7\r\n\r\n",
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\n",
            "HTTP/1.0 100 Continue\n\n",
            "HTTP/1.1 199\r\n\r\n",
            "HTTP/1.1 100 \n\r\n",
            "\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\r\n",
        ] {
            let bytes = before_the_answer(before);
            for piece in 1..=bytes.len() {
                assert_eq!(passed(&bytes, piece).unwrap(), ANSWER, "{before:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_interim_answer_is_not_touched() {
        for bytes in [
            &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"[..],
            b"HTTP/1.1 1000 OK\r\n\r\n",
            b"HTTP/2.0 100 Continue\r\n\r\n",
            b"http/1.1 100 Continue\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 1",
            b"HTTP/1.1 100 Continue\r\nLink: cut off",
        ] {
            for piece in 1..=bytes.len() {
                assert_eq!(passed(bytes, piece).unwrap(), bytes, "{}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn their_number_and_their_size_are_bounded() {
        let heads = |count| before_the_answer(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(count));
        assert_eq!(passed(&heads(HEADS_MAX), 1_000).unwrap(), ANSWER);
        assert_eq!(passed(&heads(HEADS_MAX + 1), 1_000), Err(TooMany));
        let long = |bytes| format!("HTTP/1.1 103 Early Hints\r\nLink: {}", "x".repeat(bytes));
        assert_eq!(passed(&before_the_answer(&(long(BYTES_MAX - 100) + "\r\n\r\n")), 4_096).unwrap(), ANSWER);
        assert_eq!(passed(&before_the_answer(&(long(BYTES_MAX) + "\r\n\r\n")), 4_096), Err(TooMany));
        assert_eq!(passed(long(BYTES_MAX).as_bytes(), 4_096), Err(TooMany), "without an end, too");
        assert_eq!(passed("\r\n".repeat(BYTES_MAX).as_bytes(), 4_096), Err(TooMany), "empty lines count");
    }
}
