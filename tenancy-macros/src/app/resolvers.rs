//! The rules of `resolver` with the options of each, and of `membership`.

use syn::LitStr;

use crate::common::{Choices, Errors};

use super::attr::{Choice, Key, Written};
use super::check::only_with;
use super::ir::{Main, Membership, Resolver};
use super::jwt;

/// What is written about resolvers.
pub(super) const KEYS: &[Key] = &[
    Key::Resolver,
    Key::Header,
    Key::Suffix,
    Key::CustomDomains,
    Key::Prefix,
    Key::Claim,
    Key::Audience,
    Key::Issuer,
    Key::Algorithm,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Header,
    Subdomain,
    Path,
    Jwt,
}

const WORDS: Choices<Word> = Choices {
    what: "resolver",
    all: &[
        ("header", Word::Header),
        ("subdomain", Word::Subdomain),
        ("path", Word::Path),
        ("jwt", Word::Jwt),
    ],
};

type Rule = fn(&LitStr, &mut Errors);

/// Each option that belongs to one resolver, with its rule.
const OPTIONS: &[(Key, Word, Rule)] = &[
    (Key::Header, Word::Header, header_name),
    (Key::Suffix, Word::Subdomain, suffix),
    (Key::CustomDomains, Word::Subdomain, |_, _| ()),
    (Key::Prefix, Word::Path, prefix),
    (Key::Claim, Word::Jwt, jwt::claim),
    (Key::Audience, Word::Jwt, jwt::audience),
    (Key::Issuer, Word::Jwt, jwt::issuer),
    (Key::Algorithm, Word::Jwt, jwt::algorithm),
];

/// The resolvers in their order; `None` if none is written, or after a mistake.
pub(super) fn check(written: &Written, errors: &mut Errors) -> Option<Vec<Resolver>> {
    for (key, _, rule) in OPTIONS {
        if let Some(literal) = written.text(*key) {
            rule(literal, errors);
        }
    }
    let Some(option) = written.get(Key::Resolver) else {
        return by_option(written, errors);
    };
    if option.is_empty_list() {
        errors.at(
            &option.name,
            "`resolver` names none: write `resolver = \"header\"` or drop it",
        );
        return None;
    }
    let mut chosen = Vec::new();
    let mut resolvers = Vec::new();
    for choice in written.choices(Key::Resolver) {
        match choice {
            Choice::Own(path) => resolvers.push(Resolver::Own(path.clone())),
            Choice::Word(literal) => {
                let word = WORDS.pick(&literal.value(), literal, errors)?;
                if chosen.contains(&word) {
                    errors.at(literal, "this resolver is named twice; once is enough");
                }
                chosen.push(word);
                resolvers.extend(built(written, word, literal, errors));
            }
        }
    }
    // A value with a mistake in it says nothing of what was chosen.
    if !(chosen.is_empty() && resolvers.is_empty()) {
        for (key, word, _) in OPTIONS {
            if !chosen.contains(word) {
                foreign(written, *key, *word, errors);
            }
        }
    }
    (resolvers.len() == written.choices(Key::Resolver).len() && !resolvers.is_empty())
        .then_some(resolvers)
}

/// An option of a resolver's own says which one is meant.
fn by_option(written: &Written, errors: &mut Errors) -> Option<Vec<Resolver>> {
    let mut given = OPTIONS
        .iter()
        .filter(|(key, ..)| written.get(*key).is_some());
    let (key, word, _) = given.next()?;
    for (other, foreign_word, _) in given {
        if foreign_word != word {
            foreign(written, *other, *foreign_word, errors);
        }
    }
    let Some(literal) = written.text(*key) else {
        // The one without a value, where what it belongs to is not written.
        if *key == Key::CustomDomains
            && let Some(option) = written.get(*key)
        {
            errors.at(
                &option.name,
                "`custom_domains` needs `resolver = \"subdomain\"` and `suffix = \".myapp.com\"`",
            );
        }
        return None;
    };
    built(written, *word, literal, errors).map(|resolver| vec![resolver])
}

