use quote::ToTokens;

use super::{Errors, did_you_mean, suggest::nearest};

/// The legal words of one place in an attribute, and what each stands for.
///
/// Parsing, "did you mean" and "expected one of" all read this one table, so
/// they cannot disagree.
pub(crate) struct Choices<T: 'static> {
    /// What a word here is called in messages.
    pub(crate) what: &'static str,
    pub(crate) all: &'static [(&'static str, T)],
}

impl<T: Copy> Choices<T> {
    /// Looks `word` up; an unknown one is a mistake at `tokens`.
    pub(crate) fn pick(&self, word: &str, tokens: impl ToTokens, errors: &mut Errors) -> Option<T> {
        let found = self.find(word);
        if found.is_none() {
            // Lower case, or `GET` would be nothing like `get`.
            let hint = did_you_mean(&word.to_lowercase(), self.words());
            let what = self.what;
            let expected = self.listed();
            errors.at(
                tokens,
                format_args!("unknown {what} `{word}`{hint} (expected {expected})"),
            );
        }
        found
    }

    /// What `word` stands for.
    pub(crate) fn find(&self, word: &str) -> Option<T> {
        self.all
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, meaning)| *meaning)
    }

    /// What a misspelt `word` was meant to stand for, to reason on after it was
    /// reported.
    pub(crate) fn meant(&self, word: &str) -> Option<T> {
        self.find(nearest(&word.to_lowercase(), self.words())?)
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|(word, _)| *word)
    }

    /// All words, as a message lists them: `a`, `b` or `c`.
    pub(crate) fn listed(&self) -> String {
        let quoted: Vec<_> = self.words().map(|word| format!("`{word}`")).collect();
        match quoted.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }
}
