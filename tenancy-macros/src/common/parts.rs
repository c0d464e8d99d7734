use proc_macro2::{TokenStream, TokenTree};

/// The comma-separated parts of an attribute.
///
/// They are parsed one by one, so that a mistake in one part does not hide the
/// mistakes in the next. Commas inside parentheses are not seen here.
pub(crate) fn parts(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            parts.push(TokenStream::new());
        } else if let Some(last) = parts.last_mut() {
            last.extend([token]);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
