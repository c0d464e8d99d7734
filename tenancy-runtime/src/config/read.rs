use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::variables::{self, Variable};
use super::{Defaults, Embedded};
use crate::isolation::{Isolation, Strategy};
use crate::problem::{Problem, shown};

/// The longest time any setting may name: a day. Longer ones are a slip (a
/// value in milliseconds), and far beyond this, timers overflow.
const LONGEST: f64 = 86_400.0;

/// Reads variables one by one and gathers what is wrong, so that people mend
/// everything in one go. A wrong value counts as unset while reading goes on.
pub(super) struct Reader {
    vars: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let vars: BTreeMap<_, _> = vars
            .into_iter()
            .filter(|(name, _)| variables::is_ours(name))
            .map(|(name, value)| (name, value.trim().to_owned()))
            .collect();
        let mut reader = Self {
            vars,
            problems: Vec::new(),
        };
        reader.refuse_unknown();
        reader
    }

    /// The problems found, in the order of the table and of the names.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn is_set(&self, variable: Variable) -> bool {
        self.vars.contains_key(variable.name)
    }

    /// The text of a variable. An empty one is a problem, not a default: it is
    /// what a forgotten secret leaves behind, and must not start another
    /// database than the one meant.
    pub(super) fn text(&mut self, variable: Variable) -> Option<String> {
        let value = self.vars.get(variable.name)?;
        if value.is_empty() {
            self.problems.push(Problem::new(
                variable.name,
                "is set, but empty",
                format!(
                    "give it a value, or unset it for the default ({})",
                    variable.default
                ),
            ));
            return None;
        }
        Some(value.clone())
    }

    /// The text of a variable that nobody may see.
    pub(super) fn secret(&mut self, variable: Variable) -> Option<SecretString> {
        self.text(variable).map(SecretString::from)
    }

    fn refuse_unknown(&mut self) {
        for name in self.vars.keys().filter(|name| !variables::is_known(name)) {
            let remedy = match variables::nearest(name) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!(
                    "no variable is called that: remove it, or rename it if it is not for tenancy \
                     (names that begin with {} are)",
                    variables::PREFIX
                ),
            };
            let about = shown(name);
            self.problems
                .push(Problem::new(about, "is not known", remedy));
        }
    }

    /// Reads with `parse`; `None` when unset or wrong.
    pub(super) fn parsed<T>(
        &mut self,
        variable: Variable,
        takes: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(variable)?;
        let value = parse(&text);
        if value.is_none() {
            self.problems
                .push(value_problem(variable, &text, takes, example));
        }
        value
    }

    pub(super) fn address(&mut self, variable: Variable, default: SocketAddr) -> SocketAddr {
        self.parsed(
            variable,
            "an IP address with a port",
            &default.to_string(),
            |text| text.parse().ok(),
        )
        .unwrap_or(default)
    }

    /// A whole number within `range`.
    pub(super) fn count(
        &mut self,
        variable: Variable,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let takes = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(variable, &takes, &default.to_string(), |text| {
            text.parse().ok().filter(|count| range.contains(count))
        })
        .unwrap_or(default)
    }

    /// A whole number from 1, or no limit.
    pub(super) fn limit(&mut self, variable: Variable) -> Option<u32> {
        self.parsed(variable, "a whole number from 1", "1000", |text| {
            text.parse().ok().filter(|limit| *limit > 0)
        })
    }

    /// Seconds, with fractions; `least` is the shortest time that makes sense.
    pub(super) fn seconds(
        &mut self,
        variable: Variable,
        least: Duration,
        default: Duration,
    ) -> Duration {
        let takes = if least.is_zero() {
            "a number of seconds from 0 to 86400"
        } else {
            "a number of seconds above 0 and up to 86400"
        };
        let example = default.as_secs().to_string();
        self.parsed(variable, takes, &example, |text| {
            let seconds: f64 = text.parse().ok()?;
            let time = Duration::try_from_secs_f64(seconds).ok()?;
            (seconds <= LONGEST && time >= least).then_some(time)
        })
        .unwrap_or(default)
    }

    pub(super) fn switch(&mut self, variable: Variable, default: bool) -> bool {
        self.parsed(variable, "true or false", &default.to_string(), |text| {
            text.to_ascii_lowercase().parse().ok()
        })
        .unwrap_or(default)
    }

    pub(super) fn isolation(
        &mut self,
        variable: Variable,
        declared: Option<Isolation>,
    ) -> Option<Isolation> {
        let Some(text) = self.text(variable) else {
            return declared;
        };
        let Some(declared) = declared else {
            self.problems.push(Problem::new(
                variable.name,
                "is set, but the application isolates no data",
                "unset it, or declare isolation = \"rls\" in the application's attribute",
            ));
            return None;
        };
        let hybrid = matches!(declared, Isolation::Hybrid { .. });
        match (text.as_str(), text.parse::<Strategy>()) {
            (_, Ok(strategy)) => return Some(Isolation::single(strategy)),
            ("hybrid", _) if hybrid => {}
            ("hybrid", _) => self.problems.push(Problem::new(
                variable.name,
                "is `hybrid`, but the application does not say who is premium",
                "declare isolation = \"hybrid\" with premium and standard in the application's \
                 attribute",
            )),
            _ => {
                let takes = "rls, schema, database or hybrid";
                self.problems
                    .push(value_problem(variable, &text, takes, "rls"));
            }
        }
        Some(declared)
    }

    /// How many places to make ahead, where new tenants get one.
    pub(super) fn standby(&mut self, variable: Variable, isolation: Option<&Isolation>) -> u32 {
        let standby = self.count(variable, 0..=100, 0);
        let shared = |strategy: &Strategy| *strategy == Strategy::Rls;
        let places = isolation.is_some_and(|all| !all.strategies().iter().all(shared));
        if standby > 0 && !places {
            self.problems.push(Problem::new(
                variable.name,
                "is set, but new tenants get no schema or database of their own",
                "unset it, or isolate by schema or database",
            ));
        }
        standby
    }

    pub(super) fn embedded(&mut self, variable: Variable, default: Option<Embedded>) -> Embedded {
        match self.text(variable) {
            Some(text) if text == "temporary" => Embedded::Temporary,
            Some(folder) => Embedded::Folder(PathBuf::from(folder)),
            None => default.unwrap_or_default(),
        }
    }
}

