//! Metadata as it is read: a number in the place of each secret, by which a
//! `SecretSetting` finds it (`setting`).

use serde_json::{Value, json};

use super::replace;
use crate::problem::Problem;
use crate::sealing::setting::{Opening, with_secrets};
use crate::tenant::MARK;

/// Metadata with numbers in the places of its secrets.
pub(super) struct Numbered {
    metadata: Value,
    secrets: Vec<Opening>,
}

impl Numbered {
    pub(super) fn of(metadata: &Value) -> Self {
        Self {
            metadata: metadata.clone(),
            secrets: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, place: &str, secret: Opening) {
        let number = json!({ MARK: self.secrets.len() });
        replace(&mut self.metadata, place, number);
        self.secrets.push(secret);
    }

    pub(super) fn read<T>(self, read: impl FnOnce(&Value) -> T) -> Result<T, Problem> {
        with_secrets(self.secrets, || read(&self.metadata))
    }
}
