use std::collections::BTreeMap;
use std::fmt;

/// What a [`Matrix`](super::Matrix) called, and what is wrong. Shown, it is a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "call `assert_apart`"]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) wrong: Vec<String>,
}

/// One route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) route: String,
    /// How often each status answered A, and B.
    pub(super) a: BTreeMap<u16, usize>,
    pub(super) b: BTreeMap<u16, usize>,
    pub(super) note: String,
}

impl Report {
    /// Everything that is wrong, one sentence each.
    #[must_use]
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    /// How often A called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.rows.iter().flat_map(|row| row.a.values()).sum()
    }

    /// Checks that nothing is wrong.
    ///
    /// # Panics
    ///
    /// With the whole report, if anything is.
    #[track_caller]
    pub fn assert_apart(&self) {
        assert!(self.wrong.is_empty(), "tenants are not kept apart\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: fn(&Row) -> String, least: &str| {
            let widths = self.rows.iter().map(|row| text(row).len());
            widths.chain([least.len()]).max().unwrap_or(0)
        };
        let route = width(|row| row.route.clone(), "route");
        let a = width(|row| counts(&row.a), "A with B's keys");
        let b = width(|row| counts(&row.b), "B itself");
        writeln!(
            f,
            "{:route$}  {:a$}  {:b$}",
            "route", "A with B's keys", "B itself"
        )?;
        for row in &self.rows {
            let (name, of_a, of_b) = (&row.route, counts(&row.a), counts(&row.b));
            let line = format!("{name:route$}  {of_a:a$}  {of_b:b$}  {}", row.note);
            writeln!(f, "{}", line.trim_end())?;
        }
        for wrong in &self.wrong {
            writeln!(f, "wrong: {wrong}")?;
        }
        Ok(())
    }
}

/// `404 x 12, 405 x 1`
fn counts(answers: &BTreeMap<u16, usize>) -> String {
    let each = answers
        .iter()
        .map(|(status, count)| format!("{status} x {count}"));
    each.collect::<Vec<_>>().join(", ")
}
