//! A line for a shell, `curl …`, as the request it stands for: what an
//! application prints for people to paste is tried without the program.

use std::iter::Peekable;
use std::str::Chars;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};

/// Sends what `line` says; the status and the body of the answer.
///
/// # Panics
///
/// When the line uses more of curl or of the shell than is known here.
pub async fn run(line: &str) -> (u16, String) {
    let response = request(line).send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.text().await.expect("its body"))
}

/// What `line` would send.
///
/// # Panics
///
/// As [`run`].
pub fn request(line: &str) -> RequestBuilder {
    let mut words = words(line).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
    let (mut url, mut method, mut body, mut headers) = (None, None, None, Vec::new());
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("cut off: {line}"));
        match word.as_str() {
            "-H" => headers.push(value()),
            "-X" => method = Some(value()),
            // As the curl of the command line: not JSON, unless a header says so.
            "-d" => body = Some((value(), "application/x-www-form-urlencoded")),
            "--json" => body = Some((value(), "application/json")),
            // The answer is not held back: it is not held back here either.
            "-N" => {}
            word if word.starts_with('-') => panic!("`{word}` is not known here: {line}"),
            _ => assert!(url.replace(word).is_none(), "two addresses: {line}"),
        }
    }
    let url = url.unwrap_or_else(|| panic!("no address: {line}"));
    let method = match (method, &body) {
        (Some(method), _) => Method::from_bytes(method.as_bytes()).expect("a method"),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    };
    let mut request = reqwest::Client::new().request(method, url);
    let says_what = |header: &String| header.to_lowercase().starts_with("content-type:");
    if let Some((body, kind)) = body {
        if !headers.iter().any(says_what) {
            request = request.header(CONTENT_TYPE, kind);
        }
        if kind == "application/json" {
            request = request.header(ACCEPT, kind);
        }
        request = request.body(body);
    }
    for header in headers {
        let (name, value) = header.split_once(": ").expect("`Name: value`");
        request = request.header(name, value);
    }
    request
}

/// Splits a line as a shell does that knows nothing but spaces, quotes, and the
/// backslash that goes on in the next line.
fn words(line: &str) -> Vec<String> {
    let line = line.replace("\\\n", " ");
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    while rest.next_if_eq(&' ').is_some() || rest.peek().is_some() {
        if rest.peek().is_some_and(|&next| next != ' ') {
            words.push(word(&mut rest));
        }
    }
    words
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    let mut quote = None;
    while let Some(next) = rest.next_if(|&next| quote.is_some() || next != ' ') {
        match (next, quote) {
            (mark, Some(open)) if mark == open => quote = None,
            ('\'' | '"', None) => quote = Some(next),
            ('\\' | '$' | '`', Some('"')) => {
                panic!("`{next}` between double quotes means something to a shell")
            }
            ('\\' | '$' | '`' | '&' | ';' | '*' | '?' | '\n' | '<' | '>' | '#', None) => {
                panic!("`{next}` outside of quotes means something to a shell")
            }
            _ => word.push(next),
        }
    }
    assert!(quote.is_none(), "a quote that does not end");
    word
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_end_at_spaces_outside_of_quotes() {
        let line = "curl  http://h/p -H 'X: y' \\\n  -H \"Z: w\" --json '{\"a\": 1}'";
        let expected = [
            "curl",
            "http://h/p",
            "-H",
            "X: y",
            "-H",
            "Z: w",
            "--json",
            "{\"a\": 1}",
        ];
        assert_eq!(words(line), expected);
    }

    #[test]
    #[should_panic(expected = "outside of quotes")]
    fn an_address_with_two_parameters_must_be_quoted() {
        words("curl http://h/p?a=1&b=2");
    }

    #[test]
    #[should_panic(expected = "between double quotes")]
    fn what_a_shell_replaces_is_not_sent_as_it_stands() {
        words("curl http://h/p -H \"Authorization: Bearer $TOKEN\"");
    }
}
