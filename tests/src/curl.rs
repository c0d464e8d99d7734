//! A line for a shell, `curl …`, as the request it stands for: what an
//! application prints for people to paste is tried without the program.

use std::iter::Peekable;
use std::str::Chars;

use reqwest::header::{ACCEPT, CONTENT_TYPE};

/// Sends what `line` says; the status and the body of the answer.
///
/// # Panics
///
/// When the line uses more of curl or of the shell than is known here.
pub async fn run(line: &str) -> (u16, String) {
    let mut words = words(line).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
    let (mut url, mut body, mut headers) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("cut off: {line}"));
        match word.as_str() {
            "-H" => headers.push(value()),
            "--json" => body = Some(value()),
            word if word.starts_with('-') => panic!("`{word}` is not known here: {line}"),
            _ => assert!(url.replace(word).is_none(), "two addresses: {line}"),
        }
    }
    let url = url.unwrap_or_else(|| panic!("no address: {line}"));
    let client = reqwest::Client::new();
    let mut request = match body {
        Some(body) => client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body),
        None => client.get(url),
    };
    for header in headers {
        let (name, value) = header.split_once(": ").expect("`Name: value`");
        request = request.header(name, value);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.text().await.expect("its body"))
}

/// Splits a line as a shell does that knows nothing but spaces and single quotes.
fn words(line: &str) -> Vec<String> {
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
    let mut quoted = false;
    while let Some(next) = rest.next_if(|&next| quoted || next != ' ') {
        match next {
            '\'' => quoted = !quoted,
            '"' | '\\' | '$' | '`' | '&' | ';' | '*' | '?' if !quoted => {
                panic!("`{next}` outside of quotes means something to a shell")
            }
            _ => word.push(next),
        }
    }
    assert!(!quoted, "a quote that does not end");
    word
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_end_at_spaces_outside_of_quotes() {
        let line = "curl  http://h/p -H 'X: y' --json '{\"a\": 1}'";
        let expected = ["curl", "http://h/p", "-H", "X: y", "--json", "{\"a\": 1}"];
        assert_eq!(words(line), expected);
    }

    #[test]
    #[should_panic(expected = "outside of quotes")]
    fn an_address_with_two_parameters_must_be_quoted() {
        words("curl http://h/p?a=1&b=2");
    }
}
