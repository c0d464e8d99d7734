//! What can be told of an application's migrations before they run.

use super::Migration;
use crate::model::ModelDef;
use crate::problem::Problem;

/// Everything wrong with the list, and with it and the models together.
pub(crate) fn problems(
    migrations: &'static [Migration],
    models: &[&'static ModelDef],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, migration) in migrations.iter().enumerate() {
        let about = format!("the migration `{migration}`");
        if !is_version(migration.version) {
            problems.push(Problem::new(
                &*about,
                "has a version that is no number",
                "write digits only, for example 20260101120000",
            ));
        } else if let Some(before) = position.checked_sub(1).map(|before| &migrations[before])
            && number(before.version) >= number(migration.version)
        {
            problems.push(Problem::new(
                about,
                format!("stands behind `{before}`, whose version is not smaller"),
                "give every migration a version of its own and keep them in order",
            ));
        }
    }
    for model in models {
        if model.migrated && migrations.is_empty() {
            problems.push(Problem::new(
                format!("the model `{}`", model.name),
                "is `migrated`, and the application has no migrations",
                "declare migrations = \"migrations\", or drop `migrated`",
            ));
        }
        // Our tables are all there before the first migration runs.
        let mut targets = model
            .references
            .iter()
            .map(|reference| (reference.target)());
        if !model.migrated
            && let Some(target) = targets.find(|target| target.migrated)
        {
            problems.push(Problem::new(
                format!("the model `{}`", model.name),
                format!("refers to `{}`, whose table is made later", target.name),
                "make both by migrations: add `migrated` to it as well",
            ));
        }
    }
    problems
}

fn is_version(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
}

/// What two versions are compared by: as numbers, however long.
pub(super) fn number(version: &str) -> (usize, &str) {
    let digits = version.trim_start_matches('0');
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn migration(version: &'static str) -> Migration {
        Migration {
            version,
            name: "m",
            sql: "SELECT 1",
        }
    }

    fn said(migrations: &'static [Migration]) -> String {
        let problems = problems(migrations, &[]);
        problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()
    }

    #[test]
    fn versions_are_numbers_and_rise() {
        static GOOD: &[Migration] = &[
            migration("00000000000000"),
            migration("9"),
            migration("10"),
            migration("20260101000000"),
        ];
        assert_eq!(said(GOOD), "");
        static TWICE: &[Migration] = &[migration("1"), migration("01")];
        assert!(said(TWICE).contains("`01_m`: stands behind `1_m`"));
        static FALLING: &[Migration] = &[migration("10"), migration("9")];
        assert!(said(FALLING).contains("`9_m`: stands behind `10_m`"));
        static WORD: &[Migration] = &[migration("v1"), migration("")];
        assert_eq!(said(WORD).matches("is no number").count(), 2);
    }
}
