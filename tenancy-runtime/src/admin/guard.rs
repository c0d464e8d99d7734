use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::sites;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::http::{HostName, once};
use crate::problem::Problem;
use crate::system;

/// Who administers tenants: the actor in the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator(Arc<str>);

impl Operator {
    /// The operator of this name.
    ///
    /// ```
    /// use tenancy_runtime::admin::Operator;
    ///
    /// assert_eq!(Operator::new("ada")?.as_str(), "ada");
    /// assert!(Operator::new(" ").is_err());
    /// # Ok::<(), tenancy_runtime::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a name that is blank, longer than 200 characters
    /// or has control characters in it: the trail could not keep it.
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self(system::check_actor(name)?.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decides who administers tenants, and is asked before anything of the request
/// but its head is read.
///
/// ```
/// use async_trait::async_trait;
/// use axum::http::request::Parts;
/// use tenancy_runtime::admin::{Operator, OperatorGuard};
/// use tenancy_runtime::error::{Error, Result};
///
/// /// Left by the layer that checks sessions.
/// #[derive(Clone)]
/// struct Employee {
///     name: String,
///     may_operate: bool,
/// }
///
/// struct Employees;
///
/// #[async_trait]
/// impl OperatorGuard for Employees {
///     async fn operator(&self, request: &Parts) -> Result<Operator> {
///         match request.extensions.get::<Employee>() {
///             Some(employee) if employee.may_operate => Operator::new(&employee.name),
///             _ => Err(Error::NotAnOperator),
///         }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide who may administer tenants",
    label = "implement `tenancy::admin::OperatorGuard` for it"
)]
pub trait OperatorGuard: Send + Sync + 'static {
    /// Looks at the configuration once, when the application starts to serve, and
    /// says what stands in the way.
    fn prepare(&mut self, config: &Config) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// What to say of the bearer token that it reads, where routes are described
    /// (feature `openapi`); nothing where it reads none.
    fn bearer(&self) -> Option<&str> {
        None
    }

    /// Who is behind the request.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] where nobody is, [`Error::NotAnOperator`] where it is
    /// somebody who may not, and whatever goes wrong: each refuses the request.
    async fn operator(&self, request: &Parts) -> Result<Operator>;
}

/// Lets everybody who reaches the application administer all tenants:
/// `admin = "open"`, for development. Every start says so in the log.
///
/// It starts only where nobody but this machine reaches the application
/// (`TENANCY_LISTEN`, and no `TENANCY_TRUSTED_PROXIES`), and takes no request that
/// comes from elsewhere or says that a proxy has handed it on; unless
/// `TENANCY_ADMIN_OPEN=true` says that nobody else gets there. A proxy on this machine
/// that says nothing is not seen: never run one in front of it.
///
/// In any case it takes requests only for an address or a name that is none of
/// the public DNS: a page that has had its own name led to this machine, to be of
/// one site with it, still sends that name.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenGuard {
    /// Whether requests from elsewhere are let through as well.
    to_others: bool,
}

#[async_trait]
impl OperatorGuard for OpenGuard {
    fn prepare(&mut self, config: &Config) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.to_others = config.admin_open;
        if !config.trusted_proxies.is_empty() && !config.admin_open {
            problems.push(Problem::new(
                "the admin guard `open`",
                "would let everybody administer all tenants whom the proxies of \
                 TENANCY_TRUSTED_PROXIES let through",
                "choose admin = \"token\" or a guard of your own, unset TENANCY_TRUSTED_PROXIES, \
                 or set TENANCY_ADMIN_OPEN=true if the proxies let only those through who may",
            ));
        }
        if !config.listen.ip().is_loopback() && !config.admin_open {
            problems.push(Problem::new(
                "the admin guard `open`",
                format!(
                    "would let everybody who reaches {} administer all tenants",
                    config.listen
                ),
                "choose admin = \"token\" or a guard of your own, set TENANCY_LISTEN to an \
                 address of this machine's own like 127.0.0.1:8000, or set \
                 TENANCY_ADMIN_OPEN=true if only those who may reach that port",
            ));
        }
        if config.admin_token.is_some() {
            problems.push(Problem::new(
                "TENANCY_ADMIN_TOKEN",
                "is set, and the admin guard `open` asks for no token",
                "choose admin = \"token\" in the application's attribute, or unset it",
            ));
        }
        if problems.is_empty() {
            tracing::warn!(
                "ANYBODY WHO REACHES {} MAY ADMINISTER ALL TENANTS: the admin guard is `open`, \
                 for development only",
                config.listen
            );
        }
        problems
    }

    async fn operator(&self, request: &Parts) -> Result<Operator> {
        if !sites::host(request).is_some_and(|host| is_private(&host)) {
            return Err(Error::CrossSite(
                "the admin guard `open` takes requests for an address or `localhost` only"
                    .to_owned(),
            ));
        }
        if !self.to_others
            && let Err(why) = is_from_here(request)
        {
            // To those who run it, and not to whoever has come by.
            tracing::warn!(
                "the admin guard `open` has refused a request that {why}: choose \
                 admin = \"token\", or set TENANCY_ADMIN_OPEN=true if only those get there who \
                 may administer all tenants"
            );
            return Err(Error::NotAnOperator);
        }
        Operator::new("anybody")
    }
}

