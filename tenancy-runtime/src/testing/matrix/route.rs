/// A method, and a path with holes for its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// `GET /todos/{id}`
    pub(super) name: String,
    pub(super) method: String,
    /// What stands before each parameter, and after the last.
    pieces: Vec<String>,
}

impl Route {
    /// Reads `GET /todos/{id}`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (method, path) = name.split_once(' ')?;
        let good = method.bytes().all(|byte| byte.is_ascii_uppercase()) && path.starts_with('/');
        if method.is_empty() || !good {
            return None;
        }
        let mut pieces = vec![String::new()];
        let mut rest = path.chars().peekable();
        while let Some(next) = rest.next() {
            match next {
                // Doubled they stand for themselves.
                '{' | '}' if rest.peek() == Some(&next) => {
                    rest.next();
                    pieces.last_mut()?.push(next);
                }
                '{' => {
                    rest.find(|next| *next == '}')?;
                    pieces.push(String::new());
                }
                _ => pieces.last_mut()?.push(next),
            }
        }
        Some(Self {
            name: name.to_owned(),
            method: method.to_owned(),
            pieces,
        })
    }

    /// How many parameters the path has.
    pub(super) fn parameters(&self) -> usize {
        self.pieces.len() - 1
    }

    /// The path with these in the place of its parameters.
    pub(super) fn path(&self, ids: &[String]) -> String {
        let mut path = String::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            path.push_str(piece);
            if i < self.parameters() {
                path.push_str(ids.get(i).map_or("", String::as_str));
            }
        }
        path
    }

    /// Whether it only reads.
    pub(super) fn reads(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_their_order() {
        let route = Route::parse("GET /a/{b}/c-{*d}").unwrap();
        assert_eq!(route.parameters(), 2);
        assert_eq!(route.path(&["1".to_owned(), "2".to_owned()]), "/a/1/c-2");
        let plain = Route::parse("POST /{{a}}").unwrap();
        assert_eq!(
            (plain.parameters(), plain.path(&[])),
            (0, "/{a}".to_owned())
        );
        for wrong in ["/a", "get /a", "GET a", "GET /{a", ""] {
            assert_eq!(Route::parse(wrong), None, "{wrong}");
        }
    }
}
