//! SQL read just well enough to know what is a string, a comment or a
//! dollar-quoted body ([Lexical Structure]).
//!
//! [Lexical Structure]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string, a dollar-quoted body: data.
    Opaque,
    /// White space or a comment.
    Space,
    QuotedIdentifier,
    /// A keyword, a bare identifier or a number.
    Word,
    /// One character of anything else.
    Other,
}

pub(super) struct Token {
    pub(super) kind: Kind,
    /// In bytes.
    pub(super) len: usize,
}

impl Token {
    /// The token at the start of `sql`, which is not empty.
    pub(super) fn next(sql: &str) -> Self {
        let bytes = sql.as_bytes();
        let (kind, len) = match bytes[0] {
            b'\'' => (Kind::Opaque, quoted_len(bytes, b'\'', false)),
            b'e' | b'E' if bytes.get(1) == Some(&b'\'') => {
                (Kind::Opaque, 1 + escape_string_len(&bytes[1..]))
            }
            b'"' => match quoted_len(bytes, b'"', false) {
                // A lone quote at the end of the text opens nothing.
                1 => (Kind::Other, 1),
                len if len == bytes.len() && !closes(bytes) => (Kind::Opaque, len),
                len => (Kind::QuotedIdentifier, len),
            },
            b'$' => match dollar_quoted_len(sql) {
                Some(len) => (Kind::Opaque, len),
                None => (Kind::Other, 1),
            },
            b'-' if bytes.get(1) == Some(&b'-') => {
                (Kind::Space, sql.find(['\n', '\r']).unwrap_or(sql.len()))
            }
            b'/' if bytes.get(1) == Some(&b'*') => (Kind::Space, comment_len(bytes)),
            byte if is_space(byte) => (Kind::Space, 1),
            byte if is_word(byte) => {
                // `$` belongs to a word but never starts one; bytes above 127
                // are letters to PostgreSQL.
                let end = bytes.iter().position(|b| !is_word(*b) && *b != b'$');
                (Kind::Word, end.unwrap_or(bytes.len()))
            }
            _ => (Kind::Other, 1),
        };
        Self { kind, len }
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The length of a quoted run that starts at `bytes[0]`; a doubled quote stays
/// inside, and so does one behind a backslash if `escapes`. Unclosed, it is all
/// that is left.
fn quoted_len(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if escapes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

/// The length of a string in which a backslash escapes, from its first quote on:
/// it goes on in the next line if that starts with a quote.
fn escape_string_len(bytes: &[u8]) -> usize {
    let mut len = quoted_len(bytes, b'\'', true);
    while let Some(gap) = gap_before_continuation(&bytes[len..]) {
        len += gap;
        len += quoted_len(&bytes[len..], b'\'', true);
    }
    len
}

/// What stands between two parts of one string: white space with a line's end in
/// it, and comments that a line's end closes.
fn gap_before_continuation(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut new_line = false;
    loop {
        match bytes.get(at)? {
            b'\'' => return new_line.then_some(at),
            b'\n' | b'\r' => {
                new_line = true;
                at += 1;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                let end = bytes[at..].iter().position(|b| matches!(b, b'\n' | b'\r'));
                at += end?;
            }
            byte if is_space(*byte) => at += 1,
            _ => return None,
        }
    }
}

/// Whether a quoted identifier that reaches the end of the text is closed there.
fn closes(bytes: &[u8]) -> bool {
    bytes[1..].iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

fn dollar_quoted_len(sql: &str) -> Option<usize> {
    let tag_len = sql[1..].find('$')? + 2;
    let tag = &sql[..tag_len];
    let name = &tag[1..tag_len - 1];
    let is_tag = name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| match sql[tag_len..].find(tag) {
        Some(end) => tag_len + end + tag_len,
        None => sql.len(),
    })
}

/// Comments nest in PostgreSQL.
fn comment_len(bytes: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}