/// Reads everything; the one place that says which variable fills which field.
pub(super) fn config(
    mut reader: Reader,
    defaults: Defaults,
) -> Result<super::Config, Vec<Problem>> {
    use super::variables::*;

    let logins = super::database::read(&mut reader);
    let tenant_databases = super::template::read(
        &mut reader,
        defaults.database_url_template,
        logins.application.as_ref(),
        logins.owner.as_ref(),
    );
    let listen = reader.address(LISTEN, SocketAddr::from(([127, 0, 0, 1], 8000)));
    let isolation = reader.isolation(ISOLATION_STRATEGY, defaults.isolation);
    let resolution = super::resolution::read(&mut reader, defaults.resolution);
    let pool_size = reader.count(POOL_SIZE, 1..=1000, 10);
    let standby = reader.standby(STANDBY, isolation.as_ref());
    #[cfg(feature = "encryption")]
    let encryption_keys = super::encryption::read(&mut reader, isolation.is_some());
    #[cfg(not(feature = "encryption"))]
    super::encryption::read(&mut reader);
    let config = super::Config {
        database_url: logins.application,
        owner_database_url: logins.owner,
        system_database_url: logins.system,
        tenant_databases,
        listen,
        isolation,
        resolution,
        trusted_proxies: super::resolution::trusted_proxies(&mut reader),
        cache_enabled: reader.switch(CACHE_ENABLED, true),
        cache_size: reader.count(CACHE_SIZE, 1..=1_000_000, 10_000),
        cache_outage_limit: reader.seconds(
            CACHE_OUTAGE_LIMIT,
            Duration::ZERO,
            Duration::from_secs(30),
        ),
        cache_second_level: second_level(&mut reader),
        max_tenants: reader.limit(MAX_TENANTS),
        standby,
        pool_size,
        database_pool_size: reader.count(DATABASE_POOL_SIZE, 1..=1000, 4),
        max_connections: reader.count(MAX_CONNECTIONS, 1..=10_000, 50),
        pool_idle_timeout: reader.seconds(
            POOL_IDLE_TIMEOUT,
            Duration::from_millis(100),
            Duration::from_secs(300),
        ),
        pool_timeout: reader.seconds(
            POOL_TIMEOUT,
            Duration::from_nanos(1),
            Duration::from_secs(5),
        ),
        prepared_statements: reader.switch(PREPARED_STATEMENTS, true),
        shutdown_timeout: reader.seconds(SHUTDOWN_TIMEOUT, Duration::ZERO, Duration::from_secs(30)),
        // The other half of the connections is for requests.
        jobs: reader.count(JOBS, 1..=1000, (pool_size / 2).max(1)),
        jobs_waiting: reader.count(JOBS_WAITING, 1..=1_000_000, 1000),
        streams_per_tenant: reader.count(STREAMS_PER_TENANT, 1..=1_000_000, 1000),
        embedded: reader.embedded(EMBEDDED, defaults.embedded),
        rate_limits: super::limits::read(&mut reader),
        admin_token: super::admin::token(&mut reader),
        admin_open: reader.switch(ADMIN_OPEN, false),
        #[cfg(feature = "encryption")]
        encryption_keys,
    };
    let problems = reader.into_problems();
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

/// Whether look-ups are shared, which needs somewhere to share them.
fn second_level(reader: &mut Reader) -> bool {
    let (shared, redis) = (variables::CACHE_SECOND_LEVEL, variables::REDIS_URL);
    let wanted = reader.switch(shared, false);
    if wanted && !reader.is_set(redis) {
        reader.problem(Problem::new(
            shared.name,
            format!("is true, but {} is not set", redis.name),
            format!("set {} as well, or unset it", redis.name),
        ));
    }
    wanted
}

/// A value that does not read as what the variable takes. The value is shown:
/// not for variables that hold secrets.
pub(super) fn value_problem(
    variable: Variable,
    value: &str,
    takes: &str,
    example: &str,
) -> Problem {
    Problem::new(
        variable.name,
        format!("`{}` is not {takes}", shown(value)),
        format!("write for example {}={example}", variable.name),
    )
}
