//! Functions that run with the rights of their owner (`SECURITY DEFINER`): what
//! they show is up to them, not to the policies. PostgreSQL lets everybody call
//! a new function, so one is open to the application's role unless somebody
//! thought of it. Those that are meant are exempt for a reason, and search no
//! schema that their caller chooses ([Writing SECURITY DEFINER Functions Safely]).
//!
//! [Writing SECURITY DEFINER Functions Safely]: https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY

use diesel::sql_types::{Array, Bool, Text};

use super::{Exemption, Tables};
use crate::db::Pool;
use crate::error::Result;
use crate::model::quoted;
use crate::problem::Problem;

/// Those that the application's role may call and should not.
pub(super) async fn open(app: &Pool, tables: &Tables) -> Result<Vec<Problem>> {
    let exempt: Vec<&str> = tables.exempt().iter().map(Exemption::name).collect();
    let open: Vec<Definer> = app
        .read(
            diesel::sql_query(OPEN)
                .bind::<Text, _>(tables.app_role())
                .bind::<Array<Text>, _>(exempt),
        )
        .await?;
    let problems = open.iter().map(|it| it.problem(tables.app_role()));
    Ok(problems.collect())
}

#[derive(diesel::QueryableByName)]
struct Definer {
    /// As `App::exempt` takes it.
    #[diesel(sql_type = Text)]
    name: String,
    /// With its arguments, quoted.
    #[diesel(sql_type = Text)]
    signature: String,
    #[diesel(sql_type = Bool)]
    exempt: bool,
}

/// What a trigger calls, nobody else can; what belongs to an extension is the
/// extension's; a superuser may call all, which the probe says once.
const OPEN: &str = "
    SELECT * FROM (
        SELECT n.nspname || '.' || p.proname AS name, p.oid::regprocedure::text AS signature,
            n.nspname || '.' || p.proname = ANY ($2) AS exempt,
            EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') AS fixed
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND NOT (SELECT a.rolsuper FROM pg_catalog.pg_roles a WHERE a.rolname = $1)
            AND has_schema_privilege($1, n.oid, 'USAGE')
            AND has_function_privilege($1, p.oid, 'EXECUTE')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                AND d.deptype = 'e')
    ) definer
    WHERE NOT (exempt AND fixed)
    ORDER BY signature";

impl Definer {
    fn problem(&self, role: &str) -> Problem {
        let Self {
            name, signature, ..
        } = self;
        let (wrong, remedy) = if self.exempt {
            (
                "is exempt, and finds names in the schemas that its caller chooses".to_owned(),
                format!("run: ALTER ROUTINE {signature} SET search_path = ''"),
            )
        } else {
            let role = quoted(role);
            (
                format!(
                    "runs with the rights of its owner, and {role} may call it: whose rows it \
                     shows is up to it"
                ),
                format!(
                    "exempt it with `App::exempt(\"{name}\", \"why\")`, or run: \
                     REVOKE EXECUTE ON ROUTINE {signature} FROM {role}, PUBLIC"
                ),
            )
        };
        Problem::new(format!("the function {signature}"), wrong, remedy)
    }
}