/// Whether a request comes from this machine, as far as it shows; or why it does not.
fn is_from_here(request: &Parts) -> Result<(), String> {
    let is_told = |name: &str| {
        ["forwarded", "via", "x-real-ip"].contains(&name) || name.starts_with("x-forwarded-")
    };
    let mut names = request.headers.keys();
    if let Some(name) = names.find(|name| is_told(name.as_str())) {
        return Err(format!("a proxy has handed on (`{name}`)"));
    }
    match request.extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) if peer.ip().to_canonical().is_loopback() => Ok(()),
        Some(ConnectInfo(peer)) => Err(format!("comes from {}", peer.ip())),
        None => Err(
            "has no sender (serve with `into_make_service_with_connect_info::<SocketAddr>()`)"
                .to_owned(),
        ),
    }
}

/// Whether nobody can have a name like this in the public DNS.
fn is_private(host: &Authority) -> bool {
    match host.host().parse::<HostName>() {
        Ok(name) => !name.as_str().contains('.') || name.as_str().ends_with(".localhost"),
        Err(_) => {
            let address = host.host().trim_start_matches('[').trim_end_matches(']');
            address.parse::<std::net::IpAddr>().is_ok()
        }
    }
}

/// Asks for one bearer token, which all operators have: `admin = "token"`.
///
/// It is the value of `TENANCY_ADMIN_TOKEN` unless it is given here, and what the
/// trail says is that somebody had it.
#[derive(Debug, Clone, Default)]
pub struct TokenGuard {
    token: Option<SecretString>,
}

impl TokenGuard {
    /// Asks for this token instead of that of the environment. It should be random,
    /// and has 32 characters or more without spaces, or the application does not start.
    #[must_use]
    pub fn new(token: impl Into<SecretString>) -> Self {
        let token = Some(token.into());
        Self { token }
    }
}

#[async_trait]
impl OperatorGuard for TokenGuard {
    fn prepare(&mut self, config: &Config) -> Vec<Problem> {
        let given = self.token.is_some();
        if !given {
            self.token.clone_from(&config.admin_token);
        }
        if let Some(token) = &self.token {
            let weak = config::weakness_of(token.expose_secret()).filter(|_| given);
            let problem =
                |(wrong, remedy)| Problem::new("the token of `TokenGuard`", wrong, remedy);
            return weak.map(problem).into_iter().collect();
        }
        vec![Problem::new(
            "TENANCY_ADMIN_TOKEN",
            "is not set, and the admin guard `token` asks for it",
            "set it to 32 random characters or more, for example those of `openssl rand -hex 32`",
        )]
    }

    fn bearer(&self) -> Option<&str> {
        Some("The token of operators: the value of `TENANCY_ADMIN_TOKEN`.")
    }

    async fn operator(&self, request: &Parts) -> Result<Operator> {
        let sent = bearer(&request.headers).ok_or(Error::InvalidToken)?;
        let token = self.token.as_ref().ok_or(Error::InvalidToken)?;
        // Their hashes, which are of one length whatever was sent.
        let (sent, token) = (
            Sha256::digest(sent),
            Sha256::digest(token.expose_secret().as_bytes()),
        );
        if bool::from(sent.as_slice().ct_eq(token.as_slice())) {
            return Operator::new("admin token");
        }
        Err(Error::InvalidToken)
    }
}

/// The bearer token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = once(headers, &header::AUTHORIZATION).ok().flatten()?;
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_can_register_are_private() {
        for (host, private) in [
            ("localhost", true),
            ("localhost:8000", true),
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("192.168.1.7", true),
            ("app:8000", true),
            ("shop.localhost:8000", true),
            ("evil.com:8000", false),
            ("127.0.0.1.evil.com", false),
            ("localhost.evil.com", false),
            ("evillocalhost.com", false),
        ] {
            let host: Authority = host.parse().unwrap();
            assert_eq!(is_private(&host), private, "{host}");
        }
    }

    #[tokio::test]
    async fn only_who_is_on_this_machine_and_says_so_is_let_through() {
        let asked = async |guard: OpenGuard, peer: Option<&str>| {
            let request = axum::http::Request::get("/").header("host", "localhost");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            if let Some(peer) = peer {
                let peer: SocketAddr = peer.parse().unwrap();
                parts.extensions.insert(ConnectInfo(peer));
            }
            guard.operator(&parts).await.is_ok()
        };
        for here in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert!(asked(OpenGuard::default(), Some(here)).await, "{here}");
        }
        for peer in [Some("192.168.1.7:9"), Some("[2001:db8::1]:9"), None] {
            assert!(!asked(OpenGuard::default(), peer).await, "{peer:?}");
            // The twin: it is this that keeps them out.
            assert!(asked(OpenGuard { to_others: true }, peer).await, "{peer:?}");
        }
    }

    #[test]
    fn a_token_stands_in_one_header_after_its_scheme() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(of(&["Bearer abc"]), Some(b"abc".to_vec()));
        assert_eq!(of(&["bearer  abc"]), Some(b"abc".to_vec()));
        for none in [&["abc"][..], &["Basic abc"], &["Bearerabc"], &[]] {
            assert_eq!(of(none), None, "{none:?}");
        }
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), None);
    }
}
