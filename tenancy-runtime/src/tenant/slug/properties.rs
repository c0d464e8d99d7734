//! What holds for every slug and for whatever is sent in the place of one.

use proptest::prelude::*;

use super::*;

/// Bytes that are nearly a slug, and bytes that are nothing of the kind.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        "[a-zA-Z0-9._%/ \\n-]{0,70}".prop_map(String::into_bytes),
        ("[a-z0-9-]{0,64}", any::<char>()).prop_map(|(slug, c)| format!("{slug}{c}").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn what_the_rule_says_is_a_slug(text in "[a-z0-9][a-z0-9-]{1,61}[a-z0-9]") {
        let slug: Slug = text.parse().unwrap();
        prop_assert_eq!(slug.as_str(), &text);
    }

    #[test]
    fn a_slug_is_what_was_sent_or_nothing(bytes in hostile()) {
        match Slug::from_bytes(&bytes) {
            // Neither folded nor trimmed nor cut off, so no two spellings meet.
            Ok(slug) => {
                prop_assert_eq!(slug.as_str().as_bytes(), &bytes);
                prop_assert!((Slug::MIN_LEN..=Slug::MAX_LEN).contains(&bytes.len()));
                let json = serde_json::to_string(&slug).unwrap();
                prop_assert_eq!(serde_json::from_str::<Slug>(&json).unwrap(), slug);
            }
            // What is refused may end in a log.
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.len() < 500, "{}", text.len());
                prop_assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            }
        }
    }
}