fn foreign(written: &Written, key: Key, word: Word, errors: &mut Errors) {
    let known = WORDS.all.iter().find(|(_, known)| *known == word);
    let text = known.map_or("", |(text, _)| text);
    only_with(written, &[key], &format!("resolver = \"{text}\""), errors);
}

fn built(written: &Written, word: Word, literal: &LitStr, errors: &mut Errors) -> Option<Resolver> {
    match word {
        Word::Header => Some(Resolver::Header(written.text(Key::Header).cloned())),
        Word::Path => Some(Resolver::Path(written.text(Key::Prefix).cloned())),
        Word::Jwt => Some(Resolver::Jwt(jwt::built(written, literal))),
        Word::Subdomain => {
            if written.get(Key::Suffix).is_none() {
                errors.at(
                    literal,
                    "`resolver = \"subdomain\"` needs `suffix = \".myapp.com\"`",
                );
            }
            let suffix = written.text(Key::Suffix).cloned()?;
            let custom_domains = written.get(Key::CustomDomains);
            let custom_domains = custom_domains.map(|option| option.name.span());
            Some(Resolver::Subdomain(suffix, custom_domains))
        }
    }
}

const MEMBERSHIPS: Choices<()> = Choices {
    what: "membership",
    all: &[("gateway", ())],
};

pub(super) fn membership(written: &Written, errors: &mut Errors) -> Option<Membership> {
    match written.choices(Key::Membership).first()? {
        Choice::Own(path) => Some(Membership::Own(path.clone())),
        Choice::Word(literal) => {
            MEMBERSHIPS.pick(&literal.value(), literal, errors)?;
            Some(Membership::Gateway)
        }
    }
}

/// A resolver that anybody can use in anybody's name needs somebody who decides.
/// Whoever takes the application may add one, and a resolver of the application's
/// own may prove enough: those are asked at start.
pub(super) fn who_decides(written: &Written, main: &Main, errors: &mut Errors) {
    let words = written.choices(Key::Resolver);
    let believed = |choice: &Choice| match choice {
        // A token proves who may act; a word that is unknown was reported.
        Choice::Word(word) => !matches!(WORDS.find(&word.value()), None | Some(Word::Jwt)),
        Choice::Own(_) => false,
    };
    if words.is_empty()
        || !words.iter().all(believed)
        || written.get(Key::Membership).is_some()
        || !matches!(main, Main::Prepares)
    {
        return;
    }
    errors.at(
        &words[0],
        "with this anybody can name any tenant: add `membership = MyMembership`, which decides \
         who may act for one, or `membership = \"gateway\"` if only a gateway that has decided it \
         reaches the application",
    );
}

/// A field name is a token: <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>.
fn header_name(literal: &LitStr, errors: &mut Errors) {
    let name = literal.value();
    let valid = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(valid) {
        errors.at(
            literal,
            "a header's name has letters, digits and `-`: write `header = \"X-Tenant-ID\"`",
        );
    }
}

/// The rule of the runtime's `HostName`, without a port.
fn suffix(literal: &LitStr, errors: &mut Errors) {
    let text = literal.value();
    let domain = text.strip_prefix('.').unwrap_or(&text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    let last = domain.rsplit('.').next().is_some_and(number);
    if domain.len() > 253 || last || !domain.split('.').all(label) {
        errors.at(
            literal,
            "the suffix is a domain, in ASCII (`xn--…`): write `suffix = \".myapp.com\"`",
        );
    }
}

/// The rule of the runtime's `PathResolver`.
fn prefix(literal: &LitStr, errors: &mut Errors) {
    let text = literal.value();
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let segment = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(unreserved)
    };
    let segments = text.strip_prefix('/');
    if !segments.is_some_and(|segments| segments.split('/').all(segment)) {
        errors.at(
            literal,
            "the prefix begins with `/` and ends without one: write `prefix = \"/t\"`",
        );
    }
}
